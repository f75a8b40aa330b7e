//! Baggage (W3C Baggage): passed on as it is, once it is known to be well-formed.
use http::HeaderMap;
use percent_encoding::percent_decode_str;
use std::fmt::Write as _;
use thiserror::Error;

const BAGGAGE: &str = "baggage";
const MAX_BYTES: usize = 8192;
const MAX_MEMBERS: usize = 64;
/// So many wrong members are told in full.
const MAX_TOLD: usize = 5;

/// What is wrong with baggage, in the words of Go's OpenTelemetry, which clients of Dapr see.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("invalid baggage header: {0}")]
pub struct InvalidBaggage(String);

/// The baggage of a request; empty without any.
///
/// # Errors
/// [`InvalidBaggage`]
pub fn check_baggage(headers: &HeaderMap) -> Result<String, InvalidBaggage> {
    if !headers.contains_key(BAGGAGE) {
        return Ok(String::new());
    }
    let values = headers.get_all(BAGGAGE).into_iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let baggage = values.collect::<Vec<_>>().join(",");
    check(&baggage).map(|()| baggage)
}

fn check(baggage: &str) -> Result<(), InvalidBaggage> {
    if baggage.is_empty() {
        return Ok(());
    }
    if baggage.len() > MAX_BYTES {
        return Err(InvalidBaggage(format!("baggage-string too large: {}", baggage.len())));
    }
    let problems: Vec<String> = baggage.split(',').filter_map(|member| check_member(member).err()).collect();
    if problems.is_empty() && baggage.split(',').count() > MAX_MEMBERS {
        return Err(InvalidBaggage("too many list-members in baggage-string".to_owned()));
    }
    if problems.is_empty() { Ok(()) } else { Err(InvalidBaggage(told(&problems))) }
}

fn told(problems: &[String]) -> String {
    let mut text = problems.iter().take(MAX_TOLD).map(String::as_str).collect::<Vec<_>>().join("\n");
    if problems.len() > MAX_TOLD {
        write!(text, "\nand {} more invalid member(s)", problems.len() - MAX_TOLD).ok();
    }
    text
}

fn check_member(member: &str) -> Result<(), String> {
    let (pair, properties) = member.split_once(';').unwrap_or((member, ""));
    for property in properties.split(';').filter(|property| !property.is_empty()) {
        check_property(property)?;
    }
    let (key, value) = pair.split_once('=').ok_or_else(|| format!("invalid baggage list-member: {member:?}"))?;
    let (key, trimmed) = (key.trim(), value.trim());
    if !is_token(key) {
        return Err(format!("invalid key: {key:?}"));
    }
    if !trimmed.bytes().all(is_of_value) {
        return Err(format!("invalid value: {value:?}"));
    }
    match wrong_escape(trimmed) {
        Some(escape) => Err(format!("invalid value: invalid URL escape {escape:?}")),
        None => Ok(()),
    }
}

fn check_property(property: &str) -> Result<(), String> {
    let (key, value) = property.split_once('=').unwrap_or((property, ""));
    let value = value.trim();
    let good =
        is_token(key.trim()) && value.bytes().all(is_of_value) && percent_decode_str(value).decode_utf8().is_ok();
    if good { Ok(()) } else { Err(format!("invalid baggage list-member property: {property:?}")) }
}

/// RFC 7230 3.2.6
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// W3C Baggage 3.3.1.2: visible ASCII but for quotes, commas, semicolons and backslashes.
fn is_of_value(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)
}

fn wrong_escape(text: &str) -> Option<&str> {
    text.match_indices('%').find_map(|(at, _)| {
        let escape = text.get(at..at + 3).unwrap_or(&text[at..]);
        let good = escape.len() == 3 && escape[1..].bytes().all(|digit| digit.is_ascii_hexdigit());
        (!good).then_some(escape)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    #[test]
    fn good_baggage_passes() {
        for good in ["", "a=1", "user=x,team=y", " k = v ; p=1;q , x=y", "a=%20b", "a=b=c", "k="] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (wrong, told) in [
            ("===,", "invalid key: \"\"\ninvalid baggage list-member: \"\""),
            ("invalid-baggage", "invalid baggage list-member: \"invalid-baggage\""),
            ("a b=1", "invalid key: \"a b\""),
            ("a=\"", "invalid value: \"\\\"\""),
            ("a=%2", "invalid value: invalid URL escape \"%2\""),
            ("a b c;;==", "invalid baggage list-member property: \"==\""),
        ] {
            assert_eq!(check(wrong), Err(InvalidBaggage(told.to_owned())), "{wrong}");
        }
    }

    #[test]
    fn baggage_has_its_limits() {
        assert!(check(&format!("a={}", "x".repeat(MAX_BYTES))).is_err());
        assert!(check(&vec!["a=1"; MAX_MEMBERS + 1].join(",")).is_err());
        let many = check(&["x"; 7].join(",")).unwrap_err().to_string();
        assert!(many.ends_with("\nand 2 more invalid member(s)"), "{many}");
    }

    proptest! {
        #[test]
        fn any_header_is_checked(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..3)) {
            let mut headers = HeaderMap::new();
            for value in values.iter().filter_map(|value| HeaderValue::from_bytes(value).ok()) {
                headers.append(BAGGAGE, value);
            }
            check_baggage(&headers).ok();
        }

        #[test]
        fn what_is_checked_is_handed_on(text in "[a=%;, \"\\\\ü0-9]{0,30}") {
            if check(&text).is_ok() {
                let headers = HeaderMap::from_iter([(http::header::HeaderName::from_static(BAGGAGE), HeaderValue::try_from(&text).unwrap())]);
                prop_assert_eq!(check_baggage(&headers), Ok(text));
            }
        }
    }
}
