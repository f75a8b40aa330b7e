//! Conversations: component, messages, checks, policy, answer.
use crate::answer::{Answer, Answers};
use crate::error::Error;
use crate::messages;
use crate::model::{Converse, ConverseTexts};
use crate::scrub::Scrubber;
use crate::tools;
use component_api::conversation::{Model, Request, Response};
use component_api::{Instance, Live};
use foundation_resiliency::{ComponentKind, Resiliency};
use foundation_telemetry::Metrics;
use std::sync::Arc;
use std::time::Instant;

/// A model as it was configured.
pub type ConversationModel = Instance<dyn Model>;

/// Talks to models in the name of the app.
pub struct Service {
    models: Live<dyn Model>,
    scrubber: Scrubber,
    resiliency: Resiliency,
    metrics: Metrics,
}

impl Service {
    /// Over the models that run.
    pub fn new(models: Live<dyn Model>) -> Self {
        let (resiliency, metrics) = (Resiliency::default(), Metrics::disabled());
        Self { models, scrubber: Scrubber::default(), resiliency, metrics }
    }

    /// The same, with policies for calls of models.
    #[must_use]
    pub fn with_resiliency(self, resiliency: Resiliency) -> Self {
        Self { resiliency, ..self }
    }

    /// The same, which counts what it does.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Answers texts, as the first form of the API has them. Its metadata means nothing to models.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NoInputs`] and [`Error::Converse`].
    pub async fn converse_texts(&self, asked: ConverseTexts) -> Result<Answers, Error> {
        let model = self.model(&asked.name)?;
        if asked.inputs.is_empty() {
            return Err(Error::NoInputs(asked.name));
        }
        let messages = asked.inputs.iter().map(|input| messages::of_text(input, &self.scrubber)).collect();
        let request = Request { messages, temperature: asked.temperature, ..Request::default() };
        let mut response = self.call(&model, &request).await?;
        self.scrub(&mut response, asked.scrub);
        let firsts = response.outputs.into_iter().map(|output| output.choices.into_iter().next());
        let results = firsts.map(|choice| choice.map(|choice| choice.content).unwrap_or_default()).collect();
        Ok(Answers { context_id: given(asked.context_id), results })
    }

    /// Answers messages.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NoInputs`], [`Error::Invalid`] and [`Error::Converse`].
    pub async fn converse(&self, asked: Converse) -> Result<Answer, Error> {
        let model = self.model(&asked.name)?;
        if asked.inputs.is_empty() {
            return Err(Error::NoInputs(asked.name));
        }
        let (context_id, scrub) = (given(asked.context_id.clone()), asked.scrub);
        let name = asked.name.clone();
        let request = self.request(asked).map_err(|reason| Error::Invalid { model: name, reason })?;
        let mut response = self.call(&model, &request).await?;
        self.scrub(&mut response, scrub);
        Ok(Answer { context_id, response })
    }

    fn model(&self, name: &str) -> Result<Arc<ConversationModel>, Error> {
        self.models.get(name).ok_or_else(|| Error::NotFound(name.to_owned()))
    }

    fn request(&self, asked: Converse) -> Result<Request, &'static str> {
        let mut messages = Vec::new();
        for input in &asked.inputs {
            messages.extend(messages::of_input(input, &self.scrubber)?);
        }
        Ok(Request {
            messages,
            tool_choice: tools::choice(&asked.tool_choice, &asked.tools)?,
            tools: tools::offered(&asked.tools),
            temperature: asked.temperature,
            metadata: asked.metadata,
            response_format: asked.response_format,
            prompt_cache_retention: asked.prompt_cache_retention,
        })
    }

    /// The one way to a model.
    async fn call(&self, model: &ConversationModel, request: &Request) -> Result<Response, Error> {
        let start = Instant::now();
        let policy = self.resiliency.outbound(&model.name, ComponentKind::Conversation);
        let called = policy.run(|| model.component.converse(request)).await;
        self.metrics.conversation(&model.name, called.is_ok(), start.elapsed());
        called.map_err(|error| Error::Converse { model: model.name.clone(), reason: error.to_string() })
    }

    fn scrub(&self, response: &mut Response, wanted: bool) {
        let choices = response.outputs.iter_mut().flat_map(|output| &mut output.choices);
        for choice in choices.filter(|_| wanted) {
            choice.content = self.scrubber.scrub(&choice.content);
        }
    }
}

/// An empty id is none.
fn given(context_id: Option<String>) -> Option<String> {
    context_id.filter(|id| !id.is_empty())
}
