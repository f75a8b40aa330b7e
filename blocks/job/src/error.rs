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

const SCHEDULE: &str = "DAPR_SCHEDULER_SCHEDULE_JOB";
static NAME_IN_BODY: Row = refused("DAPR_SCHEDULER_JOB_NAME");
static NO_NAME: Row = refused("DAPR_SCHEDULER_JOB_NAME_EMPTY");
static NO_JOB: Row = refused("DAPR_SCHEDULER_EMPTY");
static NO_SCHEDULE: Row = refused("DAPR_SCHEDULER_SCHEDULE_EMPTY");
static GET: Row = row(INTERNAL, Code::Internal, "DAPR_SCHEDULER_GET_JOB");
static LIST: Row = row(INTERNAL, Code::Internal, "DAPR_SCHEDULER_LIST_JOBS");
static DELETE: Row = row(INTERNAL, Code::Internal, "DAPR_SCHEDULER_DELETE_JOB");
static BODY: Row = Row::new(BAD, Code::InvalidArgument, "ERR_BODY_READ", Category::Common);
static MALFORMED: Row = Row::new(BAD, Code::InvalidArgument, "ERR_MALFORMED_REQUEST", Category::Common);
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
        match self {
            Self::Schedule => SCHEDULE_FAILED.iter().find(|row| row.grpc == code).unwrap_or(&SCHEDULE_FAILED[0]),
            Self::Get => &GET,
            Self::List => &LIST,
            Self::Delete => &DELETE,
        }
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
