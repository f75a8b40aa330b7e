//! Methods and names as they may stand in paths of apps. Contract: surface.md 0.14, protocols.md 2.1 and 6.2.

/// A method that no app shall see.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMethod {
    #[error("method contains forbidden character: {}", quoted(.0))]
    Forbidden(String),
    #[error("method contains control character at position {position}: {}", quoted(.method))]
    Control { position: usize, method: String },
}

/// The method with dots and doubled slashes resolved, never above the root.
///
/// # Errors
/// [`InvalidMethod`] for `#`, `?`, NUL and control characters.
pub fn normalise(method: &str) -> Result<String, InvalidMethod> {
    if method.contains(['#', '?', '\0']) {
        return Err(InvalidMethod::Forbidden(method.to_owned()));
    }
    if let Some(position) = method.find(|letter: char| letter.is_ascii_control()) {
        return Err(InvalidMethod::Control { position, method: method.to_owned() });
    }
    let cleaned = clean(method);
    let mut kept = cleaned.as_str();
    while let Some(rest) = kept.strip_prefix("../") {
        kept = rest;
    }
    Ok(if matches!(kept, "." | "..") { String::new() } else { kept.to_owned() })
}

/// A name that cannot be part of a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    #[error("name contains forbidden character: {}", quoted(.0))]
    Forbidden(String),
    #[error("name contains control character at position {position}: {}", quoted(.name))]
    Control { position: usize, name: String },
    #[error("name is a path traversal sequence: {}", quoted(.0))]
    Traversal(String),
}

/// Checks a name that becomes one part of a path, such as the id of an actor (protocols.md 2.1).
///
/// # Errors
/// [`InvalidName`] for slashes, `#`, `?`, NUL, control characters, `.` and `..`.
pub fn check_name(name: &str) -> Result<(), InvalidName> {
    if name.contains(['#', '?', '\0', '/', '\\']) {
        return Err(InvalidName::Forbidden(name.to_owned()));
    }
    if let Some(position) = name.find(|letter: char| letter.is_ascii_control()) {
        return Err(InvalidName::Control { position, name: name.to_owned() });
    }
    if matches!(name, "." | "..") { Err(InvalidName::Traversal(name.to_owned())) } else { Ok(()) }
}

/// The shortest path that names the same; `.` for an empty one, as Go's `path.Clean`.
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => drop(kept.pop()),
            ".." if rooted => {}
            part => kept.push(part),
        }
    }
    match (rooted, kept.join("/")) {
        (true, path) => format!("/{path}"),
        (false, path) if path.is_empty() => ".".to_owned(),
        (false, path) => path,
    }
}

/// A text in quotes with escapes, as Go prints it.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|letter| match letter {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        control if control.is_ascii_control() => format!("\\x{:02x}", u32::from(control)),
        other => other.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn methods_are_resolved_below_the_root() {
        let cases = [
            ("a/../b", "b"),
            ("../../etc/x", "etc/x"),
            ("..", ""),
            ("", ""),
            ("/m", "/m"),
            ("a//b/.", "a/b"),
            ("a\\b", "a\\b"),
        ];
        for (given, expected) in cases {
            assert_eq!(normalise(given).as_deref(), Ok(expected), "{given}");
        }
    }

    #[test]
    fn forbidden_characters_are_named() {
        assert_eq!(normalise("m?x=1").unwrap_err().to_string(), r#"method contains forbidden character: "m?x=1""#);
        assert_eq!(
            normalise("a\nb").unwrap_err().to_string(),
            r#"method contains control character at position 1: "a\nb""#
        );
    }

    #[test]
    fn names_are_one_part_of_a_path() {
        let refused = |name: &str| check_name(name).map_err(|error| error.to_string()).unwrap_err();
        assert_eq!(refused("a/b"), r#"name contains forbidden character: "a/b""#);
        assert_eq!(refused("a\tb"), r#"name contains control character at position 1: "a\tb""#);
        assert_eq!(refused(".."), r#"name is a path traversal sequence: "..""#);
        assert!(check_name("a.b c|d").is_ok());
    }

    proptest! {
        #[test]
        fn a_normal_method_stays_below_the_root_and_as_it_is(method in "[a-z./%\\x00-\\x1f#?ü ]{0,24}") {
            if let Ok(normal) = normalise(&method) {
                prop_assert!(!normal.split('/').any(|part| part == ".."));
                prop_assert_eq!(normalise(&normal), Ok(normal));
            }
        }
    }
}
