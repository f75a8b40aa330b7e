//! `bindings.redis`: keys are written, read, deleted and counted up (components.md 1.3).
use crate::connection::Connections;
use crate::metadata::ConnectionMetadata;
use async_trait::async_trait;
use bytes::Bytes;
use component_api::binding::{Binding, Request, Response};
use component_api::state::time_to_live;
use component_api::{Descriptor, Error, Metadata, Registry, Result, Status, metadata_value};
use std::sync::Arc;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["redis"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "Keys of Redis: written, read, deleted and counted up.",
        schema: || schemars::schema_for!(ConnectionMetadata),
    };
    registry.binding.add(descriptor, |config| async move {
        let binding: Arc<dyn Binding> = Arc::new(RedisBinding::new(&ConnectionMetadata::read(&config.properties)?)?);
        Ok(binding)
    });
}

/// The binding. It connects when it is first used.
#[derive(Debug)]
pub struct RedisBinding {
    connections: Connections,
}

impl RedisBinding {
    /// Prepares the binding; nothing is connected yet.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub fn new(metadata: &ConnectionMetadata) -> Result<Self> {
        Ok(Self { connections: Connections::new(metadata)? })
    }

    async fn create(&self, key: &str, data: &Bytes, metadata: &Metadata) -> Result<()> {
        let seconds = time_to_live(metadata)?;
        let mut set = redis::cmd("SET");
        set.arg(key).arg(&data[..]);
        if let Some(seconds) = seconds {
            set.arg("EX").arg(seconds);
        }
        self.connections.run(&set).await
    }

    /// What is not there is empty.
    async fn read(&self, key: &str, metadata: &Metadata) -> Result<Response> {
        let deletes = metadata_value(metadata, "delete") == Some("true");
        let data: Option<Vec<u8>> = if deletes {
            self.connections.run_once(redis::cmd("GETDEL").arg(key)).await?
        } else {
            self.connections.run(redis::cmd("GET").arg(key)).await?
        };
        Ok(Response { data: Some(data.unwrap_or_default().into()), ..Response::default() })
    }

    async fn increment(&self, key: &str, metadata: &Metadata) -> Result<()> {
        let seconds = time_to_live(metadata)?;
        self.connections.run_once::<i64>(redis::cmd("INCR").arg(key)).await?;
        match seconds {
            Some(seconds) => self.connections.run(redis::cmd("EXPIRE").arg(key).arg(seconds)).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Binding for RedisBinding {
    fn operations(&self) -> Vec<String> {
        ["create", "delete", "get", "increment"].map(str::to_owned).to_vec()
    }

    async fn invoke(&self, request: Request) -> Result<Response> {
        let key = metadata_value(&request.metadata, "key").filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| Error::invalid("redis binding: missing key in request metadata"))?;
        match request.operation.as_str() {
            "create" => self.create(key, &request.data, &request.metadata).await?,
            "delete" => self.connections.run(redis::cmd("DEL").arg(key)).await?,
            "get" => return self.read(key, &request.metadata).await,
            "increment" => self.increment(key, &request.metadata).await?,
            other => return Err(Error::unsupported(format!("invalid operation type: {other}"))),
        }
        Ok(Response::default())
    }

    async fn ping(&self) -> Result<()> {
        self.connections.ping().await
    }

    async fn close(&self) -> Result<()> {
        self.connections.close();
        Ok(())
    }
}
