//! Triggers and who gets them.
use super::*;
use foundation_telemetry::Registry;
use tokio::sync::mpsc;
use wire::scheduler::v1::concurrency_limit::Target as LimitTarget;
use wire::scheduler::v1::{ConcurrencyLimit, ConcurrencyLimitActor, JobTargetMetadata, TargetActorReminder, TargetJob};

type Inbox = Triggers;

fn pool() -> Pool {
    Pool::new(Metrics::new(&Registry::new().unwrap()).unwrap())
}

fn connect(pool: &Pool, limits: &[(Option<&str>, i32)]) -> (StreamId, Inbox) {
    connect_with_room(pool, limits, 16)
}

fn connect_with_room(pool: &Pool, limits: &[(Option<&str>, i32)], room: usize) -> (StreamId, Inbox) {
    let (outbox, inbox) = pool.outbox(room);
    let limit = |(name, most): &(Option<&str>, i32)| ConcurrencyLimit {
        max_concurrent: *most,
        name: name.map(str::to_owned),
        target: Some(LimitTarget::Actor(ConcurrencyLimitActor { r#type: "type".into() })),
    };
    let initial = WatchJobsRequestInitial {
        app_id: "app".into(),
        namespace: "ns".into(),
        actor_types: vec!["type".into()],
        concurrency_limits: limits.iter().map(limit).collect(),
        ..WatchJobsRequestInitial::default()
    };
    (pool.connect(&initial, outbox), inbox)
}

fn job(name: &str) -> WatchJobsResponse {
    trigger(name, Type::Job(TargetJob {}), None)
}

fn reminder(name: &str, key: Option<&str>) -> WatchJobsResponse {
    trigger(name, Type::Actor(TargetActorReminder { id: "id".into(), r#type: "type".into() }), key)
}

fn trigger(name: &str, r#type: Type, key: Option<&str>) -> WatchJobsResponse {
    let target = Some(JobTargetMetadata { r#type: Some(r#type) });
    let concurrency_key = key.map(str::to_owned);
    let metadata =
        JobMetadata { app_id: "app".into(), namespace: "ns".into(), target, concurrency_key, ..JobMetadata::default() };
    WatchJobsResponse { name: name.into(), metadata: Some(metadata), ..WatchJobsResponse::default() }
}

/// A trigger that has been handed over.
#[derive(Debug)]
struct Delivered(mpsc::UnboundedReceiver<(Ticket, Outcome)>, Recall);

impl Delivered {
    async fn outcome(mut self) -> Outcome {
        self.0.recv().await.unwrap().1
    }
}

fn deliver(pool: &Pool, message: WatchJobsResponse) -> Delivered {
    let (outcomes, outcome) = mpsc::unbounded_channel();
    let recipient = Arc::new(Recipient::of(message.metadata.as_ref().unwrap()).unwrap());
    let recall = Recall::default();
    let reply = Reply::new(1, outcomes);
    pool.deliver(Trigger { message, recipient, reply, recall: recall.clone(), weight: None });
    Delivered(outcome, recall)
}

/// Names and ids of what has come.
fn read(inbox: &mut Inbox) -> Vec<(String, u64)> {
    std::iter::from_fn(|| inbox.try_next()).map(|message| message.map(|it| (it.name, it.id)).unwrap()).collect()
}

#[tokio::test]
async fn without_a_sidecar_nothing_can_be_delivered() {
    let pool = pool();
    assert_eq!(deliver(&pool, job("a")).outcome().await, Outcome::Undeliverable);
    let (id, _inbox) = connect(&pool, &[]);
    assert_eq!(pool.connected().await.len(), 2);
    let recipient = Recipient::of(&job("a").metadata.unwrap()).unwrap();
    assert!(pool.has(&recipient));
    assert_eq!(pool.room(&recipient).unwrap().jobs, 16);
    pool.disconnect(id);
    assert!(!pool.has(&recipient));
    assert_eq!(pool.room(&recipient), None);
}

#[tokio::test]
async fn streams_take_turns_and_answer_for_what_they_got() {
    let pool = pool();
    let (first, mut first_inbox) = connect(&pool, &[]);
    let (_second, mut second_inbox) = connect(&pool, &[]);
    let outcomes: Vec<_> = ["a", "b", "c"].into_iter().map(|name| deliver(&pool, job(name))).collect();
    assert_eq!(read(&mut first_inbox), [("a".to_owned(), 1), ("c".to_owned(), 2)]);
    assert_eq!(read(&mut second_inbox), [("b".to_owned(), 1)]);
    pool.acknowledge(first, 2, Outcome::Failed).unwrap();
    assert!(pool.acknowledge(first, 2, Outcome::Failed).is_err());
    pool.disconnect(first);
    let [a, _, c] = <[_; 3]>::try_from(outcomes).unwrap();
    assert_eq!((a.outcome().await, c.outcome().await), (Outcome::Undeliverable, Outcome::Failed));
}

#[tokio::test]
async fn a_stream_that_does_not_read_is_passed_over() {
    let pool = pool();
    let (_deaf, _unread) = connect_with_room(&pool, &[], 1);
    let (_first, mut inbox) = connect(&pool, &[]);
    let outcomes: Vec<_> = (0..5).map(|name| deliver(&pool, job(&name.to_string()))).collect();
    assert_eq!(read(&mut inbox).len(), 4);
    drop(outcomes);
    let pool = self::pool();
    let (_deaf, _unread) = connect_with_room(&pool, &[], 1);
    let _sent = deliver(&pool, job("a"));
    assert_eq!(deliver(&pool, job("b")).outcome().await, Outcome::Busy);
}

#[tokio::test]
async fn only_so_many_bytes_wait_for_a_recipient() {
    const LARGE: usize = streams::MOST_BYTES as usize * 2 / 3;
    let pool = pool();
    let (_stream, mut inbox) = connect(&pool, &[(None, 1)]);
    let with = |message: WatchJobsResponse, bytes: usize| {
        let data = prost_types::Any { type_url: String::new(), value: vec![1; bytes] };
        WatchJobsResponse { data: Some(data), ..message }
    };
    let _unread = deliver(&pool, with(job("a"), LARGE));
    assert_eq!(deliver(&pool, with(job("b"), LARGE)).outcome().await, Outcome::Busy);
    let recipient = Recipient::of(&job("a").metadata.unwrap()).unwrap();
    assert!(pool.room(&recipient).unwrap().bytes < LARGE);
    let _small = deliver(&pool, job("small"));
    let _other = deliver(&pool, with(reminder("running", None), LARGE));
    assert_eq!(read(&mut inbox).len(), 3);
    let _waiting = deliver(&pool, with(reminder("waiting", None), LARGE));
    assert_eq!(deliver(&pool, with(reminder("late", None), LARGE)).outcome().await, Outcome::Held);
    let _huge = deliver(&pool, with(job("huge"), LARGE * 2));
    assert_eq!(read(&mut inbox), [("huge".to_owned(), 4)]);
}

#[tokio::test]
async fn limits_let_so_many_in_and_the_rest_wait() {
    let pool = pool();
    let (stream, mut inbox) = connect(&pool, &[(None, 2)]);
    let _outcomes: Vec<_> = ["a", "b", "c", "d"].map(|name| deliver(&pool, reminder(name, None))).into();
    let _free = deliver(&pool, job("free"));
    assert_eq!(read(&mut inbox).len(), 3);
    pool.acknowledge(stream, 1, Outcome::Failed).unwrap();
    assert_eq!(read(&mut inbox), [("c".to_owned(), 4)]);
    pool.set_share(2, 0);
    pool.acknowledge(stream, 2, Outcome::Success).unwrap();
    assert_eq!(read(&mut inbox), []);
    pool.set_share(1, 0);
    assert_eq!(read(&mut inbox), [("d".to_owned(), 5)]);
}

#[tokio::test]
async fn a_name_has_a_limit_of_its_own() {
    let pool = pool();
    let (stream, mut inbox) = connect(&pool, &[(None, 3), (Some("slow"), 1)]);
    let _outcomes: Vec<_> = [("a", "slow"), ("b", "slow"), ("c", "other")]
        .map(|(name, key)| deliver(&pool, reminder(name, Some(key))))
        .into();
    assert_eq!(read(&mut inbox), [("a".to_owned(), 1), ("c".to_owned(), 2)]);
    pool.acknowledge(stream, 1, Outcome::Success).unwrap();
    assert_eq!(read(&mut inbox), [("b".to_owned(), 3)]);
}

#[tokio::test]
async fn what_waits_for_one_limit_keeps_nothing_from_another() {
    let pool = pool();
    let (_stream, mut inbox) = connect(&pool, &[(Some("slow"), 1)]);
    let recipient = Recipient::of(&reminder("a", None).metadata.unwrap()).unwrap();
    let large = || {
        let data = Some(prost_types::Any { type_url: String::new(), value: vec![1; gates::MOST_BYTES - 1000] });
        WatchJobsResponse { data, ..reminder("large", Some("slow")) }
    };
    let _sent = deliver(&pool, reminder("a", Some("slow")));
    let _waiting = deliver(&pool, large());
    assert_eq!(deliver(&pool, large()).outcome().await, Outcome::Held);
    assert!(pool.waiting_room(&recipient, Some("slow")).bytes < 1000);
    assert_eq!(pool.waiting_room(&recipient, Some("quick")), Room::UNLIMITED);
    let _quick = deliver(&pool, reminder("b", Some("quick")));
    assert_eq!(read(&mut inbox), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
}

#[tokio::test]
async fn who_waits_is_looked_at_when_there_is_room() {
    let registry = Registry::new().unwrap();
    let pool = Pool::new(Metrics::new(&registry).unwrap());
    let (stream, mut inbox) = connect(&pool, &[(None, 2), (Some("slow"), 1)]);
    let keys = ["slow", "slow", "slow", "quick", "slow", "quick"];
    let _outcomes: Vec<_> =
        keys.iter().zip(1..).map(|(key, name)| deliver(&pool, reminder(&name.to_string(), Some(key)))).collect();
    let mut order = Vec::new();
    for answered in 1..=keys.len() as u64 {
        order.extend(read(&mut inbox).into_iter().map(|(name, _)| name));
        pool.acknowledge(stream, answered, Outcome::Success).unwrap();
    }
    assert_eq!(order, ["1", "4", "2", "6", "3", "5"]);
    let throttled: Vec<_> = registry.render().lines().filter_map(throttled).collect();
    assert_eq!(throttled.iter().sum::<u64>(), 4, "each of those that had to wait is counted once");
}

#[tokio::test]
async fn what_is_recalled_is_sent_neither_from_a_gate_nor_from_an_outbox() {
    let pool = pool();
    let (stream, mut inbox) = connect(&pool, &[(None, 2)]);
    let [_first, unread, waiting, _last] = ["a", "b", "c", "d"].map(|name| deliver(&pool, reminder(name, None)));
    unread.1.recall();
    waiting.1.recall();
    assert_eq!(read(&mut inbox), [("a".to_owned(), 1), ("d".to_owned(), 3)], "the place of the one goes to the other");
    assert_eq!((unread.outcome().await, waiting.outcome().await), (Outcome::Recalled, Outcome::Recalled));
    assert!(pool.acknowledge(stream, 2, Outcome::Success).is_err());
}

fn throttled(line: &str) -> Option<u64> {
    line.starts_with("dapr_scheduler_concurrency_throttled_total{")
        .then(|| line.rsplit_once(' ').unwrap().1.parse().unwrap())
}

#[tokio::test]
async fn what_waits_at_a_limit_is_undelivered_when_its_last_stream_goes() {
    let pool = pool();
    let (stream, _inbox) = connect(&pool, &[(None, 1)]);
    let [running, waiting] = ["a", "b"].map(|name| deliver(&pool, reminder(name, None)));
    pool.disconnect(stream);
    assert_eq!((running.outcome().await, waiting.outcome().await), (Outcome::Undeliverable, Outcome::Undeliverable));
    let (stream, mut inbox) = connect(&pool, &[(None, 1)]);
    let _again = deliver(&pool, reminder("a", None));
    assert_eq!(read(&mut inbox).len(), 1);
    pool.acknowledge(stream, 1, Outcome::Success).unwrap();
}
