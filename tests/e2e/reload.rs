//! Resource files that change while a sidecar runs.
use crate::app::App;
use crate::sidecar::{Setup, Sidecar, publish};
use crate::wait::until;
use http::StatusCode;
use std::fs;
use std::os::unix::fs::symlink;

fn resource(kind: &str, name: &str, spec: &str) -> String {
    let version = if kind == "Subscription" { "v2alpha1" } else { "v1alpha1" };
    format!("apiVersion: dapr.io/{version}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n---\n")
}

fn store(name: &str) -> String {
    resource("Component", name, "{type: state.in-memory, version: v1}")
}

fn subscription(topic: &str, path: &str) -> String {
    resource("Subscription", topic, &format!("{{pubsubname: broker, topic: {topic}, routes: {{default: {path}}}}}"))
}

async fn lists(sidecar: &Sidecar, list: &str, names: &[&str]) {
    until(&format!("{list} are {names:?}"), async || sidecar.listed(list).await == names).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn components_come_and_go() {
    let sidecar = Setup::new("stores", None).start().await;
    sidecar.write("a.yaml", &store("a"));
    lists(&sidecar, "components", &["a"]).await;
    let saved = sidecar.post("/v1.0/state/a", r#"[{"key": "k", "value": 1}]"#).await.unwrap();
    assert_eq!(saved.0, StatusCode::NO_CONTENT);
    sidecar.write("b.yaml", &store("b"));
    lists(&sidecar, "components", &["a", "b"]).await;
    assert_eq!(sidecar.get("/v1.0/state/a/k").await.unwrap(), (StatusCode::OK, "1".into()), "a was not touched");
    sidecar.write("a.yaml", "kind: [");
    sidecar.write("b.yaml", "");
    lists(&sidecar, "components", &["a"]).await;
    sidecar.remove("a.yaml");
    lists(&sidecar, "components", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_that_are_swapped_by_a_link_are_followed() {
    let sidecar = Setup::new("links", None).start().await;
    let folder = sidecar.resources();
    let version = |name: &str| {
        fs::create_dir(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("a.yaml"), store(name)).unwrap();
        symlink(name, folder.join("next")).unwrap();
        fs::rename(folder.join("next"), folder.join("now")).unwrap();
    };
    version("one");
    symlink("now/a.yaml", folder.join("a.yaml")).unwrap();
    lists(&sidecar, "components", &["one"]).await;
    version("two");
    lists(&sidecar, "components", &["two"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_made_again_is_followed() {
    let sidecar = Setup::new("folders", None).start().await;
    let (folder, elsewhere) = (sidecar.resources(), sidecar.resources().with_extension("old"));
    let leave: [&dyn Fn(); 2] =
        [&|| fs::remove_dir_all(&folder).unwrap(), &|| fs::rename(&folder, &elsewhere).unwrap()];
    for (number, leave) in leave.iter().enumerate() {
        leave();
        fs::create_dir(&folder).unwrap();
        for name in [format!("made{number}"), format!("changed{number}")] {
            sidecar.write("a.yaml", &store(&name));
            lists(&sidecar, "components", &[&name]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_in_work_is_finished_though_its_subscription_is_gone() {
    let app = App::start(&[]).await;
    let sidecar = Setup::new("events", Some(app.port)).component("broker", "pubsub.in-memory", &[]).start().await;
    sidecar.write("s.yaml", &(subscription("old", "/old") + &subscription("kept", "/kept")));
    lists(&sidecar, "subscriptions", &["old", "kept"]).await;
    app.hold("/old");
    assert!(publish(sidecar.port, "old", "1").await);
    until("the app has the event", async || app.bodies("/old").len() == 1).await;
    sidecar.write("s.yaml", &(subscription("kept", "/kept") + &subscription("new", "/new")));
    lists(&sidecar, "subscriptions", &["kept", "new"]).await;
    assert!(publish(sidecar.port, "new", "2").await);
    until("the new one works while the old one waits", async || app.bodies("/new").len() == 1).await;
    app.release("/old");
    assert!(publish(sidecar.port, "old", "3").await);
    assert!(publish(sidecar.port, "kept", "4").await);
    until("the kept one works", async || app.bodies("/kept").len() == 1).await;
    assert_eq!(app.bodies("/old").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_and_policies_start_the_sidecar_again_on_the_same_ports() {
    let outside = App::start(&[("/hello", StatusCode::OK, "hello")]).await;
    let mut sidecar = Setup::new("endpoints", None).start().await;
    let url = format!("{{baseUrl: 'http://127.0.0.1:{}'}}", outside.port);
    sidecar.write("e.yaml", &resource("HTTPEndpoint", "outside", &url));
    lists(&sidecar, "httpEndpoints", &["outside"]).await;
    let answer = sidecar.get("/v1.0/invoke/outside/method/hello").await.unwrap();
    assert_eq!(answer, (StatusCode::OK, "hello".into()));
    sidecar.write("r.yaml", &resource("Resiliency", "r", "{policies: {timeouts: {a: 5s}}, targets: {}}"));
    lists(&sidecar, "resiliencies", &["r"]).await;
    sidecar.remove("e.yaml");
    lists(&sidecar, "httpEndpoints", &[]).await;
    sidecar.ready().await;
    sidecar.signal("-TERM");
    assert_eq!(sidecar.ended().await.code(), Some(0));
}

/// Publishes until the sidecar has begun a second time; returns what it said that the broker has.
async fn publish_over_a_reload(sidecar: &Sidecar) -> Vec<String> {
    let (mut acknowledged, mut number, mut after) = (Vec::new(), 0, 0);
    let configuration = resource("Configuration", "changed", "{metrics: {enabled: true}}");
    while after < 20 && number < 10_000 {
        let text = number.to_string();
        if number == 50 {
            sidecar.write("c.yaml", &configuration);
        }
        let accepted = publish(sidecar.port, "topic", &text).await;
        if !accepted {
            after = 1;
            sidecar.ready().await;
        }
        after += usize::from(after > 0);
        acknowledged.extend(accepted.then_some(text));
        number += 1;
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_is_lost_or_comes_twice_over_a_change_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.db").display().to_string();
    let durable: &[_] = &[("connectionString", file.as_str())];
    for (kind, metadata) in [("pubsub.in-memory", &[][..]), ("pubsub.sqlite", durable)] {
        let app = App::subscriber("topic").await;
        let sidecar = Setup::new("carried", Some(app.port)).component("broker", kind, metadata).start().await;
        let acknowledged = publish_over_a_reload(&sidecar).await;
        until("all that was accepted has come", async || {
            let events = app.events();
            acknowledged.iter().all(|text| events.contains(text))
        })
        .await;
        let mut events = app.events();
        let all = events.len();
        events.sort();
        events.dedup();
        assert_eq!(events.len(), all, "{kind}: some came twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_names_end_the_sidecar() {
    let mut sidecar = Setup::new("twice", None).component("a", "state.in-memory", &[]).start().await;
    sidecar.write("b.yaml", &store("a"));
    assert_eq!(sidecar.ended().await.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_switched_off() {
    let off = resource("Configuration", "off", "{features: [{name: HotReload, enabled: false}]}");
    let setup = Setup { configuration: Some(off), ..Setup::new("off", None) };
    let sidecar = setup.start().await;
    sidecar.write("a.yaml", &store("a"));
    // Another sidecar that has seen the same kind of change is the clock.
    let other = Setup::new("on", None).start().await;
    other.write("a.yaml", &store("a"));
    lists(&other, "components", &["a"]).await;
    assert!(sidecar.listed("components").await.is_empty());
}
