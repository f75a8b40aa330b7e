//! Models of others that speak OpenAI's API: DeepSeek, Google AI, Hugging Face, Mistral and Ollama. Each is a row of a table.
use crate::chat::{Chat, ChatModel, Dialect};
use crate::client::{Client, bearer};
use crate::environment;
use component_api::conversation::Model;
use component_api::{Config, Descriptor, Error, Registry, Result, Status};
use foundation_metadata::{GoDuration, Secret};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// What is particular about the API of one of them.
#[derive(Clone, Copy)]
struct Provider {
    names: &'static [&'static str],
    summary: &'static str,
    /// Where the API is; `{model}` stands for the model.
    endpoint: &'static str,
    model: &'static str,
    /// The variable that wins over the metadata; empty where there is none.
    variable: &'static str,
    /// What is sent in the place of a key; empty where there must be one.
    key: &'static str,
    dialect: Dialect,
}

const LIKE_OPENAI: Dialect = Dialect { no_metadata: false };

const PROVIDERS: &[Provider] = &[
    Provider {
        names: &["deepseek"],
        summary: "Models of DeepSeek; `deepseek-chat` where none is given.",
        endpoint: "https://api.deepseek.com",
        model: "deepseek-chat",
        variable: "",
        key: "",
        dialect: LIKE_OPENAI,
    },
    Provider {
        names: &["googleai"],
        summary: "Models of Google AI; `gemini-2.5-flash-lite` where none is given by the metadata or `GOOGLEAI_MODEL`.",
        endpoint: "https://generativelanguage.googleapis.com/v1beta/openai",
        model: "gemini-2.5-flash-lite",
        variable: "GOOGLEAI_MODEL",
        key: "",
        dialect: LIKE_OPENAI,
    },
    Provider {
        names: &["huggingface"],
        summary: "Models of Hugging Face; `deepseek-ai/DeepSeek-R1-Distill-Qwen-32B` where none is given by the metadata or `HUGGINGFACE_MODEL`.",
        endpoint: "https://router.huggingface.co/hf-inference/models/{model}/v1",
        model: "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
        variable: "HUGGINGFACE_MODEL",
        key: "",
        dialect: LIKE_OPENAI,
    },
    Provider {
        names: &["mistral"],
        summary: "Models of Mistral; `open-mistral-7b` where none is given by the metadata or `MISTRAL_MODEL`.",
        endpoint: "https://api.mistral.ai/v1",
        model: "open-mistral-7b",
        variable: "MISTRAL_MODEL",
        key: "",
        dialect: Dialect { no_metadata: true },
    },
    Provider {
        names: &["ollama"],
        summary: "Models of an Ollama server, `http://localhost:11434/v1` if no other; `llama3.2:latest` where none is given by the metadata or `OLLAMA_MODEL`.",
        endpoint: "http://localhost:11434/v1",
        model: "llama3.2:latest",
        variable: "OLLAMA_MODEL",
        key: "ollama",
        dialect: LIKE_OPENAI,
    },
];

/// Makes the components known.
pub(crate) fn register(registry: &mut Registry) {
    for provider in PROVIDERS {
        let descriptor = Descriptor {
            names: provider.names,
            versions: &["v1"],
            status: Status::Alpha,
            summary: provider.summary,
            schema: || schemars::schema_for!(Metadata),
        };
        registry.conversation.add(descriptor, move |config: Config| async move {
            let model: Arc<dyn Model> = Arc::new(provider.model(config.properties.decode()?)?);
            Ok(model)
        });
    }
}

/// A model behind an API like OpenAI's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    /// API key.
    key: Secret,
    /// Model.
    model: String,
    /// Where the API is, if not at its usual place.
    endpoint: String,
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
            cache_ttl: None,
            timeout: Duration::from_secs(600).into(),
        }
    }
}

impl Provider {
    fn model(&self, metadata: Metadata) -> Result<ChatModel> {
        let model = environment::model(self.variable, &metadata.model, self.model);
        let key = if metadata.key.is_empty() { self.key.into() } else { metadata.key };
        if key.is_empty() {
            return Err(Error::invalid(format!(
                "missing the API key of {}: give it by the metadata key",
                self.names[0]
            )));
        }
        let usual = self.endpoint.replace("{model}", &model);
        let endpoint = if metadata.endpoint.is_empty() { usual } else { metadata.endpoint };
        let url = format!("{}/chat/completions", endpoint.trim_end_matches('/'));
        let client = Client::new(&url, bearer(&key)?, metadata.timeout.0)?;
        let language = Chat { model, dialect: self.dialect };
        Ok(ChatModel::new(client, language, metadata.cache_ttl.map(|time| time.0)))
    }
}
