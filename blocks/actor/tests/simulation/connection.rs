//! A stream between a sidecar and a replica, which may break without that either end knows at once.
use crate::network::{Network, Node};
use crate::random::Random;
use futures_util::future::pending;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// After so long a silent sidecar is given up: ping and patience of the service, as they are set by default.
pub(crate) const SERVICE_NOTICES: Duration = Duration::from_secs(5);
/// After so long a sidecar gives up a silent service.
pub(crate) const SIDECAR_NOTICES: Duration = Duration::from_secs(8);

/// A connection.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) sidecar: Node,
    pub(crate) replica: Node,
    /// The sidecar knows that it is over.
    pub(crate) near: CancellationToken,
    /// The service knows that it is over.
    pub(crate) far: CancellationToken,
    /// Nothing comes through any more, known or not.
    lost: CancellationToken,
    /// The processes at its ends.
    processes: [CancellationToken; 2],
    network: Network,
    /// How long the sidecar waits for tables that were announced.
    pub(crate) timeout: Duration,
}

impl Connection {
    pub(crate) fn new(
        [sidecar, replica]: [Node; 2],
        processes: [CancellationToken; 2],
        network: &Network,
        timeout: Duration,
    ) -> Self {
        let [near, far, lost] = std::array::from_fn(|_| CancellationToken::new());
        Self { sidecar, replica, near, far, lost, processes, network: network.clone(), timeout }
    }

    /// Whether both ends have it, and rightly so.
    pub(crate) fn is_whole(&self) -> bool {
        let [sidecar, replica] = &self.processes;
        ![&self.near, &self.far, &self.lost, sidecar, replica].iter().any(|end| end.is_cancelled())
    }

    /// Breaks it; each end gets to know of that in its own time, and what is under way is gone.
    pub(crate) async fn break_down(&self, random: &Random) {
        self.lost.cancel();
        let now = Instant::now();
        let near = now + random.millis(0, SIDECAR_NOTICES.as_millis() as u64);
        let far = now + random.millis(0, SERVICE_NOTICES.as_millis() as u64);
        tokio::join!(cancel_at(near, &self.near), cancel_at(far, &self.far));
    }

    /// Ends the connection for both, each when it can know of it, once one of them ends it or the link is cut for too long.
    pub(crate) async fn supervise(&self) {
        let [sidecar, replica] = &self.processes;
        let mut cut_since = None;
        while !(self.near.is_cancelled() && self.far.is_cancelled()) {
            let (one, other) = (self.sidecar, self.replica);
            let open = cut_since.is_none();
            tokio::select! {
                biased;
                () = self.network.until(one, other, !open) => {
                    cut_since = open.then(Instant::now);
                }
                () = ends(&self.near, sidecar), if open && !self.far.is_cancelled() => {
                    self.network.travel().await;
                    self.far.cancel();
                    self.near.cancel();
                }
                () = ends(&self.far, replica), if open && !self.near.is_cancelled() => {
                    self.network.travel().await;
                    self.far.cancel();
                    self.near.cancel();
                }
                () = at(cut_since, SERVICE_NOTICES), if !self.far.is_cancelled() => self.far.cancel(),
                () = at(cut_since, SIDECAR_NOTICES), if !self.near.is_cancelled() => self.near.cancel(),
            }
        }
        self.lost.cancel();
    }

    /// Carries messages in their order, until the connection is lost; each is looked at when it is sent. The receiver ends with it.
    pub(crate) async fn carry<T>(
        &self,
        (mut from, to): (mpsc::Receiver<T>, mpsc::Sender<T>),
        end: &CancellationToken,
        look: impl Fn(&T),
    ) {
        let (one, other) = (self.sidecar, self.replica);
        let carry = async {
            while let Some(message) = from.recv().await {
                look(&message);
                self.network.bring(one, other).await;
                if to.send(message).await.is_err() {
                    return;
                }
            }
            self.network.bring(one, other).await;
        };
        tokio::select! {
            biased;
            () = self.lost.cancelled() => end.cancelled().await,
            () = end.cancelled() => {}
            () = carry => {}
        }
    }
}

async fn ends(end: &CancellationToken, process: &CancellationToken) {
    tokio::select! {
        biased;
        () = end.cancelled() => {}
        () = process.cancelled() => {}
    }
}

async fn at(since: Option<Instant>, patience: Duration) {
    match since {
        Some(since) => sleep_until(since + patience).await,
        None => pending().await,
    }
}

async fn cancel_at(time: Instant, end: &CancellationToken) {
    sleep_until(time).await;
    end.cancel();
}
