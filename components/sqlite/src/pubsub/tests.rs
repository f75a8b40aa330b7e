//! Two brokers on one file, as two sidecars of one machine.
use super::{ConcurrencyMode, Metadata, SqliteBroker};
use component_api::pubsub::{Broker, Deliver, Message, PublishRequest, Subscription, Verdict};
use component_api::{Metadata as Pairs, Properties};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

struct Inbox(UnboundedSender<String>, Verdict);

#[async_trait::async_trait]
impl Deliver for Inbox {
    async fn deliver(&self, message: Message) -> Verdict {
        self.0.send(String::from_utf8_lossy(&message.data).into_owned()).ok();
        self.1
    }
}

fn metadata(folder: &TempDir, consumer_id: &str) -> Metadata {
    Metadata {
        connection_string: folder.path().join("broker.db").to_string_lossy().into_owned(),
        consumer_id: consumer_id.to_owned(),
        redeliver_interval: Duration::from_millis(1).into(),
        visibility_timeout: Duration::from_millis(300).into(),
        ..Metadata::default()
    }
}

async fn subscribe(broker: &SqliteBroker, verdict: Verdict) -> (UnboundedReceiver<String>, Subscription) {
    let (sender, inbox) = unbounded_channel();
    let subscription = broker.subscribe("topic", Pairs::new(), Arc::new(Inbox(sender, verdict))).await.unwrap();
    (inbox, subscription)
}

async fn publish(broker: &SqliteBroker, text: &str) {
    let data = text.to_owned().into();
    broker.publish(PublishRequest { topic: "topic".to_owned(), data, ..PublishRequest::default() }).await.unwrap();
}

fn rows(folder: &TempDir, table: &str) -> i64 {
    let connection = rusqlite::Connection::open(folder.path().join("broker.db")).unwrap();
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_known_group_gets_what_came_while_it_was_away() {
    let folder = tempfile::tempdir().unwrap();
    let publisher = SqliteBroker::open(metadata(&folder, "publisher")).await.unwrap();
    let broker = SqliteBroker::open(metadata(&folder, "app")).await.unwrap();
    let (mut inbox, subscription) = subscribe(&broker, Verdict::Ack).await;
    publish(&publisher, "1").await;
    assert_eq!(inbox.recv().await.unwrap(), "1");
    subscription.close().await;
    broker.close().await.unwrap();

    publish(&publisher, "2").await;
    publish(&publisher, "3").await;
    let broker = SqliteBroker::open(metadata(&folder, "app")).await.unwrap();
    let (mut inbox, _subscription) = subscribe(&broker, Verdict::Ack).await;
    assert_eq!((inbox.recv().await.unwrap(), inbox.recv().await.unwrap()), ("2".to_owned(), "3".to_owned()));
}

#[tokio::test]
async fn another_process_is_woken_and_takes_over() {
    let folder = tempfile::tempdir().unwrap();
    let first = SqliteBroker::open(metadata(&folder, "app")).await.unwrap();
    let second = SqliteBroker::open(metadata(&folder, "app")).await.unwrap();
    let (mut first_inbox, subscription) = subscribe(&first, Verdict::Retry).await;
    publish(&second, "1").await;
    assert_eq!(first_inbox.recv().await.unwrap(), "1");
    let (mut second_inbox, _subscription) = subscribe(&second, Verdict::Ack).await;
    subscription.close().await;
    assert_eq!(second_inbox.recv().await.unwrap(), "1", "what the first one refused");
    publish(&first, "2").await;
    assert_eq!(second_inbox.recv().await.unwrap(), "2");
}

#[tokio::test]
async fn a_message_in_work_stays_there_however_long_it_takes() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Metadata { concurrency_mode: ConcurrencyMode::Parallel, ..metadata(&folder, "app") };
    let broker = SqliteBroker::open(settings.clone()).await.unwrap();
    let (sender, mut inbox) = unbounded_channel();
    let (finish, finished) = tokio::sync::watch::channel(false);
    let slow = Arc::new(Slow(sender, finished));
    let subscription = broker.subscribe("topic", Pairs::new(), slow).await.unwrap();
    publish(&broker, "slow").await;
    assert_eq!(inbox.recv().await.unwrap(), "slow");
    // Three times as long as a silent process may keep a message.
    tokio::time::sleep(settings.visibility_timeout.0 * 3).await;
    assert!(inbox.try_recv().is_err(), "it is not handed out twice");
    finish.send(true).unwrap();
    subscription.close().await;
    assert_eq!(rows(&folder, "pubsub_deliveries"), 0);
}

