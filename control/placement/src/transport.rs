//! The gRPC service: reports are read from a stream, orders go out as the bytes that they share (see `order.rs`).
use crate::reports::Reports;
use crate::service::{Service, SharedOrders};
use bytes::Bytes;
use foundation_grpc::trailers;
use foundation_identity::PeerId;
use foundation_process::{Answer, Answering};
use futures_util::Stream;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body::Frame;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tonic::Status;

const REPORT: &str = "/dapr.proto.placement.v1.Placement/ReportDaprStatus";

impl Answer for Service {
    type Body = Orders;

    fn answer(&self, peer: Option<PeerId>, request: Request<Incoming>) -> Answering<Orders> {
        let service = self.clone();
        Box::pin(async move { Ok(report(&service, peer, request).await.unwrap_or_else(|status| status.into_http())) })
    }
}

async fn report(
    service: &Service,
    peer: Option<PeerId>,
    request: Request<Incoming>,
) -> Result<Response<Orders>, Status> {
    if request.uri().path() != REPORT {
        return Err(Status::unimplemented("the placement service has ReportDaprStatus alone"));
    }
    let orders = service.take(peer.map(|peer| peer.0), Reports::new(request.into_body())).await?;
    let mut response = Response::new(Orders(Some(orders)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Ok(response)
}

/// Orders of one stream as the body of its answer, with the status at its end; none when that is told already.
#[derive(Default)]
pub struct Orders(Option<SharedOrders>);

impl http_body::Body for Orders {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(orders) = &mut self.0 else { return Poll::Ready(None) };
        let status = match ready!(Pin::new(orders).poll_next(context)) {
            Some(Ok(order)) => return Poll::Ready(Some(Ok(Frame::data(order.frame())))),
            Some(Err(status)) => status,
            None => Status::ok(""),
        };
        self.0 = None;
        Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests;
