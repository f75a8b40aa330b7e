//! Sentry, the certificate authority: gives sidecars and the control plane their identities.
//!
//! [`foundation_credentials::Authority`] signs certificates and [`Tokens`] tokens; a [`Validator`] says whether who asks may have the
//! identity; [`Service`] is the gRPC service over them. The credentials are files in Dapr's form, or Dapr's secret in a cluster, so that
//! either sentry can follow the other; in files a root that was made here is replaced long before it ends.
//! Contract: protocols.md 5.
mod client;
mod counting;
mod error;
mod fitness;
mod kubernetes;
mod metrics;
mod oidc;
mod options;
mod parent;
mod request;
mod server;
mod service;
mod settings;
mod source;
mod tokens;
mod trust_bundle;
mod validator;

pub use error::Error;
pub use options::{Options, usage};
pub use service::Service;
pub use settings::Settings;
pub use tokens::Tokens;
pub use validator::Validator;

use foundation_flags::Misuse;
use options::Invalid;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Runs `sentry` with a command line (without the name of the program). `environment` is that of the process.
pub fn main(arguments: &[String], environment: &BTreeMap<String, String>) -> ExitCode {
    match Options::read(arguments, environment) {
        Ok(options) => foundation_process::main(&options.common, async |context| {
            server::start(&options, environment, context).await
        }),
        Err(error) => foundation_process::refuse(&error, misuse(&error), &usage()),
    }
}

fn misuse(error: &Invalid) -> Option<&Misuse> {
    match error {
        Invalid::Misuse(misuse) => Some(misuse),
        _ => None,
    }
}
