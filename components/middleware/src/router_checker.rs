//! `middleware.http.routerchecker`: refuses requests whose path does not match a rule.
use crate::descriptor::descriptor;
use crate::response::message;
use async_trait::async_trait;
use component_api::middleware::{Http, Next, Request, Response};
use component_api::{Error, Registry, Result, Status};
use http::StatusCode;
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// Metadata of `middleware.http.routerchecker`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Metadata {
    /// Regular expression that path and query of a request must match, at any place unless it says otherwise.
    pub rule: String,
}

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let summary = "Refuses requests whose path does not match a regular expression.";
    registry.middleware.add(descriptor::<Metadata>(&["http.routerchecker"], Status::Alpha, summary), async |config| {
        Ok(Arc::new(RouterChecker::new(&config.properties.decode()?)?) as Arc<dyn Http>)
    });
}

struct RouterChecker(Regex);

impl RouterChecker {
    fn new(metadata: &Metadata) -> Result<Self> {
        let rule = Regex::new(&metadata.rule)
            .map_err(|error| Error::invalid(format!("rule is no regular expression, check it: {error}")))?;
        Ok(Self(rule))
    }
}

#[async_trait]
impl Http for RouterChecker {
    async fn handle(&self, request: Request, next: Next<'_>) -> Response {
        let asked = request.uri().path_and_query().map_or("/", |path| path.as_str());
        if !self.0.is_match(asked) {
            return message(StatusCode::BAD_REQUEST, "invalid router");
        }
        next.run(request).await
    }
}
