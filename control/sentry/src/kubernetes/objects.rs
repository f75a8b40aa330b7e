//! Objects of a namespace, read and replaced as a whole.
use super::{Kubernetes, parsed};
use http::Method;
use serde_json::Value;

impl Kubernetes {
    /// An object by its path below `/api` or `/apis`.
    ///
    /// # Errors
    /// Why there is no answer, as text.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, String> {
        parsed(&self.ask(Method::GET, path, String::new()).await?)
    }

    /// Replaces an object. Kubernetes refuses when it has changed since it was read, which its `resourceVersion` tells.
    ///
    /// # Errors
    /// Why it was not replaced, as text.
    pub(crate) async fn replace(&self, path: &str, object: &Value) -> Result<(), String> {
        self.ask(Method::PUT, path, object.to_string()).await.map(drop)
    }
}
