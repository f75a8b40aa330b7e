//! Why a request was not done, and what the caller of the API is told (surface.md 0 and 1.2).
use crate::failure::{Cause, Failure};
use component_api::Answer;
use foundation_fault::{Category, Chosen, Code as Row, Detail, Fault};
use http::StatusCode;
use tonic::{Code, Status};

/// Where stores are listed with what they can do.
const STORES: &str = "https://docs.dapr.io/reference/components-reference/supported-state-stores/";

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no state store at all.
    #[error("state store {store} is not configured")]
    NotConfigured { store: String, app_id: Option<String> },
    #[error("state store {store} is not found")]
    NotFound { store: String, app_id: Option<String> },
    /// The key contains the separator. `field` is what the caller is told to look at.
    #[error("input key/keyPrefix '{key}' can't contain '||'")]
    IllegalKey { store: String, key: String, field: String },
    #[error("state key cannot be empty")]
    EmptyKey,
    /// The body is not what it should be.
    #[error("{0}")]
    Malformed(String),
    /// The body did not arrive.
    #[error("failed to read request body: {0}")]
    Body(String),
    /// A value that was announced as JSON is none.
    #[error("{0}")]
    Json(String),
    #[error("fail to get {key} from state store {store}: {failure}")]
    Get { store: String, key: String, failure: Failure },
    #[error("{0}")]
    BulkGet(Failure),
    #[error("failed saving state in state store {store}: {failure}")]
    Save { store: String, failure: Failure },
    #[error("failed deleting state with key {key}: {failure}")]
    Delete { key: String, failure: Failure },
    #[error("failed deleting state in state store {store}: {failure}")]
    BulkDelete { store: String, failure: Failure },
    #[error("state store {store} doesn't support transactions")]
    NoTransactions { store: String },
    #[error("operation type {0} not supported")]
    UnknownOperation(String),
    #[error("the transaction contains {count} operations, which is more than what the state store supports: {limit}")]
    TooManyOperations { store: String, count: usize, limit: usize },
    #[error("error while executing state transaction: {0}")]
    Transaction(Failure),
    /// The events of a transaction could not be published, so that it was not tried.
    #[error("error while publishing outbox message: {reason}")]
    Outbox { app_id: String, reason: String },
    #[error("state store does not support querying")]
    NoQueries { store: String },
    #[error("state store {store} query failed: {failure}")]
    Query { store: String, failure: Failure },
}

const fn plain(http: StatusCode, grpc: Code, tag: &'static str) -> Row {
    Row::new(http, grpc, tag, Category::State)
}

const fn rich(http: StatusCode, grpc: Code, tag: &'static str, reason: &'static str) -> Row {
    Row::rich(http, grpc, tag, reason, Category::State)
}

/// Rows of a write: mismatch, invalid ETag, anything else.
const fn writes(tag: &'static str) -> [Row; 3] {
    [
        plain(StatusCode::CONFLICT, Code::Aborted, tag),
        plain(BAD_REQUEST, INVALID, tag),
        plain(FAILED, Code::Internal, tag),
    ]
}

const FAILED: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;
const BAD_REQUEST: StatusCode = StatusCode::BAD_REQUEST;
const INVALID: Code = Code::InvalidArgument;

static NOT_CONFIGURED: Row =
    rich(FAILED, Code::FailedPrecondition, "ERR_STATE_STORE_NOT_CONFIGURED", "DAPR_STATE_NOT_CONFIGURED");
