//! The loop of a subscription: take messages, hand them out, write down what became of them, and sleep when there are none.
use super::engine::{Command, Engine, Next};
use super::lease::Lease;
use super::tables::{Place, now};
use component_api::Result;
use component_api::pubsub::Deliver;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, interval_at, sleep};

/// A look at the database even if no bell rang.
const LOOK: Duration = Duration::from_secs(5);
/// Pause after the database failed.
const RECOVER: Duration = Duration::from_secs(1);

/// One worker of a subscription.
pub(super) struct Consumer {
    pub engine: Engine,
    pub place: Arc<Place>,
    pub bell: watch::Receiver<u64>,
    pub deliver: Arc<dyn Deliver>,
    pub visibility_timeout: Duration,
}

impl Consumer {
    /// Runs until `stopping` resolves; messages at work then are finished first.
    pub(super) async fn run(mut self, stopping: impl Future<Output = ()>) {
        let mut stopping = pin!(stopping);
        let mut last = None;
        loop {
            let pause = match self.next(&mut last).await {
                Ok(Next::Messages(lease)) => {
                    last = Some(self.handle(lease).await);
                    Duration::ZERO
                }
                Ok(Next::Nothing(due)) => until(due),
                Err(error) if self.engine.is_closed() => return drop(error),
                Err(_) => RECOVER,
            };
            tokio::select! {
                biased;
                () = &mut stopping => break,
                () = self.rest(pause) => {}
            }
        }
        self.settle(last).await;
    }

    /// A bell that rings while this looks is heard by the rest after it.
    async fn next(&mut self, last: &mut Option<Lease>) -> Result<Next> {
        self.bell.borrow_and_update();
        let place = Arc::clone(&self.place);
        let settlement = last.as_ref().map(Lease::settlement);
        let next = self.engine.ask(|reply| Command::Next { place, last: settlement, reply }).await?;
        if let Some(lease) = last.take() {
            lease.forget();
        }
        Ok(next)
    }

    /// Hands out messages and keeps them ours meanwhile.
    async fn handle(&self, mut lease: Box<Lease>) -> Lease {
        let messages = std::mem::take(&mut lease.messages);
        let mut delivery = self.deliver.deliver_batch(messages);
        let period = self.visibility_timeout / 3;
        let mut renewals = interval_at(Instant::now() + period, period);
        let verdicts = loop {
            tokio::select! {
                verdicts = &mut delivery => break verdicts,
                _ = renewals.tick() => lease.renew(),
            }
        };
        lease.conclude(&verdicts);
        *lease
    }

    async fn rest(&mut self, pause: Duration) {
        if pause.is_zero() {
            return;
        }
        tokio::select! {
            _ = self.bell.changed() => {}
            () = sleep(pause) => {}
        }
    }

    async fn settle(&self, last: Option<Lease>) {
        let Some(lease) = last else { return };
        let settlement = lease.settlement();
        let settled = self.engine.ask(|reply| Command::Settle { settlement, reply: Some(reply) }).await;
        if settled.is_ok() {
            lease.forget();
        }
    }
}

fn until(due: Option<i64>) -> Duration {
    let wait = due.map(|due| u64::try_from(due.saturating_sub(now())).unwrap_or_default());
    wait.map_or(LOOK, |wait| Duration::from_millis(wait.max(1)).min(LOOK))
}
