//! Records over gRPC.
use super::Served;
use crate::remote::PAGE;
use tonic::{Request, Response, Status, async_trait};
use wire::etcd::etcdserverpb::kv_server::Kv;
use wire::etcd::etcdserverpb::{
    CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse,
    RangeRequest, RangeResponse, TxnRequest, TxnResponse,
};

#[async_trait]
impl Kv for Served {
    async fn range(&self, request: Request<RangeRequest>) -> Result<Response<RangeResponse>, Status> {
        let is_page = request.metadata().contains_key(PAGE);
        let request = request.into_inner();
        Ok(Response::new(if is_page { self.store.page(request).await? } else { self.store.range(request).await? }))
    }

    async fn put(&self, request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        Ok(Response::new(self.store.put(request.into_inner()).await?))
    }

    async fn delete_range(
        &self,
        request: Request<DeleteRangeRequest>,
    ) -> Result<Response<DeleteRangeResponse>, Status> {
        Ok(Response::new(self.store.delete_range(request.into_inner()).await?))
    }

    async fn txn(&self, request: Request<TxnRequest>) -> Result<Response<TxnResponse>, Status> {
        Ok(Response::new(self.store.txn(request.into_inner()).await?))
    }

    async fn compact(&self, request: Request<CompactionRequest>) -> Result<Response<CompactionResponse>, Status> {
        let header = self.store.compact(request.into_inner().revision).await?;
        Ok(Response::new(CompactionResponse { header: Some(header) }))
    }
}
