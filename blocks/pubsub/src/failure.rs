//! Why one try of a call to a broker or to the app failed, as resiliency policies see it.
use crate::model::Api;
use foundation_app::http_of;
use foundation_resiliency::Error;
use tonic::Code;

/// Why a try failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// Status for retry policies that look at it: an HTTP status from 100 on, else a gRPC code.
    code: Option<i32>,
    message: String,
}

impl Failure {
    /// A failure that no policy knows by its status.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { code: None, message: message.into() }
    }

    /// A failure of a broker. Policies know it by a status of the API that the event was published with.
    pub(crate) fn of_broker(error: &component_api::Error, api: Api) -> Self {
        let code = error.grpc_code().map(|code| match api {
            Api::Http => i32::from(http_of(Code::from_i32(code)).as_u16()),
            Api::Grpc => code,
        });
        Self { code, message: error.to_string() }
    }
}

impl foundation_resiliency::Failure for Failure {
    fn code(&self) -> Option<i32> {
        self.code
    }
}

impl From<foundation_app::Error> for Failure {
    fn from(error: foundation_app::Error) -> Self {
        Self { code: error.code(), message: error.to_string() }
    }
}

impl From<Error<Self>> for Failure {
    fn from(error: Error<Self>) -> Self {
        error.failure_or_else(Self::new)
    }
}
