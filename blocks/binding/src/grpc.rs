//! Output bindings over gRPC.
use crate::model::Outcome;
use crate::service::Service;
use component_api::Metadata;
use component_api::binding::Request as Operation;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, KeyAndValueRef, MetadataMap};
use tonic::{Request, Response, Status};
use wire::runtime::v1::{InvokeBindingRequest, InvokeBindingResponse};

/// Does an operation.
///
/// # Errors
/// Those of [`Service::invoke`], with the metadata of the answer if there was one.
pub async fn invoke_binding(
    service: &Service,
    request: Request<InvokeBindingRequest>,
) -> Result<Response<InvokeBindingResponse>, Status> {
    let (call, _, request) = request.into_parts();
    let operation = Operation {
        operation: request.operation,
        data: request.data,
        metadata: with_call(request.metadata.into_iter().collect(), &call),
    };
    respond(service.invoke(&request.name, operation).await)
}

fn respond(outcome: Outcome) -> Result<Response<InvokeBindingResponse>, Status> {
    let told = told(&outcome.metadata);
    match outcome.result {
        Ok(data) => {
            let metadata = outcome.metadata.into_iter().collect();
            let response = InvokeBindingResponse { data: data.unwrap_or_default(), metadata };
            Ok(Response::from_parts(told, response, tonic::Extensions::default()))
        }
        Err(error) => {
            let mut status = Status::from(error);
            *status.metadata_mut() = told;
            Err(status)
        }
    }
}

/// Metadata of the call is that of the operation too, unless it says otherwise. The trace is always that of the call.
fn with_call(mut metadata: Metadata, call: &MetadataMap) -> Metadata {
    for entry in call.iter() {
        let KeyAndValueRef::Ascii(name, value) = entry else { continue };
        let Ok(value) = value.to_str() else { continue };
        if matches!(name.as_str(), "traceparent" | "tracestate") {
            metadata.insert(name.to_string(), value.to_owned());
        } else {
            metadata.entry(unreserved(name.as_str())).or_insert_with(|| value.to_owned());
        }
    }
    metadata
}

/// gRPC keeps some names to itself.
fn unreserved(name: &str) -> String {
    if name.starts_with("grpc-") { format!("dapr-{name}") } else { name.to_owned() }
}

fn told(metadata: &Metadata) -> MetadataMap {
    let mut told = MetadataMap::new();
    for (name, value) in metadata {
        let name = AsciiMetadataKey::from_bytes(format!("metadata.{name}").to_lowercase().as_bytes());
        if let (Ok(name), Ok(value)) = (name, AsciiMetadataValue::try_from(value.as_str())) {
            told.append(name, value);
        }
    }
    told
}
