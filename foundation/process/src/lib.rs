//! What the processes of the control plane share: common flags, health and metrics servers, signals; and listening.
mod flags;
mod http;
pub mod listen;
mod main_function;
mod open_files;
mod run;
mod runtime;
mod tls;

pub use flags::{COMMON, Common};
pub use http::{serve, serve_tls};
pub use main_function::{main, refuse};
pub use open_files::allow_many_open_files;
pub use run::{Context, Ready, run};
pub use runtime::runtime;
pub use tls::Tls;
