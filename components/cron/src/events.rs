//! The clock that events come from.
use crate::SCOPE;
use component_api::Metadata;
use component_api::binding::{Event, Handle};
use foundation_schedule::Schedule;
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Events that may be in work; further ones are left out until one of them is done.
const MOST_IN_WORK: usize = 1000;
/// A schedule with less between two events would leave no time for anything else.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
/// After this time the clock is looked at again, as it may have been set.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Hands events to `handle` until it is to stop, and waits for those in work then.
pub(crate) async fn run(schedule: Schedule, handle: Arc<dyn Handle>, stopping: CancellationToken) {
    let mut in_work = FuturesUnordered::new();
    let mut due = next(&schedule);
    let mut overloaded = false;
    while !stopping.is_cancelled() {
        tokio::select! {
            biased;
            () = stopping.cancelled() => {}
            () = until(due) => {
                due = next(&schedule);
                let was_overloaded = std::mem::replace(&mut overloaded, in_work.len() >= MOST_IN_WORK);
                if !overloaded {
                    in_work.push(handle.handle(event()));
                } else if !was_overloaded {
                    tracing::warn!(target: SCOPE, "cron events are left out as long as {MOST_IN_WORK} are in work");
                }
            }
            Some(_) = in_work.next() => {}
        }
    }
    while in_work.next().await.is_some() {}
}

fn next(schedule: &Schedule) -> Option<Timestamp> {
    let now = Timestamp::now();
    schedule.next(now).map(|due| due.max(now + SHORTEST_PAUSE))
}

/// Waits for a time; without one it waits for ever.
async fn until(due: Option<Timestamp>) {
    let Some(due) = due else { return std::future::pending().await };
    while let Ok(left) = Duration::try_from(due.duration_since(Timestamp::now())) {
        if left.is_zero() {
            return;
        }
        sleep(left.min(LONGEST_SLEEP)).await;
    }
}

/// Like Dapr's: no data, but when it was.
fn event() -> Event {
    let now = Timestamp::now().strftime("%Y-%m-%d %H:%M:%S.%f +0000 UTC").to_string();
    let metadata = [("timeZone", "Local".to_owned()), ("readTimeUTC", now)];
    let metadata: Metadata = metadata.map(|(name, value)| (name.to_owned(), value)).into();
    Event { metadata, ..Event::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use bytes::Bytes;
    use component_api::Result;
    use tokio::sync::mpsc;

    struct Noted(mpsc::UnboundedSender<()>);

    #[async_trait]
    impl Handle for Noted {
        async fn handle(&self, _: Event) -> Result<Bytes> {
            self.0.send(()).ok();
            std::future::pending().await
        }
    }

    /// On one thread, which a loop that never waits would keep for itself.
    #[tokio::test]
    async fn a_schedule_without_pauses_leaves_time_for_others() {
        let (sender, mut noted) = mpsc::unbounded_channel();
        let running = run(Schedule::parse("@every 1ns").unwrap(), Arc::new(Noted(sender)), CancellationToken::new());
        let others = async {
            for _ in 0..3 {
                noted.recv().await.unwrap();
            }
        };
        tokio::select! {
            biased;
            () = running => {}
            () = others => {}
        }
    }
}
