//! Why a request was not done, and what the caller of the API is told (protocols.md 2.8).
use crate::model::ActorKey;
use axum::http::StatusCode;
use foundation_fault::{Category, Code as Row, Fault};
use foundation_peer::describe;
use foundation_peer::method::{InvalidMethod, InvalidName};
use tonic::{Code, Status};

/// Why a request was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("placement service is not configured")]
    NoPlacement,
    /// This sidecar ends.
    #[error("actor runtime is closed")]
    Closed,
    #[error("did not find address for actor '{}/{}'", .0.actor_type, .0.id)]
    NoAddress(ActorKey),
    #[error("actor type {0:?} is reserved for the Dapr workflow runtime; direct actor API access is not permitted")]
    Reserved(String),
    /// The name of a type, an actor, a timer or a reminder; `what` says of which where that is not plain.
    #[error("{}{reason}", of(.what))]
    Name { what: &'static str, reason: InvalidName },
    #[error("{0}")]
    Method(#[from] InvalidMethod),
    /// The body is not what it should be.
    #[error("failed deserializing HTTP body: {0}")]
    Malformed(String),
    /// The body did not arrive.
    #[error("failed to read body: {0}")]
    Body(String),
    #[error("maximum stack depth exceeded")]
    StackDepth,
    /// A call failed.
    #[error("error invoke actor method: {0}")]
    Invoke(Failure),
    #[error("actor instance is missing")]
    InstanceMissing,
    #[error(
        "the state store is not configured to use the actor runtime. Have you set the - name: actorStateStore value: \"true\" in your state store component file?"
    )]
    NoStateStore,
    #[error("error getting actor state: {0}")]
    GetState(String),
    /// A store that cannot tell how large the state of an actor is.
    #[error("state store {0} cannot list its keys; leave out measure=true for what this sidecar has read and written")]
    Unmeasurable(String),
    /// What is to be listed.
    #[error("{0}")]
    Listing(String),
    #[error("error saving actor transaction state: {0}")]
    SaveState(String),
    #[error("operation type {0} not supported")]
    Operation(String),
    #[error("error creating actor timer: {0}")]
    CreateTimer(String),
    #[error("reminder name cannot be empty")]
    NoReminderName,
    #[error("operations on actor reminders are only possible on hosted actor types")]
    ReminderNotHosted,
    #[error("actor reminder already exists: {0}")]
    ReminderExists(String),
    #[error("actor reminder not found: {0}")]
    NoReminder(String),
    /// What the scheduler said goes out as it is.
    #[error("{}", describe(.0))]
    Scheduler(Box<Status>),
    #[error("error creating actor reminder: {0}")]
    CreateReminder(String),
    #[error("error getting actor reminder: {0}")]
    GetReminder(String),
    #[error("error deleting actor reminder: {0}")]
    DeleteReminder(String),
}

/// What went wrong in a call.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The app, or what is in front of it, said so.
    #[error("{0}")]
    Said(String),
    /// Another sidecar, or what is between, said so.
    #[error("{}", describe(.0))]
    Status(Box<Status>),
    /// Nobody knows where the actor lives.
    #[error("failed to lookup actor: api error: code = {} desc = {error}", name(.code))]
    Lookup { code: Code, error: String },
    /// The tries are used up.
    #[error("failed to invoke target {address} after {tries} retries. Error: {}", describe(.status))]
    TriedEnough { address: String, tries: u64, status: Box<Status> },
}

fn of(what: &str) -> String {
    if what.is_empty() { String::new() } else { format!("invalid {what}: ") }
}

/// As Go writes it.
fn name(code: &Code) -> String {
    format!("{code:?}")
}

const BAD: StatusCode = StatusCode::BAD_REQUEST;
const INTERNAL: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;

const fn row(http: StatusCode, grpc: Code, tag: &'static str) -> Row {
    Row::new(http, grpc, tag, Category::Actor)
}

