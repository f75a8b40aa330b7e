//! A child process with all of its descendants: it leads a process group, which ends with it.
use anyhow::Context as _;
use foundation_drain::Drain;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::BufReader;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::output::Sink;

/// How often it is looked whether a group is gone.
const PAUSE: Duration = Duration::from_millis(20);
/// What a process wrote last is shown within this time; descendants may hold its output open for longer.
const LAST_LINES: Duration = Duration::from_millis(500);

/// A running child.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: u32,
    output: Drain,
    is_over: bool,
}

impl Process {
    /// Starts a command; its lines go to the sink.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start(mut command: Command, sink: &Sink, prefix: Option<String>) -> anyhow::Result<Self> {
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().with_context(|| format!("cannot run {program}"))?;
        let output = Drain::new();
        if let Some(stdout) = child.stdout.take() {
            output.spawn(sink.clone().pump(BufReader::new(stdout), prefix.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            output.spawn(sink.clone().pump(BufReader::new(stderr), prefix));
        }
        let pid = child.id().with_context(|| format!("{program} ended at once"))?;
        Ok(Self { child, pid, output, is_over: false })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for the end of the process itself, and tells of it once.
    pub(crate) async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        if self.is_over {
            return std::future::pending().await;
        }
        let ended = self.child.wait().await;
        self.output.close(LAST_LINES).await;
        self.is_over = true;
        ended
    }

    /// Whether the end of the process has been told of.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Ends the process and all of its descendants. Returns whether they ended in time; if not, they are killed.
    pub(crate) async fn stop(&mut self, patience: Duration) -> bool {
        let group = async {
            self.child.wait().await.ok();
            gone(self.pid).await;
        };
        signal(self.pid, Signal::TERM);
        let in_time = timeout(patience, group).await.is_ok();
        if !in_time {
            signal(self.pid, Signal::KILL);
            self.child.wait().await.ok();
        }
        self.output.close(LAST_LINES).await;
        in_time
    }
}

/// Ends the process group that this process leads; it is killed when it does not end in time.
pub(crate) async fn end_group(leader: u32, patience: Duration) {
    signal(leader, Signal::TERM);
    if timeout(patience, gone(leader)).await.is_err() {
        signal(leader, Signal::KILL);
    }
}

async fn gone(leader: u32) {
    while id(leader).is_some_and(|group| test_kill_process_group(group).is_ok()) {
        sleep(PAUSE).await;
    }
}

/// A group that is gone already needs no signal.
fn signal(leader: u32, signal: Signal) {
    if let Some(group) = id(leader) {
        kill_process_group(group, signal).ok();
    }
}

fn id(process: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(process).ok()?)
}

/// Whether a process is there; 0 is none.
pub(crate) fn is_alive(pid: u32) -> bool {
    id(pid).is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

/// Asks a process to end.
pub(crate) fn terminate(pid: u32) {
    if let Some(pid) = id(pid) {
        rustix::process::kill_process(pid, Signal::TERM).ok();
    }
}
