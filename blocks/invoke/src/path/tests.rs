//! Addresses and methods as Dapr reads them.
use super::*;
use proptest::prelude::*;

fn found(path: &str, headers: &[(&'static str, &'static str)]) -> Option<(String, String)> {
    let mut map = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    address(path, &mut map).map(|address| (address.target, address.method))
}

fn pair(target: &str, method: &str) -> Option<(String, String)> {
    Some((target.to_owned(), method.to_owned()))
}

#[test]
fn the_path_names_app_and_method() {
    assert_eq!(found("/v1.0/invoke/app/method/a/b", &[]), pair("app", "a/b"));
    assert_eq!(found("//v1.0///invoke/app.ns/method/a%2Fb", &[]), pair("app.ns", "a/b"));
    assert_eq!(found("/v1.0/invoke/%6Fther/method/", &[]), pair("other", ""));
    assert_eq!(found("/v1.0/invoke/http%3A%2F%2Fhost%3A80/method/m", &[]), pair("http://host:80", "m"));
}

#[test]
fn a_path_without_app_or_method_names_none() {
    for path in
        ["/", "/v1.0", "/v1.0/invoke", "/v1.0/invoke//method/m", "/v1.0/invoke/app/m", "/v1.0/invoked/a/method/m"]
    {
        assert_eq!(found(path, &[]), None, "{path}");
    }
}

#[test]
fn the_header_wins_and_the_whole_path_is_the_method() {
    assert_eq!(
        found("/v1.0/invoke/app/method/m", &[("dapr-app-id", "other")]),
        pair("other", "v1.0/invoke/app/method/m")
    );
    assert_eq!(found("/a//b/../c", &[("dapr-app-id", "app")]), pair("app", "a/c"));
    assert_eq!(found("/m", &[("dapr-app-id", "")]), None);
    let user = ("authorization", "Basic ZGFwci1hcHAtaWQ6b3RoZXI=");
    assert_eq!(found("/any", &[user]), pair("other", "any"));
    assert_eq!(found("/any", &[("authorization", "Basic dXNlcjpwYXNz")]), None);
}

proptest! {
    #[test]
    fn any_path_is_read(path in "\\PC{0,40}") {
        address(&path, &mut HeaderMap::new());
    }
}
