//! `middleware.http.sentinel`: protects paths by rules in the language of Sentinel for Go.
//!
//! A rule names a resource: the method and path of requests, such as `POST:/v1.0/invoke/app/method/order`. The meaning of
//! the rules is that of sentinel-golang 1.0.4, <https://sentinelguard.io>.
mod breaker;
mod entry;
mod flow;
mod guard;
mod rules;
mod system;
#[cfg(test)]
mod tests;
mod window;

use crate::descriptor::descriptor;
use crate::response::refusal;
use async_trait::async_trait;
use component_api::middleware::{Http, Next, Request, Response};
use component_api::{Registry, Result, Status};
use guard::{Blocked, Guard};
use http::StatusCode;
use percent_encoding::percent_decode_str;
use rules::Rules;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

const SCOPE: &str = "dapr.middleware.sentinel";

/// Metadata of `middleware.http.sentinel`.
///
/// Each list of rules is a JSON array in the form of sentinel-golang. A rule that cannot be kept is refused, and so is a field
/// that a rule does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// Name of the application. It is only taken for Dapr's sake: rules are kept by each component for itself.
    pub app_name: String,
    /// Accepted and unused: what there is to say is in the log of the sidecar.
    #[serde(default)]
    pub log_dir: String,
    /// How many requests may pass in an interval: `resource`, `threshold`, `statIntervalInMs` (default: 1000),
    /// `tokenCalculateStrategy` (0: `threshold` as it is, 1: it warms up over `warmUpPeriodSec`, from `threshold` divided by
    /// `warmUpColdFactor`, which is 3 by default), `controlBehavior` (0: more are refused, 1: requests queue up, at even distances,
    /// for at most `maxQueueingTimeMs`), `relationStrategy` (1: what is counted are the requests of `refResource`).
    #[serde(default)]
    pub flow_rules: String,
    /// When a resource is given a rest of `retryTimeoutMs`: `strategy` (0: ratio of requests slower than `maxAllowedRtMs`, 1:
    /// ratio of errors, 2: number of errors), `threshold`, `minRequestAmount`, `statIntervalMs`,
    /// `statSlidingWindowBucketCount` (at most 1000), `probeNum` (how many requests must succeed before all pass again).
    /// Responses with status 500 and above are errors, and those that break off.
    #[serde(default)]
    pub circuit_breaker_rules: String,
    /// Must be empty: requests have no parameters in Sentinel's sense.
    #[serde(default)]
    pub hot_spot_param_rules: String,
    /// How many requests may run at once: `resource`, `threshold`.
    #[serde(default)]
    pub isolation_rules: String,
    /// Bounds of all requests together: `metricType` (0: load of the machine in the last minute, on Linux, 1: average
    /// milliseconds of a request, 2: requests at once, 3: requests per second), `triggerCount`, `strategy` (1: a load above the
    /// bound only refuses requests that are more than the machine got done before).
    #[serde(default)]
    pub system_rules: String,
}

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let summary = "Protects paths by Sentinel's rules: rates, concurrency, circuit breakers and bounds of the whole.";
    registry.middleware.add(descriptor::<Metadata>(&["http.sentinel"], Status::Alpha, summary), async |config| {
        Ok(Arc::new(Sentinel::new(&config.properties.decode()?)?) as Arc<dyn Http>)
    });
}

struct Sentinel(Arc<Guard>);

impl Sentinel {
    fn new(metadata: &Metadata) -> Result<Self> {
        Ok(Self(Arc::new(Guard::new(Rules::parse(metadata)?))))
    }
}

#[async_trait]
impl Http for Sentinel {
    async fn handle(&self, request: Request, next: Next<'_>) -> Response {
        let name = resource_name(&request);
        let resource = self.0.resource(&name);
        if resource.is_none() && !self.0.watches_all() {
            return next.run(request).await;
        }
        match self.0.enter(resource).await {
            Ok(entry) => entry.end_with(next.run(request).await),
            Err(blocked) => refuse(&name, blocked),
        }
    }
}

fn resource_name(request: &Request) -> String {
    let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
    format!("{}:{path}", request.method())
}

fn refuse(name: &str, blocked: Blocked) -> Response {
    tracing::debug!(target: SCOPE, "refused {name}: {blocked}");
    refusal(StatusCode::TOO_MANY_REQUESTS)
}
