//! A process that may open no more files. The bound holds for the whole process, so that this test is the only one in it.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
use foundation_drain::Drain;
use foundation_process::{Refused, serve_grpc};
use foundation_telemetry::Registry;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::{sleep, timeout};
use tonic::service::Routes;
use tonic::transport::Server;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// Of a second, as the system counts the time of processes.
const TICKS: u64 = 100;

/// Ticks of this process so far, in user and system mode.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, numbers) = stat.rsplit_once(") ").unwrap();
    numbers.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

fn allow_files(current: Option<u64>) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: current.or(maximum), maximum }).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_waits_for_files_and_goes_on_with_them() {
    let drain = Drain::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let refused = Refused::new(&Registry::new().unwrap(), "test").unwrap();
    let serving = drain.clone();
    drain.spawn(async move {
        let routes = Server::builder().add_routes(Routes::default());
        serve_grpc(routes, listener, None, &serving, refused).await.unwrap();
    });
    let socket = TcpSocket::new_v4().unwrap();
    let before = ticks();
    allow_files(Some(3));
    let mut client = socket.connect(address).await.unwrap();
    client.write_all(PREFACE).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    allow_files(None);
    let spent = ticks() - before;
    assert!(spent < TICKS / 4, "{spent} of {} ticks", 2 * TICKS);
    let answer = timeout(Duration::from_secs(10), client.read_u8()).await.unwrap();
    assert!(answer.is_ok());
    drop(client);
    assert!(drain.close(Duration::from_secs(10)).await);
}
