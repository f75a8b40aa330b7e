//! Operations of output bindings.
use crate::error::{Error, Reason};
use crate::model::{Direction, Outcome};
use component_api::binding::{Binding, Request};
use component_api::{Instance, Live};
use foundation_telemetry::Metrics;
use std::sync::Arc;
use std::time::Instant;

/// Bindings that operations go out to.
pub struct Service {
    bindings: Live<dyn Binding>,
    metrics: Metrics,
}

impl Service {
    /// Over the bindings that run.
    pub fn new(bindings: Live<dyn Binding>) -> Self {
        Self { bindings, metrics: Metrics::disabled() }
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
        let response = instance.component.invoke(request).await?;
        let failed = |error| Error::Invoke { name: name.to_owned(), reason: Reason::Component(error) };
        let result = response.failure.map_or(Ok(response.data), |error| Err(failed(error)));
        Ok(Outcome { metadata: response.metadata, result })
    }

    fn output(&self, name: &str) -> Result<Arc<Instance<dyn Binding>>, Reason> {
        let found = self.bindings.get(name).filter(|instance| Direction::of(instance).output);
        found.ok_or_else(|| Reason::Unknown(name.to_owned()))
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn bindings(&self) -> &Live<dyn Binding> {
        &self.bindings
    }
}
