//! HTTP middleware: what a request passes on its way in, and its response on the way out.
mod body;
mod pipeline;
#[cfg(test)]
mod tests;

pub use body::{Body, BoxError};
pub use pipeline::{Handler, Next, Pipeline};

use async_trait::async_trait;
use std::net::SocketAddr;

/// A request on its way through a pipeline.
pub type Request = http::Request<Body>;
/// A response on its way back.
pub type Response = http::Response<Body>;

/// Extension of a request: the address of the client that sent it. Requests to the app have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub SocketAddr);

/// A step of an HTTP pipeline.
#[async_trait]
pub trait Http: Send + Sync {
    /// Answers a request: by handing it to `next`, changed or not, or without the steps that follow.
    ///
    /// Bodies are streams; one that the step has no need to look at must pass unread.
    async fn handle(&self, request: Request, next: Next<'_>) -> Response;

    /// Ends background work and connections.
    async fn close(&self) -> crate::Result<()> {
        Ok(())
    }
}
