//! Text that JavaScript and Go take for a string and that is no Unicode.

/// Whether there may be something to repair.
pub(super) fn is_needed(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_err() || body.windows(2).any(|pair| pair == b"\\u")
}

/// The same text with U+FFFD in place of wrong bytes and of halves of surrogate pairs.
pub(super) fn repaired(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(byte) = bytes.get(index) {
        let (length, written): (usize, &[u8]) = match (byte, unit(bytes, index), unit(bytes, index + 6)) {
            (b'\\', Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, &bytes[index..index + 12]),
            (b'\\', Some(0xd800..=0xdfff), _) => (6, b"\\ufffd"),
            (b'\\', _, _) => (2, bytes.get(index..index + 2).unwrap_or(b"\\")),
            _ => (1, &bytes[index..=index]),
        };
        out.extend(written);
        index += length;
    }
    out
}

/// The number of an escape `\uXXXX`.
fn unit(bytes: &[u8], index: usize) -> Option<u32> {
    let digits = bytes.get(index..index + 6)?.strip_prefix(b"\\u")?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
