//! Real servers for tests: started on a free port of the loopback address with their data in a folder of their own.
#![allow(clippy::expect_used, clippy::panic)] // A server that does not start ends its test.
mod kafka;
mod mariadb;
mod mongodb;
mod mosquitto;
mod nats;
mod postgres;
mod rabbitmq;
mod redis;
mod user;
mod vault;

pub use kafka::Settings as KafkaSettings;
pub(crate) use user::user_if_root;

use crate::certificates::Certificates;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

/// How long a server may take to start; only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server process. It ends with this value; its data stay while it does.
pub struct Server {
    program: Program,
    port: u16,
    process: Mutex<Option<Child>>,
    _folder: TempDir,
}

/// How a server is started, and ended as if it had crashed.
struct Program {
    path: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// What it needs beside it for as long as it lives, ended with it.
    _companion: Option<Child>,
    /// User and group that it has to run as, if not ours.
    user: Option<(u32, u32)>,
    /// Signal that ends it at once.
    signal: &'static str,
    /// It tells its clients where to connect to.
    tells_address: bool,
    /// What it writes is of no use.
    is_quiet: bool,
}

impl Server {
    /// Starts a Redis server that writes every change to its disk before it answers. `TRILBY_TEST_REDIS` names another
    /// program than `redis-server`.
    ///
    /// # Panics
    /// When there is no such program, or it does not start.
    pub async fn redis() -> Self {
        Self::redis_with(|_| Vec::new()).await
    }

    /// The same with more arguments, which may depend on the port.
    ///
    /// # Panics
    /// When there is no such program, or it does not start.
    pub async fn redis_with(arguments: impl FnOnce(u16) -> Vec<String>) -> Self {
        let (folder, port) = (folder(), free_port());
        Self::begin(redis::program(port, &text(&folder), arguments(port)), port, folder).await
    }

    /// Starts a server with Redis' protocol and its modules RedisJSON and RediSearch. `TRILBY_TEST_REDIS_MODULES` names
    /// another folder of programs than that of conformance/install.
    ///
    /// # Panics
    /// When there are no such programs, or it does not start.
    pub async fn redis_with_modules() -> Self {
        let (folder, port) = (folder(), free_port());
        Self::begin(redis::with_modules(port, &text(&folder)), port, folder).await
    }

    /// Starts a PostgreSQL server with a user and a database named `trilby`, who may come in without a password.
    /// `TRILBY_TEST_POSTGRES` names another folder of programs than Debian's.
    ///
    /// # Panics
    /// When there are no such programs, or it does not start.
    pub async fn postgres() -> Self {
        Self::postgres_with(Vec::new()).await
    }

    /// The same with more arguments.
    ///
    /// # Panics
    /// When there are no such programs, or it does not start.
    pub async fn postgres_with(arguments: Vec<String>) -> Self {
        let (folder, port) = (folder(), free_port());
        let program = postgres::prepare(port, &text(&folder), arguments).await;
        let server = Self::begin(program, port, folder).await;
        postgres::wait_until_ready(port).await;
        server
    }

    /// Starts a MariaDB server whose user `root` may come in without a password. `TRILBY_TEST_MARIADB` names another
    /// program than `mariadbd`.
    ///
    /// # Panics
    /// When there is no such program, or it does not start.
    pub async fn mariadb() -> Self {
        Self::mariadb_with(Vec::new()).await
    }

    /// The same with more arguments.
    ///
    /// # Panics
    /// When there is no such program, or it does not start.
    pub async fn mariadb_with(arguments: Vec<String>) -> Self {
        let (folder, port) = (folder(), free_port());
        let program = mariadb::prepare(port, &text(&folder), arguments).await;
        Self::begin(program, port, folder).await
    }

    /// Starts a RabbitMQ server, with a name service of its own. `TRILBY_TEST_RABBITMQ` names another program than Debian's.
    ///
    /// # Panics
    /// When there is no such program, or it does not start.
    pub async fn rabbitmq() -> Self {
        let (folder, port) = (folder(), free_port());
        let program = rabbitmq::prepare(port, &text(&folder)).await;
        Self::begin(program, port, folder).await
    }

    /// The same over TLS alone. Clients have to show certificates, and may be who those say they are.
    ///
    /// # Panics
    /// When there is no such program, or it does not start.
    pub async fn rabbitmq_with_tls(certificates: &Certificates) -> Self {
        let (folder, port) = (folder(), free_port());
        let program = rabbitmq::prepare_with_tls(port, &text(&folder), certificates).await;
        Self::begin(program, port, folder).await
    }

    /// Starts a server with MongoDB's protocol, a replica set of one named `secantus`. `TRILBY_TEST_MONGODB_PYTHON` names
    /// another Python than that of conformance/install.
    ///
    /// # Panics
    /// When there is no such program, or it does not start.
    pub async fn mongodb() -> Self {
        Self::mongodb_with(|_| Vec::new()).await
    }

    /// The same with more arguments, which may depend on a folder for files.
    ///
    /// # Panics
    /// When there is no such program, or it does not start.
    pub async fn mongodb_with(arguments: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let (folder, port) = (folder(), free_port());
        let arguments = arguments(folder.path());
        Self::begin(mongodb::program(port, &text(&folder), arguments), port, folder).await
    }

