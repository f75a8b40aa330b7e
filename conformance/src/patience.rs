//! How long a trial waits; only one that fails waits that long.
#![allow(clippy::panic)] // A trial that fails ends its test.
use component_api::Error;
use std::future::Future;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long something may take.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// What comes of a future.
///
/// # Panics
/// When it takes too long.
pub async fn within<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("nothing within {PATIENCE:?}"))
}

/// Tries until it works, as clients of a server do that comes up.
///
/// # Panics
/// When it fails with an error that says that trying again is of no use, or takes too long.
pub async fn until_it_works<T, F: Future<Output = Result<T, Error>>>(attempt: impl Fn() -> F) -> T {
    let tries = async {
        loop {
            match attempt().await {
                Ok(done) => return done,
                Err(error) => assert!(error.is_temporary(), "{error}"),
            }
            sleep(PAUSE).await;
        }
    };
    within(tries).await
}
