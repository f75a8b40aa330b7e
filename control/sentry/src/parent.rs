//! The process that has started this one, for those who are to end with it however it ends.
use foundation_drain::Drain;
use rustix::process::getppid;
use std::time::Duration;
use tokio::time::sleep;

const PAUSE: Duration = Duration::from_secs(1);

/// Stops the drain when the parent is gone: whoever has lost it gets another one.
pub(crate) async fn watch(drain: Drain) {
    let parent = getppid();
    while getppid() == parent {
        sleep(PAUSE).await;
    }
    drain.stop();
}
