//! What can go wrong, in etcd's words.
use std::io::ErrorKind;
use tonic::{Code, Status};
use wire::trilby::replication::v1::Failure;

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
    /// Nothing was done: no member of the cluster leads.
    #[error("etcdserver: no leader")]
    NoLeader,
    /// Nothing was done: another member of the cluster leads.
    #[error("etcdserver: not leader")]
    NotLeader,
    /// What was to be written may be written later, once most members of the cluster can be reached.
    #[error("etcdserver: request timed out")]
    TimedOut,
    /// The same, and the leader is the one that cannot be reached.
    #[error("etcdserver: request timed out, possibly due to connection lost")]
    ConnectionLost,
    /// The file cannot be read or written.
    #[error("etcdserver: {0}")]
    Storage(String),
    /// The file cannot be written, for its disk has no space.
    #[error("etcdserver: {0}")]
    Full(String),
    /// The file will not be of use again.
    #[error("etcdserver: {0}")]
    Damaged(String),
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
            Self::Stopped
            | Self::Storage(_)
            | Self::Full(_)
            | Self::Damaged(_)
            | Self::NoLeader
            | Self::TimedOut
            | Self::ConnectionLost => Code::Unavailable,
            Self::NotLeader => Code::FailedPrecondition,
            Self::Remote { code, .. } => *code,
        }
    }

    /// Whether the same request may be carried out a little later.
    pub fn is_temporary(&self) -> bool {
        matches!(self.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled)
    }

    /// Whether what was asked for is of a time that is forgotten.
    pub(crate) fn is_compacted(&self) -> bool {
        match self {
            Self::Compacted => true,
            Self::Remote { code: Code::OutOfRange, message } => *message == Self::Compacted.to_string(),
            _ => false,
        }
    }

    /// Whether the file is what failed, so that nothing counts of all that was to be written together.
    pub(crate) fn is_of_file(&self) -> bool {
        matches!(self, Self::Storage(_) | Self::Full(_) | Self::Damaged(_))
    }

    /// A file that cannot be used, and why.
    pub(crate) fn storage(error: impl Into<redb::Error>) -> Self {
        match error.into() {
            redb::Error::Corrupted(reason) => Self::Damaged(reason),
            // The file is shorter than it says, or another kind of file.
            redb::Error::Io(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData) => {
                Self::Damaged(error.to_string())
            }
            redb::Error::Io(error) if NO_SPACE.contains(&error.kind()) => {
                Self::Full(format!("the database file cannot be used: {error}; check the space on its disk"))
            }
            // The reason was told to whoever met it.
            redb::Error::PreviousIo => Self::Storage(
                "the database file is being opened again after a failure; try again, and check the space on its disk"
                    .to_owned(),
            ),
            error => Self::Storage(format!("the database file cannot be used: {error}")),
        }
    }
}

/// What the system says when a file cannot grow.
const NO_SPACE: [ErrorKind; 3] = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::FileTooLarge];

/// What another member of a cluster may have refused.
const REFUSALS: [Error; 9] = [
    Error::KeyNotFound,
    Error::Compacted,
    Error::FutureRevision,
    Error::NoSpace,
    Error::LeaseNotFound,
    Error::LeaseExists,
    Error::LongLease,
    Error::NoLeader,
    Error::TimedOut,
];

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { code: error.code().into(), message: error.to_string() }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let known = REFUSALS.into_iter().find(|error| error.to_string() == failure.message);
        known.unwrap_or_else(|| Self::Remote { code: failure.code.into(), message: failure.message })
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
