//! Secrets over gRPC.
use crate::service::Service;
use component_api::secret::Secret;
use tonic::Status;
use wire::runtime::v1;

/// One secret by its name.
///
/// # Errors
/// Those of [`Service::get`].
pub async fn get_secret(service: &Service, request: v1::GetSecretRequest) -> Result<v1::GetSecretResponse, Status> {
    let metadata = request.metadata.into_iter().collect();
    let secret = service.get(&request.store_name, &request.key, &metadata).await?;
    Ok(v1::GetSecretResponse { data: secret.into_iter().collect() })
}

/// All secrets that the app may read.
///
/// # Errors
/// Those of [`Service::bulk_get`].
pub async fn get_bulk_secret(
    service: &Service,
    request: v1::GetBulkSecretRequest,
) -> Result<v1::GetBulkSecretResponse, Status> {
    let metadata = request.metadata.into_iter().collect();
    let secrets = service.bulk_get(&request.store_name, &metadata).await?;
    Ok(v1::GetBulkSecretResponse { data: secrets.into_iter().map(named).collect() })
}

fn named((name, secret): (String, Secret)) -> (String, v1::SecretResponse) {
    (name, v1::SecretResponse { secrets: secret.into_iter().collect() })
}
