//! The clock that events come from.
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
/// After this time the clock is looked at again, as it may have been set.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Hands events to `handle` until it is to stop, and waits for those in work then.
pub(crate) async fn run(schedule: Schedule, handle: Arc<dyn Handle>, stopping: CancellationToken) {
    let mut in_work = FuturesUnordered::new();
    let mut due = schedule.next(Timestamp::now());
    while !stopping.is_cancelled() {
        tokio::select! {
            biased;
            () = stopping.cancelled() => {}
            () = until(due) => {
                due = schedule.next(Timestamp::now());
                if in_work.len() < MOST_IN_WORK {
                    in_work.push(handle.handle(event()));
                } else {
                    tracing::warn!(target: "dapr.contrib", "cron event left out: {MOST_IN_WORK} are in work");
                }
            }
            Some(_) = in_work.next() => {}
        }
    }
    while in_work.next().await.is_some() {}
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
