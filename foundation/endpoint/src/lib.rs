//! What all HTTP endpoints of the API share: the route table of a block, request bodies, query metadata, answers.
//!
//! Contract: surface.md 1.1.
pub mod proto_json;
mod request;
mod routes;

pub use request::{BodyError, RequestParts, bounded, json_body, query_metadata, query_value, query_values, read_body};
pub use routes::{Endpoint, Endpoints};
