//! The API of Kubernetes, as far as sentry asks it: who has a token, what a pod says of itself, and where credentials are kept.
mod access;
mod objects;

use crate::client::Client;
use crate::error::Error;
use access::Access;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(10);

/// A client of the API.
pub(crate) struct Kubernetes {
    access: Access,
    client: Client,
}

/// What the API says of a token.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Reviewed {
    pub(crate) authenticated: bool,
    pub(crate) error: String,
    pub(crate) user: User,
    /// Which of the asked audiences the token is for; an old server says nothing.
    pub(crate) audiences: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct User {
    pub(crate) username: String,
}

/// A pod, as far as it counts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Pod {
    metadata: Metadata,
    pub(crate) spec: PodSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PodSpec {
    #[serde(rename = "serviceAccountName")]
    pub(crate) service_account: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    namespace: String,
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Review {
    #[serde(default)]
    status: Reviewed,
}

#[derive(Deserialize)]
struct List<T> {
    #[serde(default = "Vec::new")]
    items: Vec<T>,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    spec: Value,
}

impl Pod {
    pub(crate) fn name(&self) -> &str {
        &self.metadata.name
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.metadata.namespace
    }

    pub(crate) fn annotation(&self, name: &str) -> Option<&str> {
        self.metadata.annotations.get(name).map(String::as_str)
    }
}

impl Kubernetes {
    /// By a kubeconfig file, else as a pod reaches its own cluster.
    ///
    /// # Errors
    /// A file that cannot be read, or says nothing that can be used.
    pub(crate) fn new(kubeconfig: Option<&Path>, environment: &BTreeMap<String, String>) -> Result<Self, Error> {
        let access = match kubeconfig {
            Some(path) => Access::of_file(path)?,
            None => Access::of_pod(environment)?,
        };
        let client = Client::with(access.tls()?, access.server_name.as_deref(), DEADLINE)?;
        Ok(Self { access, client })
    }

    /// Who a token is of.
    ///
    /// # Errors
    /// Why there is no answer, as text.
    pub(crate) async fn review(&self, token: &str, audiences: &[&str]) -> Result<Reviewed, String> {
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "spec": {"token": token, "audiences": audiences},
        });
        let answer = self.ask(Method::POST, "/apis/authentication.k8s.io/v1/tokenreviews", review.to_string()).await?;
        let review: Review = parsed(&answer)?;
        Ok(review.status)
    }

    /// # Errors
    /// Why there is no answer, as text.
    pub(crate) async fn pod(&self, namespace: &str, name: &str) -> Result<Option<Pod>, String> {
        let list: List<Pod> = self.list("/api/v1/pods", namespace, name).await?;
        Ok(list.items.into_iter().find(|pod| pod.metadata.is(namespace, name)))
    }

    /// The trust domain that a Configuration resource names, if it does; none is there without the resource.
    ///
    /// # Errors
    /// Why there is no answer, as text.
    pub(crate) async fn trust_domain(&self, namespace: &str, name: &str) -> Result<Option<String>, String> {
        let path = "/apis/dapr.io/v1alpha1/configurations";
        let list: List<Configuration> = self.list(path, namespace, name).await?;
        let found = list.items.into_iter().find(|found| found.metadata.is(namespace, name));
        let found = found.ok_or_else(|| "there is no such configuration".to_owned())?;
        let domain = found.spec["accessControl"]["trustDomain"].as_str().filter(|domain| !domain.is_empty());
        Ok(domain.map(str::to_owned))
    }

    /// Dapr's roles let sentry list, across namespaces. Names that could be more than names find nothing.
    async fn list<T: for<'de> Deserialize<'de>>(&self, path: &str, namespace: &str, name: &str) -> Result<T, String> {
        let is_name = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
        };
        if !is_name(namespace) || !is_name(name) {
            return Err("it is no name of a resource".to_owned());
        }
        let path = format!("{path}?fieldSelector=metadata.name%3D{name}%2Cmetadata.namespace%3D{namespace}");
        parsed(&self.ask(Method::GET, &path, String::new()).await?)
    }

    async fn ask(&self, method: Method, path: &str, body: String) -> Result<Bytes, String> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.access.server));
        request = request.header(CONTENT_TYPE, "application/json");
        if let Some(token) = self.access.token()? {
            let mut token = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| "the token for Kubernetes cannot be sent".to_owned())?;
            token.set_sensitive(true);
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.body(Full::from(body)).map_err(|error| error.to_string())?;
        self.client.send(request).await
    }
}

impl Metadata {
    fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }
}

fn parsed<T: for<'de> Deserialize<'de>>(json: &[u8]) -> Result<T, String> {
    serde_json::from_slice(json).map_err(|error| format!("the answer of Kubernetes cannot be read: {error}"))
}
