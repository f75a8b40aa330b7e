//! `middleware.http.uppercase`: turns bodies into upper case, to see that a pipeline works.
use crate::descriptor::descriptor;
use async_trait::async_trait;
use bytes::Bytes;
use component_api::middleware::{Body, BoxError, Http, Next, Request, Response};
use component_api::{Registry, Status};
use http::header::CONTENT_LENGTH;
use http_body::Frame;
use schemars::JsonSchema;
use serde::Deserialize;
use std::mem::take;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Which bodies are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Those of responses.
    Response,
    /// Those of requests and responses.
    Both,
    /// Those of requests.
    #[default]
    #[serde(other)]
    Request,
}

/// Metadata of `middleware.http.uppercase`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Metadata {
    /// Which bodies are turned into upper case. Anything unknown is `request`.
    pub direction: Direction,
}

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let summary = "Turns bodies into upper case, to see that a pipeline works.";
    registry.middleware.add(descriptor::<Metadata>(&["http.uppercase"], Status::Stable, summary), async |config| {
        Ok(Arc::new(Uppercase(config.properties.decode()?)) as Arc<dyn Http>)
    });
}

struct Uppercase(Metadata);

#[async_trait]
impl Http for Uppercase {
    async fn handle(&self, mut request: Request, next: Next<'_>) -> Response {
        if self.0.direction != Direction::Response {
            request.headers_mut().remove(CONTENT_LENGTH);
            request = request.map(upper);
        }
        let mut response = next.run(request).await;
        if self.0.direction != Direction::Request {
            response.headers_mut().remove(CONTENT_LENGTH);
            response = response.map(upper);
        }
        response
    }
}

fn upper(body: Body) -> Body {
    if http_body::Body::is_end_stream(&body) { body } else { Body::new(Upper { body, rest: Vec::new() }) }
}

/// A body in upper case; some characters become longer or shorter.
struct Upper {
    body: Body,
    /// The beginning of a character whose end has not come yet.
    rest: Vec<u8>,
}

impl Upper {
    fn next(&mut self, data: &[u8]) -> Bytes {
        if self.rest.is_empty() && data.is_ascii() {
            return data.to_ascii_uppercase().into();
        }
        let mut input = take(&mut self.rest);
        input.extend_from_slice(data);
        let mut output = Vec::with_capacity(input.len());
        let mut chunks = input.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            let mut buffer = [0; 4];
            chunk.valid().chars().for_each(|c| output.extend(simple_upper(c).encode_utf8(&mut buffer).bytes()));
            if chunks.peek().is_none() && is_unfinished(chunk.invalid()) {
                self.rest = chunk.invalid().to_vec();
            } else {
                output.extend_from_slice(chunk.invalid());
            }
        }
        output.into()
    }
}

/// Characters that would become several ones stay.
fn simple_upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn is_unfinished(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

impl http_body::Body for Upper {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            let data = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.next(&data),
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                None if !self.rest.is_empty() => take(&mut self.rest).into(),
                other => return Poll::Ready(other),
            };
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
    }
}
