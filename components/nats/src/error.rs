//! What errors of NATS mean.
use async_nats::jetstream::consumer::Config;
use async_nats::jetstream::context::{
    GetStreamByNameError, GetStreamByNameErrorKind, GetStreamError, GetStreamErrorKind, KeyValueError,
    KeyValueErrorKind, PublishError, PublishErrorKind, RequestError, RequestErrorKind,
};
use async_nats::jetstream::kv::{DeleteError, DeleteErrorKind, EntryError, EntryErrorKind, PutError, PutErrorKind};
use async_nats::jetstream::stream::{ConsumerError, ConsumerErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{ConnectError, ConnectErrorKind};
use component_api::{Error, Kind};
use std::error::Error as StdError;

/// An error of the library whose meaning is known.
pub(crate) trait Failure: StdError {
    fn meaning(&self) -> Kind;
}

/// An error in the components' terms, with the names of the servers and what to check.
pub(crate) fn translate(server: &str, error: &impl Failure) -> Error {
    let kind = error.meaning();
    let advice = match kind {
        Kind::Denied => "; check user, password, token or jwt and the permissions of the user",
        Kind::NotFound => "; create the stream or bucket that is missing, or check its name and subjects",
        Kind::Unavailable => {
            "; check that the server runs, its address, and that JetStream is enabled (nats-server -js)"
        }
        _ => "",
    };
    Error::new(kind, format!("nats at {server}: {error}{advice}"))
}

impl Failure for ConnectError {
    fn meaning(&self) -> Kind {
        match self.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => Kind::Denied,
            ConnectErrorKind::TimedOut => Kind::Timeout,
            ConnectErrorKind::ServerParse => Kind::Invalid,
            _ => Kind::Unavailable,
        }
    }
}

impl Failure for PublishError {
    fn meaning(&self) -> Kind {
        match self.kind() {
            PublishErrorKind::StreamNotFound => Kind::NotFound,
            PublishErrorKind::TimedOut => Kind::Timeout,
            PublishErrorKind::BrokenPipe => Kind::Unavailable,
            PublishErrorKind::MaxAckPending => Kind::RateLimited,
            PublishErrorKind::MaxPayloadExceeded => Kind::Invalid,
            _ => of_cause(self),
        }
    }
}

impl Failure for GetStreamByNameError {
    fn meaning(&self) -> Kind {
        match self.kind() {
            GetStreamByNameErrorKind::NotFound => Kind::NotFound,
            GetStreamByNameErrorKind::InvalidSubject => Kind::Invalid,
            GetStreamByNameErrorKind::JetStream(error) => of_answer(&error),
            GetStreamByNameErrorKind::Request => of_cause(self),
        }
    }
}

impl Failure for ConsumerError {
    fn meaning(&self) -> Kind {
        match self.kind() {
            ConsumerErrorKind::TimedOut => Kind::Timeout,
            ConsumerErrorKind::JetStream(error) => of_answer(&error),
            ConsumerErrorKind::InvalidName | ConsumerErrorKind::InvalidConsumerType => Kind::Invalid,
            ConsumerErrorKind::Request | ConsumerErrorKind::Other => of_cause(self),
        }
    }
}

impl Failure for KeyValueError {
    fn meaning(&self) -> Kind {
        match self.kind() {
            KeyValueErrorKind::InvalidStoreName => Kind::Invalid,
            KeyValueErrorKind::GetBucket | KeyValueErrorKind::JetStream => of_cause(self),
        }
    }
}

impl Failure for EntryError {
    fn meaning(&self) -> Kind {
        match self.kind() {
            EntryErrorKind::InvalidKey => Kind::Invalid,
            EntryErrorKind::TimedOut => Kind::Timeout,
            EntryErrorKind::Other => of_cause(self),
        }
    }
}

impl Failure for PutError {
    fn meaning(&self) -> Kind {
        match self.kind() {
            PutErrorKind::InvalidKey => Kind::Invalid,
            PutErrorKind::Publish | PutErrorKind::Ack => of_cause(self),
        }
    }
}

impl Failure for DeleteError {
    fn meaning(&self) -> Kind {
        match self.kind() {
            DeleteErrorKind::InvalidKey => Kind::Invalid,
            DeleteErrorKind::TimedOut => Kind::Timeout,
            _ => of_cause(self),
        }
    }
}

/// The library wraps errors several times; the first cause that tells something counts.
fn of_cause(error: &dyn StdError) -> Kind {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(answer) = inner.downcast_ref::<jetstream::Error>() {
            return of_answer(answer);
        }
        if let Some(request) = inner.downcast_ref::<RequestError>() {
            return of_request(request);
        }
        if let Some(publish) = inner.downcast_ref::<PublishError>() {
            return publish.meaning();
        }
        if let Some(GetStreamErrorKind::JetStream(answer)) = inner.downcast_ref::<GetStreamError>().map(|it| it.kind())
        {
            return of_answer(&answer);
        }
        cause = inner.source();
    }
    Kind::Other
}

fn of_request(error: &RequestError) -> Kind {
    match error.kind() {
        RequestErrorKind::TimedOut => Kind::Timeout,
        RequestErrorKind::NoResponders => Kind::Unavailable,
        RequestErrorKind::InvalidSubject => Kind::Invalid,
        RequestErrorKind::Other => Kind::Other,
    }
}

/// HTTP-like codes of answers: <https://docs.nats.io/reference/reference-protocols/nats_api_reference#error-handling>.
fn of_answer(error: &jetstream::Error) -> Kind {
    match (error.error_code(), error.code()) {
        (ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT, _) => Kind::Denied,
        (_, 401 | 403) => Kind::Denied,
        (_, 404) => Kind::NotFound,
        (_, 400) => Kind::Invalid,
        (_, 503) => Kind::Unavailable,
        _ => Kind::Other,
    }
}

/// Whether it says that there is no such consumer.
pub(crate) fn is_missing_consumer(error: &ConsumerError) -> bool {
    match error.kind() {
        ConsumerErrorKind::JetStream(error) => error.error_code() == ErrorCode::CONSUMER_NOT_FOUND,
        _ => false,
    }
}

/// What a consumer has that others use with other settings.
pub(crate) fn other_settings(server: &str, consumer: &Config, what: &str) -> Error {
    let name = consumer.durable_name.as_deref().unwrap_or_default();
    let advice = "use the same settings, another durableName, or delete the consumer";
    Error::invalid(format!("nats at {server}: the consumer {name} exists with another {what}; {advice}"))
}
