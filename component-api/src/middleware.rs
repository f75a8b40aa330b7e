//! HTTP middleware: what a request passes on its way in, and its response on the way out.
use async_trait::async_trait;

/// A step of an HTTP pipeline.
#[async_trait]
pub trait Http: Send + Sync {}