static NOT_FOUND: Row = rich(BAD_REQUEST, INVALID, "ERR_STATE_STORE_NOT_FOUND", "DAPR_STATE_NOT_FOUND");
static ILLEGAL_KEY: Row = rich(BAD_REQUEST, INVALID, "ERR_MALFORMED_REQUEST", "DAPR_STATE_ILLEGAL_KEY");
static EMPTY_KEY: Row = plain(BAD_REQUEST, INVALID, "ERR_STATE_SAVE");
static MALFORMED: Row = Row::new(BAD_REQUEST, INVALID, "ERR_MALFORMED_REQUEST", Category::Common);
static BODY: Row = Row::new(BAD_REQUEST, INVALID, "ERR_BODY_READ", Category::Common);
static JSON: Row = Row::new(BAD_REQUEST, Code::Unknown, "ERR_MALFORMED_REQUEST", Category::Common);
static GET: Row = plain(FAILED, Code::Internal, "ERR_STATE_GET");
static BULK_GET: Row = plain(FAILED, Code::Unknown, "ERR_STATE_BULK_GET");
static SAVE: [Row; 3] = writes("ERR_STATE_SAVE");
static DELETE: [Row; 3] = writes("ERR_STATE_DELETE");
static BULK_DELETE: [Row; 3] = writes("ERR_STATE_BULK_DELETE");
static NO_TRANSACTIONS: Row =
    rich(FAILED, Code::Unimplemented, "ERR_STATE_STORE_NOT_SUPPORTED", "DAPR_STATE_TRANSACTIONS_NOT_SUPPORTED");
static UNKNOWN_OPERATION: Row = plain(BAD_REQUEST, Code::Unimplemented, "ERR_NOT_SUPPORTED_STATE_OPERATION");
static TOO_MANY: Row =
    rich(BAD_REQUEST, INVALID, "ERR_STATE_STORE_TOO_MANY_TRANSACTIONS", "DAPR_STATE_TOO_MANY_TRANSACTIONS");
static TRANSACTION: Row = plain(FAILED, Code::Internal, "ERR_STATE_TRANSACTION");
static OUTBOX: Row = Row::rich(FAILED, Code::Internal, "ERR_PUBLISH_OUTBOX", "DAPR_PUBSUB_OUTBOX", Category::Pubsub);
static NO_QUERIES: Row =
    rich(FAILED, Code::Internal, "ERR_STATE_STORE_NOT_SUPPORTED", "DAPR_STATE_QUERYING_NOT_SUPPORTED");
static QUERY: Row = rich(FAILED, Code::Internal, "ERR_STATE_QUERY", "DAPR_STATE_QUERY_FAILED");

fn of_write(rows: &'static [Row; 3], failure: &Failure) -> &'static Row {
    match failure.cause {
        Cause::EtagMismatch => &rows[0],
        Cause::EtagInvalid => &rows[1],
        Cause::Other => &rows[2],
    }
}

impl Error {
    /// The fixed part of the error.
    pub fn row(&self) -> &'static Row {
        match self {
            Self::NotConfigured { .. } => &NOT_CONFIGURED,
            Self::NotFound { .. } => &NOT_FOUND,
            Self::IllegalKey { .. } => &ILLEGAL_KEY,
            Self::EmptyKey => &EMPTY_KEY,
            Self::Malformed(_) => &MALFORMED,
            Self::Body(_) => &BODY,
            Self::Json(_) => &JSON,
            Self::Get { .. } => &GET,
            Self::BulkGet(_) => &BULK_GET,
            Self::Save { failure, .. } => of_write(&SAVE, failure),
            Self::Delete { failure, .. } => of_write(&DELETE, failure),
            Self::BulkDelete { failure, .. } => of_write(&BULK_DELETE, failure),
            Self::NoTransactions { .. } => &NO_TRANSACTIONS,
            Self::UnknownOperation(_) => &UNKNOWN_OPERATION,
            Self::TooManyOperations { .. } => &TOO_MANY,
            Self::Transaction(_) => &TRANSACTION,
            Self::Outbox { .. } => &OUTBOX,
            Self::NoQueries { .. } => &NO_QUERIES,
            Self::Query { .. } => &QUERY,
        }
    }

    /// What the caller is to be told, if the store says so.
    fn answer(&self) -> Option<&Answer> {
        match self {
            Self::BulkGet(failure) | Self::Transaction(failure) => failure.answer.as_deref(),
            Self::Get { failure, .. }
            | Self::Save { failure, .. }
            | Self::Delete { failure, .. }
            | Self::BulkDelete { failure, .. }
            | Self::Query { failure, .. } => failure.answer.as_deref(),
            _ => None,
        }
    }

    /// The same error with nothing to look at, as a transaction over HTTP tells it.
    pub(crate) fn without_field(self) -> Self {
        match self {
            Self::IllegalKey { store, key, .. } => Self::IllegalKey { store, key, field: String::new() },
            other => other,
        }
    }

    /// The rich form, for rows that have a reason.
    fn fault(&self, message: String) -> Fault {
        let row = self.row();
        let (mut metadata, mut http_only_metadata) = (Vec::new(), Vec::new());
        let fault = Fault::new(row, message.as_str());
        let fault = match self {
            Self::NotConfigured { app_id, .. } | Self::NotFound { app_id, .. } => {
                http_only_metadata.extend(app_id.iter().map(|app_id| ("appID".to_owned(), app_id.clone())));
                fault
            }
            Self::IllegalKey { store, field, .. } => {
                fault.with(Detail::BadRequest { violations: vec![(field.clone(), message)] }).with(resource(store))
            }
            Self::NoTransactions { store } => {
                let text = "Check the list of state stores and the features they support".to_owned();
                fault.with(Detail::Help { links: vec![(STORES.to_owned(), text)] }).with(resource(store))
            }
            Self::TooManyOperations { store, count, limit } => {
                metadata.push(("currentOpsTransaction".to_owned(), count.to_string()));
                metadata.push(("maxOpsPerTransaction".to_owned(), limit.to_string()));
                fault.with(resource(store))
            }
            Self::Outbox { app_id, reason } => {
                metadata.push(("appID".to_owned(), app_id.clone()));
                metadata.push(("error".to_owned(), reason.clone()));
                fault
            }
            Self::NoQueries { store } | Self::Query { store, .. } => fault.with(resource(store)),
            _ => return fault,
        };
        fault.with(Detail::ErrorInfo { reason: row.reason.to_owned(), metadata, http_only_metadata })
    }
}

