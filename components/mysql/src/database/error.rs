//! What errors of MySQL mean.
use component_api::{Error, Kind};
use mysql_async::{DriverError, Error as MysqlError, ServerError};

/// The server rolled a transaction back so that another one could go on.
const DEADLOCK: u16 = 1213;

/// An error in the components' terms, with what to check.
pub(crate) fn translate(error: &MysqlError) -> Error {
    let kind = kind(error);
    let advice = match kind {
        Kind::Unavailable => "; check that the server runs, and the address in the connection string",
        Kind::Denied => "; check user, password and the privileges of the user",
        _ => "",
    };
    Error::new(kind, format!("mysql: {error}{advice}"))
}

/// Whether the server undid everything so that it can be done again.
pub(crate) fn is_deadlock(error: &MysqlError) -> bool {
    matches!(error, MysqlError::Server(ServerError { code: DEADLOCK, .. }))
}

/// Whether the server says one of these.
pub(crate) fn says(error: &MysqlError, codes: &[u16]) -> bool {
    matches!(error, MysqlError::Server(answer) if codes.contains(&answer.code))
}

fn kind(error: &MysqlError) -> Kind {
    match error {
        MysqlError::Io(_) | MysqlError::Driver(DriverError::ConnectionClosed | DriverError::PoolDisconnected) => {
            Kind::Unavailable
        }
        MysqlError::Server(answer) => answered(answer),
        MysqlError::Url(_) => Kind::Invalid,
        _ => Kind::Other,
    }
}

/// Codes: <https://mariadb.com/docs/server/reference/error-codes/mariadb-error-code-reference>.
fn answered(answer: &ServerError) -> Kind {
    match answer.code {
        1044 | 1045 | 1142 | 1143 | 1227 | 1698 => Kind::Denied,
        1049 => Kind::Invalid,
        1040 | 1041 | 1203 | 1226 => Kind::RateLimited,
        1205 => Kind::Timeout,
        1053 | 1077 | 1079 | 1152 | 1158..=1161 | 1184 | DEADLOCK | 1290 | 1317 | 1927 => Kind::Unavailable,
        _ => Kind::Other,
    }
}
