//! `middleware.http.ratelimit`: limits how many requests a client may send to a path in a second.
mod client;

use crate::descriptor::descriptor;
use crate::response::message;
use async_trait::async_trait;
use client::Client;
use component_api::middleware::{Http, Next, Request, Response};
use component_api::{Error, Registry, Result, Status};
use governor::middleware::StateInformationMiddleware;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::{HeaderMap, HeaderValue, StatusCode};
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::Deserialize;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Requests after which clients that may send as much as new ones are forgotten.
const CLEANED_AFTER: u32 = 1024;

/// Metadata of `middleware.http.ratelimit`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Requests per second that one client may send to one path; more get status 429. It may be a fraction. As many may
    /// come at once, but at least one.
    pub max_requests_per_second: f64,
}

impl Default for Metadata {
    fn default() -> Self {
        Self { max_requests_per_second: 100.0 }
    }
}

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let summary = "Limits how many requests a client may send to a path in a second.";
    registry.middleware.add(descriptor::<Metadata>(&["http.ratelimit"], Status::Stable, summary), async |config| {
        Ok(Arc::new(RateLimit::new(config.properties.decode::<Metadata>()?.check()?)) as Arc<dyn Http>)
    });
}

impl Metadata {
    fn check(self) -> Result<Self> {
        let max = self.max_requests_per_second;
        if max > 0.0 && max.is_finite() {
            return Ok(self);
        }
        Err(Error::invalid("metadata property maxRequestsPerSecond must be a positive value"))
    }

    fn quota(self) -> Quota {
        let period = Duration::from_secs_f64(1.0 / self.max_requests_per_second.clamp(1e-9, 1e9));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Casts of floats stop at the ends.
        let burst = NonZeroU32::new(self.max_requests_per_second as u32).unwrap_or(NonZeroU32::MIN);
        Quota::with_period(period).unwrap_or(Quota::per_second(burst)).allow_burst(burst)
    }
}

struct RateLimit {
    limiter: DefaultKeyedRateLimiter<(String, String), StateInformationMiddleware>,
    requests: AtomicU32,
    limit: HeaderValue,
    exact_limit: HeaderValue,
}

impl RateLimit {
    fn new(metadata: Metadata) -> Self {
        let max = metadata.max_requests_per_second;
        Self {
            limiter: RateLimiter::keyed(metadata.quota()).with_middleware(),
            requests: AtomicU32::new(0),
            limit: value(&format!("{}", max.round())),
            exact_limit: value(&format!("{max:.2}")),
        }
    }

    /// How many more requests the client may send at once; none when this one is too many.
    fn take(&self, client: &str, path: &str) -> Option<u32> {
        if self.requests.fetch_add(1, Ordering::Relaxed) % CLEANED_AFTER == CLEANED_AFTER - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        let state = self.limiter.check_key(&(client.to_owned(), path.to_owned())).ok()?;
        Some(state.remaining_burst_capacity())
    }

    fn tell(&self, headers: &mut HeaderMap, client: Client, left: u32) {
        headers.append("x-rate-limit-limit", self.exact_limit.clone());
        headers.append("x-rate-limit-duration", HeaderValue::from_static("1"));
        if let Some(forwarded) = client.forwarded_for {
            headers.append("x-rate-limit-request-forwarded-for", forwarded);
        }
        headers.append("x-rate-limit-request-remote-addr", value(&client.address));
        headers.append("ratelimit-limit", self.limit.clone());
        headers.append("ratelimit-reset", HeaderValue::from_static("1"));
        headers.append("ratelimit-remaining", HeaderValue::from(left));
    }
}

#[async_trait]
impl Http for RateLimit {
    async fn handle(&self, mut request: Request, next: Next<'_>) -> Response {
        let client = Client::of(&mut request);
        // Another spelling of a path is not another path.
        let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
        let left = self.take(&client.key, &path);
        let mut response = match left {
            Some(_) => next.run(request).await,
            None => message(StatusCode::TOO_MANY_REQUESTS, "You have reached maximum request limit."),
        };
        self.tell(response.headers_mut(), client, left.unwrap_or_default());
        response
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}
