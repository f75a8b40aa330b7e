//! Crash points of brokers: processes, connections and the server itself go away at the worst moments.
//!
//! A message whose publishing succeeded is delivered until the app said it is done, whatever happens. It may come twice.
use super::{Message, Subscription, Verdict, publish, request, text};
use crate::patience::{PATIENCE, within};
use crate::proxy::Proxy;
use crate::server::Server;
use crate::trial::trial;
use async_trait::async_trait;
use component_api::Metadata;
use component_api::pubsub::{Broker, Deliver};
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How many messages are on their way when something breaks.
const MESSAGES: usize = 200;

/// Opens a broker of an app at an address.
pub type Open = Box<dyn Fn(SocketAddr, &str) -> BoxFuture<'static, Arc<dyn Broker>> + Send + Sync>;

/// A broker and the server that it is tried with. Messages without an answer must come again within seconds.
pub struct Subject {
    pub open: Open,
    pub server: Server,
    /// What is published before a subscription reached the server is kept for it.
    pub keeps: bool,
    /// Several brokers of one app can be there at the same time.
    pub shared: bool,
}

/// Runs all trials.
///
/// # Panics
/// When a message is lost.
pub async fn run(subject: &Subject) {
    trial("crash: killed during the handler", killed_during(subject)).await;
    trial("crash: killed after the handler, before the acknowledgement", killed_after(subject)).await;
    trial("crash: killed with messages that wait for the handler", killed_before(subject)).await;
    trial("crash: closed while messages are handled", closed(subject)).await;
    trial("crash: the server restarts", restart(subject)).await;
    trial("crash: the network is cut", partition(subject)).await;
    trial("crash: the server comes up later", late(subject)).await;
    if subject.shared {
        trial("crash: consumers come and go", rebalance(subject)).await;
    }
}

/// What the app got: how often each text came.
#[derive(Clone, Default)]
struct App {
    seen: Arc<Mutex<BTreeMap<String, usize>>>,
    changed: Arc<watch::Sender<()>>,
}

/// What the app does with a message.
type Handle = Box<dyn Fn(String) -> BoxFuture<'static, Verdict> + Send + Sync>;

struct Inbox(App, Handle);

#[async_trait]
impl Deliver for Inbox {
    async fn deliver(&self, message: Message) -> Verdict {
        self.0.note(text(&message));
        (self.1)(text(&message)).await
    }
}

impl App {
    fn note(&self, text: String) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner).entry(text).or_default() += 1;
        self.changed.send_replace(());
    }

    fn times(&self, text: &str) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(text).copied().unwrap_or_default()
    }

    /// Waits until all of these came.
    async fn expect(&self, texts: &[String]) {
        let mut changed = self.changed.subscribe();
        while let Some(missing) = texts.iter().find(|text| self.times(text) == 0) {
            let came = timeout(PATIENCE, changed.changed()).await;
            assert!(came.is_ok(), "message '{missing}' was acknowledged to its publisher and is lost");
        }
    }

    /// How many deliveries were not the first of their message.
    fn duplicates(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).values().map(|times| times - 1).sum()
    }

    async fn subscribe(&self, broker: &dyn Broker, topic: &str, handle: Handle) -> Subscription {
        let inbox = Arc::new(Inbox(self.clone(), handle));
        within(broker.subscribe(topic, Metadata::new(), inbox)).await.expect("subscribe")
    }
}

fn done() -> Handle {
    Box::new(|_| Box::pin(async { Verdict::Ack }))
}

fn never() -> Handle {
    Box::new(|_| Box::pin(std::future::pending()))
}

impl Subject {
    async fn broker(&self, app: &str) -> Arc<dyn Broker> {
        within((self.open)(self.server.address(), app)).await
    }

    /// A broker in a process that can be killed: its connections go through the proxy.
    async fn victim(&self, app: &str) -> (Arc<Proxy>, Arc<dyn Broker>) {
        let proxy = Arc::new(Proxy::before(&self.server).await);
        let broker = within((self.open)(proxy.address(), app)).await;
        (proxy, broker)
    }

    /// Another process of the same app takes over.
    async fn successor(&self, topic: &str, texts: &[String]) -> App {
        let (broker, app) = (self.broker("app").await, App::default());
        let _subscription = app.subscribe(&*broker, topic, done()).await;
        app.expect(texts).await;
        app
    }
}

/// What has no verdict is not acknowledged.
async fn killed_during(subject: &Subject) {
    let (proxy, broker) = subject.victim("app").await;
    let app = App::default();
    let subscription = app.subscribe(&*broker, "during", never()).await;
    publish(&*broker, "during", "1").await;
    app.expect(&texts(1..2)).await;
    proxy.cut();
    drop(subscription);
    subject.successor("during", &texts(1..2)).await;
}

/// The app is done, but the server never heard of it.
async fn killed_after(subject: &Subject) {
    let (proxy, broker) = subject.victim("app").await;
    let app = App::default();
    let cutting = Arc::clone(&proxy);
    let handle: Handle = Box::new(move |_| {
        cutting.cut();
        Box::pin(async { Verdict::Ack })
    });
    let subscription = app.subscribe(&*broker, "after", handle).await;
    let publisher = subject.broker("publisher").await;
    publish(&*publisher, "after", "1").await;
    app.expect(&texts(1..2)).await;
    drop(subscription);
    subject.successor("after", &texts(1..2)).await;
}

