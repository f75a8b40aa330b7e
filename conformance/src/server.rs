//! Real servers for tests: started on a free port of the loopback address with their data in a folder of their own.
#![allow(clippy::expect_used, clippy::panic)] // A server that does not start ends its test.
mod redis;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

/// How long a server may take to start; only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server process. It ends with this value; its data stay while it does.
pub struct Server {
    program: String,
    arguments: Vec<String>,
    port: u16,
    process: Mutex<Option<Child>>,
    _folder: TempDir,
}

impl Server {
    /// Starts a Redis server that writes every change to its disk before it answers. `TRILBY_TEST_REDIS` names another
    /// program than `redis-server`.
    ///
    /// # Panics
    /// When there is no such program, or it does not start.
    pub async fn redis() -> Self {
        Self::begin("TRILBY_TEST_REDIS", "redis-server", redis::arguments).await
    }

    async fn begin(variable: &str, program: &str, arguments: fn(u16, &str) -> Vec<String>) -> Self {
        #[allow(clippy::disallowed_methods)] // Tests have no options.
        let program = std::env::var(variable).unwrap_or_else(|_| program.to_owned());
        let folder = tempfile::tempdir().expect("a folder for data");
        let port = free_port();
        let arguments = arguments(port, &folder.path().to_string_lossy());
        let server = Self { program, arguments, port, process: Mutex::default(), _folder: folder };
        server.start().await;
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Starts it again after [`Server::kill`], on the same port with the same data.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(&self) {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().unwrap_or_else(|error| panic!("starting {}: {error}", self.program));
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        let start = Instant::now();
        while TcpStream::connect(self.address()).await.is_err() {
            assert!(start.elapsed() < PATIENCE, "{} does not listen", self.program);
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends it at once, as a power cut would.
    ///
    /// # Panics
    /// When it cannot be ended.
    pub async fn kill(&self) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut process) = process {
            process.kill().await.expect("kill the server");
        }
    }
}

/// A port that nobody uses. Another process may be quicker to take it, which then fails the test loudly.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its number").port()
}
