//! What brokers must show that hand out several messages together.
use super::{Subject, text};
use crate::patience::within;
use async_trait::async_trait;
use bytes::Bytes;
use component_api::Metadata;
use component_api::pubsub::{BulkEntry, Deliver, Message, Verdict};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

const SIZE: usize = 4;
/// How long the last batch waits for more.
const WAIT: Duration = Duration::from_millis(200);

/// Refuses the message `5` once.
struct Batches {
    seen: UnboundedSender<Vec<String>>,
    refused: AtomicBool,
}

#[async_trait]
impl Deliver for Batches {
    async fn deliver(&self, message: Message) -> Verdict {
        self.deliver_batch(vec![message]).await.pop().unwrap_or(Verdict::Retry)
    }

    fn batch_size(&self) -> usize {
        SIZE
    }

    fn batch_wait(&self) -> Option<Duration> {
        Some(WAIT)
    }

    async fn deliver_batch(&self, messages: Vec<Message>) -> Vec<Verdict> {
        let texts: Vec<String> = messages.iter().map(text).collect();
        let refuse = |text: &String| text == "5" && !self.refused.swap(true, Ordering::Relaxed);
        let verdicts = texts.iter().map(|text| if refuse(text) { Verdict::Retry } else { Verdict::Ack }).collect();
        self.seen.send(texts).ok();
        verdicts
    }
}

/// What is there goes out together, up to the size; each message has its own verdict.
pub(super) async fn run(subject: &Subject) {
    let broker = subject.broker("batches").await;
    let entry = |number: usize| BulkEntry {
        entry_id: number.to_string(),
        data: Bytes::from(number.to_string()),
        ..BulkEntry::default()
    };
    let failed = broker.bulk_publish("batches", (0..10).map(entry).collect(), Metadata::new()).await;
    assert!(failed.is_empty(), "{failed:?}");
    let (seen, mut batches) = unbounded_channel();
    let deliver = Arc::new(Batches { seen, refused: AtomicBool::new(false) });
    let subscription = broker.subscribe("batches", Metadata::new(), deliver).await.expect("subscribe");
    let mut got: Vec<Vec<String>> = Vec::new();
    while got.iter().map(Vec::len).sum::<usize>() < 11 {
        got.push(within(batches.recv()).await.expect("the subscription goes on"));
    }
    within(subscription.close()).await;
    assert!(batches.try_recv().is_err(), "what has its verdict does not come again");
    assert!(got.iter().all(|batch| batch.len() <= SIZE), "{got:?}");
    assert_eq!(got[0].len(), SIZE, "what is there comes together: {got:?}");
    let mut first = BTreeSet::new();
    let firsts: Vec<String> = got.into_iter().flatten().filter(|text| first.insert(text.clone())).collect();
    subject.same(&firsts, (0..10).map(|number| number.to_string()));
}
