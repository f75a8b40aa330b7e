//! JSON as Dapr's component keeps it in Redis.

/// The same JSON text with `<`, `>`, `&` and two line separators as themselves, where Go's encoder wrote escapes.
pub(super) fn plain(json: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some(&first) = rest.first() {
        let (piece, length): (&[u8], usize) = match (first, rest.get(..6).and_then(letter)) {
            (b'\\', Some(letter)) => (letter.as_bytes(), 6),
            (b'\\', None) => (&rest[..rest.len().min(2)], 2),
            _ => (&rest[..1], 1),
        };
        plain.extend_from_slice(piece);
        rest = rest.get(length..).unwrap_or_default();
    }
    plain
}

fn letter(escape: &[u8]) -> Option<&'static str> {
    match escape {
        br"\u003c" => Some("<"),
        br"\u003e" => Some(">"),
        br"\u0026" => Some("&"),
        br"\u2028" => Some("\u{2028}"),
        br"\u2029" => Some("\u{2029}"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_escapes_of_letters_that_need_none_are_undone() {
        let cases = [
            (r#"{"a":"\u003cb\u003e \u0026 ü"}"#, r#"{"a":"<b> & ü"}"#),
            (r#""\\u003c""#, r#""\\u003c""#),
            (r#""\\\u003c\n\"""#, r#""\\<\n\"""#),
            (r#""\u0000\u003""#, r#""\u0000\u003""#),
            ("5", "5"),
        ];
        for (escaped, expected) in cases {
            assert_eq!(String::from_utf8_lossy(&plain(escaped.as_bytes())), expected);
        }
    }
}
