//! What an HTTP app is asked at the start, and whether it is healthy.
use super::Caller;
use crate::headers::APP_ID;
use crate::subscriptions::from_json;
use crate::turn::Turn;
use crate::{Error, Subscription};
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use serde_json::Value;
use std::time::Instant;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Caller {
    pub(super) async fn subscriptions(&self) -> Result<Vec<Subscription>, Error> {
        let Some(document) = self.ask("/dapr/subscribe", "subscription").await? else { return Ok(Vec::new()) };
        from_json(document).map_err(|error| Error::Malformed(format!("error getting topics from app: {error}")))
    }

    pub(super) async fn config(&self) -> Result<Option<Value>, Error> {
        self.ask("/dapr/config", "configuration").await
    }

    /// None for an app that does not answer the question, or with an empty body.
    async fn ask(&self, path: &'static str, about: &str) -> Result<Option<Value>, Error> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = Uri::from_static(path);
        request.headers_mut().insert(CONTENT_TYPE, JSON);
        if let Ok(app_id) = HeaderValue::try_from(&self.options.app_id) {
            request.headers_mut().insert(APP_ID, app_id);
        }
        let response = self.invoke(request).await?;
        let status = response.status();
        let body = self.read(response.into_body()).await?;
        if status != StatusCode::OK {
            note(status, about);
            return Ok(None);
        }
        let first = serde_json::Deserializer::from_slice(&body).into_iter().next();
        first.transpose().map_err(|error| Error::Malformed(format!("error reading the {about} of the app: {error}")))
    }

    /// Probes the app, past its turns: a busy app is not a sick one.
    pub(super) async fn probe(&self) -> Result<(), String> {
        let path = self.options.health.as_ref().map_or("healthz", |health| health.path.trim_start_matches('/'));
        let mut request = Request::new(Body::empty());
        *request.uri_mut() =
            Uri::try_from(format!("/{path}")).map_err(|error| format!("Failed to create request: {error}"))?;
        let start = Instant::now();
        let sent = self.send_at_once(request, Turn::default()).await;
        let status = sent.as_ref().map_or(StatusCode::INTERNAL_SERVER_ERROR, Response::status);
        self.options.metrics.http_health_probe(status.as_u16(), start.elapsed());
        let response = sent.map_err(|broken| format!("Network error: {}", Error::from(broken)))?;
        response.into_body().collect().await.ok();
        if status.is_success() { Ok(()) } else { Err(refused(status, path)) }
    }
}

fn refused(status: StatusCode, path: &str) -> String {
    let advice = match status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            "; give the app such an endpoint, name another one with --app-health-check-path, or leave out --enable-app-health-check"
        }
        _ => "",
    };
    format!("Health check failed with status code: {} from GET /{path}{advice}", status.as_u16())
}

fn note(status: StatusCode, about: &str) {
    match status {
        StatusCode::NOT_FOUND => tracing::debug!(target: "dapr.runtime", "the app has no {about} endpoint"),
        _ => {
            tracing::error!(target: "dapr.runtime", "app returned http status code {} from {about} endpoint", status.as_u16())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_without_the_endpoint_of_the_probe_is_told_what_to_do() {
        let missing = refused(StatusCode::NOT_FOUND, "healthz");
        assert!(missing.starts_with("Health check failed with status code: 404 from GET /healthz; "), "{missing}");
        assert!(missing.contains("--app-health-check-path") && missing.contains("--enable-app-health-check"));
        let sick = refused(StatusCode::SERVICE_UNAVAILABLE, "healthz");
        assert_eq!(sick, "Health check failed with status code: 503 from GET /healthz");
    }
}
