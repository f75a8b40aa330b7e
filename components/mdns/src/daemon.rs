//! The one task that speaks multicast DNS: answers questions for own apps, asks for others, hears what is said.
use crate::cache::Cache;
use crate::message::Message;
use crate::records::{Service, found, service_name};
use crate::socket::Multicast;
use component_api::{Result, Task};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often known apps are asked for again, and interfaces are looked at (protocols.md 6.6).
const REFRESH: Duration = Duration::from_secs(30);
const WAITING_COMMANDS: usize = 64;
const LARGEST: usize = 9000;

/// What the task is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Announce an app, and answer for it from now on.
    Serve(Service, oneshot::Sender<()>),
    /// Ask the network for an app.
    Ask(String),
}

/// The running task.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) commands: mpsc::Sender<Command>,
    task: Task,
}

impl Daemon {
    /// Opens the socket and starts the task; what it hears goes to the cache.
    pub(crate) fn start(cache: Arc<Cache>) -> Result<Self> {
        let socket = Multicast::open()?;
        let (commands, received) = mpsc::channel(WAITING_COMMANDS);
        let speaker = Speaker { socket, cache, services: Vec::new() };
        let task = Task::spawn(|stopping| speaker.run(received, stopping));
        Ok(Self { commands, task })
    }

    /// Says goodbye and ends the task.
    pub(crate) async fn close(self) {
        self.task.close().await;
    }
}

struct Speaker {
    socket: Multicast,
    cache: Arc<Cache>,
    services: Vec<Service>,
}

impl Speaker {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>, stopping: CancellationToken) {
        let mut buffer = vec![0; LARGEST];
        let mut refresh = every(REFRESH);
        loop {
            tokio::select! {
                () = stopping.cancelled() => break,
                Some(command) = commands.recv() => self.obey(command).await,
                received = self.socket.receive(&mut buffer) => self.hear(received, &buffer).await,
                _ = refresh.tick() => self.refresh().await,
            }
        }
        for service in &self.services {
            self.send(&service.goodbye()).await;
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Ask(app_id) => self.send(&Message::query(service_name(&app_id))).await,
            Command::Serve(service, done) => {
                self.send(&service.announcement()).await;
                self.services.push(service);
                done.send(()).ok();
            }
        }
    }

    async fn hear(&self, received: io::Result<(usize, SocketAddr)>, buffer: &[u8]) {
        let Ok((length, from)) = received else { return tokio::task::yield_now().await };
        let Some(message) = buffer.get(..length).and_then(Message::decode) else { return };
        if message.response {
            found(&message).into_iter().for_each(|found| self.cache.learn(found));
            return;
        }
        for question in &message.questions {
            let asked = self.services.iter().filter(|service| service.answers(question));
            for service in asked {
                self.answer(service, question.unicast, from).await;
            }
        }
    }

    /// By multicast even if unicast was asked for: the port is shared, and the asker may not be the one who gets it.
    async fn answer(&self, service: &Service, unicast: bool, from: SocketAddr) {
        let Some(bytes) = service.announcement().encode() else { return };
        if unicast {
            self.socket.send_to(&bytes, from).await.ok();
        }
        self.socket.send(&bytes).await;
    }

    async fn refresh(&mut self) {
        self.socket.join();
        for app_id in self.cache.of_interest() {
            self.send(&Message::query(service_name(&app_id))).await;
        }
    }

    async fn send(&self, message: &Message) {
        if let Some(bytes) = message.encode() {
            self.socket.send(&bytes).await;
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
