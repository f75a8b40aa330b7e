//! What becomes of a job that failed, as the JSON form of its message.
use foundation_endpoint::proto_json::{duration, uint32};
use prost_types::Duration;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wire::common::v1::job_failure_policy::Policy;
use wire::common::v1::{JobFailurePolicy, JobFailurePolicyConstant, JobFailurePolicyDrop};

/// What becomes of a job that failed: it is dropped, or tried again after a while, so many times.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct FailurePolicy {
    drop: Option<Map<String, Value>>,
    constant: Option<Constant>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Constant {
    #[serde(deserialize_with = "duration")]
    interval: Option<std::time::Duration>,
    #[serde(alias = "max_retries", deserialize_with = "uint32")]
    max_retries: Option<u32>,
}

impl FailurePolicy {
    /// A policy as JSON.
    pub fn shown(policy: JobFailurePolicy) -> Value {
        match policy.policy {
            None => json!({}),
            Some(Policy::Drop(_)) => json!({"drop": {}}),
            Some(Policy::Constant(JobFailurePolicyConstant { interval, max_retries })) => {
                let interval = interval.map(|interval| ("interval".to_owned(), interval.to_string().into()));
                let retries = max_retries.map(|retries| ("maxRetries".to_owned(), retries.into()));
                json!({"constant": interval.into_iter().chain(retries).collect::<Map<_, _>>()})
            }
        }
    }
}

impl From<FailurePolicy> for JobFailurePolicy {
    fn from(policy: FailurePolicy) -> Self {
        let constant = |constant: Constant| {
            let interval = constant.interval.and_then(|interval| Duration::try_from(interval).ok());
            Policy::Constant(JobFailurePolicyConstant { interval, max_retries: constant.max_retries })
        };
        let drop = policy.drop.map(|_| Policy::Drop(JobFailurePolicyDrop {}));
        Self { policy: drop.or(policy.constant.map(constant)) }
    }
}
