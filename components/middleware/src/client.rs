//! A client of identity providers and of what else serves over HTTP.
use bytes::Bytes;
use component_api::{Error, Result};
use foundation_fetch::{Limits, trust};
use http::{Request, Response, StatusCode};
use std::time::Duration;

const LIMITS: Limits = Limits { patience: Duration::from_secs(30), largest: 64 << 20 };

/// Sends requests over HTTP and HTTPS; certificates are checked against the roots of the system.
#[derive(Clone)]
pub(crate) struct Client(foundation_fetch::Client);

impl Client {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(foundation_fetch::Client::new(trust::only(trust::system())?, LIMITS)))
    }

    /// What is at a URL. Any status but 200 is an error.
    pub(crate) async fn get(&self, url: &str) -> Result<Response<Bytes>> {
        let request = Request::get(url).body(Bytes::new());
        let request = request.map_err(|error| Error::invalid(format!("{url} is no URL: {error}")))?;
        let response = self.send(request).await?;
        if response.status() != StatusCode::OK {
            return Err(Error::other(format!("{url} answered with status {}", response.status().as_u16())));
        }
        Ok(response)
    }

    /// The answer to a request, whatever its status.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        Ok(self.0.send(request).await?)
    }
}
