//! Calls to other sidecars.
use crate::Error;
use crate::call::{Answer, Head, Payload};
use crate::connection::Pool;
use crate::envelope::{decode_response, put_request};
use crate::names::Names;
use crate::own::Own;
use crate::pieces::{Joined, Pieces, Side};
use crate::proto::put_message;
use crate::target::Target;
use axum::body::Body;
use bytes::Bytes;
use component_api::naming::{Registration, Resolver};
use foundation_drain::Drain;
use foundation_grpc::{Deadline, Once, accepted, begin, finish, headers, of_broken, read_answer_bytes, told};
use foundation_http2::Connection;
use foundation_identity::Identity;
use http::{HeaderMap, Method, Request, Response, Uri, Version};
use http_body_util::BodyExt;
use http_body_util::combinators::MapErr;
use std::sync::Arc;
use tonic::{Code, Status};

const CALL_LOCAL_STREAM: &str = "/dapr.proto.internals.v1.ServiceInvocation/CallLocalStream";
const CALL_LOCAL: &str = "/dapr.proto.internals.v1.ServiceInvocation/CallLocal";
/// Room for a head of usual size, so that its buffer does not grow.
const USUAL_HEAD: usize = 1 << 10;

/// The other sidecars: finds them, keeps connections to them, calls them.
pub struct Peers {
    own: Own,
    names: Names,
    pool: Pool,
    drain: Drain,
    max_message_size: usize,
}

impl Peers {
    /// `max_message_size` is the limit of one message in bytes; streamed bodies as a whole have none.
    pub fn new(resolver: Arc<dyn Resolver>, own: Own, max_message_size: usize, drain: &Drain) -> Self {
        let names = Names::new(resolver, own.internal_port);
        Self { own, names, pool: Pool::new(None, drain.clone()), drain: drain.clone(), max_message_size }
    }

    /// Shows an identity to the others and wants them to have that of the app that is called. None is plain text.
    #[must_use]
    pub fn with_identity(self, identity: Option<Identity>) -> Self {
        Self { pool: Pool::new(identity, self.drain.clone()), ..self }
    }

    /// Makes this sidecar known to others; `http_port` is that of its API.
    ///
    /// # Errors
    /// What the resolver says.
    pub async fn register(&self, http_port: u16) -> Result<(), Error> {
        let own = self.own.clone();
        let registration = Registration {
            app_id: own.app_id,
            namespace: own.namespace,
            address: own.address,
            port: own.internal_port,
            http_port,
        };
        Ok(self.names.resolver().register(registration).await?)
    }

    /// Makes this sidecar unknown again.
    ///
    /// # Errors
    /// What the resolver says.
    pub async fn close(&self) -> Result<(), Error> {
        Ok(self.names.resolver().close().await?)
    }

    /// What others see of this sidecar.
    pub fn own(&self) -> &Own {
        &self.own
    }

    /// Whether the target is the app of this very sidecar.
    pub fn is_own(&self, target: &Target) -> bool {
        target.app_id == self.own.app_id && target.namespace == self.own.namespace
    }

    /// Calls an app through its sidecar. `transport` are headers of the call between the sidecars, such as its trace.
    ///
    /// # Errors
    /// [`Error`]; [`Error::is_stale`] tells whether another try goes to a fresh connection and address.
    pub async fn call(
        &self,
        target: &Target,
        head: &Head,
        payload: Payload,
        transport: &HeaderMap,
    ) -> Result<Answer, Error> {
        let again = payload.replay();
        match self.call_stream(target, head, payload, transport).await {
            Err(Error::Status(status)) if status.code() == Code::Unimplemented => {
                self.call_old(target, head, again, transport).await
            }
            other => other,
        }
    }

    /// Passes a gRPC call of any service on as it is, trailers included. A [`Deadline`] in its extensions tells the peer how
    /// much time is left. An answer that breaks off ends with a status.
    ///
    /// # Errors
    /// As [`Peers::call`]; a status of the peer comes as its answer.
    pub async fn proxy(&self, target: &Target, request: Request<Body>) -> Result<Response<Body>, Error> {
        let (mut parts, body) = request.into_parts();
        let deadline = parts.extensions.remove::<Deadline>();
        parts.extensions.clear();
        let path = parts.uri.path().to_owned();
        let answer = self.send(target, &path, (parts.headers, deadline), body).await?;
        Ok(told(answer))
    }

    /// Finds the sidecar of an app and makes sure that there is a connection to it.
    ///
    /// # Errors
    /// As [`Peers::call`].
    pub async fn reach(&self, target: &Target) -> Result<(), Error> {
        self.connected(target).await.map(drop)
    }

