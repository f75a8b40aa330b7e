//! The app behind the sidecar, over gRPC: answers invocations, and sends back what is proxied to it.
use crate::app::{SIZE, serve};
use crate::grpc_client::framed;
use bytes::Bytes;
use foundation_cork::corked;
use foundation_drain::Drain;
use futures_util::TryStreamExt;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, Empty, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use prost_types::Any;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use wire::common::v1::InvokeResponse;

/// Path of the service that is proxied. What comes is sent back, message by message.
pub(crate) const ECHO: &str = "/bench.Echo/Echo";
const INVOKED: &str = "/dapr.proto.runtime.v1.AppCallback/OnInvoke";
const OK: HeaderValue = HeaderValue::from_static("0");
const UNIMPLEMENTED: HeaderValue = HeaderValue::from_static("12");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

type Answer = Response<UnsyncBoxBody<Bytes, hyper::Error>>;

/// Starts an app on a free port of loopback; it runs until the drain stops.
pub(crate) async fn start(drain: &Drain) -> anyhow::Result<u16> {
    serve(drain, |socket| async move {
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let (corked, cork) = corked(socket);
        let mut connection = pin!(server.serve_connection(TokioIo::new(corked), service_fn(answer)));
        poll_fn(|cx| cork.turn(cx, connection.as_mut())).await.ok();
    })
    .await
}

async fn answer(request: Request<Incoming>) -> Result<Answer, Infallible> {
    let path = request.uri().path().to_owned();
    let body = request.into_body();
    let mut response = match path.as_str() {
        ECHO => Response::new(ended(body)),
        INVOKED => {
            body.collect().await.ok();
            Response::new(ended(Full::new(invoked()).map_err(|never| match never {})))
        }
        _ => unimplemented(),
    };
    response.headers_mut().insert("content-type", GRPC);
    Ok(response)
}

/// What else a sidecar asks of an app.
fn unimplemented() -> Answer {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    response.headers_mut().insert("grpc-status", UNIMPLEMENTED);
    response
}

/// The body with a good status behind it.
fn ended<B>(body: B) -> UnsyncBoxBody<Bytes, hyper::Error>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Send + 'static,
{
    let status = async { Some(Ok(HeaderMap::from_iter([("grpc-status".parse().ok()?, OK)]))) };
    let filled = async |frame: Frame<Bytes>| Ok(frame.into_data().ok().filter(|data| !data.is_empty()));
    let data = BodyStream::new(body).try_filter_map(filled).map_ok(Frame::data);
    StreamBody::new(data).with_trailers(status).boxed_unsync()
}

fn invoked() -> Bytes {
    let data = Some(Any { type_url: String::new(), value: vec![b'x'; SIZE] });
    framed(&InvokeResponse { data, content_type: "text/plain".to_owned() }.encode_to_vec())
}
