//! What errors of RabbitMQ mean.
use component_api::{Error, Kind};
use lapin::ErrorKind;
use lapin::types::ShortString;

/// Codes of answers: <https://www.rabbitmq.com/amqp-0-9-1-reference#constants>.
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
const PRECONDITION_FAILED: u16 = 406;
const CONNECTION_FORCED: u16 = 320;
const NOT_ALLOWED: u16 = 530;
const RESOURCE_ERROR: u16 = 506;

/// An error in the components' terms, with the name of the server and what to check.
pub(crate) fn translate(server: &str, error: &lapin::Error) -> Error {
    let kind = kind(error);
    let advice = match kind {
        Kind::Denied => "; check user, password, virtual host and the permissions of the user",
        Kind::Invalid => "; it exists with other settings: use the same ones, or delete it",
        Kind::Unavailable => "; check that the server runs, and its address",
        _ => "",
    };
    Error::new(kind, format!("rabbitmq at {server}: {error}{advice}"))
}

fn kind(error: &lapin::Error) -> Kind {
    match error.kind() {
        ErrorKind::ProtocolError(answer) => match answer.get_id() {
            ACCESS_REFUSED | NOT_ALLOWED => Kind::Denied,
            NOT_FOUND => Kind::NotFound,
            PRECONDITION_FAILED => Kind::Invalid,
            CONNECTION_FORCED | RESOURCE_ERROR => Kind::Unavailable,
            _ => Kind::Other,
        },
        ErrorKind::AuthProviderError(_) => Kind::Denied,
        ErrorKind::IOError(_)
        | ErrorKind::MissingHeartbeatError
        | ErrorKind::InvalidConnectionState(_)
        | ErrorKind::InvalidChannel(_)
        | ErrorKind::InvalidChannelState(..) => Kind::Unavailable,
        ErrorKind::ChannelsLimitReached => Kind::RateLimited,
        _ => Kind::Other,
    }
}

/// A name as the protocol has it.
///
/// # Errors
/// It has more than 255 bytes.
pub(crate) fn short(name: &str) -> Result<ShortString, Error> {
    let refusal = |error| Error::invalid(format!("'{name}' is too long for RabbitMQ")).with_source(error);
    ShortString::try_new(name).map_err(refusal)
}
