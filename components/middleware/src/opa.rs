//! `middleware.http.opa`: lets a policy in Rego decide about requests.
//!
//! The policy is of package `http`; its rule `allow` is a boolean, or an object with `allow`, `status_code` and
//! `additional_headers`. It is evaluated in this process.
mod decision;
mod input;
mod tokens;

use crate::descriptor::descriptor;
use crate::response::refusal;
use async_trait::async_trait;
use component_api::middleware::{Body, Http, Next, Request, Response};
use component_api::{Error, Registry, Result, Status};
use decision::Decision;
use foundation_metadata::is_truthy;
use http::{HeaderName, HeaderValue, StatusCode};
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

const SCOPE: &str = "dapr.middleware.opa";
const RULE: &str = "data.http.allow";
const FAILED: HeaderName = HeaderName::from_static("x-dapr-opa-error");
/// How long a policy may take to decide about one request.
const PATIENCE: ExecutionTimerConfig =
    ExecutionTimerConfig { limit: Duration::from_secs(1), check_interval: NonZeroU32::new(64).unwrap() };
/// Bytes of a body that a policy is shown.
const LARGEST: usize = 16 << 20;

/// Metadata of `middleware.http.opa`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// The policy, in Rego of OPA 0.x (`import rego.v1` makes it the newer language). Its package is `http`, and it must set
    /// `allow`. Of OPA's functions those for numbers, text, sets, objects, bits, regular expressions, globs, versions, URLs,
    /// base64 and hexadecimal digits are there, and `io.jwt.decode`, which checks no signature.
    pub rego: String,
    /// Status of refused requests, 100 to 599.
    pub default_status: u16,
    /// Headers that the policy is shown, separated by commas; their names are in the form `X-My-Header`.
    pub included_headers: String,
    /// Shows the body to the policy, for which it is held in memory.
    pub read_body: String,
}

impl Default for Metadata {
    fn default() -> Self {
        let (rego, included_headers, read_body) = Default::default();
        Self { rego, default_status: 403, included_headers, read_body }
    }
}

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let summary = "Lets a policy in Rego decide about requests.";
    registry.middleware.add(descriptor::<Metadata>(&["http.opa"], Status::Alpha, summary), async |config| {
        Ok(Arc::new(Opa::new(&config.properties.decode()?)?) as Arc<dyn Http>)
    });
}

struct Opa {
    engine: Engine,
    status: StatusCode,
    headers: Vec<HeaderName>,
    reads_body: bool,
}

impl Opa {
    fn new(metadata: &Metadata) -> Result<Self> {
        if metadata.rego.is_empty() {
            return Err(Error::invalid("rego is missing; give a policy"));
        }
        let status = StatusCode::from_u16(metadata.default_status).ok().filter(|status| status.as_u16() < 600);
        let status = status.ok_or_else(|| Error::invalid("defaultStatus must be 100 to 599"))?;
        let headers = metadata.included_headers.split(',').map(|name| name.replace(' ', ""));
        let headers = headers.filter_map(|name| name.parse().ok()).collect();
        let engine = engine(&metadata.rego).map_err(|error| Error::invalid(format!("rego is no policy: {error}")))?;
        Ok(Self { engine, status, headers, reads_body: is_truthy(&metadata.read_body) })
    }

    /// What the policy says; an error is its reason.
    fn decide(&self, request: &http::request::Parts, body: &[u8]) -> std::result::Result<Decision, String> {
        let mut engine = self.engine.clone();
        let input = input::of(request, body, &self.headers).to_string();
        engine.set_input(Value::from_json_str(&input).map_err(|error| error.to_string())?);
        let result = engine.eval_rule(RULE.to_owned()).map_err(|error| error.to_string())?;
        Decision::of(&result, self.status)
    }

    fn failed(&self, reason: &str) -> Response {
        tracing::warn!(target: SCOPE, "cannot decide about a request by its policy: {reason}");
        let mut response = refusal(self.status);
        response.headers_mut().insert(FAILED, HeaderValue::from_static("true"));
        response
    }
}

fn engine(policy: &str) -> std::result::Result<Engine, String> {
    let mut engine = Engine::new();
    engine.set_rego_v0(true);
    engine.set_execution_timer_config(PATIENCE);
    let built =
        tokens::add_to(&mut engine).and_then(|()| engine.add_policy("inline.rego".to_owned(), policy.to_owned()));
    built.map_err(|error| error.to_string())?;
    Ok(engine)
}

#[async_trait]
impl Http for Opa {
    async fn handle(&self, request: Request, next: Next<'_>) -> Response {
        let (mut head, mut body) = request.into_parts();
        let mut shown = bytes::Bytes::new();
        if self.reads_body {
            match body.read(LARGEST).await {
                Ok(read) => (shown, body) = (read.clone(), Body::from(read)),
                Err(error) => return self.failed(&error.to_string()),
            }
        }
        match self.decide(&head, &shown) {
            Ok(Decision { allow: true, headers, .. }) => {
                headers.into_iter().for_each(|(name, value)| drop(head.headers.insert(name, value)));
                next.run(Request::from_parts(head, body)).await
            }
            Ok(Decision { status, headers, .. }) => {
                let mut response = refusal(status);
                headers.into_iter().for_each(|(name, value)| drop(response.headers_mut().insert(name, value)));
                response
            }
            Err(reason) => self.failed(&reason),
        }
    }
}
