//! What sidecars keep their things in while they are measured.
mod all;

use crate::cases::Case;
use clap::ValueEnum;
use conformance::server::Server;
use std::net::SocketAddr;
use std::path::Path;

/// Which servers there are behind the components `store` and `broker`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    Memory,
    Redis,
    Postgres,
    Rabbitmq,
    Kafka,
    /// All of them and more: what a sidecar weighs that has every component.
    All,
}

/// The components of a backend, with its servers.
pub(crate) struct Components {
    /// A file for each.
    files: Vec<String>,
    _servers: Vec<Server>,
}

impl Backend {
    /// Starts its server, which has to be installed (`conformance/install`).
    pub(crate) async fn start(self) -> Components {
        // A store is one of actors, too.
        let mut store = component("store", "state.in-memory", &[("actorStateStore", "true".to_owned())]);
        let mut broker = component("broker", "pubsub.in-memory", &[]);
        let server = match self {
            Self::Memory => None,
            Self::All => return all::start().await,
            Self::Redis => Some(Server::redis().await),
            Self::Postgres => Some(Server::postgres().await),
            Self::Rabbitmq => Some(Server::rabbitmq().await),
            Self::Kafka => Some(Server::kafka().await),
        };
        match (self, server.as_ref().map(Server::address)) {
            (Self::Redis, Some(at)) => {
                store = component("store", "state.redis", &[("redisHost", at.to_string())]);
                broker = component("broker", "pubsub.redis", &[("redisHost", at.to_string())]);
            }
            (Self::Postgres, Some(at)) => {
                store = component("store", "state.postgresql", &[("connectionString", database(at))]);
            }
            (Self::Rabbitmq, Some(at)) => {
                let properties =
                    [("connectionString", format!("amqp://guest:guest@{at}")), ("durable", "true".to_owned())];
                broker = component("broker", "pubsub.rabbitmq", &properties);
            }
            (Self::Kafka, Some(at)) => {
                let properties = [
                    ("brokers", at.to_string()),
                    ("authType", "none".to_owned()),
                    ("initialOffset", "oldest".to_owned()),
                ];
                broker = component("broker", "pubsub.kafka", &properties);
            }
            _ => {}
        }
        Components { files: vec![store, broker], _servers: server.into_iter().collect() }
    }

    /// Whether a case uses what the backend is for.
    pub(crate) fn concerns(self, case: Case) -> bool {
        let (stores, brokers) = match self {
            Self::Memory => return true,
            Self::Redis => (true, true),
            Self::Postgres => (true, false),
            Self::Rabbitmq | Self::Kafka => (false, true),
            Self::All => return false,
        };
        match case {
            Case::Save | Case::Get => stores,
            Case::Publish | Case::Deliver => brokers,
            _ => false,
        }
    }
}

impl Components {
    /// Writes their files into a folder.
    pub(crate) fn write(&self, folder: &Path) -> std::io::Result<()> {
        let mut numbered = self.files.iter().enumerate();
        numbered.try_for_each(|(number, file)| std::fs::write(folder.join(format!("{number}.yaml")), file))
    }
}

fn database(at: SocketAddr) -> String {
    format!("host={} port={} user=trilby database=trilby", at.ip(), at.port())
}

fn component(name: &str, kind: &str, properties: &[(&str, String)]) -> String {
    let properties: String =
        properties.iter().map(|(name, value)| format!("\n  - name: {name}\n    value: \"{value}\"")).collect();
    let head = format!("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: {name}");
    format!("{head}\nspec:\n  type: {kind}\n  version: v1\n  metadata:{properties}\n")
}
