//! Why a request was not done, and what the caller of the API is told (surface.md 1.2).
use foundation_fault::{Category, Code as Row, Detail, Fault};
use foundation_peer::describe;
use http::StatusCode;
use tonic::{Code, Status};

/// Why a request was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Reason {
    /// The body named the job, too.
    #[error("Set the job name in the url only")]
    NameInBody,
    #[error("Name is empty")]
    NoName,
    #[error("Job is empty")]
    NoJob,
    /// Nothing says when the job is due.
    #[error("Schedule is empty")]
    NoSchedule,
    /// The scheduler did not do it; `wish` is what it was asked for.
    #[error("failed to {} due to: {}", .wish.words(), describe(.status))]
    Failed { wish: Wish, status: Status },
    /// This sidecar was started without the address of a scheduler.
    #[error("failed to {} due to: scheduler clients are disabled", .0.words())]
    Disabled(Wish),
    /// The body did not arrive.
    #[error("failed to read request body: {0}")]
    Body(String),
    /// The body is not what it should be.
    #[error("failed deserializing HTTP body: {0}")]
    Malformed(String),
}

/// What the scheduler was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Schedule,
    Get,
    List,
    Delete,
}

/// A reason, with the app that it happened to.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Error {
    pub reason: Reason,
    pub app_id: String,
    pub namespace: String,
}

const BAD: StatusCode = StatusCode::BAD_REQUEST;
const INTERNAL: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;

const fn row(http: StatusCode, grpc: Code, reason: &'static str) -> Row {
    Row::rich(http, grpc, "", reason, Category::Job)
}

const fn refused(reason: &'static str) -> Row {
    row(BAD, Code::InvalidArgument, reason)
}

/// A scheduler that is away is worth another try, and SDKs know that by the code.
const fn internal_or_unavailable(reason: &'static str) -> [Row; 2] {
    [row(INTERNAL, Code::Internal, reason), row(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, reason)]
}

const SCHEDULE: &str = "DAPR_SCHEDULER_SCHEDULE_JOB";
static NAME_IN_BODY: Row = refused("DAPR_SCHEDULER_JOB_NAME");
static NO_NAME: Row = refused("DAPR_SCHEDULER_JOB_NAME_EMPTY");
static NO_JOB: Row = refused("DAPR_SCHEDULER_EMPTY");
static NO_SCHEDULE: Row = refused("DAPR_SCHEDULER_SCHEDULE_EMPTY");
const GET: &str = "DAPR_SCHEDULER_GET_JOB";
const LIST: &str = "DAPR_SCHEDULER_LIST_JOBS";
const DELETE: &str = "DAPR_SCHEDULER_DELETE_JOB";
static BODY: Row = Row::new(BAD, Code::InvalidArgument, "ERR_BODY_READ", Category::Common);
static MALFORMED: Row = Row::new(BAD, Code::InvalidArgument, "ERR_MALFORMED_REQUEST", Category::Common);
static GET_FAILED: [Row; 2] = internal_or_unavailable(GET);
static LIST_FAILED: [Row; 2] = internal_or_unavailable(LIST);
static DELETE_FAILED: [Row; 2] = internal_or_unavailable(DELETE);
/// The scheduler's refusals of a job keep their codes.
static SCHEDULE_FAILED: [Row; 9] = [
    row(INTERNAL, Code::Internal, SCHEDULE),
    row(BAD, Code::InvalidArgument, SCHEDULE),
    row(StatusCode::CONFLICT, Code::AlreadyExists, SCHEDULE),
    row(StatusCode::FORBIDDEN, Code::PermissionDenied, SCHEDULE),
    row(StatusCode::GATEWAY_TIMEOUT, Code::DeadlineExceeded, SCHEDULE),
    row(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, SCHEDULE),
    row(StatusCode::TOO_MANY_REQUESTS, Code::ResourceExhausted, SCHEDULE),
    row(BAD, Code::FailedPrecondition, SCHEDULE),
    row(StatusCode::NOT_FOUND, Code::NotFound, SCHEDULE),
];

impl Wish {
    fn words(self) -> &'static str {
        match self {
            Self::Schedule => "schedule job",
            Self::Get => "get job",
            Self::List => "list jobs",
            Self::Delete => "delete job",
        }
    }

    fn row(self, code: Code) -> &'static Row {
        let rows: &'static [Row] = match self {
            Self::Schedule => &SCHEDULE_FAILED,
            Self::Get => &GET_FAILED,
            Self::List => &LIST_FAILED,
            Self::Delete => &DELETE_FAILED,
        };
        rows.iter().find(|row| row.grpc == code).unwrap_or(&rows[0])
    }
}

impl Reason {
    fn row(&self) -> &'static Row {
        match self {
            Self::NameInBody => &NAME_IN_BODY,
            Self::NoName => &NO_NAME,
            Self::NoJob => &NO_JOB,
            Self::NoSchedule => &NO_SCHEDULE,
            Self::Failed { wish, status } => wish.row(status.code()),
            Self::Disabled(wish) => wish.row(Code::Internal),
            Self::Body(_) => &BODY,
            Self::Malformed(_) => &MALFORMED,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let Error { reason, app_id, namespace } = error;
        let row = reason.row();
        let mut metadata = vec![("appID".to_owned(), app_id)];
        match &reason {
            Reason::Body(_) | Reason::Malformed(_) => return Self::new(row, reason.to_string()),
            Reason::NameInBody => {}
            _ => metadata.push(("namespace".to_owned(), namespace)),
        }
        let info = Detail::ErrorInfo { reason: row.reason.to_owned(), metadata, http_only_metadata: Vec::new() };
        Self::new(row, reason.to_string()).with(info)
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        Fault::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_scheduler_is_unavailable_whatever_was_asked() {
        for wish in [Wish::Schedule, Wish::Get, Wish::List, Wish::Delete] {
            let coded = |status: Status| {
                let error =
                    Error { reason: Reason::Failed { wish, status }, app_id: String::new(), namespace: String::new() };
                let row = error.reason.row();
                (row.http.as_u16(), Status::from(error).code())
            };
            assert_eq!(coded(Status::unavailable("lost")), (503, Code::Unavailable), "{wish:?}");
            assert_eq!(coded(Status::unknown("what")), (500, Code::Internal), "{wish:?}");
        }
    }
}
