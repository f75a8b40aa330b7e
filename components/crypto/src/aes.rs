//! AES keys of the library.
use crate::error::Problem;
use aws_lc_rs::cipher::{
    AES_128, AES_128_KEY_LEN, AES_192, AES_192_KEY_LEN, AES_256, AES_256_KEY_LEN, UnboundCipherKey,
};

/// A key of 16, 24 or 32 bytes.
pub(crate) fn key(bytes: &[u8]) -> Result<UnboundCipherKey, Problem> {
    let algorithm = match bytes.len() {
        AES_128_KEY_LEN => &AES_128,
        AES_192_KEY_LEN => &AES_192,
        AES_256_KEY_LEN => &AES_256,
        _ => return Err(Problem::KeyType),
    };
    UnboundCipherKey::new(algorithm, bytes).map_err(|_| Problem::KeyType)
}
