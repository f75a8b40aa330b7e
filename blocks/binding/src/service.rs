//! Operations of output bindings.
use crate::error::{Error, Reason};
use crate::model::{Direction, Outcome};
use component_api::binding::{Binding, Request, Response};
use component_api::{Instance, Live, Metadata};
use foundation_resiliency::{ComponentKind, Failure, Resiliency};
use foundation_telemetry::{Metrics, Tracer};
use std::sync::Arc;
use std::time::Instant;

/// Bindings that operations go out to.
pub struct Service {
    bindings: Live<dyn Binding>,
    resiliency: Resiliency,
    metrics: Metrics,
    tracer: Tracer,
}

impl Service {
    /// Over the bindings that run.
    pub fn new(bindings: Live<dyn Binding>) -> Self {
        let (resiliency, metrics, tracer) = (Resiliency::default(), Metrics::disabled(), Tracer::default());
        Self { bindings, resiliency, metrics, tracer }
    }

    /// The same, with policies for operations and for the delivery of events.
    #[must_use]
    pub fn with_resiliency(self, resiliency: Resiliency) -> Self {
        Self { resiliency, ..self }
    }

    /// The same, which counts operations and events.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// The same, which follows traces to the systems outside, and from them to the app.
    #[must_use]
    pub fn with_tracer(self, tracer: Tracer) -> Self {
        Self { tracer, ..self }
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
        let failed = |error| Error::Invoke { name: name.to_owned(), reason: Reason::Component(error) };
        let policy = self.resiliency.outbound(name, ComponentKind::Binding);
        let done = policy.run(|| async { answered(instance.component.invoke(request.clone()).await) }).await;
        match done.map_err(|error| error.failure_or_else(Refused::new)) {
            Ok(response) => Ok(Outcome { metadata: response.metadata, result: Ok(response.data) }),
            Err(Refused { metadata, error }) => Ok(Outcome { metadata, result: Err(failed(error)) }),
        }
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

    pub(crate) fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    pub(crate) fn bindings(&self) -> &Live<dyn Binding> {
        &self.bindings
    }
}

/// An attempt that failed, with the metadata of its answer if there was one.
struct Refused {
    metadata: Metadata,
    error: component_api::Error,
}

impl Refused {
    fn new(reason: &'static str) -> Self {
        Self { metadata: Metadata::new(), error: component_api::Error::other(reason) }
    }
}

impl Failure for Refused {
    fn code(&self) -> Option<i32> {
        self.error.code()
    }
}

/// An answer that counts as a failure is one for the policy too.
fn answered(response: component_api::Result<Response>) -> Result<Response, Refused> {
    match response {
        Ok(Response { metadata, failure: Some(error), .. }) => Err(Refused { metadata, error }),
        Ok(response) => Ok(response),
        Err(error) => Err(Refused { metadata: Metadata::new(), error }),
    }
}
