//! Paths as endpoints see them: cleaned, with `+` as a space (surface.md 1.1).
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// A path that escapes something with what is no hexadecimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadEscape;

/// The path without doubled slashes, dots and a slash at the end, still escaped.
pub(crate) fn clean(path: &str) -> Cow<'_, str> {
    let plain = path.len() == 1 || !path.ends_with('/');
    if path.starts_with('/') && plain && !path.contains("//") && !path.contains("/.") {
        return Cow::Borrowed(path);
    }
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    Cow::Owned(format!("/{}", kept.join("/")))
}

/// The path without doubled slashes and dots, if it has any: for those who decide on it. A slash at the end stays.
pub(crate) fn without_detours(path: &str) -> Option<String> {
    let body = path.strip_suffix('/').unwrap_or(path);
    let cleaned = clean(body);
    let direct = cleaned == body && body != "/";
    if direct || body.is_empty() {
        return None;
    }
    let end = if path.ends_with('/') && cleaned != "/" { "/" } else { "" };
    Some(format!("{cleaned}{end}"))
}

/// Parameters of paths are read as those of queries are.
pub(crate) fn plus_as_space(path: Cow<'_, str>) -> Cow<'_, str> {
    if path.contains('+') { Cow::Owned(path.replace('+', "%20")) } else { path }
}

/// Whether a path is UTF-8 when its escapes are resolved.
pub(crate) fn is_text(path: &str) -> bool {
    !path.contains('%') || percent_decode_str(path).decode_utf8().is_ok()
}

/// Whether all escapes of a path are such.
pub(crate) fn check_escapes(path: &str) -> Result<(), BadEscape> {
    let mut parts = path.split('%');
    parts.next();
    let escape =
        |part: &str| part.as_bytes().first_chunk::<2>().is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    if parts.all(escape) { Ok(()) } else { Err(BadEscape) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_cleaned() {
        for (path, cleaned) in [
            ("/", "/"),
            ("/v1.0/healthz", "/v1.0/healthz"),
            ("/v1.0/healthz/", "/v1.0/healthz"),
            ("//v1.0///healthz", "/v1.0/healthz"),
            ("/v1.0/x/../healthz", "/v1.0/healthz"),
            ("/a/./b/..", "/a"),
            ("/../..", "/"),
            ("*", "/*"),
            ("/a/.b", "/a/.b"),
        ] {
            assert_eq!(clean(path), cleaned, "{path}");
        }
        assert!(matches!(clean("/v1.0/state/a/b"), Cow::Borrowed(_)));
    }

    #[test]
    fn detours_are_left_out() {
        for (path, direct) in [
            ("/", None),
            ("/a/b/", None),
            ("/a//b/", Some("/a/b/")),
            ("/a/../b", Some("/b")),
            ("/a/..//", Some("/")),
            ("//", Some("/")),
        ] {
            assert_eq!(without_detours(path).as_deref(), direct, "{path}");
        }
    }

    #[test]
    fn escapes_are_checked() {
        assert_eq!(check_escapes("/a%20b%2F"), Ok(()));
        for bad in ["/%", "/%2", "/%zz", "/a%2Fb%g0"] {
            assert_eq!(check_escapes(bad), Err(BadEscape), "{bad}");
        }
        assert_eq!(plus_as_space(Cow::Borrowed("/a+b")), "/a%20b");
    }

    proptest! {
        #[test]
        fn a_clean_path_has_no_detours_and_stays_as_it_is(path in "/?(a|b|\\.|/|%2[eEfF]|%|\\+|[ -~]|\\PC){0,20}") {
            let cleaned = clean(&path).into_owned();
            prop_assert!(cleaned.starts_with('/') && (cleaned == "/" || !cleaned.ends_with('/')), "{}", cleaned);
            prop_assert!(cleaned.split('/').skip(1).all(|part| cleaned == "/" || !["", ".", ".."].contains(&part)), "{}", cleaned);
            prop_assert_eq!(&*clean(&cleaned), cleaned.as_str());
            if let Some(direct) = without_detours(&path) {
                prop_assert_eq!(without_detours(&direct), None);
                prop_assert_eq!(clean(&direct).into_owned(), cleaned);
            }
        }

        #[test]
        fn any_escape_is_checked(path in "[%0-9a-gA-G/ü]{0,20}") {
            is_text(&path);
            prop_assert_eq!(check_escapes(&path).is_ok(), path.split('%').skip(1).all(|part| {
                part.chars().take(2).filter(char::is_ascii_hexdigit).count() == 2
            }));
        }
    }
}
