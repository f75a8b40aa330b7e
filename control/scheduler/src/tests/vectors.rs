//! Requests with the keys and bytes that Dapr's scheduler stores for them, or the error that it answers.
use crate::job::{requested, stored};
use crate::names::of_job;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use prost::Message;
use serde_json::Value;
use tonic::Status;
use wire::common::v1::job_failure_policy::Policy;
use wire::common::v1::{JobFailurePolicy, JobFailurePolicyConstant, JobFailurePolicyDrop};
use wire::etcd::cron::StoredJob;
use wire::etcd::cron::stored_job::Begin;
use wire::scheduler::v1::job_target_metadata::Type;
use wire::scheduler::v1::{Job, JobMetadata, JobTargetMetadata, ScheduleJobRequest, TargetActorReminder, TargetJob};

const VECTORS: &str = include_str!("vectors.json");

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn request(value: &Value) -> ScheduleJobRequest {
    let (job, metadata) = (&value["job"], &value["metadata"]);
    let target = match &metadata["target"]["actor"] {
        Value::Null => Type::Job(TargetJob {}),
        actor => {
            Type::Actor(TargetActorReminder { id: text(&actor["id"]).unwrap(), r#type: text(&actor["type"]).unwrap() })
        }
    };
    ScheduleJobRequest {
        name: text(&value["name"]).unwrap_or_default(),
        job: Some(Job {
            schedule: text(&job["schedule"]),
            repeats: job["repeats"].as_u64().map(|repeats| repeats.try_into().unwrap()),
            due_time: text(&job["dueTime"]),
            ttl: text(&job["ttl"]),
            data: data(&job["data"]),
            failure_policy: policy(&job["failurePolicy"]),
        }),
        metadata: Some(JobMetadata {
            app_id: text(&metadata["appId"]).unwrap(),
            namespace: text(&metadata["namespace"]).unwrap(),
            target: Some(JobTargetMetadata { r#type: Some(target) }),
            ..JobMetadata::default()
        }),
        overwrite: false,
    }
}

/// The vectors hold texts only.
fn data(value: &Value) -> Option<prost_types::Any> {
    let type_url = text(&value["@type"])?;
    Some(prost_types::Any { type_url, value: text(&value["value"]).unwrap().encode_to_vec() })
}

fn policy(value: &Value) -> Option<JobFailurePolicy> {
    let policy = match (&value["drop"], &value["constant"]) {
        (Value::Null, Value::Null) => return None,
        (Value::Null, constant) => {
            let seconds: f64 = constant["interval"].as_str().unwrap().trim_end_matches('s').parse().unwrap();
            let interval = std::time::Duration::from_secs_f64(seconds).try_into().unwrap();
            let max_retries = constant["maxRetries"].as_u64().map(|most| most.try_into().unwrap());
            Policy::Constant(JobFailurePolicyConstant { interval: Some(interval), max_retries })
        }
        _ => Policy::Drop(JobFailurePolicyDrop {}),
    };
    Some(JobFailurePolicy { policy: Some(policy) })
}

/// When the recording began to store a job: a relative time says so by what it is relative to.
fn now(stored: &StoredJob) -> Timestamp {
    let (seconds, nanos, earlier) = match (stored.begin.unwrap(), stored.job.as_ref().unwrap().due_time.as_deref()) {
        (Begin::Start(start), _) => (start.seconds, start.nanos, 0),
        (Begin::DueTime(due), Some("5000h")) => (due.seconds, due.nanos, 5000 * 3600),
        (Begin::DueTime(due), Some("P400D")) => (due.seconds, due.nanos, 400 * 86_400),
        (Begin::DueTime(due), _) => (due.seconds, due.nanos, 0),
    };
    Timestamp::new(seconds - earlier, nanos).unwrap()
}

/// The key and what is stored there, as this scheduler has it.
fn ours(request: &ScheduleJobRequest, now: Timestamp, partition: u64) -> Result<(String, StoredJob), Status> {
    let metadata = request.metadata.as_ref().unwrap();
    let name = of_job(metadata, &request.name)?;
    Ok((format!("dapr/jobs/{name}"), stored(request.job.clone().unwrap(), metadata, now, partition)?))
}

#[test]
fn jobs_are_stored_and_refused_as_dapr_does() {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    assert!(vectors.len() > 20);
    for vector in &vectors {
        let request = request(&vector["request"]);
        if let Some(error) = vector["error"].as_str() {
            let refused = ours(&request, Timestamp::UNIX_EPOCH, 1).unwrap_err();
            assert_eq!(format!("rpc error: code = {:?} desc = {}", refused.code(), refused.message()), error);
            continue;
        }
        let (key, bytes) = vector["etcd"].as_object().unwrap().iter().next().unwrap();
        let bytes = BASE64_STANDARD.decode(bytes.as_str().unwrap()).unwrap();
        let theirs = StoredJob::decode(&bytes[..]).unwrap();
        let (our_key, our_job) = ours(&request, now(&theirs), theirs.partition_id).unwrap();
        assert_eq!((&our_key, &our_job), (key, &theirs));
        let given = request.job.unwrap();
        let shown = requested(theirs.job.unwrap());
        assert_eq!((shown.schedule, shown.due_time, shown.data), (given.schedule, given.due_time, given.data));
    }
}
