//! What `dapr list` and `dapr stop` have to know later: kept in the metadata of the sidecar.
use crate::client::{Call, Client, listening};
use anyhow::Context as _;
use bytes::Bytes;
use http::Method;
use std::time::Duration;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

/// Notes pairs in a sidecar, waiting for it to serve its API.
///
/// # Errors
/// The sidecar does not serve it in time, or refuses.
pub(crate) async fn put(client: &Client, labels: &[(&'static str, String)]) -> anyhow::Result<()> {
    let served = timeout(PATIENCE, listening(&client.address)).await;
    served.with_context(|| format!("no sidecar listens on {}", client.address))?;
    for (name, value) in labels {
        put_one(client, name, value).await?;
    }
    Ok(())
}

async fn put_one(client: &Client, name: &str, value: &str) -> anyhow::Result<()> {
    let path = format!("/v1.0/metadata/{name}");
    let body = Bytes::copy_from_slice(value.as_bytes());
    let answer = client.send(Call { method: Method::PUT, path: &path, content_type: "text/plain", body }).await?;
    anyhow::ensure!(answer.status.is_success(), "the sidecar answered {} to {name}", answer.status);
    Ok(())
}
