//! Service invocation: calls from one app to another by id, over HTTP or gRPC.
//!
//! The own app is called directly; others through their sidecars, found by name. gRPC calls of services that nobody here
//! knows are passed on unread ([`proxy`]). [`internal_routes`] is the other end: what the sidecars of others call.
//! Contract: surface.md 0 and 1.2, protocols.md 6.
mod access;
mod answer;
mod app;
mod attempt;
mod counted;
mod deadline;
mod details;
mod error;
mod external;
mod grpc;
mod headers;
mod http;
mod internal;
mod length;
mod path;
mod proxy;
mod replay;
mod service;
mod settle;
mod sniff;
mod status;
mod trace;
mod upgrade;
mod url;

pub use access::Access;
pub use attempt::Stop;
pub use error::Error;
pub use external::{ClientTls, HttpEndpoint};
pub use grpc::{invoke_service, note_authority};
pub use http::{endpoints, invoke};
pub use internal::internal_routes;
pub use length::note_length;
pub use path::names_app;
pub use proxy::proxy;
pub use service::Service;
pub use url::InvalidUrl;
