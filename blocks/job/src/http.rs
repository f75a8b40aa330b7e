//! Jobs over HTTP.
use crate::error::{Error, Reason};
use crate::model::{Posted, shown};
use crate::service::Service;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use foundation_endpoint::{Endpoints, proto_json, read_body};
use foundation_fault::Fault;
use foundation_scheduler::MisfirePolicy;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::sync::Arc;
use wire::common::v1::JobStatus;

/// The endpoints of the block.
pub fn endpoints(service: Arc<Service>) -> Endpoints {
    let handlers: MethodRouter = post(schedule).get(get).delete(delete).with_state(service);
    let add = |endpoints: Endpoints, version| endpoints.add(version, "jobs", "jobs/{name}", handlers.clone());
    ["v1.0-alpha1", "v1.0"].into_iter().fold(Endpoints::new(), add)
}

type Shared = State<Arc<Service>>;
type Answer = Result<Response, Error>;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Fault::from(self).into_response()
    }
}

async fn schedule(State(service): Shared, Path(name): Path<String>, body: Body) -> Answer {
    let body = read_body(body).await.map_err(|error| service.error(Reason::Body(error.to_string())))?;
    let posted: Posted =
        proto_json::message(&body).map_err(|error| service.error(Reason::Malformed(error.to_string())))?;
    if !posted.name.is_empty() {
        return Err(service.error(Reason::NameInBody));
    }
    let overwrite = posted.overwrite.unwrap_or_default();
    service.schedule(Some(posted.job(name.trim())), overwrite).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn get(State(service): Shared, Path(name): Path<String>) -> Answer {
    let job = service.get(&name).await?;
    let headers = job.status.as_ref().map(status_headers).unwrap_or_default();
    Ok((headers, Json(shown(job))).into_response())
}

async fn delete(State(service): Shared, Path(name): Path<String>) -> Answer {
    service.delete(&name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// How far a job is. The body is Dapr's, which SDKs read strictly.
fn status_headers(status: &JobStatus) -> HeaderMap {
    let time = |time: &Option<prost_types::Timestamp>| time.as_ref().map(ToString::to_string);
    let headers = [
        ("dapr-job-runs", Some(status.runs.to_string())),
        ("dapr-job-last-run", time(&status.last_run)),
        ("dapr-job-next-run", time(&status.next_run)),
        ("dapr-job-misfire-policy", Some(MisfirePolicy::name(status.misfire_policy).to_owned())),
    ];
    let header = |(name, value): (&'static str, Option<String>)| {
        Some((HeaderName::from_static(name), HeaderValue::try_from(value?).ok()?))
    };
    headers.into_iter().filter_map(header).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::Timestamp;

    #[test]
    fn headers_tell_how_far_a_job_is() {
        let next_run = Some(Timestamp { seconds: 1_000_000_000, nanos: 0 });
        let headers = status_headers(&JobStatus { runs: 2, last_run: None, next_run, misfire_policy: 1 });
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!((text("dapr-job-runs"), text("dapr-job-last-run")), (Some("2"), None));
        assert_eq!(text("dapr-job-next-run"), Some("2001-09-09T01:46:40Z"));
        assert_eq!(text("dapr-job-misfire-policy"), Some("fire_once"));
    }
}
