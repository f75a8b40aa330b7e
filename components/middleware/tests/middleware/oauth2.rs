//! `oauth2`: to the authorization server, back, and through.
use crate::provider::Provider;
use crate::world::{Answer, World, refused};
use component_api::middleware::Body;
use http::StatusCode;
use std::collections::BTreeMap;

/// A browser with its cookie.
#[derive(Default)]
struct Browser(Option<String>);

impl Browser {
    async fn open(&mut self, world: &World, path: &str) -> Answer {
        let mut request = http::Request::get(path).header("host", "app.example:80");
        if let Some(cookie) = &self.0 {
            request = request.header("cookie", format!("a=b; {cookie}; c=d"));
        }
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        if let Some(cookie) = answer.headers.get("set-cookie") {
            self.0 = Some(cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
        }
        answer
    }

    /// Opens a path that needs a session; returns the state that the authorization server is to send back.
    async fn leave(&mut self, world: &World, path: &str) -> String {
        let answer = self.open(world, path).await;
        assert_eq!(answer.status, StatusCode::FOUND);
        query(&location(&answer))["state"].clone()
    }
}

fn location(answer: &Answer) -> String {
    answer.headers["location"].to_str().unwrap().to_owned()
}

fn query(url: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(url.split_once('?').unwrap().1.as_bytes()).into_owned().collect()
}

async fn world(provider: &Provider, more: &[(&str, &str)]) -> World {
    let token_url = provider.token_url();
    let mut metadata = vec![
        ("clientID", "me"),
        ("clientSecret", "s&cret"),
        ("authURL", "https://login.example/authorize?tenant=1"),
        ("tokenURL", &token_url),
        ("scopes", "one,two"),
        ("redirectURL", "http://app.example/back"),
        ("authHeaderName", "Authorization"),
    ];
    metadata.extend(more);
    World::new("oauth2", &metadata).await
}

#[tokio::test]
async fn people_sign_in_once() {
    let provider = Provider::start().await;
    let (world, mut browser) = (world(&provider, &[]).await, Browser::default());
    let answer = browser.open(&world, "/v1.0/invoke/app/method/page?x=1").await;
    let (url, cookie) = (location(&answer), answer.headers["set-cookie"].to_str().unwrap());
    assert!(url.starts_with("https://login.example/authorize?tenant=1&"), "{url}");
    let asked = query(&url);
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "me"),
        ("redirect_uri", "http://app.example/back"),
        ("scope", "one two"),
        ("access_type", "offline"),
    ] {
        assert_eq!(asked[name], value, "{name}");
    }
    assert!(cookie.starts_with("gosessionsid=") && cookie.contains("HttpOnly"), "{cookie}");

    let back = browser.open(&world, &format!("/back?state={}&code=abc", asked["state"])).await;
    assert_eq!((back.status, location(&back).as_str()), (StatusCode::FOUND, "/v1.0/invoke/app/method/page?x=1"));
    let request = provider.token_requests().remove(0);
    assert_eq!((request.form["grant_type"].as_str(), request.form["code"].as_str()), ("authorization_code", "abc"));
    assert_eq!(request.form["redirect_uri"], "http://app.example/back");
    assert_eq!(request.authorization.as_deref(), Some("Basic bWU6cyUyNmNyZXQ="));

    let through = browser.open(&world, "/v1.0/invoke/app/method/page?x=1").await;
    assert_eq!((through.status, through.headers.contains_key("set-cookie")), (StatusCode::OK, false));
    assert_eq!(world.last().headers["authorization"], "Bearer token-1");
    assert_eq!(provider.token_requests().len(), 1);
}

