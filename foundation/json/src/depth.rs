//! How deeply values may be nested, which is Go's bound.
use serde::de::DeserializeOwned;
use serde::de::Error as _;
use serde_json::Deserializer;
use serde_json::de::SliceRead;

/// Most levels of a value; Go's decoder takes no more either.
pub const DEPTH: usize = 10_000;

/// Stack in bytes that a thread needs which reads, copies, writes and drops values of [`DEPTH`], in a debug build too.
pub const STACK: usize = 32 << 20;

/// A text that nests more deeply than [`DEPTH`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("exceeded max depth: JSON may be nested {DEPTH} levels deep")]
pub struct TooDeep;

/// Checks the depth of a JSON text, whatever else may be wrong with it.
///
/// # Errors
/// [`TooDeep`].
pub fn check_depth(text: &[u8]) -> Result<(), TooDeep> {
    let (mut depth, mut inside, mut escaped) = (0_usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b'[' | b'{' if !inside => depth += 1,
            b']' | b'}' if !inside => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH {
            return Err(TooDeep);
        }
    }
    Ok(())
}

/// Reads a whole JSON text of a depth up to [`DEPTH`], on a thread with a stack of [`STACK`].
///
/// # Errors
/// The decoder's.
pub fn from_slice<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    let mut reader = unlimited(text).map_err(serde_json::Error::custom)?;
    let value = T::deserialize(&mut reader)?;
    reader.end().map(|()| value)
}

/// A decoder without the limit of its library, for a text whose depth is checked.
pub(super) fn unlimited(text: &[u8]) -> Result<Deserializer<SliceRead<'_>>, TooDeep> {
    check_depth(text)?;
    let mut reader = Deserializer::from_slice(text);
    reader.disable_recursion_limit();
    Ok(reader)
}
