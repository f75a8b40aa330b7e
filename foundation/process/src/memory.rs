//! The memory of a process while it runs.
use foundation_footprint::{Freed, forget_code};
use std::convert::Infallible;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// What starts beside the process has come to rest by then.
const SETTLED: Duration = Duration::from_secs(1);
/// How often freed memory is looked for.
const LOOK: Duration = Duration::from_secs(3);

/// Gives memory back: that which only the start needed, now and when all that starts beside has come to rest, and that of bursts after
/// them.
pub async fn stay_small() -> Infallible {
    forget_code();
    // What is resident now is what all that comes is compared with: a burst may begin with the first second.
    let mut freed = Freed::default();
    freed.is_likely();
    sleep(SETTLED).await;
    forget_code();
    loop {
        sleep(LOOK).await;
        if freed.is_likely() {
            freed = given_back(freed).await;
        }
        // It comes last, for to look runs through code as well.
        forget_code();
    }
}

async fn given_back(mut freed: Freed) -> Freed {
    let given = spawn_blocking(move || {
        freed.give_back();
        freed
    });
    given.await.unwrap_or_default()
}
