//! Jobs in a cluster of three real etcd servers, one of which is killed.
use crate::scheduler::{Scheduler, job, schedule, take};
use crate::sidecar::free_port;
use crate::wait::until;
use std::collections::HashSet;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Acknowledged jobs after which a server is killed.
const ENOUGH: usize = 60;

/// Running servers; they are killed when dropped.
pub(crate) struct Cluster {
    servers: Vec<Child>,
    /// Of clients.
    ports: [u16; 3],
    _folder: TempDir,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let (folder, ports, peers) =
            (tempfile::tempdir().unwrap(), [0; 3].map(|_| free_port()), [0; 3].map(|_| free_port()));
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let all: Vec<_> = peers.iter().enumerate().map(|(number, peer)| format!("{number}={}", url(*peer))).collect();
        let server = |number: usize| {
            let (client, peer) = (url(ports[number]), url(peers[number]));
            let mut command = Command::new("etcd");
            command.arg("--name").arg(number.to_string()).arg("--data-dir").arg(folder.path().join(number.to_string()));
            command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
            command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
            command.args(["--initial-cluster", &all.join(",")]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let cluster = Self { servers: (0..3).map(server).collect(), ports, _folder: folder };
        let is_there = |port: &u16| TcpStream::connect(("127.0.0.1", *port)).is_ok();
        until("etcd is there", async || cluster.ports.iter().all(is_there)).await;
        cluster
    }

    fn kill(&mut self, number: usize) {
        self.servers[number].kill().ok();
        self.servers[number].wait().ok();
    }

    /// What makes a scheduler use it.
    pub(crate) fn flags(&self) -> Vec<String> {
        let endpoints = self.ports.map(|port| format!("127.0.0.1:{port}")).join(",");
        vec!["--etcd-embed=false".to_owned(), format!("--etcd-client-endpoints={endpoints}")]
    }

    async fn scheduler(&self) -> Scheduler {
        Scheduler::with(self.flags()).await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        (0..3).for_each(|number| self.kill(number));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs etcd: run ./test components"]
async fn no_acknowledged_job_is_lost_with_a_server_of_etcd() {
    for killed in 0..3 {
        let mut cluster = Cluster::start().await;
        let scheduler = cluster.scheduler().await;
        let (mut callers, mut received) = schedule(&scheduler.client(), 0);
        let mut acknowledged = HashSet::new();
        for _ in 0..ENOUGH {
            acknowledged.insert(received.recv().await.unwrap());
        }
        cluster.kill(killed);
        // Callers end with the first refusal; without one, this does.
        for _ in 0..ENOUGH {
            acknowledged.extend(received.recv().await);
        }
        callers.abort_all();
        while callers.join_next().await.is_some() {}
        while let Ok(name) = received.try_recv() {
            acknowledged.insert(name);
        }
        let works = async || scheduler.client().schedule_job(job("after", "1000h")).await.is_ok();
        until("jobs are taken by the other two", works).await;
        let lost: Vec<_> = acknowledged.difference(&scheduler.names().await).cloned().collect();
        assert!(lost.is_empty(), "server {killed}: {lost:?}");
        let mut client = scheduler.client();
        client
            .delete_by_name_prefix(wire::scheduler::v1::DeleteByNamePrefixRequest {
                name_prefix: String::new(),
                metadata: job("", "").metadata,
            })
            .await
            .unwrap();
        let names: HashSet<_> = (0..50).map(|number| format!("due-{number}")).collect();
        for name in &names {
            client.schedule_job(job(name, "0s")).await.unwrap();
        }
        assert_eq!(take(&scheduler, names.len()).await, names, "server {killed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs etcd: run ./test components"]
async fn what_is_due_survives_a_scheduler_and_a_server() {
    let mut cluster = Cluster::start().await;
    let mut scheduler = cluster.scheduler().await;
    let names: HashSet<_> = (0..50).map(|number| number.to_string()).collect();
    for name in &names {
        scheduler.client().schedule_job(job(name, "0s")).await.unwrap();
    }
    scheduler.kill();
    cluster.kill(1);
    scheduler.restart().await;
    assert_eq!(take(&scheduler, names.len()).await, names);
}
