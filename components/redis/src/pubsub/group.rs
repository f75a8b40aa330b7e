//! A consumer group of a stream, and the commands that are sent about it.
use crate::connection::{Connections, Link};
use component_api::{Error, Kind, Result};
use redis::streams::{StreamId, StreamReadReply};
use redis::{Cmd, Value};
use std::sync::Arc;
use std::time::Duration;

/// How long the server lets us wait for messages before it answers that there are none.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A consumer group. Its only consumer has its name, as in Dapr's component, so that processes that end leave nothing.
#[derive(Clone, Debug)]
pub(super) struct Group {
    connections: Arc<Connections>,
    pub(super) topic: String,
    name: String,
}

/// A message that was handed out and not acknowledged.
pub(super) struct Pending {
    pub(super) id: String,
    pub(super) idle: Duration,
}

impl Group {
    pub(super) fn new(connections: Arc<Connections>, topic: &str, name: &str) -> Self {
        Self { connections, topic: topic.to_owned(), name: name.to_owned() }
    }

    /// Makes the group, and the stream, where there is none.
    pub(super) async fn create(&self) -> Result<()> {
        let mut create = redis::cmd("XGROUP");
        create.arg("CREATE").arg(&self.topic).arg(&self.name).arg("0").arg("MKSTREAM");
        match self.connections.run::<()>(&create).await {
            Err(error) if error.to_string().contains("BUSYGROUP") => Ok(()),
            created => created,
        }
    }

    /// A connection to wait on.
    pub(super) async fn connect(&self) -> Result<Link> {
        self.connections.waiting(LONGEST_WAIT).await
    }

    /// Waits for new messages. A group that is gone, as after a loss of data, is made again.
    pub(super) async fn read(&self, link: &mut Link, count: usize) -> Result<Vec<StreamId>> {
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg(&self.name).arg(&self.name).arg("COUNT").arg(count);
        read.arg("BLOCK").arg(milliseconds(LONGEST_WAIT)).arg("STREAMS").arg(&self.topic).arg(">");
        let reply: redis::RedisResult<Option<StreamReadReply>> = read.query_async(link).await;
        match reply {
            Ok(reply) => Ok(reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids).collect()),
            Err(error) if error.code() == Some("NOGROUP") => self.create().await.map(|()| Vec::new()),
            Err(error) => Err(self.connections.translate(&error)),
        }
    }

    /// Ends a wait of another connection; a server that does not let us is waited for.
    pub(super) async fn wake(&self, client: i64) {
        let unblock = redis::cmd("CLIENT").arg("UNBLOCK").arg(client).to_owned();
        self.connections.run::<i64>(&unblock).await.ok();
    }

    pub(super) async fn acknowledge(&self, ids: &[String]) -> Result<()> {
        self.connections.run(&self.about("XACK", ids)).await
    }

    /// The oldest messages that were handed out and not acknowledged.
    pub(super) async fn pending(&self, count: usize) -> Result<Vec<Pending>> {
        let mut command = self.about("XPENDING", &["-", "+"]);
        command.arg(count);
        let rows: Vec<(String, String, u64, i64)> = self.connections.run(&command).await?;
        Ok(rows.into_iter().map(|(id, _, idle, _)| Pending { id, idle: Duration::from_millis(idle) }).collect())
    }

    /// Takes over messages that nobody touched for that long. Those that were deleted are left out.
    pub(super) async fn claim(&self, ids: &[String], idle: Duration) -> Result<Vec<StreamId>> {
        let mut claim = redis::cmd("XCLAIM");
        claim.arg(&self.topic).arg(&self.name).arg(&self.name).arg(milliseconds(idle)).arg(ids);
        let entries: Vec<Value> = self.connections.run(&claim).await?;
        let entries = entries.into_iter().filter(|entry| *entry != Value::Nil).map(stream_id).collect::<Result<_>>()?;
        Ok(entries)
    }

    /// Whether a message is still in the stream.
    pub(super) async fn exists(&self, id: &str) -> Result<bool> {
        let range = redis::cmd("XRANGE").arg(&self.topic).arg(id).arg(id).to_owned();
        Ok(!self.connections.run::<Vec<Value>>(&range).await?.is_empty())
    }

    /// Keeps messages from others for another while.
    pub(super) async fn renew(&self, ids: &[String]) -> Result<()> {
        let mut claim = redis::cmd("XCLAIM");
        claim.arg(&self.topic).arg(&self.name).arg(&self.name).arg(0).arg(ids).arg("JUSTID");
        self.connections.run(&claim).await
    }

    fn about(&self, command: &str, arguments: &[impl redis::ToRedisArgs]) -> Cmd {
        redis::cmd(command).arg(&self.topic).arg(&self.name).arg(arguments).to_owned()
    }
}

fn stream_id(entry: Value) -> Result<StreamId> {
    let mut fields = StreamId::default();
    let read: redis::RedisResult<(String, std::collections::HashMap<String, Value>)> =
        redis::from_redis_value(entry).map_err(Into::into);
    let unreadable = |error| Error::new(Kind::Other, "reading a stream").with_source(error);
    (fields.id, fields.map) = read.map_err(unreadable)?;
    Ok(fields)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
