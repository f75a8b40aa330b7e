//! What the processes of the control plane share: common flags, health and metrics servers, signals; and listening.
mod flags;
mod grpc;
mod handed;
mod http;
mod http2;
mod identity;
pub mod listen;
mod main_function;
mod memory;
mod open_files;
mod prompt;
mod run;
mod runtime;
mod signed;
mod tls;

pub use flags::{COMMON, Common};
pub use grpc::{Refused, serve_grpc};
pub use http::{serve, serve_tls};
pub use http2::{Answer, Answering, Http2, KeepAlive, serve_http2};
pub use identity::{Mtls, NoIdentity, peer};
pub use main_function::{main, refuse};
pub use memory::stay_small;
pub use open_files::allow_many_open_files;
pub use run::{Context, Ready, run};
pub use runtime::runtime;
pub use tls::Tls;
