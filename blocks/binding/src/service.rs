//! Operations of output bindings.
use crate::error::{Error, Reason};
use crate::model::{Direction, Outcome};
use component_api::binding::{Binding, Request, Response};
use component_api::{Instance, Kind, Live};
use foundation_resiliency::{self as resiliency, ComponentKind, Resiliency};
use foundation_telemetry::Metrics;
use std::sync::Arc;
use std::time::Instant;

/// Bindings that operations go out to.
pub struct Service {
    bindings: Live<dyn Binding>,
    resiliency: Resiliency,
    metrics: Metrics,
}

/// An attempt that went wrong, which an answer may have told.
enum Failed {
    Answered(Response),
    Unanswered(component_api::Error),
}

impl Service {
    /// Over the bindings that run.
    pub fn new(bindings: Live<dyn Binding>) -> Self {
        Self { bindings, resiliency: Resiliency::default(), metrics: Metrics::disabled() }
    }

    /// Makes operations, and calls of the app with events, by policy.
    #[must_use]
    pub fn with_resiliency(mut self, resiliency: Resiliency) -> Self {
        self.resiliency = resiliency;
        self
    }

    /// Counts operations and events.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Does an operation.
    pub async fn invoke(&self, name: &str, request: Request) -> Outcome {
        let (start, operation) = (Instant::now(), request.operation.clone());
        let outcome = match self.try_invoke(name, request).await {
            Ok(outcome) => outcome,
            Err(reason) => Error::Invoke { name: name.to_owned(), reason }.into(),
        };
        self.metrics.output_binding(name, &operation, outcome.result.is_ok(), start.elapsed());
        outcome
    }

    async fn try_invoke(&self, name: &str, request: Request) -> Result<Outcome, Reason> {
        if request.operation.is_empty() {
            return Err(Reason::NoOperation);
        }
        let instance = self.output(name)?;
        let supported = instance.component.operations();
        if !supported.contains(&request.operation) {
            return Err(Reason::Unsupported { name: name.to_owned(), operation: request.operation, supported });
        }
        let response = self.call(&instance, &request).await?;
        let failed = |error| Error::Invoke { name: name.to_owned(), reason: Reason::Component(error) };
        let result = response.failure.map_or(Ok(response.data), |error| Err(failed(error)));
        Ok(Outcome { metadata: response.metadata, result })
    }

    async fn call(&self, binding: &Instance<dyn Binding>, request: &Request) -> component_api::Result<Response> {
        let attempt = || async {
            let response = binding.component.invoke(request.clone()).await.map_err(Failed::Unanswered)?;
            if response.failure.is_some() { Err(Failed::Answered(response)) } else { Ok(response) }
        };
        let done = self.resiliency.outbound(&binding.name, ComponentKind::Binding).run(attempt).await;
        let unanswered = |text| Failed::Unanswered(component_api::Error::new(Kind::Unavailable, text));
        done.or_else(|error| match error.failure_or_else(unanswered) {
            Failed::Answered(response) => Ok(response),
            Failed::Unanswered(error) => Err(error),
        })
    }

    fn output(&self, name: &str) -> Result<Arc<Instance<dyn Binding>>, Reason> {
        let found = self.bindings.get(name).filter(|instance| Direction::of(instance).output);
        found.ok_or_else(|| Reason::Unknown(name.to_owned()))
    }

    pub(crate) fn resiliency(&self) -> &Resiliency {
        &self.resiliency
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn bindings(&self) -> &Live<dyn Binding> {
        &self.bindings
    }
}

impl resiliency::Failure for Failed {
    fn code(&self) -> Option<i32> {
        match self {
            Self::Answered(response) => response.failure.as_ref().and_then(component_api::Error::grpc_code),
            Self::Unanswered(error) => error.grpc_code(),
        }
    }
}
