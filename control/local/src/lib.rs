//! The control plane of one user on one machine: placement and scheduler in one process, for as long as runs of theirs use it.
//!
//! `dapr run` starts it where none of Dapr's is there, and keeps a connection to its [socket](users) open for as long as it runs; the
//! process ends with the last of them. So a run that is killed is no different from one that ends, and nothing is left behind.
mod lock;
mod options;
mod ports;
mod process;
mod users;

pub use options::{Options, usage};

use foundation_flags::Misuse;
use foundation_process::Common;
use lock::Lock;
use std::process::ExitCode;

/// Runs `control-plane` with a command line (without the name of the program). `namespace` is that of the control plane.
pub fn main(arguments: &[String], namespace: &str) -> ExitCode {
    let options = match Options::read(arguments, namespace) {
        Ok(options) => options,
        Err(misuse) => return refuse(&misuse),
    };
    // The terminal of the run that starts it, and the keys pressed there, are none of its business.
    rustix::process::setsid().ok();
    let lock = match Lock::take(&options.folder) {
        Ok(Some(lock)) => lock,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => return foundation_process::main(&common(&options), async |_| Err(error)),
    };
    let ended = foundation_process::main(&common(&options), async |context| process::start(&options, context).await);
    drop(lock);
    ended
}

fn refuse(misuse: &Misuse) -> ExitCode {
    foundation_process::refuse(misuse, Some(misuse), &usage())
}

/// Whether it is there is told by its socket, so that neither health nor metrics take a port that is known.
fn common(options: &Options) -> Common {
    let health = ("127.0.0.1".to_owned(), 0);
    Common {
        log_level: options.log_level.clone(),
        log_as_json: options.log_as_json,
        log_file: None,
        metrics: None,
        health,
    }
}