/// The process had taken messages that the app never saw.
async fn killed_before(subject: &Subject) {
    let (proxy, broker) = subject.victim("app").await;
    let app = App::default();
    let subscription = app.subscribe(&*broker, "before", never()).await;
    for text in texts(0..50) {
        publish(&*broker, "before", &text).await;
    }
    app.expect(&texts(0..1)).await;
    proxy.cut();
    drop(subscription);
    subject.successor("before", &texts(0..50)).await;
}

/// An end that was asked for waits for the verdicts: what was done does not come again, and nothing is lost.
async fn closed(subject: &Subject) {
    let (broker, app) = (subject.broker("app").await, App::default());
    let slow: Handle = Box::new(|_| {
        Box::pin(async {
            sleep(Duration::from_millis(50)).await;
            Verdict::Ack
        })
    });
    let subscription = app.subscribe(&*broker, "closed", slow).await;
    for text in texts(0..50) {
        publish(&*broker, "closed", &text).await;
    }
    app.expect(&texts(0..1)).await;
    within(subscription.close()).await;
    within(broker.close()).await.expect("close");
    let left: Vec<_> = texts(0..50).into_iter().filter(|text| app.times(text) == 0).collect();
    let next = subject.successor("closed", &left).await;
    let again = texts(0..50).into_iter().filter(|text| app.times(text) > 0 && next.times(text) > 0);
    assert_eq!(again.collect::<Vec<_>>(), Vec::<String>::new(), "what was done before the end came again");
}

/// Publishes until it succeeds, as a publisher with a retry policy does.
async fn insist(broker: &dyn Broker, topic: &str, text: &str) {
    let tries = async {
        while broker.publish(request(topic, text)).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    within(tries).await;
}

/// Publishes and consumes while something breaks, and then expects all messages.
async fn under_load(broker: Arc<dyn Broker>, topic: &str, breaking: impl Future<Output = ()>) {
    let app = App::default();
    let _subscription = app.subscribe(&*broker, topic, done()).await;
    let publishing = async {
        for text in texts(0..MESSAGES) {
            insist(&*broker, topic, &text).await;
            sleep(Duration::from_millis(1)).await;
        }
    };
    let breaking = async {
        app.expect(&texts(0..MESSAGES / 10)).await;
        breaking.await;
    };
    futures_util::join!(publishing, breaking);
    app.expect(&texts(0..MESSAGES)).await;
    report(&app);
}

async fn restart(subject: &Subject) {
    let broker = subject.broker("app").await;
    let breaking = async {
        subject.server.kill().await;
        subject.server.start().await;
    };
    under_load(broker, "restart", breaking).await;
}

async fn partition(subject: &Subject) {
    let (proxy, broker) = subject.victim("app").await;
    let breaking = async {
        for _ in 0..3 {
            proxy.cut();
            sleep(Duration::from_millis(30)).await;
            proxy.heal();
            sleep(Duration::from_millis(60)).await;
        }
    };
    under_load(broker, "partition", breaking).await;
}

/// A subscription that begins while the server is away works once it is there.
async fn late(subject: &Subject) {
    let (proxy, broker) = subject.victim("app").await;
    proxy.cut();
    let app = App::default();
    let _subscription = app.subscribe(&*broker, "late", done()).await;
    let error = within(broker.publish(request("late", "0"))).await.expect_err("there is no server");
    assert!(error.is_temporary(), "a lost server is worth a retry: {error}");
    proxy.heal();
    insist(&*broker, "late", "1").await;
    while !subject.keeps && app.times("1") == 0 {
        sleep(Duration::from_millis(50)).await;
        insist(&*broker, "late", "1").await;
    }
    app.expect(&texts(1..2)).await;
}

/// Some end as asked, some are killed, while others of the same app go on.
async fn rebalance(subject: &Subject) {
    let app = App::default();
    let staying = subject.broker("app").await;
    let _subscription = app.subscribe(&*staying, "rebalance", done()).await;
    let publishing = async {
        for text in texts(0..MESSAGES) {
            insist(&*staying, "rebalance", &text).await;
            sleep(Duration::from_millis(1)).await;
        }
    };
    let others = async {
        for number in 0..6 {
            let (proxy, broker) = subject.victim("app").await;
            let subscription = app.subscribe(&*broker, "rebalance", done()).await;
            sleep(Duration::from_millis(30)).await;
            if number % 2 == 0 {
                within(subscription.close()).await;
            } else {
                proxy.cut();
                drop(subscription);
            }
        }
    };
    futures_util::join!(publishing, others);
    app.expect(&texts(0..MESSAGES)).await;
    report(&app);
}

#[allow(clippy::print_stdout)] // It is the report of a test.
fn report(app: &App) {
    println!("    {MESSAGES} messages, none lost, {} delivered twice", app.duplicates());
}

fn texts(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| number.to_string()).collect()
}