struct Slow(UnboundedSender<String>, tokio::sync::watch::Receiver<bool>);

#[async_trait::async_trait]
impl Deliver for Slow {
    async fn deliver(&self, message: Message) -> Verdict {
        self.0.send(String::from_utf8_lossy(&message.data).into_owned()).ok();
        self.1.clone().wait_for(|finished| *finished).await.ok();
        Verdict::Ack
    }
}

#[tokio::test]
async fn a_message_of_a_dead_process_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    let broker = SqliteBroker::open(metadata(&folder, "app")).await.unwrap();
    let (mut inbox, subscription) = subscribe(&broker, Verdict::Ack).await;
    subscription.close().await;
    publish(&broker, "1").await;
    let connection = rusqlite::Connection::open(folder.path().join("broker.db")).unwrap();
    // As a process leaves it that was killed at work.
    connection.execute("UPDATE pubsub_groups SET position = 1", []).unwrap();
    let due = super::tables::now() + 200;
    connection.execute("INSERT INTO pubsub_deliveries VALUES ('topic', 'app', 1, 1, 'dead', ?1)", [due]).unwrap();
    assert!(inbox.recv().await.is_none());
    let (mut inbox, _subscription) = subscribe(&broker, Verdict::Ack).await;
    publish(&broker, "2").await;
    assert_eq!((inbox.recv().await.unwrap(), inbox.recv().await.unwrap()), ("1".to_owned(), "2".to_owned()));
}

#[tokio::test]
async fn a_message_is_given_up_after_its_retries() {
    let folder = tempfile::tempdir().unwrap();
    let broker = SqliteBroker::open(Metadata { max_retries: 2, ..metadata(&folder, "app") }).await.unwrap();
    let (mut inbox, subscription) = subscribe(&broker, Verdict::Retry).await;
    publish(&broker, "1").await;
    for _ in 0..3 {
        assert_eq!(inbox.recv().await.unwrap(), "1");
    }
    subscription.close().await;
    assert_eq!(rows(&folder, "pubsub_deliveries"), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn a_broker_whose_files_were_deleted_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let publisher = SqliteBroker::open(metadata(&folder, "publisher")).await.unwrap();
    let broker = SqliteBroker::open(metadata(&folder, "app")).await.unwrap();
    let (mut inbox, _subscription) = subscribe(&broker, Verdict::Ack).await;
    for round in ["1", "2"] {
        publish(&publisher, round).await;
        assert_eq!(inbox.recv().await.unwrap(), round);
        for file in std::fs::read_dir(folder.path()).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
    }
}

/// As the cleaner does it when its time has come.
fn clean(folder: &TempDir, settings: &Metadata) -> super::engine::Lost {
    let connection = rusqlite::Connection::open(folder.path().join("broker.db")).unwrap();
    let waste = super::cleaning::find(&connection, settings).unwrap();
    super::cleaning::delete(&connection, &waste).unwrap();
    waste.lost()
}

fn execute(folder: &TempDir, sql: &str) {
    let connection = rusqlite::Connection::open(folder.path().join("broker.db")).unwrap();
    connection.execute(sql, []).unwrap();
}

#[tokio::test]
async fn a_topic_without_a_group_is_kept_within_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Metadata { max_messages: 2, ..metadata(&folder, "app") };
    let broker = SqliteBroker::open(settings.clone()).await.unwrap();
    for number in 0..5 {
        publish(&broker, &number.to_string()).await;
    }
    clean(&folder, &settings);
    assert_eq!(rows(&folder, "pubsub_messages"), 2, "the newest ones");
    execute(&folder, "UPDATE pubsub_messages SET published_at = 1 WHERE data = CAST('3' AS BLOB)");
    clean(&folder, &settings);
    let (mut inbox, _subscription) = subscribe(&broker, Verdict::Ack).await;
    assert_eq!(inbox.recv().await.unwrap(), "4", "3 is too old");
}

