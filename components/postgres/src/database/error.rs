//! What errors of PostgreSQL mean.
use component_api::{Error, Kind};
use std::error::Error as _;
use tokio_postgres::error::SqlState;

/// An error in the components' terms, with what to check.
pub(crate) fn translate(error: &tokio_postgres::Error) -> Error {
    let Some(answer) = error.as_db_error() else { return unanswered(error) };
    let kind = kind(answer.code());
    let advice = if kind == Kind::Denied { "; check user, password and the rights of the user" } else { "" };
    Error::new(kind, format!("postgres: {} (SQLSTATE {}){advice}", answer.message(), answer.code().code()))
}

/// The database said nothing: it is away, or could not be understood.
fn unanswered(error: &tokio_postgres::Error) -> Error {
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    let is_away = error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>());
    let times_out = error.source().is_some_and(|source| source.to_string().contains("timed out"));
    if times_out {
        return Error::new(Kind::Timeout, format!("postgres: {error}{cause}"));
    }
    if is_away || error.to_string().contains("connect") {
        let advice = "; check that the server runs, and host, port and sslmode of connectionString";
        return Error::new(Kind::Unavailable, format!("postgres: {error}{cause}{advice}"));
    }
    Error::new(Kind::Other, format!("postgres: {error}{cause}"))
}

/// Classes of codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn kind(code: &SqlState) -> Kind {
    match (code.code().get(..2).unwrap_or_default(), code.code()) {
        ("28", _) | (_, "42501") => Kind::Denied,
        (_, "3D000") => Kind::Invalid,
        ("53", _) => Kind::RateLimited,
        ("08" | "57" | "40", _) => Kind::Unavailable,
        _ => Kind::Other,
    }
}
