//! Claims of calls that run here: how those who change the tables wait for them, or end them.
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

const SCOPE: &str = "dapr.runtime.actors.placement";

/// The right to serve a call. Whoever has one lets go of it soon after it was cancelled.
#[derive(Debug)]
pub(crate) struct Claim {
    cancelled: CancellationToken,
    _held: TaskTrackerToken,
}

impl Claim {
    /// Resolves when the call must end at once.
    pub(crate) async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }
}

/// The claims of one actor type by one version of its ring.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    cancelled: CancellationToken,
    held: TaskTracker,
}

impl Claims {
    pub(crate) fn take(&self) -> Claim {
        Claim { cancelled: self.cancelled.clone(), _held: self.held.token() }
    }

    /// Waits until all claims are let go of; those that are left after the patience are cancelled.
    pub(crate) async fn drain(self, actor_type: &str, patience: Duration) {
        self.held.close();
        if timeout(patience, self.held.wait()).await.is_ok() {
            return;
        }
        tracing::error!(target: SCOPE, "Timed out waiting for actor type '{actor_type}' in-flight lock claims to be released for rebalanced types, force cancelling remaining claims");
        self.cancelled.cancel();
        self.held.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn claims_are_waited_for_and_then_cancelled() {
        let claims = Claims::default();
        let (early, late) = (claims.take(), claims.take());
        let end = async {
            drop(early);
            late.cancelled().await;
            drop(late);
        };
        tokio::join!(claims.clone().drain("a", Duration::from_secs(2)), end);
        assert!(claims.cancelled.is_cancelled());
    }

    #[tokio::test]
    async fn nobody_is_waited_for_where_nobody_is() {
        let claims = Claims::default();
        drop(claims.take());
        claims.clone().drain("a", Duration::ZERO).await;
        assert!(!claims.cancelled.is_cancelled());
    }
}
