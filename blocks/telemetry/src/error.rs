//! What an export can fail with, by the codes of the OTLP specification.
use http::StatusCode;
use thiserror::Error;
use tonic::Code;

/// Why an export was not taken.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Error {
    #[error("send application/x-protobuf or application/json")]
    ContentType,
    #[error("the content encoding is none of identity and gzip")]
    ContentEncoding,
    #[error("the export is larger than the sidecar takes; send smaller batches")]
    TooLarge,
    #[error("the export cannot be read: {0}")]
    Malformed(String),
    #[error("too much waits for the collector; try again later")]
    Busy,
}

impl Error {
    /// The status over HTTP; of those here, clients repeat 503 alone.
    pub fn http(&self) -> StatusCode {
        match self {
            Self::ContentType | Self::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The code over gRPC, which is also in the answers over HTTP.
    pub fn grpc(&self) -> Code {
        match self {
            Self::ContentType | Self::ContentEncoding | Self::TooLarge | Self::Malformed(_) => Code::InvalidArgument,
            Self::Busy => Code::Unavailable,
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        Self::new(error.grpc(), error.to_string())
    }
}
