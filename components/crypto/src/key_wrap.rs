//! AES key wrap (RFC 3394) for all three sizes of keys; the library has no 192 bits.
use crate::aes;
use crate::error::Problem;
use aws_lc_rs::cipher::{DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext};
use aws_lc_rs::constant_time;

type Result<T> = std::result::Result<T, Problem>;

const HALF: usize = 8;
const START: [u8; HALF] = [0xa6; HALF];
const ROUNDS: u64 = 6;

/// Wraps a key, whose length is a multiple of 8 bytes.
pub(crate) fn wrap(wrapping_key: &[u8], key: &[u8]) -> Result<Vec<u8>> {
    if key.is_empty() || !key.len().is_multiple_of(HALF) {
        return Err(Problem::PlaintextLength);
    }
    let cipher = EncryptingKey::ecb(aes::key(wrapping_key)?).map_err(|_| Problem::KeyType)?;
    let mut out = [&START, key].concat();
    for step in 1..=ROUNDS * blocks(key) {
        let index = place(step, key);
        let mut block = joined(&out, index);
        cipher.less_safe_encrypt(&mut block, EncryptionContext::None).map_err(|_| Problem::KeyType)?;
        out[..HALF].copy_from_slice(&counted(&block, step));
        out[index..index + HALF].copy_from_slice(&block[HALF..]);
    }
    Ok(out)
}

/// Unwraps a key, and checks that it was wrapped with the same wrapping key.
pub(crate) fn unwrap(wrapping_key: &[u8], wrapped: &[u8]) -> Result<Vec<u8>> {
    if wrapped.len() < 2 * HALF || !wrapped.len().is_multiple_of(HALF) {
        return Err(Problem::CiphertextLength);
    }
    let cipher = DecryptingKey::ecb(aes::key(wrapping_key)?).map_err(|_| Problem::KeyType)?;
    let mut out = wrapped.to_vec();
    let key = &wrapped[HALF..];
    for step in (1..=ROUNDS * blocks(key)).rev() {
        let index = place(step, key);
        let mut block = joined(&out, index);
        let first = counted(&block, step);
        block[..HALF].copy_from_slice(&first);
        cipher.decrypt(&mut block, DecryptionContext::None).map_err(|_| Problem::KeyType)?;
        out[..HALF].copy_from_slice(&block[..HALF]);
        out[index..index + HALF].copy_from_slice(&block[HALF..]);
    }
    constant_time::verify_slices_are_equal(&out[..HALF], &START).map_err(|_| Problem::Authentication)?;
    Ok(out.split_off(HALF))
}

fn blocks(key: &[u8]) -> u64 {
    (key.len() / HALF) as u64
}

/// Where the half block of a step begins: steps go around all of them, after the check value.
fn place(step: u64, key: &[u8]) -> usize {
    let count = key.len() / HALF;
    let index = usize::try_from(step - 1).unwrap_or(usize::MAX) % count;
    (index + 1) * HALF
}

fn joined(out: &[u8], index: usize) -> [u8; 2 * HALF] {
    let mut block = [0; 2 * HALF];
    block[..HALF].copy_from_slice(&out[..HALF]);
    block[HALF..].copy_from_slice(&out[index..index + HALF]);
    block
}

/// The first half of a block, mixed with the number of the step.
fn counted(block: &[u8; 2 * HALF], step: u64) -> [u8; HALF] {
    let mut half = step.to_be_bytes();
    half.iter_mut().zip(block).for_each(|(byte, other)| *byte ^= other);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3394, sections 4.1, 4.2 and 4.6.
    #[test]
    fn vectors() {
        let key = |length: u8| (0..length).collect::<Vec<u8>>();
        let data: Vec<u8> = (0..16).map(|byte| byte * 0x11).chain(0..16).collect();
        let vectors = [
            (key(16), &data[..16], "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"),
            (key(24), &data[..16], "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d"),
            (key(32), &data[..], "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"),
        ];
        for (wrapping_key, key, expected) in vectors {
            let wrapped = wrap(&wrapping_key, key).unwrap();
            let hex: String = wrapped.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected);
            assert_eq!(unwrap(&wrapping_key, &wrapped).unwrap(), key);
        }
    }

    #[test]
    fn another_key_or_length_is_refused() {
        let wrapped = wrap(&[1; 32], &[7; 32]).unwrap();
        assert_eq!(unwrap(&[2; 32], &wrapped), Err(Problem::Authentication));
        assert_eq!(unwrap(&[1; 32], &wrapped[1..]), Err(Problem::CiphertextLength));
        assert_eq!(wrap(&[1; 32], &[7; 31]), Err(Problem::PlaintextLength));
        assert_eq!(wrap(&[1; 31], &[7; 32]), Err(Problem::KeyType));
    }
}
