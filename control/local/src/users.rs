//! Runs that use this process: each has a connection to its socket, is told the ports on it, and holds it for as long as it runs.
use crate::ports::Ports;
use foundation_drain::Drain;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

const SCOPE: &str = "dapr.control";
/// How long the first run may take to come.
const FIRST: Duration = Duration::from_secs(10);
/// How long it stays after the last run: the next one often follows at once.
const LINGER: Duration = Duration::from_secs(1);

/// Lets runs in until the last of them has gone, which ends the process, or until the drain stops. The file of the socket goes first,
/// so that who comes too late finds nobody, and starts another process.
pub(crate) fn serve(listener: UnixListener, path: PathBuf, ports: Ports, drain: &Drain) {
    let (users, stopping) =
        (Users { present: Arc::new(watch::Sender::new(0)), ports, drain: drain.clone() }, drain.clone());
    drain.spawn(async move {
        tokio::select! {
            () = users.serve(&listener) => tracing::info!(target: SCOPE, "nobody uses the control plane any more"),
            () = stopping.stopped() => {}
        }
        remove(&path);
        drop(listener);
        stopping.stop();
    });
}

#[derive(Clone)]
struct Users {
    present: Arc<watch::Sender<usize>>,
    ports: Ports,
    drain: Drain,
}

impl Users {
    /// Returns when nobody is there any more.
    async fn serve(&self, listener: &UnixListener) {
        let mut present = self.present.subscribe();
        let mut deadline = Some(Instant::now() + FIRST);
        loop {
            let late = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                accepted = listener.accept() => if let Ok((connection, _)) = accepted {
                    self.present.send_modify(|count| *count += 1);
                    self.drain.spawn_until_stopped(self.clone().keep(connection));
                },
                _ = present.changed() => {
                    let is_alone = *present.borrow_and_update() == 0;
                    deadline = is_alone.then(|| Instant::now() + LINGER);
                }
                () = late => return,
            }
        }
    }

    /// Keeps a run company until it goes.
    async fn keep(self, mut connection: UnixStream) {
        let mut line = serde_json::to_vec(&self.ports).unwrap_or_default();
        line.push(b'\n');
        if connection.write_all(&line).await.is_ok() {
            while connection.read(&mut [0; 64]).await.is_ok_and(|length| length > 0) {}
        }
        self.present.send_modify(|count| *count -= 1);
    }
}

fn remove(path: &Path) {
    std::fs::remove_file(path).ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncBufReadExt, BufReader};

    const PORTS: Ports = Ports { placement: 1, scheduler: 2, etcd: 3 };

    async fn join(path: &Path) -> (BufReader<UnixStream>, String) {
        let mut connection = BufReader::new(UnixStream::connect(path).await.unwrap());
        let mut line = String::new();
        connection.read_line(&mut line).await.unwrap();
        (connection, line)
    }

    #[tokio::test]
    async fn the_last_one_to_leave_ends_it() {
        let (folder, drain) = (tempfile::tempdir().unwrap(), Drain::new());
        let path = folder.path().join("socket");
        serve(UnixListener::bind(&path).unwrap(), path.clone(), PORTS, &drain);
        let (first, line) = join(&path).await;
        assert_eq!(line, "{\"placement\":1,\"scheduler\":2,\"etcd\":3}\n");
        let (second, _) = join(&path).await;
        drop(first);
        let (third, _) = join(&path).await;
        drop(second);
        assert!(!drain.is_stopped() && path.exists());
        drop(third);
        drain.stopped().await;
        assert!(!path.exists());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_nobody_comes_to_ends() {
        let (folder, drain) = (tempfile::tempdir().unwrap(), Drain::new());
        let path = folder.path().join("socket");
        serve(UnixListener::bind(&path).unwrap(), path, PORTS, &drain);
        drain.stopped().await;
    }
}
