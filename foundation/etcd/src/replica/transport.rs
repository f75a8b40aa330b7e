//! How members reach each other.
use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{ConnectError, Status, async_trait};
use wire::trilby::replication::v1::replication_client::ReplicationClient;
use wire::trilby::replication::v1::request::Call;
use wire::trilby::replication::v1::response::Answer;
use wire::trilby::replication::v1::{Request, Response};

/// Asks other members.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Asks a member, and waits no longer than `patience` for its answer.
    ///
    /// # Errors
    /// There is no answer.
    async fn exchange(&self, to: u64, call: Call, patience: Duration) -> Result<Answer, Unreached>;
}

/// A member has not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a member of the cluster cannot be reached: {reason}")]
pub struct Unreached {
    /// Whether it may have got the request.
    pub(crate) may_have_arrived: bool,
    reason: String,
}

impl Unreached {
    /// The member has certainly not got the request.
    pub fn not_sent(reason: impl Into<String>) -> Self {
        Self { may_have_arrived: false, reason: reason.into() }
    }

    /// Nobody knows whether the member has got the request.
    pub fn lost(reason: impl Into<String>) -> Self {
        Self { may_have_arrived: true, reason: reason.into() }
    }
}

impl From<Status> for Unreached {
    fn from(status: Status) -> Self {
        let mut causes = std::iter::successors(status.source(), |error| (*error).source());
        let may_have_arrived = !causes.any(|cause| cause.is::<ConnectError>());
        Self { may_have_arrived, reason: status.message().to_owned() }
    }
}

/// The other members over gRPC.
pub(crate) struct Channels {
    pub(crate) cluster: u64,
    pub(crate) own: u64,
    pub(crate) channels: HashMap<u64, Channel>,
}

#[async_trait]
impl Transport for Channels {
    async fn exchange(&self, to: u64, call: Call, patience: Duration) -> Result<Answer, Unreached> {
        let channel =
            self.channels.get(&to).ok_or_else(|| Unreached::not_sent("it is not in --etcd-initial-cluster"))?;
        let client = ReplicationClient::new(channel.clone()).max_decoding_message_size(usize::MAX);
        let mut client = client.max_encoding_message_size(usize::MAX);
        let request = Request { cluster: self.cluster, from: self.own, to, call: Some(call) };
        let answered = timeout(patience, client.exchange(request)).await;
        let Response { answer } = answered.map_err(|_| Unreached::lost("it does not answer"))??.into_inner();
        answer.ok_or_else(|| Unreached::lost("its answer is empty"))
    }
}
