//! A network made up by chance: messages take their time, links are cut and mended, nodes are there or gone.
use crate::random::Random;
use futures_util::future::Either;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Whoever waits for a connection longer than this gives up.
const PATIENCE: Duration = Duration::from_secs(5);

/// A machine with one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    Replica(usize),
    Sidecar(usize),
}

/// Links between nodes. Clones are the same network.
#[derive(Clone)]
pub(crate) struct Network {
    random: Random,
    links: Arc<Mutex<Links>>,
    changed: Arc<Notify>,
    /// Of each process that runs: cancelled when it dies.
    processes: Arc<Mutex<BTreeMap<Node, CancellationToken>>>,
}

#[derive(Clone, Default)]
struct Links {
    cut: BTreeSet<(Node, Node)>,
    alone: BTreeSet<Node>,
}

impl Links {
    fn is_open(&self, one: Node, other: Node) -> bool {
        let link = (one.min(other), one.max(other));
        !self.cut.contains(&link) && !self.alone.contains(&one) && !self.alone.contains(&other)
    }
}

impl Network {
    pub(crate) fn new(random: Random) -> Self {
        Self { random, links: Arc::default(), changed: Arc::default(), processes: Arc::default() }
    }

    pub(crate) fn cut(&self, one: Node, other: Node) {
        self.change(|links| links.cut.insert((one.min(other), one.max(other))));
    }

    pub(crate) fn isolate(&self, node: Node) {
        self.change(|links| links.alone.insert(node));
    }

    pub(crate) fn mend(&self, one: Node, other: Node) {
        self.change(|links| links.cut.remove(&(one.min(other), one.max(other))));
    }

    pub(crate) fn rejoin(&self, node: Node) {
        self.change(|links| links.alone.remove(&node));
    }

    pub(crate) fn mend_all(&self) {
        self.change(|links| *links = Links::default());
    }

    fn change<T>(&self, change: impl FnOnce(&mut Links) -> T) {
        change(&mut self.links.lock().unwrap());
        self.changed.notify_waiters();
    }

    /// Waits until a link is open, or cut.
    pub(crate) async fn until(&self, one: Node, other: Node, open: bool) {
        loop {
            let changed = self.changed.notified();
            if self.links.lock().unwrap().is_open(one, other) == open {
                return;
            }
            changed.await;
        }
    }

    /// A process starts on a node.
    pub(crate) fn start(&self, node: Node) -> CancellationToken {
        let process = CancellationToken::new();
        self.processes.lock().unwrap().insert(node, process.clone());
        process
    }

    /// It dies.
    pub(crate) fn kill(&self, node: Node) {
        if let Some(process) = self.processes.lock().unwrap().remove(&node) {
            process.cancel();
        }
    }

    pub(crate) fn process(&self, node: Node) -> Option<CancellationToken> {
        self.processes.lock().unwrap().get(&node).cloned()
    }

    /// How long a message takes where nothing is wrong.
    pub(crate) async fn travel(&self) {
        let slow = self.random.one_in(40);
        let most = if slow { 400_000 } else { 5_000 };
        sleep(Duration::from_micros(self.random.below(most) + 50)).await;
    }

    /// Brings a message over a link, as soon as it is open.
    pub(crate) async fn bring(&self, from: Node, to: Node) {
        self.travel().await;
        self.until(from, to, true).await;
    }

    /// Connects to the process on a node.
    ///
    /// # Errors
    /// Nobody is there, in a sentence.
    pub(crate) async fn connect(&self, from: Node, to: Node) -> Result<CancellationToken, String> {
        match futures_util::future::select(pin!(self.bring(from, to)), pin!(sleep(PATIENCE))).await {
            Either::Left(_) => self.process(to).ok_or_else(|| "connection refused".to_owned()),
            Either::Right(_) => Err("does not answer".to_owned()),
        }
    }
}
