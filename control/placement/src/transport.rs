//! The gRPC service: reports are read from a stream, orders go out as the bytes that they share (see `order.rs`).
use crate::service::{Service, SharedOrders};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use foundation_grpc::{answer_framed, trailers};
use foundation_process::peer;
use futures_util::Stream;
use http_body::Frame;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tonic::Status;
use tonic::codec::{BufferSettings, Streaming};
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic_prost::ProstCodec;
use wire::placement::v1::{Host, PlacementOrder};

const REPORT: &str = "/dapr.proto.placement.v1.Placement/ReportDaprStatus";

/// Room for a report, which each stream keeps: larger ones are rare, and get more when they come.
const REPORT_SIZE: usize = 512;
/// Of encoders, of which there is none here.
const YIELD: usize = 32 << 10;

/// The routes of the service.
pub(crate) fn routes(service: Service) -> Routes {
    let unknown =
        async || Status::unimplemented("the placement service has ReportDaprStatus alone").into_http::<Body>();
    Router::new().route(REPORT, post(report)).fallback(unknown).with_state(service).into()
}

async fn report(State(service): State<Service>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let peer = peer(&tonic::Request::from_parts(MetadataMap::new(), head.extensions, ()));
    let decoder = ProstCodec::<PlacementOrder, Host>::raw_decoder(BufferSettings::new(REPORT_SIZE, YIELD));
    let reports = Streaming::new_request(decoder, body, None, None);
    match service.take(peer, reports).await {
        Ok(orders) => answer_framed(Orders { orders, is_over: false }),
        Err(status) => status.into_http(),
    }
}

/// Orders of one stream as the body of its answer, with the status at its end.
struct Orders {
    orders: SharedOrders,
    is_over: bool,
}

impl http_body::Body for Orders {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let status = match ready!(Pin::new(&mut self.orders).poll_next(context)) {
            Some(Ok(order)) => return Poll::Ready(Some(Ok(Frame::data(order.frame())))),
            Some(Err(status)) => status,
            None => Status::ok(""),
        };
        self.is_over = true;
        Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
}
