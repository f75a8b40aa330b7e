//! Operations with single keys over gRPC.
use super::KeyFormat;
use crate::error::Error;
use crate::service::Service;
use component_api::crypto::{DecryptRequest, EncryptRequest, SignRequest};
use tonic::Status;
use wire::runtime::v1::{
    self, SubtleDecryptRequest, SubtleEncryptRequest, SubtleUnwrapKeyRequest, SubtleWrapKeyRequest,
};

/// The public part of a key.
///
/// # Errors
/// Operations are not switched on, the provider or the key is not there, or the key has no public part.
pub async fn get_key(service: &Service, request: v1::SubtleGetKeyRequest) -> Result<v1::SubtleGetKeyResponse, Status> {
    let format = match request.format {
        0 => KeyFormat::Pem,
        1 => KeyFormat::Json,
        _ => return Err(Error::Invalid("invalid key format".to_owned()).into()),
    };
    let (name, public_key) = service.public_key(&request.component_name, &request.name, format).await?;
    Ok(v1::SubtleGetKeyResponse { name, public_key })
}

/// Encrypts a short message.
///
/// # Errors
/// Operations are not switched on, the provider is not there, or it did not do it.
pub async fn encrypt_message(
    service: &Service,
    request: SubtleEncryptRequest,
) -> Result<v1::SubtleEncryptResponse, Status> {
    let SubtleEncryptRequest { component_name, plaintext, algorithm, key_name: key, nonce, associated_data } = request;
    let request = EncryptRequest { key, algorithm, plaintext, nonce, associated_data };
    let done = service.encrypt_message(&component_name, request).await?;
    Ok(v1::SubtleEncryptResponse { ciphertext: done.ciphertext, tag: done.tag })
}

/// Decrypts a short message.
///
/// # Errors
/// Those of [`encrypt_message`].
pub async fn decrypt_message(
    service: &Service,
    request: SubtleDecryptRequest,
) -> Result<v1::SubtleDecryptResponse, Status> {
    let SubtleDecryptRequest { component_name, ciphertext, algorithm, key_name: key, nonce, tag, associated_data } =
        request;
    let request = DecryptRequest { key, algorithm, ciphertext, nonce, tag, associated_data };
    let plaintext = service.decrypt_message(&component_name, request).await?;
    Ok(v1::SubtleDecryptResponse { plaintext })
}

/// Wraps a key.
///
/// # Errors
/// Those of [`encrypt_message`], and that the key cannot be read.
pub async fn wrap_key(service: &Service, request: SubtleWrapKeyRequest) -> Result<v1::SubtleWrapKeyResponse, Status> {
    let SubtleWrapKeyRequest { component_name, plaintext_key, algorithm, key_name: key, nonce, associated_data } =
        request;
    let request = EncryptRequest { key, algorithm, plaintext: plaintext_key, nonce, associated_data };
    let done = service.wrap_key(&component_name, request).await?;
    Ok(v1::SubtleWrapKeyResponse { wrapped_key: done.ciphertext, tag: done.tag })
}

/// Unwraps a key.
///
/// # Errors
/// Those of [`encrypt_message`].
pub async fn unwrap_key(
    service: &Service,
    request: SubtleUnwrapKeyRequest,
) -> Result<v1::SubtleUnwrapKeyResponse, Status> {
    let SubtleUnwrapKeyRequest { component_name, wrapped_key, algorithm, key_name: key, nonce, tag, associated_data } =
        request;
    let request = DecryptRequest { key, algorithm, ciphertext: wrapped_key, nonce, tag, associated_data };
    let plaintext_key = service.unwrap_key(&component_name, request).await?;
    Ok(v1::SubtleUnwrapKeyResponse { plaintext_key })
}

/// Signs a digest.
///
/// # Errors
/// Those of [`encrypt_message`].
pub async fn sign(service: &Service, request: v1::SubtleSignRequest) -> Result<v1::SubtleSignResponse, Status> {
    let v1::SubtleSignRequest { component_name, digest, algorithm, key_name: key } = request;
    let signature = service.sign(&component_name, SignRequest { key, algorithm, digest }).await?;
    Ok(v1::SubtleSignResponse { signature })
}

/// Whether a signature fits a digest.
///
/// # Errors
/// Those of [`encrypt_message`]; a signature that does not fit is none.
pub async fn verify(service: &Service, request: v1::SubtleVerifyRequest) -> Result<v1::SubtleVerifyResponse, Status> {
    let v1::SubtleVerifyRequest { component_name, digest, algorithm, key_name: key, signature } = request;
    let valid = service.verify(&component_name, SignRequest { key, algorithm, digest }, signature).await?;
    Ok(v1::SubtleVerifyResponse { valid })
}
