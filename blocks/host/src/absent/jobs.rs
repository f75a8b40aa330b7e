//! Jobs without a scheduler: requests are looked at as if there were one (surface.md 0.26).
use crate::absent::Owner;
use crate::absent::checks::Captured;
use axum::http::StatusCode;
use foundation_fault::{Category, Code, Detail, Fault};
use tonic::Code as Grpc;

/// What a caller wants of the scheduler.
pub(crate) struct Wish {
    verb: &'static str,
    code: Code,
}

pub(crate) static SCHEDULE: Wish = Wish { verb: "schedule job", code: failed("DAPR_SCHEDULER_SCHEDULE_JOB") };
pub(crate) static GET: Wish = Wish { verb: "get job", code: failed("DAPR_SCHEDULER_GET_JOB") };
pub(crate) static DELETE: Wish = Wish { verb: "delete job", code: failed("DAPR_SCHEDULER_DELETE_JOB") };
pub(crate) static LIST: Wish = Wish { verb: "list jobs", code: failed("DAPR_SCHEDULER_LIST_JOBS") };
pub(crate) static DELETE_MANY: Wish =
    Wish { verb: "delete jobs by prefix", code: failed("DAPR_SCHEDULER_DELETE_JOBS_BY_PREFIX") };

static NAME_TWICE: Code = refused("DAPR_SCHEDULER_JOB_NAME");
static NO_NAME: Code = refused("DAPR_SCHEDULER_JOB_NAME_EMPTY");
static NO_JOB: Code = refused("DAPR_SCHEDULER_EMPTY");
static NO_SCHEDULE: Code = refused("DAPR_SCHEDULER_SCHEDULE_EMPTY");

const fn failed(reason: &'static str) -> Code {
    Code::rich(StatusCode::INTERNAL_SERVER_ERROR, Grpc::Internal, "", reason, Category::Job)
}

const fn refused(reason: &'static str) -> Code {
    Code::rich(StatusCode::BAD_REQUEST, Grpc::InvalidArgument, "", reason, Category::Job)
}

/// The scheduler was not asked.
pub(crate) fn disabled(owner: &Owner, wish: &'static Wish) -> Fault {
    let message = format!("failed to {} due to: scheduler clients are disabled", wish.verb);
    with_owner(Fault::new(&wish.code, message), owner)
}

/// A job over HTTP, whose name is in the URL.
pub(crate) fn schedule_by_url(owner: &Owner, request: &Captured) -> Fault {
    if request.body["name"].as_str().is_some_and(|name| !name.is_empty()) {
        let fault = Fault::new(&NAME_TWICE, "Set the job name in the url only");
        return with_info(fault, vec![("appID".to_owned(), owner.app_id.clone())]);
    }
    let timed = ["schedule", "dueTime", "due_time"].iter().any(|name| !request.body[name].is_null());
    if timed { disabled(owner, &SCHEDULE) } else { no_schedule(owner) }
}

/// The job itself is missing.
pub(crate) fn no_job(owner: &Owner) -> Fault {
    with_owner(Fault::new(&NO_JOB, "Job is empty"), owner)
}

/// The job has no name.
pub(crate) fn no_name(owner: &Owner) -> Fault {
    with_owner(Fault::new(&NO_NAME, "Name is empty"), owner)
}

/// Nothing says when the job is due.
pub(crate) fn no_schedule(owner: &Owner) -> Fault {
    with_owner(Fault::new(&NO_SCHEDULE, "Schedule is empty"), owner)
}

fn with_owner(fault: Fault, owner: &Owner) -> Fault {
    let names = [("appID", &owner.app_id), ("namespace", &owner.namespace)];
    with_info(fault, names.map(|(name, value)| (name.to_owned(), value.clone())).into())
}

fn with_info(fault: Fault, metadata: Vec<(String, String)>) -> Fault {
    let reason = fault.code.reason.to_owned();
    fault.with(Detail::ErrorInfo { reason, metadata, http_only_metadata: Vec::new() })
}
