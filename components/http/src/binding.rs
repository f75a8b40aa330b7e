//! `bindings.http`: requests to a server.
use crate::SCOPE;
use crate::request::Request;
use crate::settings::Renegotiation;
use crate::tls::{Client, client};
use crate::{Settings, answer};
use async_trait::async_trait;
use bytes::Bytes;
use component_api::binding::{Binding, Request as Operation, Response};
use component_api::{Config, Descriptor, Error, Kind, Registry, Result, Status};
use foundation_gzip::{Inflating, gunzip, offer_gzip};
use foundation_metadata::is_truthy;
use foundation_redirect::{Hop, MOST, Redirect};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use std::sync::Arc;
use tokio::time::timeout;

const OPERATIONS: [&str; 9] = ["create", "get", "head", "post", "put", "patch", "delete", "options", "trace"];

type Answer = Either<Incoming, Inflating<Incoming>>;

/// Makes the component known.
pub fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["http"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "Requests to an HTTP server.",
        schema: || schemars::schema_for!(Settings),
    };
    registry.binding.add(descriptor, async |config: Config| {
        let binding: Arc<dyn Binding> = Arc::new(HttpBinding::new(config.properties.decode()?)?);
        Ok(binding)
    });
}

/// Requests to a server. The operation is the verb; metadata in upper case is sent as headers, `path` is appended to the
/// URL.
#[derive(Debug)]
pub struct HttpBinding {
    settings: Settings,
    client: Client,
}

impl HttpBinding {
    /// Connects nowhere yet.
    ///
    /// # Errors
    /// A certificate or key that cannot be read.
    pub fn new(settings: Settings) -> Result<Self> {
        if settings.renegotiation != Renegotiation::Never {
            tracing::warn!(target: SCOPE, "mtlsRenegotiation is ignored: TLS is never renegotiated");
        }
        let client = client(&settings)?;
        Ok(Self { settings, client })
    }

    async fn exchange(&self, mut request: Request, only_success: bool) -> Result<Response> {
        for _ in 0..=MOST {
            let response = self.send(&request).await?;
            match request.hop.next(response.status(), response.headers(), true) {
                Some(Redirect { hop, with_body }) => {
                    request = Request { hop, body: if with_body { request.body } else { Bytes::new() } };
                }
                None => return answer::read(response, self.settings.max_response_body_size.0, only_success).await,
            }
        }
        Err(Error::other(format!("stopped after {} redirects", MOST)))
    }

    /// Compressed on the wire where the request says nothing of that, as Go's client does it.
    async fn send(&self, request: &Request) -> Result<http::Response<Answer>> {
        let mut sent = http::Request::new(Full::new(request.body.clone()));
        let Hop { method, uri, headers } = &request.hop;
        *sent.method_mut() = method.clone();
        *sent.uri_mut() = uri.clone();
        *sent.headers_mut() = headers.clone();
        let refusal = |error| {
            let target = uri.authority().map_or("", |authority| authority.as_str());
            Error::new(Kind::Unavailable, format!("cannot call {target}: {}", cause(&error)))
        };
        let inflate = offer_gzip(method, sent.headers_mut());
        let response = self.client.request(sent).await.map_err(refusal)?;
        Ok(if inflate { gunzip(response) } else { response.map(Either::Left) })
    }
}

#[async_trait]
impl Binding for HttpBinding {
    fn operations(&self) -> Vec<String> {
        OPERATIONS.map(str::to_owned).into()
    }

    async fn invoke(&self, operation: Operation) -> Result<Response> {
        let wish = operation.metadata.get("errorIfNot2XX").filter(|wish| !wish.is_empty());
        let only_success = wish.map_or(self.settings.error_if_not_2xx, |wish| is_truthy(wish));
        let exchange = self.exchange(Request::new(&self.settings, operation)?, only_success);
        match self.settings.response_timeout {
            None => exchange.await,
            Some(patience) => timeout(patience.0, exchange).await.unwrap_or_else(|_| Err(too_late())),
        }
    }
}

fn too_late() -> Error {
    Error::new(Kind::Timeout, "there was no answer within responseTimeout")
}

/// The innermost cause of an error, which the library leaves out of its own text.
fn cause(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.last().map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests;
