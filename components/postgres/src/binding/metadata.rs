//! Metadata of `bindings.postgresql`.

/// Statements and queries of PostgreSQL.
pub use crate::metadata::ConnectionMetadata as Metadata;