    async fn call_stream(
        &self,
        target: &Target,
        head: &Head,
        payload: Payload,
        transport: &HeaderMap,
    ) -> Result<Answer, Error> {
        let mut leading = begin(USUAL_HEAD);
        put_message(&mut leading, 1, |out| put_request(out, head, &self.own, target, &[]));
        let source = Body::new(Pieces::new(leading, payload));
        let response =
            self.send(target, CALL_LOCAL_STREAM, (headers(transport.clone()), head.deadline), source).await?;
        self.read_answer(accepted(response)?.into_body()).await
    }

    async fn read_answer(&self, body: Received) -> Result<Answer, Error> {
        let (leading, rest) = Joined::open(body, self.max_message_size, Side::Client).await?;
        let head = leading.and_then(|piece| piece.head).ok_or(Error::NoHead)?;
        let (answer, _) = decode_response(head)?.ok_or(Error::NoHead)?;
        Ok(Answer { body: Body::new(rest), ..answer })
    }

    /// The unary call of sidecars before 1.10.
    async fn call_old(
        &self,
        target: &Target,
        head: &Head,
        payload: Option<Bytes>,
        transport: &HeaderMap,
    ) -> Result<Answer, Error> {
        let data = payload.ok_or_else(|| Error::NoStreaming(target.app_id.clone()))?;
        let mut out = begin(USUAL_HEAD + data.len());
        put_request(&mut out, head, &self.own, target, &data);
        let source = Body::new(Once::new(finish(out, 0)));
        let response = self.send(target, CALL_LOCAL, (headers(transport.clone()), head.deadline), source).await?;
        let whole = read_answer_bytes(response, self.max_message_size).await?.message;
        let (answer, data) = decode_response(whole)?.ok_or(Error::NoHead)?;
        Ok(Answer { body: Body::from(data), ..answer })
    }

    async fn send(
        &self,
        target: &Target,
        path: &str,
        (mut headers, deadline): (HeaderMap, Option<Deadline>),
        body: Body,
    ) -> Result<Response<Received>, Error> {
        let (address, connection) = self.connected(target).await?;
        if let Some(deadline) = deadline {
            deadline.hand_on(&mut headers);
        }
        self.send_on(target, &address, connection, (path, headers, body)).await
    }

    /// A connection to an address that is known from elsewhere, and a request on it.
    pub(crate) async fn send_to(
        &self,
        address: &str,
        target: &Target,
        request: (&str, HeaderMap, Body),
    ) -> Result<Response<Received>, Error> {
        let connection = self.pool.open(address, target).await;
        let connection = connection.inspect_err(|_| self.pool.destroy(address, target))?;
        self.send_on(target, address, connection, request).await
    }

    async fn send_on(
        &self,
        target: &Target,
        address: &str,
        connection: Connection,
        (path, headers, body): (&str, HeaderMap, Body),
    ) -> Result<Response<Received>, Error> {
        let scheme = if self.pool.is_secure() { "https" } else { "http" };
        let request = request(scheme, address, path, headers)?.map(|()| body);
        let sent = connection.call(request, &self.drain).await.map_err(Error::from);
        if sent.as_ref().is_err_and(Error::is_stale) {
            self.distrust(target, address);
        }
        Ok(sent?.map(|body| body.map_err(as_status as fn(h2::Error) -> Status)))
    }

    pub(crate) fn max_message_size(&self) -> usize {
        self.max_message_size
    }

    /// A connection to the app's sidecar. When the address that was known does not answer, it is asked for anew: nothing
    /// of the call has been sent yet.
    async fn connected(&self, target: &Target) -> Result<(Arc<str>, Connection), Error> {
        match self.connect(target).await {
            Err(error) if error.is_stale() => self.connect(target).await,
            connected => connected,
        }
    }

    async fn connect(&self, target: &Target) -> Result<(Arc<str>, Connection), Error> {
        let address = self.names.address(target).await?;
        match self.pool.open(&address, target).await {
            Ok(connection) => Ok((address, connection)),
            Err(error) => {
                self.distrust(target, &address);
                Err(error)
            }
        }
    }

    fn distrust(&self, target: &Target, address: &str) {
        self.pool.destroy(address, target);
        self.names.forget(target);
    }
}

fn request(scheme: &str, address: &str, path: &str, headers: HeaderMap) -> Result<Request<()>, Error> {
    let uri = Uri::builder().scheme(scheme).authority(address).path_and_query(path).build();
    let uri = uri.map_err(|error| Status::internal(format!("address {address} of another sidecar: {error}")))?;
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

/// The body of an answer, whose end a status tells.
pub(crate) type Received = MapErr<foundation_http2::Received, fn(h2::Error) -> Status>;

fn as_status(error: h2::Error) -> Status {
    of_broken(&error)
}
