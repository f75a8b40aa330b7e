//! `conversation.anthropic`: the Messages API of Anthropic, also where Microsoft Foundry hosts it.
mod request;
mod response;

use crate::client::{Client, secret_header};
use crate::environment;
use crate::remote::{Language, Remote};
use bytes::Bytes;
use component_api::conversation::{Model, Request, Response};
use component_api::{Descriptor, Error, Properties, Registry, Result, Status};
use foundation_metadata::{GoDuration, Secret};
use http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

const ENDPOINT: &str = "https://api.anthropic.com/v1";
const MODEL: &str = "claude-sonnet-4-20250514";
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["anthropic"],
        versions: &["v1"],
        status: Status::Alpha,
        summary: "Models of Anthropic.",
        schema: || schemars::schema_for!(Metadata),
    };
    registry.conversation.add(descriptor, |config| async move {
        let model: Arc<dyn Model> = Arc::new(Metadata::read(&config.properties)?.model()?);
        Ok(model)
    });
}

/// Models of Anthropic.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    /// API key.
    key: Secret,
    /// Model, or with `apiType: foundry` the deployment; `claude-sonnet-4-20250514` where none is given. The variable
    /// `ANTHROPIC_MODEL` wins over it.
    model: String,
    /// Where the API is, if not `https://api.anthropic.com/v1`. With `apiType: foundry` it is needed:
    /// `https://resource.services.ai.azure.com/anthropic/v1`.
    endpoint: String,
    /// `anthropic`, or `foundry`.
    api_type: String,
    /// Tokens of an answer at most.
    max_tokens: u32,
    /// How long an answer is kept for the same question; without it none is kept. Alias: `responseCacheTTL`.
    #[serde(rename = "cacheTTL", alias = "responseCacheTTL")]
    cache_ttl: Option<GoDuration>,
    /// How long an answer may take.
    timeout: GoDuration,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            key: Secret::default(),
            model: String::new(),
            endpoint: String::new(),
            api_type: "anthropic".to_owned(),
            max_tokens: 2048,
            cache_ttl: None,
            timeout: Duration::from_secs(600).into(),
        }
    }
}

impl Metadata {
    /// Reads the metadata of a component.
    fn read(properties: &Properties) -> Result<Self> {
        let read: Self = properties.decode()?;
        if read.api_type.eq_ignore_ascii_case("foundry") && read.endpoint.is_empty() {
            return Err(Error::invalid("endpoint must be provided when apiType is set to 'foundry'"));
        }
        if read.key.is_empty() {
            return Err(Error::invalid("missing the Anthropic API key: give it by the metadata key"));
        }
        Ok(read)
    }

    fn model(self) -> Result<Remote<Messages>> {
        let model = environment::model("ANTHROPIC_MODEL", &self.model, MODEL);
        let endpoint = if self.endpoint.is_empty() { ENDPOINT } else { self.endpoint.trim_end_matches('/') };
        let mut headers = secret_header("x-api-key", &self.key)?;
        headers.insert(VERSION, HeaderValue::from_static("2023-06-01"));
        let client = Client::new(&format!("{endpoint}/messages"), headers, self.timeout.0)?;
        let language = Messages { model, max_tokens: self.max_tokens };
        Ok(Remote::new(client, language, self.cache_ttl.map(|time| time.0)))
    }
}

/// The API as the model of that name understands it.
#[derive(Debug)]
struct Messages {
    model: String,
    max_tokens: u32,
}

impl Language for Messages {
    fn encode(&self, request: &Request) -> Result<Bytes> {
        request::encode(&self.model, self.max_tokens, request)
    }

    fn decode(&self, request: &Request, answer: &[u8]) -> Result<Response> {
        response::decode(&self.model, request.response_format.as_ref(), answer)
    }
}