    /// Starts a Mosquitto server that keeps its sessions when it is ended. `TRILBY_TEST_MOSQUITTO` names another program
    /// than `mosquitto`.
    ///
    /// # Panics
    /// When there is no such program, or it does not start.
    pub async fn mosquitto() -> Self {
        Self::mosquitto_with(Vec::new()).await
    }

    /// The same with more lines about its listener.
    ///
    /// # Panics
    /// When there is no such program, or it does not start.
    pub async fn mosquitto_with(lines: Vec<String>) -> Self {
        let (folder, port) = (folder(), free_port());
        let program = mosquitto::program(port, &text(&folder), lines);
        Self::begin(program, port, folder).await
    }

    /// Starts a NATS server with JetStream. `TRILBY_TEST_NATS` names another program than `nats-server`.
    ///
    /// # Panics
    /// When there is no such program, or it does not start.
    pub async fn nats() -> Self {
        Self::nats_with(|_| Vec::new()).await
    }

    /// The same with more arguments, which may depend on a folder for files.
    ///
    /// # Panics
    /// When there is no such program, or it does not start.
    pub async fn nats_with(arguments: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let (folder, port) = (folder(), free_port());
        let arguments = arguments(folder.path());
        Self::begin(nats::program(port, &text(&folder), arguments), port, folder).await
    }

    /// Starts a Vault server for development. `TRILBY_TEST_VAULT` names another program than `vault`.
    ///
    /// # Panics
    /// When there is no such program, or it does not start.
    pub async fn vault() -> Self {
        let (folder, port) = (folder(), free_port());
        Self::begin(vault::program(port, &text(&folder)), port, folder).await
    }

    /// Starts a Kafka server. `TRILBY_TEST_KAFKA` names another folder of its archives than that of conformance/install.
    ///
    /// # Panics
    /// When there are no such archives and no Java, or it does not start.
    pub async fn kafka() -> Self {
        Self::kafka_with(|_| KafkaSettings::default()).await
    }

    /// The same with more settings, which may depend on a folder for files.
    ///
    /// # Panics
    /// When there are no such archives and no Java, or it does not start.
    pub async fn kafka_with(settings: impl FnOnce(&Path) -> KafkaSettings) -> Self {
        let (folder, port) = (folder(), free_port());
        let settings = settings(folder.path());
        let program = kafka::prepare(port, &text(&folder), settings).await;
        Self::begin(program, port, folder).await
    }

    async fn begin(program: Program, port: u16, folder: TempDir) -> Self {
        let server = Self { program, port, process: Mutex::default(), _folder: folder };
        server.start().await;
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Whether it tells its clients where to connect to, so that they do not stay at a proxy before it.
    pub fn tells_address(&self) -> bool {
        self.program.tells_address
    }

    /// Starts it again after [`Server::kill`], on the same port with the same data.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(&self) {
        let child = self.program.command(&self.program.path).args(&self.program.arguments).spawn();
        let child = child.unwrap_or_else(|error| panic!("starting {}: {error}", self.program.path));
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        let start = Instant::now();
        while TcpStream::connect(self.address()).await.is_err() {
            assert!(start.elapsed() < PATIENCE && self.runs(), "{} does not listen", self.program.path);
            sleep(Duration::from_millis(10)).await;
        }
        assert!(self.runs(), "another process listens on port {} of {}", self.port, self.program.path);
    }

    fn runs(&self) -> bool {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.as_mut().is_some_and(|process| matches!(process.try_wait(), Ok(None)))
    }

    /// Ends it at once, as a power cut would.
    ///
    /// # Panics
    /// When it cannot be ended.
    pub async fn kill(&self) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut process) = process else { return };
        let id = process.id().expect("it has not ended by itself").to_string();
        let sent = Command::new("kill").args([self.program.signal, &id]).status().await;
        assert!(sent.is_ok_and(|sent| sent.success()), "kill the server");
        process.wait().await.expect("it ends");
    }
}

impl Program {
    /// A program that is ended with `signal` and needs nothing else.
    fn new(path: String, arguments: Vec<String>, signal: &'static str) -> Self {
        Self {
            path,
            arguments,
            environment: Vec::new(),
            _companion: None,
            user: None,
            signal,
            tells_address: false,
            is_quiet: false,
        }
    }

    /// A command of the server's user, which says only what goes wrong.
    fn command(&self, path: &str) -> Command {
        let mut command = Command::new(path);
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        if self.is_quiet {
            command.stderr(Stdio::null());
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder for data")
}

fn text(folder: &TempDir) -> String {
    folder.path().to_string_lossy().into_owned()
}

#[allow(clippy::disallowed_methods)] // Tests have no options.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A port that nobody uses: one of those that the system does not give to connections by itself.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    let candidates = std::iter::repeat_with(|| 10_000 + (uuid::Uuid::new_v4().as_u128() % 22_000) as u16).take(1000);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    candidates.into_iter().find(is_free).expect("a free port")
}
