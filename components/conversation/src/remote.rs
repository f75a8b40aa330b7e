//! A model behind an HTTP API, whatever the API's language: asking, keeping of answers, checks.
use crate::cache::Cache;
use crate::client::Client;
use async_trait::async_trait;
use bytes::Bytes;
use component_api::conversation::{Model, Request, Response, ToolChoice};
use component_api::{Error, Result};
use std::time::Duration;

/// The language of an API.
pub(crate) trait Language: Send + Sync {
    /// A conversation as the API takes it.
    ///
    /// # Errors
    /// What the API could not understand.
    fn encode(&self, request: &Request) -> Result<Bytes>;

    /// What the API answered.
    ///
    /// # Errors
    /// An answer of another form, or an empty one.
    fn decode(&self, request: &Request, answer: &[u8]) -> Result<Response>;
}

/// A model behind an API.
#[derive(Debug)]
pub(crate) struct Remote<L> {
    client: Client,
    language: L,
    cache: Option<Cache>,
}

impl<L: Language> Remote<L> {
    /// Answers are kept for the given time, if any.
    pub(crate) fn new(client: Client, language: L, time_to_live: Option<Duration>) -> Self {
        Self { client, language, cache: time_to_live.map(Cache::new) }
    }
}

#[async_trait]
impl<L: Language> Model for Remote<L> {
    async fn converse(&self, request: &Request) -> Result<Response> {
        let question = self.language.encode(request)?;
        if let Some(kept) = self.cache.as_ref().and_then(|cache| cache.get(&question)) {
            return Ok(kept);
        }
        let answer = self.client.post(question.clone()).await?;
        let response = self.language.decode(request, &answer)?;
        check_tools(request, &response)?;
        if let Some(cache) = &self.cache {
            cache.put(question, response.clone());
        }
        Ok(response)
    }
}

/// A model that had to use a tool but said nothing at all may do better when it is asked again.
fn check_tools(request: &Request, response: &Response) -> Result<()> {
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

/// A document as the API takes it.
///
/// # Errors
/// A number that JSON does not have.
pub(crate) fn json(document: &impl serde::Serialize) -> Result<Bytes> {
    let json = serde_json::to_vec(document);
    Ok(json.map_err(|error| Error::invalid("the conversation cannot be written as JSON").with_source(error))?.into())
}

/// A document that the API answered.
///
/// # Errors
/// It is no JSON, or of another form.
pub(crate) fn read<T: serde::de::DeserializeOwned>(answer: &[u8]) -> Result<T> {
    let unread = |error| Error::other("cannot read the answer of the API").with_source(error);
    serde_json::from_slice(answer).map_err(unread)
}
