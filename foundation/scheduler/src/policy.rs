//! What becomes of a job that failed, as the JSON form of its message.
use foundation_endpoint::proto_json::{duration, uint32};
use prost_types::Duration;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wire::common::v1::job_failure_policy::Policy;
use wire::common::v1::{JobFailurePolicy, JobFailurePolicyConstant, JobFailurePolicyDrop};

/// What becomes of a job that failed: it is dropped, or tried again after a while, so many times.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "Members")]
pub struct FailurePolicy(Members);

/// Of which there may be one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, expecting = "an object with a member drop or constant, each an object")]
struct Members {
    drop: Option<Drop>,
    constant: Option<Constant>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(expecting = "an object for drop, which may be empty")]
struct Drop {}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "an object for constant, with interval and maxRetries")]
struct Constant {
    #[serde(deserialize_with = "duration")]
    interval: Option<std::time::Duration>,
    #[serde(alias = "max_retries", deserialize_with = "uint32")]
    max_retries: Option<u32>,
}

impl TryFrom<Members> for FailurePolicy {
    type Error = &'static str;

    fn try_from(members: Members) -> Result<Self, Self::Error> {
        if members.drop.is_some() && members.constant.is_some() {
            return Err("oneof dapr.proto.common.v1.JobFailurePolicy.policy is already set: give drop or constant");
        }
        Ok(Self(members))
    }
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
        let Members { drop, constant: again } = policy.0;
        let drop = drop.map(|_| Policy::Drop(JobFailurePolicyDrop {}));
        Self { policy: drop.or(again.map(constant)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<JobFailurePolicy, serde_json::Error> {
        serde_json::from_str::<FailurePolicy>(text).map(Into::into)
    }

    #[test]
    fn a_policy_is_one_of_two() {
        assert!(matches!(read(r#"{"drop": {}}"#).unwrap().policy, Some(Policy::Drop(_))));
        assert!(matches!(read(r#"{"drop": null, "constant": {}}"#).unwrap().policy, Some(Policy::Constant(_))));
        assert!(read("{}").unwrap().policy.is_none());
        assert!(matches!(read(r#"{"drop": {"any": 1}}"#).unwrap().policy, Some(Policy::Drop(_))));
        let fault = read(r#"{"drop": {}, "constant": {}}"#).unwrap_err().to_string();
        assert!(fault.starts_with("oneof dapr.proto.common.v1.JobFailurePolicy.policy is already set"), "{fault}");
    }

    #[test]
    fn what_is_no_policy_is_told_what_would_be() {
        let fault = |text| read(text).unwrap_err().to_string();
        assert!(fault(r#""drop""#).contains("expected an object with a member drop or constant"));
        assert!(fault(r#"{"drop": true}"#).contains("expected an object for drop"));
        assert!(fault(r#"{"constant": "5s"}"#).contains("expected an object for constant, with interval"));
    }
}
