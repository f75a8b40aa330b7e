//! An error as a gRPC status with `google.rpc` details.
use crate::{Detail, Fault};
use prost::Message;
use prost_types::Any;
use tonic::Status;
use wire::google::rpc;

const DOMAIN: &str = "dapr.io";

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        if fault.details.is_empty() {
            return Self::new(fault.code.grpc, fault.message);
        }
        let status = rpc::Status {
            code: fault.code.grpc as i32,
            message: fault.message.clone(),
            details: fault.details.iter().map(detail).collect(),
        };
        Self::with_details(fault.code.grpc, fault.message, status.encode_to_vec().into())
    }
}

fn detail(detail: &Detail) -> Any {
    match detail.clone() {
        Detail::ErrorInfo { reason, metadata, .. } | Detail::ErrorInfoObject { reason, metadata } => {
            let metadata = metadata.into_iter().collect();
            any("ErrorInfo", &rpc::ErrorInfo { reason, domain: DOMAIN.to_owned(), metadata })
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
