//! XChaCha20 in terms of ChaCha20 (draft-irtf-cfrg-xchacha-03, section 2.3).
use crate::error::Problem;
use chacha20::{R20, hchacha};
use zeroize::Zeroizing;

const KEY: usize = 32;
const LONG_NONCE: usize = 24;
const SHORT_NONCE: usize = 12;

/// The key and the nonce for ChaCha20-Poly1305 that stand for a key and a nonce of 24 bytes.
pub(crate) fn derive(key: &[u8], nonce: &[u8]) -> Result<(Zeroizing<[u8; KEY]>, [u8; SHORT_NONCE]), Problem> {
    let key: &[u8; KEY] = key.try_into().map_err(|_| Problem::KeyType)?;
    let nonce: &[u8; LONG_NONCE] = nonce.try_into().map_err(|_| Problem::Nonce)?;
    let (first, rest) = nonce.split_at(16);
    let first: &[u8; 16] = first.try_into().map_err(|_| Problem::Nonce)?;
    let subkey = Zeroizing::new(hchacha::<R20>(key.into(), first.into()).into());
    let mut short = [0; SHORT_NONCE];
    short[4..].copy_from_slice(rest);
    Ok((subkey, short))
}
