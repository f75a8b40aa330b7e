//! What is kept of each call: its metrics, and its line in the log.
mod grpc;
mod http;

pub(crate) use grpc::Counted;

use ::http::HeaderMap;
use foundation_telemetry::Metrics;

const USER_AGENT: &str = "user-agent";

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
    pub log: Option<CallLog>,
    pub metrics: Metrics,
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
