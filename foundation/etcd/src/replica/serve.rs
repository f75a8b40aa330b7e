//! A member as the others reach it, over gRPC.
use super::Replica;
use std::sync::Arc;
use tonic::{Request, Response, Status, async_trait};
use wire::trilby::replication::v1::replication_server::{Replication, ReplicationServer};
use wire::trilby::replication::v1::{self as message};

/// What is served to the other members. Who may call it is for whoever serves it to say.
pub type Peers = ReplicationServer<Answering>;

/// Answers the others.
pub struct Answering(pub(crate) Arc<Replica>);

impl Answering {
    pub(crate) fn service(replica: Arc<Replica>) -> Peers {
        let service = ReplicationServer::new(Self(replica));
        service.max_decoding_message_size(usize::MAX).max_encoding_message_size(usize::MAX)
    }
}

#[async_trait]
impl Replication for Answering {
    async fn exchange(&self, request: Request<message::Request>) -> Result<Response<message::Response>, Status> {
        let answer = Some(self.0.answer(request.into_inner()).await);
        Ok(Response::new(message::Response { answer }))
    }
}
