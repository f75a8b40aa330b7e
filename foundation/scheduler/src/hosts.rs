//! Which schedulers there are, and the streams to each of them.
use crate::outage::Outage;
use crate::room::Budget;
use crate::stream::{Deliver, Stream};
use crate::wanted::Wanted;
use arc_swap::ArcSwapOption;
use foundation_drain::Drain;
use foundation_peer::{Connected, ControlService};
use futures_util::future::join_all;
use rand::Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use wire::scheduler::v1::scheduler_client::SchedulerClient;
use wire::scheduler::v1::{WatchHostsRequest, WatchHostsResponse};

const SCOPE: &str = "dapr.runtime.scheduler";
/// Pause before another try, in milliseconds.
const PAUSE: std::ops::Range<u64> = 500..1500;

/// What a client is made with.
#[derive(Clone, Debug)]
pub struct Options {
    pub service: ControlService,
    /// To each scheduler.
    pub streams: usize,
    pub app_id: String,
    pub namespace: String,
}

/// The client of the schedulers.
pub struct Client {
    options: Options,
    /// Those that are known, with a connection to each.
    hosts: watch::Sender<Vec<(String, Channel)>>,
    turn: AtomicUsize,
    /// Why none of them is followed now.
    trouble: ArcSwapOption<String>,
    wanted: watch::Sender<Wanted>,
    drain: Drain,
    cut: CancellationToken,
    budget: Budget,
}

