//! Events of input bindings for an HTTP app (surface.md 1.3).
use super::Caller;
use super::events::{JSON, post, route};
use crate::{BindingAnswer, BindingEvent, Error};
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};

impl Caller {
    /// An app that has the path answers OPTIONS, or says at least that it does not allow it.
    pub(super) async fn wants_binding(&self, path: &str) -> Result<bool, Error> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::OPTIONS;
        *request.uri_mut() = route(path)?;
        request.headers_mut().insert(CONTENT_TYPE, JSON);
        let response = self.invoke(request).await?;
        let status = response.status();
        self.read(response.into_body()).await?;
        Ok(status.is_success() || status == StatusCode::METHOD_NOT_ALLOWED)
    }

    pub(super) async fn binding_event(&self, event: &BindingEvent) -> Result<BindingAnswer, Error> {
        let request = post(&event.route, JSON, event.data.clone(), &event.metadata, &event.headers)?;
        let response = self.invoke(request).await?;
        let status = response.status();
        let data = self.read(response.into_body()).await?;
        if status.is_success() {
            return Ok(BindingAnswer { data, ..BindingAnswer::default() });
        }
        let body = String::from_utf8_lossy(&data);
        let message =
            format!("fails to send binding event to http app channel, status code: {} body: {body}", status.as_u16());
        Err(Error::Rejected { status, message })
    }
}
