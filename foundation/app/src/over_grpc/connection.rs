//! Raw gRPC connections to the app, and the same for generated clients.
use crate::connection::Dialer;
use crate::connection::http2::Pool;
use crate::headers::TOKEN;
use crate::turn::Turn;
use axum::body::Body;
use foundation_drain::Drain;
use foundation_grpc::{Deadline, readable, told};
use foundation_telemetry::{BodyBytes, GrpcBytes, Metrics, counted, grpc_code, watched};
use http::header::USER_AGENT;
use http::{HeaderValue, Request, Response, Uri};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tonic::Status;

const HEALTH_CHECK: &str = "/dapr.proto.runtime.v1.AppCallbackHealthCheck/HealthCheck";
const UNKNOWN: i32 = 2;
/// What apps see where the caller names no agent.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("trilby/", env!("CARGO_PKG_VERSION")));

/// Connections to a gRPC app. Clones share them; nothing is dialled before the first call. Every call carries the app's
/// token. Calls here take no turn and do not ask for the app's health.
#[derive(Clone, Debug)]
pub struct GrpcConnection(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pool: Pool,
    origin: Uri,
    token: Option<Token>,
    metrics: Metrics,
}

/// Never printed.
struct Token(HeaderValue);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl GrpcConnection {
    pub(crate) fn new(dialer: Dialer, drain: &Drain) -> Self {
        let options = dialer.options();
        let scheme = if options.protocol.is_tls() { "https" } else { "http" };
        let origin = Uri::builder().scheme(scheme).authority(options.authority()).path_and_query("/").build();
        let token = options.token.as_deref().and_then(|token| HeaderValue::try_from(token).ok()).map(Token);
        let (origin, metrics) = (origin.unwrap_or_default(), options.metrics.clone());
        Self(Arc::new(Shared { pool: Pool::new(dialer, drain.clone()), origin, token, metrics }))
    }

    /// Scheme and authority of the app, for generated clients.
    pub fn origin(&self) -> Uri {
        self.0.origin.clone()
    }

    /// Passes a gRPC request on as it is: only the path of its URI counts, bodies and trailers stream through untouched. A
    /// [`Deadline`] in its extensions tells the app how much time is left. An answer that the app breaks off ends with a status.
    ///
    /// # Errors
    /// UNAVAILABLE when the app was not reached or broke off before it answered.
    pub async fn forward(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let request = self.addressed(request)?;
        Ok(told(self.0.pool.exchange(request, Turn::default()).await?))
    }

    /// The same for what reads the status itself.
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let request = self.addressed(request)?;
        Ok(self.0.pool.send(request, Turn::default()).await?)
    }

    fn addressed(&self, mut request: Request<Body>) -> Result<Request<Body>, Status> {
        let Shared { origin, token, .. } = &*self.0;
        if let Some(Token(token)) = token {
            request.headers_mut().insert(TOKEN, token.clone());
        }
        request.headers_mut().entry(USER_AGENT).or_insert(AGENT);
        if let Some(deadline) = request.extensions().get::<Deadline>().copied() {
            deadline.hand_on(request.headers_mut());
        }
        let mut uri = origin.clone().into_parts();
        uri.path_and_query = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from_parts(uri).map_err(|error| Status::internal(error.to_string()))?;
        *request.version_mut() = http::Version::HTTP_2;
        Ok(request)
    }
}

impl GrpcConnection {
    /// What this sidecar asks of the app itself is counted; calls that are passed on are counted where they come in.
    pub(super) async fn call_counted(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        if !self.0.metrics.is_enabled() {
            return self.send(request).await;
        }
        let (head, body) = request.into_parts();
        let (body, sent) = counted(body);
        let call = Call { metrics: self.0.metrics.clone(), uri: head.uri.clone(), start: Instant::now(), sent };
        match self.send(Request::from_parts(head, body)).await {
            Ok(response) => Ok(call.answered(response)),
            Err(status) => {
                call.ended(status.code() as i32, 0);
                Err(status)
            }
        }
    }
}

/// A call on its way.
struct Call {
    metrics: Metrics,
    uri: Uri,
    start: Instant,
    sent: BodyBytes,
}

impl Call {
    fn answered(self, response: Response<Body>) -> Response<Body> {
        if let Some(code) = grpc_code(response.headers()) {
            self.ended(code, 0);
            return response;
        }
        response.map(|body| watched(body, move |end| self.ended(end.grpc_code.unwrap_or(UNKNOWN), end.bytes)))
    }

    fn ended(&self, code: i32, received: u64) {
        let (method, elapsed) = (self.uri.path(), self.start.elapsed());
        if method == HEALTH_CHECK {
            return self.metrics.grpc_health_probe(code, elapsed);
        }
        let bytes = GrpcBytes::of_frames(received, self.sent.read());
        self.metrics.grpc_client_completed(method, code, Some(bytes), elapsed);
    }
}

impl tower::Service<Request<tonic::body::Body>> for GrpcConnection {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        let connection = self.clone();
        Box::pin(async move { connection.call_counted(request.map(Body::new)).await.map(readable) })
    }
}
