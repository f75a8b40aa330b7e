//! The chat completions API of OpenAI, which many others speak too: one client for all of them.
mod request;
mod response;
mod schema;

use crate::cache::Cache;
use crate::client::Client;
use async_trait::async_trait;
use component_api::conversation::{Model, Request, Response, ToolChoice};
use component_api::{Error, Result};
use std::time::Duration;

/// A model behind such an API.
#[derive(Debug)]
pub(crate) struct ChatModel {
    client: Client,
    model: String,
    dialect: Dialect,
    cache: Option<Cache>,
}

/// How an API differs from OpenAI's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// It refuses metadata.
    pub(crate) no_metadata: bool,
}

impl ChatModel {
    /// The model of that name. Answers are kept for the given time, if any.
    pub(crate) fn new(client: Client, model: String, dialect: Dialect, time_to_live: Option<Duration>) -> Self {
        Self { client, model, dialect, cache: time_to_live.map(Cache::new) }
    }
}

#[async_trait]
impl Model for ChatModel {
    async fn converse(&self, request: &Request) -> Result<Response> {
        let question = request::encode(&self.model, self.dialect, request)?;
        if let Some(kept) = self.cache.as_ref().and_then(|cache| cache.get(&question)) {
            return Ok(kept);
        }
        let answer = self.client.post(question.clone()).await?;
        let response = response::decode(&self.model, &answer)?;
        check_tools(request, &response)?;
        if let Some(cache) = &self.cache {
            cache.put(question, response.clone());
        }
        Ok(response)
    }
}

/// A model that had to use a tool but said nothing at all may do better when it is asked again.
pub(crate) fn check_tools(request: &Request, response: &Response) -> Result<()> {
    let count = request.tools.len();
    if request.tool_choice != Some(ToolChoice::Required) || count == 0 {
        return Ok(());
    }
    let mut choices = response.outputs.iter().flat_map(|output| &output.choices);
    if choices.any(|choice| !choice.content.is_empty() || !choice.tool_calls.is_empty()) {
        return Ok(());
    }
    Err(Error::other(format!("LLM returned empty response with no tool calls despite {count} tools being available")))
}
