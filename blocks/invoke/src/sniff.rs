//! The content type of an answer that names none, from its first bytes, as Go's HTTP server finds it.

/// How many bytes count.
const LOOKED_AT: usize = 512;

const MAGIC: &[(&[u8], &str)] = &[
    (b"%PDF-", "application/pdf"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"\xFE\xFF", "text/plain; charset=utf-16be"),
    (b"\xFF\xFE", "text/plain; charset=utf-16le"),
    (b"\xEF\xBB\xBF", "text/plain; charset=utf-8"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"BM", "image/bmp"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\x89PNG\x0D\x0A\x1A\x0A", "image/png"),
    (b"\xFF\xD8\xFF", "image/jpeg"),
    (b"ID3", "audio/mpeg"),
    (b"OggS\x00", "application/ogg"),
    (b"\x1A\x45\xDF\xA3", "video/webm"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1F\x8B\x08", "application/x-gzip"),
    (b"\x00asm", "application/wasm"),
];

const HTML: &[&str] = &[
    "<!DOCTYPE HTML",
    "<HTML",
    "<HEAD",
    "<SCRIPT",
    "<IFRAME",
    "<H1",
    "<DIV",
    "<FONT",
    "<TABLE",
    "<A",
    "<STYLE",
    "<TITLE",
    "<B",
    "<BODY",
    "<BR",
    "<P",
];

/// The content type of a body that starts with these bytes.
pub(crate) fn content_type(body: &[u8]) -> &'static str {
    let body = &body[..body.len().min(LOOKED_AT)];
    let text = body.trim_ascii_start();
    if HTML.iter().any(|tag| starts_with_tag(text, tag)) || text.starts_with(b"<!--") {
        return "text/html; charset=utf-8";
    }
    if text.starts_with(b"<?xml") {
        return "text/xml; charset=utf-8";
    }
    match MAGIC.iter().find(|(magic, _)| body.starts_with(magic)) {
        Some((_, found)) => found,
        None if text.iter().copied().any(is_binary) => "application/octet-stream",
        None => "text/plain; charset=utf-8",
    }
}

fn starts_with_tag(text: &[u8], tag: &str) -> bool {
    let ended = text.get(tag.len()).is_some_and(|next| matches!(next, b' ' | b'>'));
    ended && text[..tag.len()].eq_ignore_ascii_case(tag.as_bytes())
}

fn is_binary(byte: u8) -> bool {
    matches!(byte, 0x00..=0x08 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F)
}

#[cfg(test)]
mod tests {
    use super::content_type;

    #[test]
    fn types_are_found() {
        assert_eq!(content_type(b"abc"), "text/plain; charset=utf-8");
        assert_eq!(content_type(b" <html >"), "text/html; charset=utf-8");
        assert_eq!(content_type(&[1, 2, 3]), "application/octet-stream");
        assert_eq!(content_type(b"{\"a\":1}"), "text/plain; charset=utf-8");
        assert_eq!(content_type(b"\x89PNG\x0D\x0A\x1A\x0A.."), "image/png");
    }
}
