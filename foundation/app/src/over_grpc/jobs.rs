//! Jobs for a gRPC app (protocols.md 3.6).
use super::Caller;
use crate::headers::add_trace_binary;
use crate::{Error, EventStatus, JobEvent};
use tonic::{Code, Status};
use wire::common::v1::HttpExtension;
use wire::common::v1::http_extension::Verb;
use wire::runtime::v1::JobEventRequest;
use wire::runtime::v1::app_callback_alpha_client::AppCallbackAlphaClient;

impl Caller {
    pub(super) async fn job(&self, job: &JobEvent) -> Result<EventStatus, Error> {
        let _turn = self.turns.take().await;
        match self.on_job(job).await {
            Ok(()) => Ok(EventStatus::Success),
            Err(status) if status.code() == Code::NotFound => Ok(EventStatus::Drop),
            Err(status) => Err(status.into()),
        }
    }

    /// Apps built with older SDKs know the method by its old name only.
    async fn on_job(&self, job: &JobEvent) -> Result<(), Status> {
        let mut headers = job.headers.clone();
        add_trace_binary(&mut headers);
        let first = self.callbacks().on_job_event(self.request(message(job), headers.clone())).await;
        match first {
            Err(status) if status.code() == Code::Unimplemented => {
                let client = AppCallbackAlphaClient::with_origin(self.connection.clone(), self.connection.origin());
                let mut client = client.max_decoding_message_size(self.max_message_size);
                client.on_job_event_alpha1(self.request(message(job), headers)).await.map(drop)
            }
            answered => answered.map(drop),
        }
    }
}

fn message(job: &JobEvent) -> JobEventRequest {
    JobEventRequest {
        name: job.name.clone(),
        data: job.data.clone(),
        method: format!("job/{}", job.name),
        content_type: job.data.as_ref().map(|data| data.type_url.clone()).unwrap_or_default(),
        http_extension: Some(HttpExtension { verb: Verb::Post.into(), querystring: String::new() }),
    }
}
