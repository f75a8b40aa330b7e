//! `dapr publish`: publishes an event through the sidecar of an app.
use crate::client::{Call, advice};
use crate::commands::payload;
use crate::context::Context;
use crate::instances;
use anyhow::{Context as _, ensure};
use clap::Args;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(60);
/// A payload with all of these is an event already (CloudEvents 1.0).
const EVENT_MEMBERS: [&str; 5] = ["id", "source", "specversion", "type", "data"];

/// Publish a pub-sub event. Supported platforms: Self-hosted
#[derive(Args, Debug)]
pub(crate) struct Publish {
    /// The id of the publishing app
    #[arg(long, short = 'i')]
    publish_app_id: String,
    /// The name of the pub/sub component
    #[arg(long, short = 'p')]
    pubsub: String,
    /// The topic to be published to
    #[arg(long, short = 't')]
    topic: String,
    /// The JSON serialized data string (optional)
    #[arg(long, short = 'd')]
    data: Option<String>,
    /// A file containing the JSON serialized data (optional)
    #[arg(long, short = 'f', conflicts_with = "data")]
    data_file: Option<PathBuf>,
    /// The folder of the Unix domain sockets that the app was run with
    #[arg(long, short = 'u')]
    unix_domain_socket: Option<PathBuf>,
    /// The JSON serialized publish metadata (optional)
    #[arg(long, short = 'm')]
    metadata: Option<String>,
}

impl Publish {
    /// Publishes.
    ///
    /// # Errors
    /// No such app runs, it cannot be reached, or its sidecar refuses.
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        self.send(context).await.with_context(|| format!("Error publishing topic {}", self.topic))?;
        context.console.success("Event published successfully");
        Ok(ExitCode::SUCCESS)
    }

    async fn send(&self, context: &Context) -> anyhow::Result<()> {
        let body = payload(self.data.as_deref(), self.data_file.as_deref())?;
        let path = format!("/v1.0/publish/{}/{}{}", self.pubsub, self.topic, self.query()?);
        let token = context.environment.api_token();
        let instance = instances::find(&self.publish_app_id, token.clone()).await?;
        let client = instance.client(self.unix_domain_socket.as_deref(), token, DEADLINE);
        let content_type = content_type(&body);
        let answer = client.send(Call { method: Method::POST, path: &path, content_type, body }).await?;
        let said = String::from_utf8_lossy(&answer.body);
        let (status, topic, pubsub) = (answer.status.as_u16(), &self.topic, &self.pubsub);
        let advice = advice(answer.status);
        ensure!(
            answer.status.is_success(),
            "unexpected status code {status} on publishing to {topic} in {pubsub}: {said}{advice}"
        );
        Ok(())
    }

    fn query(&self) -> anyhow::Result<String> {
        let Some(metadata) = &self.metadata else { return Ok(String::new()) };
        let metadata: Map<String, Value> =
            serde_json::from_str(metadata).context("Error parsing metadata as JSON; give an object of strings")?;
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let pairs: Vec<_> = metadata
            .iter()
            .map(|(name, value)| format!("metadata.{}={}", encode(name), encode(&text(value))))
            .collect();
        Ok(if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) })
    }
}

fn content_type(body: &[u8]) -> &'static str {
    let object: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    let is_event = EVENT_MEMBERS.iter().all(|member| object.contains_key(*member));
    if is_event { "application/cloudevents+json" } else { "application/json" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_events_are_told_from_data() {
        let event = br#"{"id":"1","source":"s","specversion":"1.0","type":"t","data":1}"#;
        assert_eq!(content_type(event), "application/cloudevents+json");
        assert_eq!(content_type(br#"{"id":"1"}"#), "application/json");
        assert_eq!(content_type(b"plain"), "application/json");
    }
}
