//! The API of Kubernetes, as far as sentry asks it for itself: who has a token, and what a pod says of itself.
use foundation_kubernetes::Error;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A client of the API.
pub(crate) struct Kubernetes(foundation_kubernetes::Kubernetes);

/// Why there is no answer about an object.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error(transparent)]
    Kubernetes(#[from] Error),
    #[error("it is no name of a resource")]
    NoName,
    #[error("there is no such configuration")]
    NoConfiguration,
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
    pub(crate) fn new(api: foundation_kubernetes::Kubernetes) -> Self {
        Self(api)
    }

    /// The API itself.
    pub(crate) fn api(&self) -> &foundation_kubernetes::Kubernetes {
        &self.0
    }

    /// Who a token is of.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(crate) async fn review(&self, token: &str, audiences: &[&str]) -> Result<Reviewed, Error> {
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "spec": {"token": token, "audiences": audiences},
        });
        let review: Review = self.0.ask("/apis/authentication.k8s.io/v1/tokenreviews", &review).await?;
        Ok(review.status)
    }

    /// # Errors
    /// Why there is no answer.
    pub(crate) async fn pod(&self, namespace: &str, name: &str) -> Result<Option<Pod>, Unanswered> {
        let list: List<Pod> = self.list("/api/v1/pods", namespace, name).await?;
        Ok(list.items.into_iter().find(|pod| pod.metadata.is(namespace, name)))
    }

    /// The trust domain that a Configuration resource names, if it does; none is there without the resource.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(crate) async fn trust_domain(&self, namespace: &str, name: &str) -> Result<Option<String>, Unanswered> {
        let path = "/apis/dapr.io/v1alpha1/configurations";
        let list: List<Configuration> = self.list(path, namespace, name).await?;
        let found = list.items.into_iter().find(|found| found.metadata.is(namespace, name));
        let found = found.ok_or(Unanswered::NoConfiguration)?;
        let domain = found.spec["accessControl"]["trustDomain"].as_str().filter(|domain| !domain.is_empty());
        Ok(domain.map(str::to_owned))
    }

    /// Dapr's roles let sentry list, across namespaces. Names that could be more than names find nothing.
    async fn list<T: DeserializeOwned>(&self, path: &str, namespace: &str, name: &str) -> Result<T, Unanswered> {
        let is_name = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
        };
        if !is_name(namespace) || !is_name(name) {
            return Err(Unanswered::NoName);
        }
        let path = format!("{path}?fieldSelector=metadata.name%3D{name}%2Cmetadata.namespace%3D{namespace}");
        Ok(self.0.get(&path).await?)
    }
}

impl Metadata {
    fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }
}
