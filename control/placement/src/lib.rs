//! The placement service: tells every sidecar which host serves which actor.
//!
//! Sidecars report the actor types that they host on a stream; whenever the set of hosts changes, all of a namespace get the new
//! tables in three phases (lock, update, unlock), so that no two hosts serve one actor. [`Namespace`] is that protocol
//! without any input or output; [`Service`] gives it streams and a clock. Contract: protocols.md 1.
mod authorization;
mod candidate;
mod cluster;
mod dissemination;
mod election;
mod identity;
mod leadership;
mod metrics;
mod namespace;
mod options;
mod order;
mod orders;
mod reports;
mod service;
mod state;
mod transport;

pub use authorization::{Refusal, check};
pub use candidate::{Candidate, Voters};
pub use cluster::Cluster;
pub use election::{Answer, Election, LEASE, Lease, PROMISE, Place, Question};
pub use namespace::{Effect, Namespace, Settings, StreamId};
pub use options::{Options, usage};
pub use order::Order;
pub use service::{Answers, Service, Started, start};

use foundation_flags::Misuse;
use options::Invalid;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs `placement` with a command line (without the name of the program). `serves_state` is what the environment variable
/// `DAPR_PLACEMENT_METADATA_ENABLED` says, `namespace` that of the control plane, `token` the file that `DAPR_SENTRY_TOKEN_FILE`
/// names.
pub fn main(arguments: &[String], serves_state: bool, namespace: &str, token: Option<PathBuf>) -> ExitCode {
    match Options::read(arguments, serves_state, namespace) {
        Ok(mut options) => {
            if let Some(mtls) = &mut options.mtls {
                mtls.token = token;
            }
            foundation_process::main(&options.common, async |context| Ok(start(&options, context).await?.routes))
        }
        Err(error) => foundation_process::refuse(&error, misuse(&error), &usage()),
    }
}

fn misuse(error: &Invalid) -> Option<&Misuse> {
    match error {
        Invalid::Misuse(misuse) => Some(misuse),
        Invalid::Value { .. } => None,
    }
}
