//! Leases over gRPC.
use super::Served;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, async_trait};
use wire::etcd::etcdserverpb::lease_server::Lease;
use wire::etcd::etcdserverpb::{
    LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseLeasesRequest,
    LeaseLeasesResponse, LeaseRevokeRequest, LeaseRevokeResponse, LeaseStatus, LeaseTimeToLiveRequest,
    LeaseTimeToLiveResponse,
};

/// Answers that a client has not read yet.
const WAITING: usize = 16;

#[async_trait]
impl Lease for Served {
    type LeaseKeepAliveStream = ReceiverStream<Result<LeaseKeepAliveResponse, Status>>;

    async fn lease_grant(&self, request: Request<LeaseGrantRequest>) -> Result<Response<LeaseGrantResponse>, Status> {
        let LeaseGrantRequest { ttl, id } = request.into_inner();
        let (id, ttl) = self.store.lease_grant(id, ttl).await?;
        Ok(Response::new(LeaseGrantResponse { header: Some(self.store.now()), id, ttl, error: String::new() }))
    }

    async fn lease_revoke(
        &self,
        request: Request<LeaseRevokeRequest>,
    ) -> Result<Response<LeaseRevokeResponse>, Status> {
        let header = self.store.lease_revoke(request.into_inner().id).await?;
        Ok(Response::new(LeaseRevokeResponse { header: Some(header) }))
    }

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<LeaseKeepAliveRequest>>,
    ) -> Result<Response<Self::LeaseKeepAliveStream>, Status> {
        let (answers, received) = mpsc::channel(WAITING);
        let (store, mut requests) = (self.store.clone(), request.into_inner());
        self.drain.spawn_until_stopped(async move {
            while let Ok(Some(LeaseKeepAliveRequest { id })) = requests.message().await {
                let renewed = store.lease_renew(id).await.map_err(Status::from);
                let (is_lost, header) = (renewed.is_err(), Some(store.now()));
                let answer = renewed.map(|ttl| LeaseKeepAliveResponse { header, id, ttl: ttl.unwrap_or_default() });
                if answers.send(answer).await.is_err() || is_lost {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(received)))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<LeaseTimeToLiveRequest>,
    ) -> Result<Response<LeaseTimeToLiveResponse>, Status> {
        let LeaseTimeToLiveRequest { id, keys } = request.into_inner();
        Ok(Response::new(self.store.lease_left(id, keys).await?))
    }

    async fn lease_leases(&self, _: Request<LeaseLeasesRequest>) -> Result<Response<LeaseLeasesResponse>, Status> {
        let leases = self.store.leases().into_iter().map(|id| LeaseStatus { id }).collect();
        Ok(Response::new(LeaseLeasesResponse { header: Some(self.store.now()), leases }))
    }
}
