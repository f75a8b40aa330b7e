//! An error as a gRPC status with `google.rpc` details.
use crate::{Code, Detail, Fault};
use prost::Message;
use prost_types::Any;
use std::error::Error as _;
use std::sync::Arc;
use thiserror::Error;
use tonic::Status;
use wire::google::rpc;

const DOMAIN: &str = "dapr.io";

/// Keeps the code with a status, for metrics.
#[derive(Debug, Error)]
#[error("{}", .0.name())]
struct Coded(&'static Code);

/// The code of a status that was made of a [`Fault`].
pub fn code_of(status: &Status) -> Option<&'static Code> {
    let source = status.source()?;
    Some(source.downcast_ref::<Coded>()?.0)
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        let code = fault.code;
        let mut status = status(fault);
        status.set_source(Arc::new(Coded(code)));
        status
    }
}

fn status(fault: Fault) -> Status {
    if fault.details.is_empty() {
        return Status::new(fault.grpc(), fault.message);
    }
    let details = rpc::Status {
        code: fault.grpc() as i32,
        message: fault.message.clone(),
        details: fault.details.iter().map(detail).collect(),
    };
    Status::with_details(fault.grpc(), fault.message, details.encode_to_vec().into())
}

fn detail(detail: &Detail) -> Any {
    match detail.clone() {
        Detail::ErrorInfo { reason, metadata, .. } | Detail::ErrorInfoObject { reason, metadata } => {
            let metadata = metadata.into_iter().collect();
            any("ErrorInfo", &rpc::ErrorInfo { reason, domain: DOMAIN.to_owned(), metadata })
        }
        Detail::ForeignErrorInfo { reason, domain } => {
            any("ErrorInfo", &rpc::ErrorInfo { reason, domain, ..Default::default() })
        }
        Detail::ResourceInfo { kind, name, owner, description } => {
            any("ResourceInfo", &rpc::ResourceInfo { resource_type: kind, resource_name: name, owner, description })
        }
        Detail::BadRequest { violations } => {
            let violation = |(field, description)| rpc::bad_request::FieldViolation { field, description };
            any("BadRequest", &rpc::BadRequest { field_violations: violations.into_iter().map(violation).collect() })
        }
        Detail::Help { links } => {
            let link = |(url, description)| rpc::help::Link { description, url };
            any("Help", &rpc::Help { links: links.into_iter().map(link).collect() })
        }
    }
}

fn any(name: &str, message: &impl Message) -> Any {
    Any { type_url: format!("type.googleapis.com/google.rpc.{name}"), value: message.encode_to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Category;
    use axum::http::StatusCode;

    static CODE: Code = Code::new(StatusCode::NOT_FOUND, tonic::Code::NotFound, "ERR_X", Category::Common);

    #[test]
    fn a_status_knows_its_code() {
        assert_eq!(code_of(&Fault::new(&CODE, "no").into()), Some(&CODE));
        assert_eq!(code_of(&Status::not_found("no")), None);
    }
}
