//! What errors of Redis mean.
use component_api::{Error, Kind};
use redis::{ErrorKind, RedisError, ServerErrorKind};

/// An error in the components' terms, with the name of the server and what to check.
pub(crate) fn translate(server: &str, error: &RedisError) -> Error {
    let kind = kind(error);
    let advice = match kind {
        Kind::Denied => "; check redisUsername, redisPassword and the server's access control list",
        Kind::Unavailable => "; check that the server runs, and redisHost and enableTLS",
        _ => "",
    };
    Error::new(kind, format!("redis at {server}: {error}{advice}"))
}

fn kind(error: &RedisError) -> Kind {
    if error.is_timeout() {
        return Kind::Timeout;
    }
    if matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"))
        || error.kind() == ErrorKind::AuthenticationFailed
    {
        return Kind::Denied;
    }
    if is_unreachable(error) || is_passing(error) { Kind::Unavailable } else { Kind::Other }
}

/// Whether the same command may succeed on a new connection.
pub(super) fn is_worth_a_retry(error: &RedisError) -> bool {
    !error.is_timeout() && (is_unreachable(error) || is_passing(error))
}

/// Whether the connection is of no use any more. A master that turned into a replica only reads.
pub(super) fn ends_a_connection(error: &RedisError) -> bool {
    is_unreachable(error) || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}

pub(super) fn is_unreachable(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_connection_dropped()
        || error.is_connection_refusal()
        || error.is_unrecoverable_error()
        || matches!(error.kind(), ErrorKind::ClusterConnectionNotFound | ErrorKind::MasterNameNotFoundBySentinel)
}

/// What the server says while it starts, moves data or changes its role.
fn is_passing(error: &RedisError) -> bool {
    use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, ReadOnly, TryAgain};
    matches!(error.kind(), ErrorKind::Server(BusyLoading | ClusterDown | MasterDown | ReadOnly | TryAgain))
}