impl Client {
    /// Its streams are its own tasks: [`Client::end`] waits for them.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            hosts: watch::Sender::new(Vec::new()),
            turn: AtomicUsize::new(0),
            trouble: ArcSwapOption::empty(),
            wanted: watch::Sender::new(Wanted::default()),
            drain: Drain::new(),
            cut: CancellationToken::new(),
            budget: Budget::default(),
        }
    }

    /// Changes which jobs are taken; those in work are finished.
    pub fn want(&self, change: impl FnOnce(&mut Wanted)) {
        self.wanted.send_if_modified(|wanted| {
            let old = wanted.clone();
            change(wanted);
            *wanted != old
        });
    }

    /// Takes nothing more, and waits for what is in work. What takes longer than that is cut off, and comes again.
    pub async fn end(&self, patience: Duration) {
        self.want(|wanted| *wanted = Wanted::default());
        if !self.drain.close(patience).await {
            self.cut.cancel();
        }
    }

    /// Addresses of the schedulers, as one of them told last.
    pub fn addresses(&self) -> Vec<String> {
        self.hosts.borrow().iter().map(|(address, _)| address.clone()).collect()
    }

    /// Resolves when a scheduler has told which ones there are.
    pub async fn until_known(&self) {
        self.hosts.subscribe().wait_for(|hosts| !hosts.is_empty()).await.ok();
    }

    /// Follows the schedulers; ends only when it is dropped.
    pub async fn run(&self, deliver: Arc<dyn Deliver>) {
        let first = rand::rng().random_range(0..self.options.service.addresses.len().max(1));
        for attempt in first.. {
            let Err(reason) = self.follow(attempt, &deliver).await;
            tracing::warn!(target: SCOPE, "Lost the scheduler: {reason}. Reconnecting...");
            self.trouble.store(Some(Arc::new(reason)));
            pause().await;
        }
    }

    /// A call that has waited as long as it may. The text begins as Dapr's.
    pub(crate) fn late(&self) -> Status {
        let why = self.trouble.load().as_ref().map(|reason| format!(": no scheduler could be reached: {reason}"));
        Status::deadline_exceeded(format!("context deadline exceeded{}", why.unwrap_or_default()))
    }

    /// The connection to the scheduler whose turn it is; waits until one is known.
    pub(crate) async fn next_host(&self) -> Result<Channel, Status> {
        let mut hosts = self.hosts.subscribe();
        let known = hosts.wait_for(|hosts| !hosts.is_empty()).await;
        let known = known.map_err(|_| Status::unavailable("the sidecar is ending"))?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % known.len();
        Ok(known[turn].1.clone())
    }

    /// Follows one scheduler, which tells of all, as long as it is there.
    async fn follow(&self, attempt: usize, deliver: &Arc<dyn Deliver>) -> Result<std::convert::Infallible, String> {
        let connected = self.options.service.connect(attempt).await?;
        tracing::debug!(target: SCOPE, "Connected to scheduler {}", connected.address);
        connected.watch(self.follow_hosts(connected.channel.clone(), deliver)).await
    }

    async fn follow_hosts(
        &self,
        channel: Channel,
        deliver: &Arc<dyn Deliver>,
    ) -> Result<std::convert::Infallible, String> {
        let watched = SchedulerClient::new(channel).watch_hosts(WatchHostsRequest {}).await;
        let mut told = match watched {
            Ok(told) => told.into_inner(),
            // An old scheduler knows nothing of others.
            Err(status) if status.code() == Code::Unimplemented => {
                return self.stream_from(self.options.service.addresses.clone(), deliver).await;
            }
            Err(status) => return Err(foundation_peer::describe(&status)),
        };
        let mut hosts = next(&mut told).await?;
        self.trouble.store(None);
        loop {
            hosts = tokio::select! {
                next = next(&mut told) => next?,
                never = self.stream_from(hosts, deliver) => return never,
            };
        }
    }

    async fn stream_from(
        &self,
        hosts: Vec<String>,
        deliver: &Arc<dyn Deliver>,
    ) -> Result<std::convert::Infallible, String> {
        tracing::info!(target: SCOPE, "Connected and received scheduler hosts addresses: {hosts:?}");
        self.know(hosts.clone());
        join_all(hosts.iter().map(|host| self.keep_streams(host, deliver))).await;
        Err("no scheduler is left".to_owned())
    }

    /// From now on these are asked.
    pub(crate) fn know(&self, hosts: Vec<String>) {
        let connected = |host: String| (host.clone(), self.options.service.lazily(&host));
        self.hosts.send_replace(hosts.into_iter().map(connected).collect());
    }

    async fn keep_streams(&self, host: &str, deliver: &Arc<dyn Deliver>) {
        let outage = Outage::default();
        let streams = (0..self.options.streams.max(1)).map(|_| self.keep_stream(host, &outage, deliver));
        join_all(streams).await;
    }

    /// Keeps a stream open while there is something to take, and opens another one when that changes.
    async fn keep_stream(&self, host: &str, outage: &Outage, deliver: &Arc<dyn Deliver>) {
        let mut wanted = self.wanted.subscribe();
        loop {
            let now = wanted.borrow_and_update().clone();
            if now.is_empty() || self.drain.is_stopped() {
                if wanted.changed().await.is_err() {
                    return;
                }
                continue;
            }
            tokio::select! {
                // A stream that ends because it is not wanted any more is no trouble.
                biased;
                _ = wanted.changed() => {}
                reason = self.stream(host, &now, deliver) => {
                    outage.note(host, &reason);
                    pause().await;
                }
                never = outage.watch(host) => match never {},
            }
        }
    }

    /// One stream, to its end. Whoever gives up waiting stops it; it finishes what it has begun.
    async fn stream(&self, host: &str, wanted: &Wanted, deliver: &Arc<dyn Deliver>) -> String {
        let connected = match self.options.service.connect_by_name(host).await {
            Ok(connected) => connected,
            Err(reason) => return reason,
        };
        let first = wanted.request(&self.options.app_id, &self.options.namespace);
        let (deliver, drain) = (Arc::clone(deliver), self.drain.clone());
        let stream = Stream { deliver, drain, cut: self.cut.clone(), budget: self.budget.clone() };
        let stopping = self.drain.token().child_token();
        let _stop = stopping.clone().drop_guard();
        let (sender, ended) = oneshot::channel();
        self.drain.spawn(async move { run(stream, connected, first, stopping, sender).await });
        ended.await.unwrap_or_else(|_| "it was given up".to_owned())
    }
}

async fn run(
    stream: Stream,
    connected: Connected,
    first: wire::scheduler::v1::WatchJobsRequest,
    stopping: CancellationToken,
    ended: oneshot::Sender<String>,
) {
    let reason = connected.watch(stream.run(connected.channel.clone(), first, &stopping)).await.err();
    ended.send(reason.unwrap_or_else(|| "it was stopped".to_owned())).ok();
}

async fn next(told: &mut Streaming<WatchHostsResponse>) -> Result<Vec<String>, String> {
    let message = told.message().await.map_err(|status| foundation_peer::describe(&status))?;
    let message = message.ok_or_else(|| "it has ended".to_owned())?;
    Ok(message.hosts.into_iter().map(|host| host.address).collect())
}

async fn pause() {
    let pause = rand::rng().random_range(PAUSE);
    sleep(Duration::from_millis(pause)).await;
}
