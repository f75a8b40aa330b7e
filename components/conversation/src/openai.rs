//! `conversation.openai`: OpenAI, Azure OpenAI, and whatever speaks the same API at another endpoint.
use crate::chat::{Chat, ChatModel, Dialect};
use crate::client::{Client, bearer, secret_header};
use crate::environment;
use component_api::conversation::Model;
use component_api::{Descriptor, Error, Properties, Registry, Result, Status};
use foundation_metadata::{GoDuration, Secret};
use http::{HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

const ENDPOINT: &str = "https://api.openai.com/v1";
const MODEL: &str = "gpt-5-nano";
const AZURE_MODEL: &str = "gpt-4.1-nano";

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["openai"],
        versions: &["v1"],
        status: Status::Alpha,
        summary: "Models of OpenAI and Azure OpenAI, and of servers that speak the same API.",
        schema: || schemars::schema_for!(Metadata),
    };
    registry.conversation.add(descriptor, |config| async move {
        let model: Arc<dyn Model> = Arc::new(Metadata::read(&config.properties)?.client()?);
        Ok(model)
    });
}

/// Models of OpenAI and Azure OpenAI, and of servers that speak the same API.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    /// API key.
    key: Secret,
    /// Model, or with `apiType: azure` the deployment; `gpt-5-nano` and `gpt-4.1-nano` where none is given. The variable
    /// `OPENAI_MODEL`, or `AZURE_OPENAI_MODEL`, wins over it.
    model: String,
    /// Where the API is, such as `https://api.openai.com/v1`. With `apiType: azure` it is needed:
    /// `https://resource.openai.azure.com`.
    endpoint: String,
    /// `open_ai`, or `azure`.
    api_type: String,
    /// Version of the API; needed with `apiType: azure`.
    api_version: String,
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
            api_type: "open_ai".to_owned(),
            api_version: String::new(),
            cache_ttl: None,
            timeout: Duration::from_secs(600).into(),
        }
    }
}

impl Metadata {
    /// Reads the metadata of a component.
    fn read(properties: &Properties) -> Result<Self> {
        let read: Self = properties.decode()?;
        if read.is_azure() && (read.endpoint.is_empty() || read.api_version.is_empty()) {
            return Err(Error::invalid("endpoint and apiVersion must be provided when apiType is set to 'azure'"));
        }
        if read.key.is_empty() {
            return Err(Error::invalid("missing the OpenAI API key: give it by the metadata key"));
        }
        Ok(read)
    }

    fn client(&self) -> Result<ChatModel> {
        let model = self.model();
        let client = Client::new(&self.url(&model), self.headers()?, self.timeout.0)?;
        let time_to_live = self.cache_ttl.map(|time| time.0);
        Ok(ChatModel::new(client, Chat { model, dialect: Dialect::default() }, time_to_live))
    }

    fn is_azure(&self) -> bool {
        self.api_type.eq_ignore_ascii_case("azure")
    }

    fn model(&self) -> String {
        if self.is_azure() {
            return environment::model("AZURE_OPENAI_MODEL", &self.model, AZURE_MODEL);
        }
        environment::model("OPENAI_MODEL", &self.model, MODEL)
    }

    fn url(&self, model: &str) -> String {
        if self.is_azure() {
            let (base, version) = (self.endpoint.trim_end_matches('/'), &self.api_version);
            return format!("{base}/openai/deployments/{model}/chat/completions?api-version={version}");
        }
        let given = Some(self.endpoint.clone()).filter(|endpoint| !endpoint.is_empty());
        let base = given.or_else(|| environment::first(&["OPENAI_BASE_URL", "OPENAI_API_BASE"]));
        let base = base.unwrap_or_else(|| ENDPOINT.to_owned());
        format!("{}/chat/completions", base.trim_end_matches('/'))
    }

    fn headers(&self) -> Result<HeaderMap> {
        let mut headers = if self.is_azure() { secret_header("api-key", &self.key)? } else { bearer(&self.key)? };
        let organization =
            environment::first(&["OPENAI_ORGANIZATION"]).and_then(|name| HeaderValue::try_from(name).ok());
        if let Some(organization) = organization {
            headers.insert(HeaderName::from_static("openai-organization"), organization);
        }
        Ok(headers)
    }
}
