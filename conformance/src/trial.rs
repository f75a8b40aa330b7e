//! Running of trials by name.
use std::future::Future;

/// Runs a trial after its name was printed, so that the last name is that of the trial that failed.
#[allow(clippy::print_stdout)] // It is the report of a test.
pub(crate) async fn trial(name: &str, run: impl Future<Output = ()>) {
    println!("trial {name}");
    run.await;
}
