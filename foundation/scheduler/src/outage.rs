//! Schedulers that are away. Their streams break together and are tried again all the time, which is worth one word.
use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::sleep;

const SCOPE: &str = "dapr.runtime.scheduler";
/// A stream that lasts as long is open: it takes less to find out that nobody is there.
const SETTLED: Duration = Duration::from_secs(10);

/// Whether a scheduler is away, as its streams find it.
#[derive(Debug, Default)]
pub(crate) struct Outage(AtomicBool);

impl Outage {
    /// A stream has ended. Returns whether that is news.
    pub(crate) fn note(&self, host: &str, reason: &str) -> bool {
        let is_new = !self.0.swap(true, Ordering::Relaxed);
        if is_new {
            tracing::warn!(target: SCOPE, "Stream to scheduler {host} has ended: {reason}. Reconnecting...");
        } else {
            tracing::debug!(target: SCOPE, "Stream to scheduler {host} has ended: {reason}. Reconnecting...");
        }
        is_new
    }

    /// Notes that a stream lasts; waits for ever.
    pub(crate) async fn watch(&self, host: &str) -> Infallible {
        sleep(SETTLED).await;
        if self.0.swap(false, Ordering::Relaxed) {
            tracing::info!(target: SCOPE, "Scheduler {host} is back");
        }
        pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_told_once() {
        let outage = Outage::default();
        let lasts = async |time| timeout(time, outage.watch("h")).await.unwrap_err();
        assert!(outage.note("h", "refused"));
        for _ in 0..3 {
            lasts(SETTLED / 2).await;
            assert!(!outage.note("h", "refused"));
        }
        lasts(2 * SETTLED).await;
        assert!(outage.note("h", "refused"));
    }
}
