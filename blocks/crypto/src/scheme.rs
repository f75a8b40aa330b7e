//! The encryption scheme `dapr.io/enc/v1`: a signed header in text, then segments of 64 KiB, each encrypted by itself.
//!
//! A document that Dapr encrypted can be decrypted here, and the other way round. The scheme is described in the
//! repository of Dapr's kit, `schemes/enc/v1`.
mod file_key;
mod header;
mod manifest;
mod segments;

pub(crate) use file_key::FileKey;
pub(crate) use header::{Header, read};
pub(crate) use manifest::{Cipher, KeyAlgorithm, Manifest};
pub(crate) use segments::{decrypted, encrypted};

use bytes::Bytes;
use futures_util::stream::BoxStream;

/// First line of a document.
pub(crate) const NAME: &str = "dapr.io/enc/v1";
/// Most bytes of plaintext in a segment, and most bytes of a header.
pub(crate) const SEGMENT: usize = 64 << 10;
/// Bytes of the tag at the end of an encrypted segment.
pub(crate) const TAG: usize = 16;
/// Bytes of the key of a document.
pub(crate) const KEY: usize = 32;
/// Bytes that all nonces of a document begin with.
pub(crate) const NONCE_PREFIX: usize = 7;

/// Bytes as they come; an error ends them and says what went wrong.
pub(crate) type Pieces = BoxStream<'static, Result<Bytes, String>>;

/// Why a document cannot be processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("invalid header: invalid format")]
    Format,
    #[error("invalid header: unsupported scheme")]
    Scheme,
    #[error("invalid header: scheme name not found")]
    NoScheme,
    #[error("invalid header: manifest not found")]
    NoManifest,
    #[error("invalid header: message authentication code not found")]
    NoCode,
    /// Says no more, so that nothing can be learned from it.
    #[error("invalid header: invalid manifest")]
    Manifest,
    #[error("document's manifest does not contain a key name, and no key name was provided")]
    NoKeyName,
    #[error("failed to validate the document's signature")]
    Signature,
    #[error("failed to sign header: header is too long")]
    HeaderTooLong,
    #[error("failed to decrypt segment")]
    Segment,
    /// The library could not do what it always can.
    #[error("failed to generate file key")]
    Library,
}