#[tokio::test]
async fn a_state_belongs_to_its_session() {
    let provider = Provider::start().await;
    let world = world(&provider, &[]).await;
    let (mut browser, mut other) = (Browser::default(), Browser::default());
    let state = browser.leave(&world, "/page").await;
    other.leave(&world, "/page").await;
    for (browser, path) in [
        (&mut other, format!("/back?state={state}&code=abc")),
        (&mut browser, "/back?state=forged&code=abc".to_owned()),
        (&mut Browser::default(), format!("/back?state={state}&code=abc")),
        (&mut Browser(Some("gosessionsid=mine".to_owned())), format!("/back?state={state}&code=abc")),
    ] {
        let answer = browser.open(&world, &path).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::BAD_REQUEST, "invalid state"), "{path}");
    }
    let answer = browser.open(&world, &format!("/back?state={state}")).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::BAD_REQUEST, "code not found"));
    assert!(provider.token_requests().is_empty() && world.arrived().is_empty());
}

#[tokio::test]
async fn ids_of_sessions_are_given_out_here_alone() {
    let provider = Provider::start().await;
    let world = world(&provider, &[]).await;
    let mut browser = Browser(Some("gosessionsid=chosen-by-somebody-else".to_owned()));
    let answer = browser.open(&world, "/page").await;
    assert!(!answer.headers["set-cookie"].to_str().unwrap().contains("chosen"));
}

#[tokio::test]
async fn a_refused_code_is_an_error() {
    let provider = Provider::start().await;
    let (world, mut browser) = (world(&provider, &[]).await, Browser::default());
    let state = browser.leave(&world, "/page").await;
    let answer = browser.open(&world, &format!("/back?state={state}&code=bad")).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn people_may_sign_in_in_any_of_their_tabs() {
    let provider = Provider::start().await;
    let world = world(&provider, &[]).await;
    for (tab, wanted) in [(0, StatusCode::BAD_REQUEST), (1, StatusCode::FOUND), (8, StatusCode::FOUND)] {
        let (mut browser, mut states) = (Browser::default(), Vec::new());
        for tab in 0..9 {
            states.push(browser.leave(&world, &format!("/page/{tab}")).await);
        }
        let answer = browser.open(&world, &format!("/back?state={}&code=abc", states[tab])).await;
        assert_eq!(answer.status, wanted, "{tab}");
        assert!(wanted != StatusCode::FOUND || location(&answer) == format!("/page/{tab}"), "{tab}");
    }
}

#[tokio::test]
async fn the_way_back_is_short_and_on_this_host() {
    let provider = Provider::start().await;
    let world = world(&provider, &[]).await;
    let long = "x".repeat(3000);
    for (path, wanted) in [
        ("/\\evil.example/a?b=\\".to_owned(), "/%5Cevil.example/a?b=%5C"),
        ("//evil.example/a".to_owned(), "/evil.example/a"),
        (format!("/page?q={long}"), "/page"),
        (format!("/{long}"), "/"),
    ] {
        let mut browser = Browser::default();
        let state = browser.leave(&world, &path).await;
        assert_eq!(location(&browser.open(&world, &format!("/back?state={state}&code=abc")).await), wanted);
    }
}

#[tokio::test]
async fn https_may_be_forced_for_the_way_back() {
    let provider = Provider::start().await;
    let (world, mut browser) = (world(&provider, &[("forceHTTPS", "yes")]).await, Browser::default());
    let state = browser.leave(&world, "/page").await;
    let back = browser.open(&world, &format!("/back?state={state}&code=abc")).await;
    assert_eq!(location(&back), "https://app.example:80/page");
}

#[tokio::test]
async fn a_filter_chooses_paths() {
    let provider = Provider::start().await;
    let (world, mut browser) = (world(&provider, &[("pathFilter", "^/private")]).await, Browser::default());
    assert_eq!(browser.open(&world, "/public").await.status, StatusCode::OK);
    assert_eq!(browser.open(&world, "/private/a").await.status, StatusCode::FOUND);
}

#[tokio::test]
async fn wrong_metadata_is_told() {
    for (metadata, text) in [
        (&[("authURL", "nowhere")][..], "authURL is no URL, check it"),
        (&[("authURL", "http://a"), ("authHeaderName", "a b")], "authHeaderName is no header, check it"),
        (&[("authURL", "http://a"), ("authHeaderName", "a"), ("pathFilter", "(")], "Parameter 'pathFilter' is not"),
    ] {
        let refusal = refused("oauth2", metadata).await;
        assert!(refusal.starts_with(text), "{refusal}");
    }
}
