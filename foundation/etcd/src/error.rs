//! What can go wrong, in etcd's words.
use tonic::{Code, Status};

/// Why a request is refused or cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("etcdserver: key is not provided")]
    NoKey,
    #[error("etcdserver: key not found")]
    KeyNotFound,
    #[error("etcdserver: value is provided")]
    ValueProvided,
    #[error("etcdserver: lease is provided")]
    LeaseProvided,
    #[error("etcdserver: duplicate key given in txn request")]
    DuplicateKey,
    #[error("etcdserver: too many operations in txn request")]
    TooManyOperations,
    #[error("etcdserver: mvcc: required revision has been compacted")]
    Compacted,
    #[error("etcdserver: mvcc: required revision is a future revision")]
    FutureRevision,
    #[error("etcdserver: mvcc: database space exceeded")]
    NoSpace,
    #[error("etcdserver: requested lease not found")]
    LeaseNotFound,
    #[error("etcdserver: lease already exists")]
    LeaseExists,
    #[error("etcdserver: too large lease TTL")]
    LongLease,
    #[error("etcdserver: server stopped")]
    Stopped,
    /// The file cannot be read or written.
    #[error("etcdserver: {0}")]
    Storage(String),
    /// What a server at the other end of a connection says, or that there is none.
    #[error("{message}")]
    Remote { code: Code, message: String },
}

impl Error {
    fn code(&self) -> Code {
        match self {
            Self::NoKey | Self::KeyNotFound | Self::ValueProvided | Self::LeaseProvided => Code::InvalidArgument,
            Self::DuplicateKey | Self::TooManyOperations => Code::InvalidArgument,
            Self::Compacted | Self::FutureRevision | Self::LongLease => Code::OutOfRange,
            Self::NoSpace => Code::ResourceExhausted,
            Self::LeaseNotFound => Code::NotFound,
            Self::LeaseExists => Code::FailedPrecondition,
            Self::Stopped | Self::Storage(_) => Code::Unavailable,
            Self::Remote { code, .. } => *code,
        }
    }

    /// Whether the same request may be carried out a little later.
    pub fn is_temporary(&self) -> bool {
        matches!(self.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled)
    }

    /// A file that cannot be used, and why.
    pub(crate) fn storage(error: impl Into<redb::Error>) -> Self {
        Self::Storage(format!("the database file cannot be used: {}", error.into()))
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Remote { code: status.code(), message: status.message().to_owned() }
    }
}
