//! The scheduler: keeps jobs and reminders, and triggers sidecars when they are due.
//!
//! Sidecars schedule jobs and wait for triggers on streams. Jobs lie in etcd ([`foundation_etcd`]): one elsewhere, or a file of this
//! process that serves the same API, alone or as one of several that have the same records. Several schedulers share the jobs between them. `plan.rs` says what follows
//! from an attempt, `agenda.rs` what is due next, both without any input or output; `engine.rs` runs them, `pool.rs` hands
//! triggers to sidecars. Contract: protocols.md 3, suite.md 1.3.
mod agenda;
mod broadcast;
mod clock;
mod engine;
mod identity;
mod job;
mod keyspace;
mod leadership;
mod metrics;
mod names;
mod namespaces;
mod options;
mod plan;
mod pool;
mod process;
mod service;
mod storage;

#[cfg(test)]
mod tests;

pub use options::{Embedded, Invalid, Options, Store, usage};
pub use process::{Started, start};

use axum::Router;
use foundation_flags::Misuse;
use foundation_process::Common;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Runs `scheduler` with a command line (without the name of the program). `namespace` is that of the control plane, `environment`
/// that of the process.
pub fn main(arguments: &[String], namespace: &str, environment: &BTreeMap<String, String>) -> ExitCode {
    match Options::read(arguments, namespace).map(|options| options.in_environment(environment)) {
        Ok(options) => foundation_process::main(&options.common, async |context| {
            start(&options, context).await?;
            Ok(Router::new())
        }),
        Err(Invalid::Misuse(misuse)) => refuse(&misuse),
        // As a line of the log on the standard output, where Dapr's scheduler tells it.
        Err(error) => foundation_process::main(&quiet(), async |_| Err(error.into())),
    }
}

fn refuse(misuse: &Misuse) -> ExitCode {
    foundation_process::refuse(misuse, Some(misuse), &usage())
}

/// Settings of a process that only tells why it does not start.
fn quiet() -> Common {
    let anywhere = ("127.0.0.1".to_owned(), 0);
    Common { log_level: "info".to_owned(), log_as_json: false, log_file: None, metrics: None, health: anywhere }
}
