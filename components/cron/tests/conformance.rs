//! The common suite over the component of this crate, and what is special about it.
use async_trait::async_trait;
use bytes::Bytes;
use component_api::binding::{Binding, Event, Handle};
use component_api::{Metadata, Result};
use component_cron::{Cron, Settings};
use conformance::binding::{self, Subject};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Barrier, mpsc};
use tokio::time::timeout;

fn cron(schedule: &str) -> Result<Cron> {
    Cron::new(&Settings { schedule: schedule.to_owned() })
}

#[tokio::test]
async fn conformance() {
    for schedule in ["@every 10ms", "* * * * * *"] {
        binding::run(&Subject { binding: &cron(schedule).unwrap(), thing: Metadata::new() }).await;
    }
}

#[test]
fn a_schedule_is_needed() {
    assert_eq!(cron("").unwrap_err().to_string(), "schedule not set");
    let refusal = "invalid schedule format 'not a schedule': expected 5 to 6 fields, found 3";
    assert_eq!(cron("not a schedule").unwrap_err().to_string(), refusal);
}

/// Answers when three events are there.
struct Slow {
    three: Barrier,
    done: mpsc::UnboundedSender<Event>,
}

#[async_trait]
impl Handle for Slow {
    async fn handle(&self, event: Event) -> Result<Bytes> {
        self.three.wait().await;
        self.done.send(event).ok();
        Ok(Bytes::new())
    }
}

#[tokio::test]
async fn a_slow_app_gets_several_events_at_a_time() {
    let (done, mut events) = mpsc::unbounded_channel();
    let slow = Arc::new(Slow { three: Barrier::new(3), done });
    let subscription = cron("@every 10ms").unwrap().read(slow).await.unwrap();
    let event = timeout(Duration::from_secs(30), events.recv()).await.unwrap().unwrap();
    assert!(event.data.is_empty());
    assert_eq!(event.metadata["timeZone"], "Local");
    assert!(event.metadata["readTimeUTC"].ends_with(" +0000 UTC"), "{event:?}");
    drop(subscription);
}
