//! `routeralias`: all ways to list routes, and their variables.
use crate::world::{World, refused};

const JSON: &str = r#"{
    "/mall/info": "/v1.0/invoke/srv.default/method/mall/info",
    "/hello/{id}/info": "/v1.0/invoke/srv.default/method/hello/info",
    "/hello/{id:[0-9]{2}}/{what}": "/v1.0/invoke/srv.default/method/two"
}"#;
const YAML: &str = "
\"/mall/info\": /v1.0/invoke/srv.default/method/mall/info
\"/hello/{id}/info\": /v1.0/invoke/srv.default/method/hello/info
\"/hello/{id:[0-9]{2}}/{what}\": /v1.0/invoke/srv.default/method/two
";

async fn check(metadata: &[(&str, &str)]) {
    let world = World::new("routeralias", metadata).await;
    for (path, arrived) in [
        ("/mall/info?id=123", "/v1.0/invoke/srv.default/method/mall/info?id=123"),
        ("/hello/1/info", "/v1.0/invoke/srv.default/method/hello/info?id=1"),
        ("/hello/a%20b/info?x=y&a=%26", "/v1.0/invoke/srv.default/method/hello/info?a=%26&id=a+b&x=y"),
        ("/hello/12/more?z", "/v1.0/invoke/srv.default/method/two?id=12&what=more&z="),
        ("/hello/1/more", "/hello/1/more"),
        ("/hello/1/2/info", "/hello/1/2/info"),
        ("/mall/info/", "/mall/info/"),
    ] {
        world.get(path).await;
        assert_eq!(world.last().uri, arrived, "{path}");
    }
}

#[tokio::test]
async fn routes_are_json_or_yaml() {
    check(&[("routes", JSON)]).await;
    check(&[("Routes", YAML)]).await;
}

#[tokio::test]
async fn routes_may_be_names_of_metadata() {
    check(&[
        ("/mall/info", "/v1.0/invoke/srv.default/method/mall/info"),
        ("/hello/{id}/info", "/v1.0/invoke/srv.default/method/hello/info"),
        ("/hello/{id:[0-9]{2}}/{what}", "/v1.0/invoke/srv.default/method/two"),
    ])
    .await;
}

#[tokio::test]
async fn an_absolute_uri_keeps_its_host() {
    let world = World::new("routeralias", &[("routes", r#"{"/a": "/b c"}"#)]).await;
    world.get("http://127.0.0.1:80/a").await;
    assert_eq!(world.last().uri, "http://127.0.0.1:80/b%20c");
}

#[tokio::test]
async fn no_routes_change_nothing() {
    let world = World::new("routeralias", &[]).await;
    world.get("/a").await;
    assert_eq!(world.last().uri, "/a");
}

#[tokio::test]
async fn routes_that_cannot_match_do_not_hinder_others() {
    let routes = r#"{"a": "/1", "/{": "/2", "/{x}/{x}": "/3", "/{x:(}": "/4", "/good": "/5"}"#;
    let world = World::new("routeralias", &[("routes", routes)]).await;
    world.get("/good").await;
    assert_eq!(world.last().uri, "/5");
}

#[tokio::test]
async fn routes_that_cannot_be_read_are_told() {
    assert!(refused("routeralias", &[("routes", "[1, 2]")]).await.contains("'routes' property as JSON or YAML"));
    assert!(refused("routeralias", &[("/a", ""), ("/b", "/c")]).await.contains("must not be empty"));
}
