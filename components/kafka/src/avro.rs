//! Avro (<https://avro.apache.org/docs/1.11.1/specification/>): schemas, and values between JSON and binary.
mod decode;
mod encode;
mod schema;

pub(crate) use schema::Schema;

use component_api::Error;

/// How values of unions are written as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    /// As they are; the first kind of the union that fits is taken.
    Plain,
    /// With the name of their kind, as `{"string": "a"}`.
    Tagged,
}

/// How deep a value may be.
const DEEPEST: usize = 128;

fn wrong(what: impl std::fmt::Display) -> Error {
    Error::invalid(format!("avro: {what}"))
}

#[cfg(test)]
mod tests;
