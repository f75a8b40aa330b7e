//! Conversations over gRPC.
use crate::answer::{Answer, Answers};
use crate::service::Service;
use tonic::Status;
use wire::runtime::v1;

mod read;
mod written;

/// Answers texts.
///
/// # Errors
/// Those of [`Service::converse_texts`].
pub async fn converse_alpha1(
    service: &Service,
    mut request: v1::ConversationRequest,
) -> Result<v1::ConversationResponse, Status> {
    let parameters = std::mem::take(&mut request.parameters);
    let Answers { context_id, results } = service.converse_texts(request.into()).await?;
    let result = |result| v1::ConversationResult { result, parameters: parameters.clone() };
    Ok(v1::ConversationResponse { context_id, outputs: results.into_iter().map(result).collect() })
}

/// Answers messages.
///
/// # Errors
/// Those of [`Service::converse`].
pub async fn converse_alpha2(
    service: &Service,
    request: v1::ConversationRequestAlpha2,
) -> Result<v1::ConversationResponseAlpha2, Status> {
    let Answer { context_id, response } = service.converse(request.into()).await?;
    Ok(v1::ConversationResponseAlpha2 { context_id, outputs: written::outputs(response) })
}
