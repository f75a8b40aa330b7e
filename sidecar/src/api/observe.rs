//! What is kept of each call: its trace, its metrics, and its line in the log.
mod attributes;
mod grpc;
mod http;

pub(crate) use grpc::Counted;

use ::http::{HeaderMap, HeaderName, HeaderValue};
use foundation_telemetry::{Metrics, Span, Tracer};

const USER_AGENT: &str = "user-agent";
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
/// Headers of callers with this prefix become attributes of the span.
const ATTRIBUTE_PREFIX: &str = "dapr-";
const BINARY_SUFFIX: &str = "-bin";

/// How calls are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallLog {
    /// Names of endpoints in place of paths.
    pub obfuscate: bool,
    pub omit_health: bool,
}

/// Observes calls of one API.
#[derive(Clone, Debug, Default)]
pub struct Observer {
    /// The own app.
    pub app_id: String,
    pub log: Option<CallLog>,
    pub metrics: Metrics,
    pub tracer: Tracer,
}

/// What a call that has begun gives its answer.
#[derive(Debug)]
struct Traced {
    span: Span,
    /// The caller's, which goes back to it.
    baggage: Option<HeaderValue>,
}

impl Observer {
    fn observes(&self) -> bool {
        self.log.is_some() || self.metrics.is_enabled()
    }

    /// Who called, when that is logged.
    fn agent(&self, headers: &HeaderMap) -> Option<String> {
        let agent = self.log.and_then(|_| headers.get(USER_AGENT)).and_then(|value| value.to_str().ok());
        agent.filter(|agent| !agent.is_empty()).map(str::to_owned)
    }
}

/// The attributes that the caller wishes.
fn describe_caller(span: &Span, headers: &HeaderMap) {
    let wished = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with(ATTRIBUTE_PREFIX) && !name.as_str().ends_with(BINARY_SUFFIX));
    for (name, value) in wished {
        span.set(name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()));
    }
}
