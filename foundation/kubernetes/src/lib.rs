//! The API of Kubernetes, as far as the control plane asks it: objects are read, replaced, listed and watched.
mod access;
mod error;
mod lines;
mod watch;

pub use access::Settings;
pub use error::Error;
pub use watch::{Change, Kind, Watch};

use access::Access;
use bytes::Bytes;
use foundation_fetch::{Client, Limits};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request};
use lines::Lines;
use rustls_pki_types::ServerName;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(10);
/// Largest answer, and largest line of a watch, in bytes.
const LARGEST: usize = 1 << 20;

/// A client of the API.
pub struct Kubernetes {
    access: Access,
    client: Client,
}

impl Kubernetes {
    /// By a kubeconfig file, else as a pod reaches its own cluster.
    ///
    /// # Errors
    /// [`Error::Configuration`] and [`Error::Unreadable`].
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let access = Access::of(settings)?;
        let (tls, limits) = (access.tls()?, Limits { patience: DEADLINE, largest: LARGEST });
        let client = match &access.server_name {
            None => Client::new(tls, limits),
            Some(name) => Client::named(tls, server_name(name)?, limits),
        };
        Ok(Self { access, client })
    }

    /// What is at a path, below `/api` or `/apis`.
    ///
    /// # Errors
    /// What prevents an answer, and one of another shape.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.exchange(Method::GET, path, String::new()).await
    }

    /// What the API says of an object that asks for something, such as a review.
    ///
    /// # Errors
    /// As [`Kubernetes::get`].
    pub async fn ask<T: DeserializeOwned>(&self, path: &str, object: &Value) -> Result<T, Error> {
        self.exchange(Method::POST, path, object.to_string()).await
    }

    /// Replaces an object. Kubernetes refuses when it has changed since it was read, which its `resourceVersion` tells.
    ///
    /// # Errors
    /// Why it was not replaced.
    pub async fn replace(&self, path: &str, object: &Value) -> Result<(), Error> {
        Ok(self.client.send_for_success(self.request(Method::PUT, path, object.to_string())?).await.map(drop)?)
    }

    /// Changes of a list of objects since a `resourceVersion` of it, for some minutes.
    ///
    /// # Errors
    /// As [`Kubernetes::get`].
    pub async fn watch(&self, path: &str, version: &str) -> Result<Watch, Error> {
        let path = watch::path(path, version);
        let body = self.client.stream(self.request(Method::GET, &path, String::new())?).await?;
        Ok(Watch::new(Lines::new(body)))
    }

    async fn exchange<T: DeserializeOwned>(&self, method: Method, path: &str, body: String) -> Result<T, Error> {
        let answer = self.client.send_for_success(self.request(method, path, body)?).await?;
        Ok(serde_json::from_slice(&answer)?)
    }

    fn request(&self, method: Method, path: &str, body: String) -> Result<Request<Bytes>, Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.access.server));
        request = request.header(CONTENT_TYPE, "application/json");
        if let Some(token) = self.access.token()? {
            let mut token = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| Error::Token)?;
            token.set_sensitive(true);
            request = request.header(AUTHORIZATION, token);
        }
        request.body(Bytes::from(body)).map_err(|error| Error::Request(error.to_string()))
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(name.to_owned()).map_err(|_| Error::Configuration(format!("{name:?} is no name of a server")))
}