#[tokio::test]
async fn a_group_that_is_gone_keeps_no_messages() {
    let folder = tempfile::tempdir().unwrap();
    let settings = metadata(&folder, "app");
    let broker = SqliteBroker::open(settings.clone()).await.unwrap();
    let gone = SqliteBroker::open(metadata(&folder, "gone")).await.unwrap();
    subscribe(&gone, Verdict::Ack).await.1.close().await;
    let (mut inbox, subscription) = subscribe(&broker, Verdict::Ack).await;
    publish(&broker, "1").await;
    assert_eq!(inbox.recv().await.unwrap(), "1");
    subscription.close().await;
    clean(&folder, &settings);
    assert_eq!(rows(&folder, "pubsub_messages"), 1, "it may come back");
    execute(&folder, "UPDATE pubsub_groups SET seen_at = 1 WHERE consumer = 'gone'");
    clean(&folder, &settings);
    assert_eq!(rows(&folder, "pubsub_groups"), 1);
    clean(&folder, &settings);
    assert_eq!(rows(&folder, "pubsub_messages"), 0);
}

/// Two workers of one process, of which the first lost its message to the second.
#[test]
fn a_late_verdict_leaves_the_message_to_who_has_it() {
    use super::lease::{Held, Settlement};
    use super::tables::{self, Found, Outcome, Place};
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    tables::migrations().perform(&connection).unwrap();
    let owner = "process".to_owned();
    let place = Place { topic: "topic".to_owned(), consumer: "app".to_owned(), owner, ordered: false, batch_size: 1 };
    let place = Arc::new(place);
    let message = tables::NewMessage {
        topic: "topic".to_owned(),
        data: "1".into(),
        content_type: None,
        metadata: Pairs::new(),
        time_to_live: None,
    };
    tables::publish(&connection, &message).unwrap();
    let settings = Metadata { max_retries: 0, ..Metadata::default() };
    let claim = || matches!(tables::claim(&connection, &place, &settings).unwrap(), Found::Messages(_));
    assert!(claim());
    connection.execute("UPDATE pubsub_deliveries SET due_at = 0", []).unwrap();
    assert!(claim(), "the first worker was silent for too long");
    let count = || connection.query_row("SELECT count(*) FROM pubsub_deliveries", [], |row| row.get::<_, i64>(0));
    let settle = |attempts, outcome| {
        let settlement = Settlement { place: Arc::clone(&place), held: vec![Held { id: 1, attempts, outcome }] };
        tables::settle(&connection, &settlement, &settings).unwrap();
    };
    for outcome in [Outcome::Released, Outcome::Failed, Outcome::Done] {
        settle(1, outcome);
        assert!(!claim() && count().unwrap() == 1, "{outcome:?} of the first worker");
    }
    settle(2, Outcome::Done);
    assert_eq!(count().unwrap(), 0);
}

#[tokio::test]
async fn cleaning_keeps_what_somebody_needs() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Metadata { max_messages: 3, ..metadata(&folder, "app") };
    let broker = SqliteBroker::open(settings.clone()).await.unwrap();
    let (mut inbox, subscription) = subscribe(&broker, Verdict::Ack).await;
    publish(&broker, "0").await;
    assert_eq!(inbox.recv().await.unwrap(), "0");
    subscription.close().await;
    for number in 1..=5 {
        publish(&broker, &number.to_string()).await;
    }
    assert_eq!(clean(&folder, &settings), [(2, "topic".to_owned())]);
    assert_eq!(rows(&folder, "pubsub_messages"), 3, "0 was handled, 1 and 2 are too many");
    let (mut inbox, _subscription) = subscribe(&broker, Verdict::Ack).await;
    assert_eq!(inbox.recv().await.unwrap(), "3");
}

#[test]
fn metadata_is_read_without_regard_to_case() {
    let properties: Properties =
        [("ConnectionString", "x.db"), ("redeliverinterval", "250ms"), ("concurrencyMode", "Parallel")]
            .into_iter()
            .collect();
    let read = Metadata::read(&properties, "app").unwrap();
    assert_eq!((read.consumer_id.as_str(), read.concurrency_mode), ("app", ConcurrencyMode::Parallel));
    assert_eq!(read.redeliver_interval.0, Duration::from_millis(250));
    assert!(Metadata::read(&Properties::default(), "app").is_err());
    let properties: Properties = [("connectionString", "x.db"), ("maxRetries", "many")].into_iter().collect();
    assert!(Metadata::read(&properties, "app").unwrap_err().to_string().contains("maxRetries"));
}
