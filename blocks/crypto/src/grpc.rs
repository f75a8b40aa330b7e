//! Documents over gRPC: streams whose first message has the options.
use crate::error::Error;
use crate::model::{DecryptOptions, EncryptOptions};
use crate::service::{Input, Output, Service};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream};
use futures_util::{StreamExt, TryStreamExt};
use std::time::Duration;
use tokio::time::timeout;
use tonic::Status;
use wire::common::v1::StreamPayload;
use wire::runtime::v1;

/// How long the first message may take.
const FIRST_WITHIN: Duration = Duration::from_secs(5);

/// Pieces of a document, as they are sent.
pub type Answers<T> = BoxStream<'static, Result<T, Status>>;

/// Encrypts a document.
///
/// # Errors
/// Those of [`Service::provider`] and [`Service::encrypt`], and [`Error::Invalid`] for wrong options.
pub async fn encrypt<S>(service: &Service, mut requests: S) -> Result<Answers<v1::EncryptResponse>, Status>
where
    S: Stream<Item = Result<v1::EncryptRequest, Status>> + Send + Unpin + 'static,
{
    let first = first(&mut requests).await?;
    let (component, options) = encrypt_options(first.options.ok_or_else(no_options)?)?;
    let provider = service.provider(&component)?;
    let rest = requests.map_ok(|request| Message { payload: request.payload, again: request.options.is_some() });
    let output = service.encrypt(&provider, options, input(first.payload, rest)).await?;
    Ok(numbered(output, |payload| v1::EncryptResponse { payload: Some(payload) }))
}

/// Decrypts a document.
///
/// # Errors
/// Those of [`Service::provider`] and [`Service::decrypt`], and [`Error::Invalid`] for wrong options.
pub async fn decrypt<S>(service: &Service, mut requests: S) -> Result<Answers<v1::DecryptResponse>, Status>
where
    S: Stream<Item = Result<v1::DecryptRequest, Status>> + Send + Unpin + 'static,
{
    let first = first(&mut requests).await?;
    let options = first.options.ok_or_else(no_options)?;
    let provider = service.provider(&options.component_name)?;
    let rest = requests.map_ok(|request| Message { payload: request.payload, again: request.options.is_some() });
    let options = DecryptOptions { key: options.key_name };
    let output = service.decrypt(&provider, options, input(first.payload, rest)).await?;
    Ok(numbered(output, |payload| v1::DecryptResponse { payload: Some(payload) }))
}

/// A message after the first one.
struct Message {
    payload: Option<StreamPayload>,
    /// It has options, which only the first one may have.
    again: bool,
}

async fn first<T, S>(requests: &mut S) -> Result<T, Error>
where
    S: Stream<Item = Result<T, Status>> + Unpin,
{
    let late = |_| Error::Invalid("error waiting for first message: context deadline exceeded".to_owned());
    let broken = |reason: &str| Error::Operation(format!("error receiving the first message: {reason}"));
    match timeout(FIRST_WITHIN, requests.next()).await.map_err(late)? {
        Some(first) => first.map_err(|status| broken(status.message())),
        None => Err(broken("EOF")),
    }
}

fn no_options() -> Error {
    Error::Invalid("first message does not contain the required options".to_owned())
}

/// The name of the provider, and the options.
fn encrypt_options(options: v1::EncryptRequestOptions) -> Result<(String, EncryptOptions), Error> {
    let missing = |name| Error::Invalid(format!("missing property '{name}' in the options message"));
    if options.key_name.is_empty() {
        return Err(missing("keyName"));
    }
    if options.key_wrap_algorithm.is_empty() {
        return Err(missing("keyWrapAlgorithm"));
    }
    let encrypt = EncryptOptions {
        key: options.key_name,
        algorithm: options.key_wrap_algorithm,
        cipher: options.data_encryption_cipher,
        omit_decryption_key: options.omit_decryption_key_name,
        decryption_key: options.decryption_key_name,
    };
    Ok((options.component_name, encrypt))
}

/// The document in the payloads, whose numbers must follow each other.
fn input<S>(first: Option<StreamPayload>, rest: S) -> Input
where
    S: Stream<Item = Result<Message, Status>> + Send + 'static,
{
    let first = stream::once(async { Ok(Message { payload: first, again: false }) });
    first.chain(rest).map(checked(0)).try_filter_map(|piece| async { Ok(piece) }).boxed()
}

/// Takes the payload out of each message, and counts them.
fn checked(mut expected: u64) -> impl FnMut(Result<Message, Status>) -> Result<Option<Bytes>, String> {
    move |message| {
        let message = message.map_err(|status| format!("error receiving message: {}", status.message()))?;
        if message.again {
            return Err("options found in non-leading message".to_owned());
        }
        let Some(StreamPayload { data, seq }) = message.payload else { return Ok(None) };
        if seq != expected {
            return Err(format!("invalid sequence number received: {seq} (expected: {expected})"));
        }
        expected += 1;
        Ok(Some(data))
    }
}

fn numbered<T: 'static>(output: Output, answer: fn(StreamPayload) -> T) -> Answers<T> {
    let numbers = stream::iter(0..);
    let numbered = numbers.zip(output).map(move |(seq, data)| Ok(answer(StreamPayload { data: data?, seq })));
    numbered.boxed()
}
