//! The one API error: written once as HTTP JSON and once as a gRPC status.
//!
//! In Dapr the HTTP status and the gRPC code of an error are independent of each other, so that a code is a row of
//! a table and not a mapping. Contract: surface.md 1.1 and 1.2.
mod code;
mod grpc;
mod http;

pub use code::{Category, Code};
pub use grpc::code_of;

use axum::http::StatusCode;

/// Result of an API operation.
pub type Result<T> = std::result::Result<T, Fault>;

/// An error as the caller of the API sees it.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Status, codes and category.
    pub code: &'static Code,
    /// The sentence for the person who reads it.
    pub message: String,
    /// Structured details; over HTTP they are sent when there are any.
    pub details: Vec<Detail>,
    /// What stands in place of the code's own, where a component in another process has chosen it.
    pub chosen: Option<Chosen>,
}

/// Codes that a component has chosen for its error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    pub http: StatusCode,
    pub grpc: tonic::Code,
    /// `errorCode` over HTTP; none leaves that of the code.
    pub tag: Option<String>,
}

/// A structured detail, as `google.rpc` defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The reason comes from the code's table row unless it is given here.
    ErrorInfo {
        reason: String,
        metadata: Vec<(String, String)>,
        http_only_metadata: Vec<(String, String)>,
    },
    /// An ErrorInfo whose metadata over HTTP is an object even when there is nothing in it: Dapr tells an empty map from
    /// none.
    ErrorInfoObject {
        reason: String,
        metadata: Vec<(String, String)>,
    },
    /// An ErrorInfo of another domain than Dapr's.
    ForeignErrorInfo {
        reason: String,
        domain: String,
    },
    ResourceInfo {
        kind: String,
        name: String,
        owner: String,
        description: String,
    },
    BadRequest {
        violations: Vec<(String, String)>,
    },
    Help {
        links: Vec<(String, String)>,
    },
}

impl Fault {
    /// An error without details (`{"errorCode","message"}` over HTTP).
    pub fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Vec::new(), chosen: None }
    }

    /// The same error with codes that a component has chosen.
    #[must_use]
    pub fn choosing(self, chosen: Chosen) -> Self {
        Self { chosen: Some(chosen), ..self }
    }

    fn http(&self) -> StatusCode {
        self.chosen.as_ref().map_or(self.code.http, |chosen| chosen.http)
    }

    fn grpc(&self) -> tonic::Code {
        self.chosen.as_ref().map_or(self.code.grpc, |chosen| chosen.grpc)
    }

    /// Adds a detail; with details the error is sent in Dapr's rich form.
    #[must_use]
    pub fn with(mut self, detail: Detail) -> Self {
        self.details.push(detail);
        self
    }

    /// Adds the ErrorInfo of the code's own reason.
    #[must_use]
    pub fn with_reason(self) -> Self {
        let reason = self.code.reason.to_owned();
        self.with(Detail::ErrorInfo { reason, metadata: Vec::new(), http_only_metadata: Vec::new() })
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}
