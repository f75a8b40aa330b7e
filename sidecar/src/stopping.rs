//! The end of the process: by signal, by the API, by force (suite.md 5.8).
use block_host::Stop;
use foundation_drain::Drain;
use foundation_telemetry::flush_log;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io;
use std::process::exit;
use std::sync::Arc;
use std::thread::{Builder, sleep};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

const SCOPE: &str = "dapr.signals";
/// So that the answer to the one who asked gets out.
const FORCE_AFTER: Duration = Duration::from_millis(100);

/// How long after the second signal a process that does nothing about it is stuck.
const STUCK: Duration = Duration::from_secs(1);
const GUARD_STACK: usize = 128 << 10;

/// Why a sidecar ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// SIGINT or SIGTERM.
    Signal,
    /// SIGHUP or changed resources: it is to start again with fresh ones.
    Reload,
    /// The shutdown API.
    Asked,
    /// It cannot go on.
    Failed(String),
}

/// The end of a sidecar, which any part of it can ask for; the first one is heard. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Ending(Arc<watch::Sender<Option<Reason>>>);

impl Ending {
    /// Asks for the end.
    pub(crate) fn say(&self, reason: Reason) {
        self.0.send_if_modified(|said| {
            let first = said.is_none();
            if first {
                *said = Some(reason);
            }
            first
        });
    }

    /// Resolves when the end was asked for.
    pub(crate) async fn said(&self) -> Reason {
        let mut words = self.0.subscribe();
        match words.wait_for(Option::is_some).await.map(|said| said.clone()) {
            Ok(Some(reason)) => reason,
            _ => std::future::pending().await,
        }
    }
}

/// Signals of the process.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Takes signals from now on. The second one to end ends the process though all of its workers be stuck.
    pub(crate) fn new() -> io::Result<Self> {
        end_when_stuck()?;
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The next signal.
    pub(crate) async fn next(&mut self) -> Reason {
        let (name, reason) = tokio::select! {
            _ = self.interrupt.recv() => ("interrupt", Reason::Signal),
            _ = self.terminate.recv() => ("terminated", Reason::Signal),
            _ = self.hang_up.recv() => ("hangup", Reason::Reload),
        };
        match reason {
            Reason::Reload => tracing::info!(target: SCOPE, "Received signal '{name}'; restarting"),
            _ => tracing::info!(target: SCOPE, "Received signal '{name}'; beginning shutdown"),
        }
        reason
    }

    /// Resolves at a signal to end.
    pub(crate) async fn end(&mut self) {
        while self.next().await != Reason::Signal {}
    }

    /// Ends the process when there is a signal to end during the end.
    pub(crate) async fn insist(&mut self) {
        let name = tokio::select! {
            _ = self.interrupt.recv() => "interrupt",
            _ = self.terminate.recv() => "terminated",
        };
        tracing::error!(target: SCOPE, "Received signal '{name}' during shutdown; exiting immediately");
        end_now();
    }
}

/// Ends the process with an error, when the last lines of the log are written.
fn end_now() -> ! {
    flush_log();
    exit(1)
}

fn end_when_stuck() -> io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    let guard = move || {
        if signals.forever().nth(1).is_some() {
            sleep(STUCK);
            end_now();
        }
    };
    Builder::new().name("signals".to_owned()).stack_size(GUARD_STACK).spawn(guard).map(drop)
}

/// The shutdown API.
pub(crate) struct ByApi {
    ending: Ending,
    drain: Drain,
}

impl ByApi {
    /// Asks for the end by `ending`.
    pub(crate) fn new(ending: Ending, drain: Drain) -> Self {
        Self { ending, drain }
    }
}

impl Stop for ByApi {
    fn gracefully(&self) {
        self.ending.say(Reason::Asked);
    }

    fn by_force(&self) {
        self.drain.spawn(async {
            tokio::time::sleep(FORCE_AFTER).await;
            end_now();
        });
    }
}