impl From<Error> for Fault {
    /// The form over HTTP, where an illegal key is told in the words of the API's inner layer.
    fn from(error: Error) -> Self {
        let message = match &error {
            Error::IllegalKey { .. } => format!("api error: code = InvalidArgument desc = {error}"),
            _ => error.to_string(),
        };
        let fault = error.fault(message);
        match error.answer() {
            // A query is the only thing that is answered by the store's words alone.
            Some(answer) if matches!(error, Error::Query { .. }) => in_words_of_store(error.row(), answer),
            Some(answer) => fault.choosing(chosen(answer, None)),
            None => fault,
        }
    }
}

impl From<Error> for Status {
    /// Over gRPC, errors without a reason have their tag as one.
    fn from(error: Error) -> Self {
        if let Some(answer) = error.answer() {
            return in_words_of_store(error.row(), answer).into();
        }
        let fault = error.fault(error.to_string());
        if !fault.details.is_empty() || matches!(error, Error::Json(_) | Error::BulkGet(_)) {
            return fault.into();
        }
        let reason = fault.code.tag.to_owned();
        fault.with(Detail::ErrorInfo { reason, metadata: Vec::new(), http_only_metadata: Vec::new() }).into()
    }
}

/// The error as the store words it.
fn in_words_of_store(row: &'static Row, answer: &Answer) -> Fault {
    let Answer { reason, domain, .. } = answer.clone();
    let tag = Some(answer.tag.clone()).filter(|tag| !tag.is_empty());
    let fault = Fault::new(row, answer.message.as_str()).choosing(chosen(answer, tag));
    fault.with(Detail::ForeignErrorInfo { reason, domain })
}

fn chosen(answer: &Answer, tag: Option<String>) -> Chosen {
    let http = StatusCode::from_u16(answer.http).unwrap_or(FAILED);
    Chosen { http, grpc: Code::from_i32(answer.grpc), tag }
}

fn resource(store: &str) -> Detail {
    Detail::ResourceInfo {
        kind: "state".to_owned(),
        name: store.to_owned(),
        owner: String::new(),
        description: String::new(),
    }
}