static NO_PLACEMENT: Row = row(BAD, Code::Unavailable, "ERR_ACTOR_NO_PLACEMENT");
static CLOSED: Row = row(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, "ERR_ACTOR_RUNTIME_CLOSED");
static NO_ADDRESS: Row = row(StatusCode::NOT_FOUND, Code::FailedPrecondition, "ERR_ACTOR_NO_ADDRESS");
static RESERVED: Row = row(StatusCode::FORBIDDEN, Code::PermissionDenied, "ERR_ACTOR_TYPE_RESERVED");
static BAD_REQUEST: Row = Row::new(BAD, Code::InvalidArgument, "ERR_BAD_REQUEST", Category::Common);
static MALFORMED: Row = Row::new(BAD, Code::InvalidArgument, "ERR_MALFORMED_REQUEST", Category::Common);
static DEPTH: Row = row(INTERNAL, Code::ResourceExhausted, "ERR_ACTOR_STACK_DEPTH");
static INVOKE: Row = row(INTERNAL, Code::Internal, "ERR_ACTOR_INVOKE_METHOD");
static INSTANCE: Row = row(BAD, Code::Internal, "ERR_ACTOR_INSTANCE_MISSING");
static RUNTIME: Row = row(INTERNAL, Code::Internal, "ERR_ACTOR_RUNTIME_NOT_FOUND");
static GET: Row = row(INTERNAL, Code::Internal, "ERR_ACTOR_STATE_GET");
static UNMEASURABLE: Row = row(StatusCode::NOT_IMPLEMENTED, Code::Unimplemented, "ERR_ACTOR_STATE_GET");
static SAVE: Row = row(INTERNAL, Code::Internal, "ERR_ACTOR_STATE_TRANSACTION_SAVE");
static OPERATION: Row = Row::rich(
    INTERNAL,
    Code::Unimplemented,
    "ERR_NOT_SUPPORTED_STATE_OPERATION",
    "ERR_NOT_SUPPORTED_STATE_OPERATION",
    Category::State,
);
static TIMER: Row = row(INTERNAL, Code::Internal, "ERR_ACTOR_TIMER_CREATE");
static NOT_HOSTED: Row = row(StatusCode::FORBIDDEN, Code::PermissionDenied, "ERR_ACTOR_REMINDER_NON_HOSTED");
static EXISTS: Row = row(StatusCode::CONFLICT, Code::AlreadyExists, "ERR_ACTOR_REMINDER_ALREADY_EXISTS");
static NO_REMINDER: Row = row(StatusCode::NOT_FOUND, Code::NotFound, "ERR_ACTOR_REMINDER_NOT_FOUND");
static CREATE_REMINDER: Row = row(INTERNAL, Code::Internal, "ERR_ACTOR_REMINDER_CREATE");
static GET_REMINDER: Row = row(INTERNAL, Code::Internal, "ERR_ACTOR_REMINDER_GET");
static DELETE_REMINDER: Row = row(INTERNAL, Code::Internal, "ERR_ACTOR_REMINDER_DELETE");

impl Error {
    fn row(&self) -> &'static Row {
        match self {
            Self::NoPlacement => &NO_PLACEMENT,
            Self::Closed => &CLOSED,
            Self::NoAddress(_) => &NO_ADDRESS,
            Self::Reserved(_) => &RESERVED,
            Self::Name { .. } | Self::Method(_) | Self::Body(_) | Self::NoReminderName | Self::Listing(_) => {
                &BAD_REQUEST
            }
            Self::Malformed(_) => &MALFORMED,
            Self::StackDepth => &DEPTH,
            Self::Invoke(_) => &INVOKE,
            Self::InstanceMissing => &INSTANCE,
            Self::NoStateStore => &RUNTIME,
            Self::GetState(_) => &GET,
            Self::Unmeasurable(_) => &UNMEASURABLE,
            Self::SaveState(_) => &SAVE,
            Self::Operation(_) => &OPERATION,
            Self::CreateTimer(_) => &TIMER,
            Self::ReminderNotHosted => &NOT_HOSTED,
            Self::ReminderExists(_) => &EXISTS,
            Self::NoReminder(_) => &NO_REMINDER,
            Self::CreateReminder(_) => &CREATE_REMINDER,
            Self::GetReminder(_) | Self::Scheduler(_) => &GET_REMINDER,
            Self::DeleteReminder(_) => &DELETE_REMINDER,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = match &error {
            // Dapr words all bad requests alike.
            Error::Name { .. } | Error::Method(_) | Error::Body(_) | Error::NoReminderName | Error::Listing(_) => {
                format!("invalid request: {error}")
            }
            error => error.to_string(),
        };
        Self::new(error.row(), message)
    }
}

impl From<Error> for Status {
    /// The status of another sidecar goes out as it is.
    fn from(error: Error) -> Self {
        match error {
            Error::Invoke(Failure::Status(status)) | Error::Scheduler(status) => *status,
            Error::Invoke(failure @ Failure::Lookup { code, .. }) => Self::new(code, failure.to_string()),
            Error::Invoke(failure @ Failure::TriedEnough { .. }) => {
                let text = failure.to_string();
                let code =
                    if let Failure::TriedEnough { status, .. } = failure { status.code() } else { Code::Unknown };
                Self::new(code, text)
            }
            error => Fault::from(error).into(),
        }
    }
}
