//! Hops of all kinds.
use super::*;

fn hop(url: &str) -> Hop {
    let headers = [(AUTHORIZATION, "x"), (CONTENT_TYPE, "y")];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value))).into_iter().collect();
    Hop::new(Method::POST, url, headers).unwrap()
}

fn followed(url: &str, status: u16, location: &str, replayable: bool) -> Option<Redirect> {
    let answer = HeaderMap::from_iter([(LOCATION, HeaderValue::from_str(location).unwrap())]);
    hop(url).next(StatusCode::from_u16(status).unwrap(), &answer, replayable)
}

#[test]
fn locations_are_resolved_as_rfc_3986_says() {
    for (location, expected) in [
        ("/m", "http://one/m"),
        ("c", "http://one/a/c"),
        ("?a=1", "http://one/a/b?a=1"),
        ("../y/./z", "http://one/y/z"),
        ("//two/m", "http://two/m"),
        ("http://two/m#part", "http://two/m"),
        ("/login?next=http://x", "http://one/login?next=http://x"),
        ("HTTPS://two", "https://two/"),
    ] {
        let next = followed("http://one/a/b?q", 302, location, true).unwrap().hop;
        assert_eq!(next.uri.to_string(), expected);
    }
    assert!(followed("http://one/a", 302, "file:///etc/passwd", true).is_none());
}

#[test]
fn some_redirects_keep_the_body() {
    let kept = followed("http://one/a", 307, "/m", true).unwrap();
    assert_eq!((kept.hop.method, kept.with_body), (Method::POST, true));
    let lost = followed("http://one/a", 302, "/m", true).unwrap();
    assert_eq!((lost.hop.method, lost.with_body), (Method::GET, false));
    assert!(!lost.hop.headers.contains_key(CONTENT_TYPE) && lost.hop.headers.contains_key(AUTHORIZATION));
    assert!(followed("http://one/a", 307, "/m", false).is_none());
    assert!(followed("http://one/a", 304, "/m", true).is_none());
}

#[test]
fn another_host_gets_no_credentials() {
    for location in ["http://two/m", "//two/m", "http://one:81/m"] {
        assert!(!followed("http://one/a", 308, location, true).unwrap().hop.headers.contains_key(AUTHORIZATION));
    }
}

#[test]
fn a_user_in_the_url_becomes_a_header_and_is_never_shown() {
    let hop = Hop::new(Method::GET, "http://bob:p%40ss@one:1/a?x=@", HeaderMap::new()).unwrap();
    assert_eq!(hop.uri, "http://one:1/a?x=@");
    assert_eq!(hop.headers[AUTHORIZATION], "Basic Ym9iOnBAc3M=");
    assert!(!format!("{hop:?}").contains("Ym9i"));
    let answer = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static("http://eve@two/"))]);
    let next = hop.next(StatusCode::FOUND, &answer, true).unwrap().hop;
    assert_eq!(next.headers[AUTHORIZATION], "Basic ZXZlOg==");
    assert_eq!(next.headers[REFERER], "http://one:1/a?x=@");
}

#[test]
fn a_header_of_the_caller_wins_over_the_url() {
    assert_eq!(hop("http://bob@one").headers[AUTHORIZATION], "x");
}

#[test]
fn a_secure_address_is_told_to_no_insecure_one() {
    let next = |location| followed("https://one/secret", 302, location, true).unwrap().hop;
    assert!(!next("http://one/").headers.contains_key(REFERER));
    assert_eq!(next("/m").headers[REFERER], "https://one/secret");
}
