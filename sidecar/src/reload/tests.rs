//! What changes when files change.
use super::*;
use crate::components::Values;
use crate::options::{Command, Environment};
use crate::outbox::Pubsub;
use block_pubsub::{Options as Asking, Service};
use component_api::{Error as ComponentError, Registry, Result as ComponentResult, naming};
use foundation_peer::{Own, Peers};
use foundation_telemetry::Metrics;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A sidecar's reloadable parts over a folder of files.
struct World {
    folder: TempDir,
    reloader: Reloader,
}

impl World {
    async fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        let options = options(folder.path());
        let (current, drain, live) = (Current::first(&options).await.unwrap(), Drain::new(), Health::new());
        let mut registry = Registry::default();
        component_all::register_all(&mut registry);
        let values = Values::new("app", Environment::default());
        let components = Components::new(Arc::new(registry), values, Default::default(), Metrics::disabled(), &drain);
        components.start(&current.get().resources.components).await.unwrap();
        let brokers = components.live().brokers.clone();
        let pubsub = Arc::new(Service::new("app".to_owned(), String::new(), brokers));
        let subscriber = Subscriber::new(Arc::clone(&pubsub), None, Asking::default(), &drain);
        let states = components.live().state.clone();
        let outbox = Outbox::new("app", String::new(), states, Arc::new(Pubsub(pubsub)), &drain);
        let binding = Arc::new(block_binding::Service::new(components.live().bindings.clone()));
        let reader = Reader::new(binding, None, Arc::new(NoStates), Default::default(), &drain);
        let peers = Arc::new(Peers::new(Arc::new(Nobody), Own::default(), 0, &drain));
        let states = components.live().state.clone();
        let actors = Arc::new(block_actor::Service::new(Default::default(), &peers, states, &drain));
        let followers = Followers { subscriber, reader, outbox, actors };
        let (ending, targets) = (Ending::default(), targets(&live));
        Self { folder, reloader: Reloader { options, components, followers, current, ending, targets } }
    }

    async fn write(&self, name: &str, text: &str) -> Option<Reason> {
        fs::write(self.folder.path().join(name), text).unwrap();
        self.reloader.reload().await
    }

    async fn remove(&self, name: &str) -> Option<Reason> {
        fs::remove_file(self.folder.path().join(name)).unwrap();
        self.reloader.reload().await
    }

    fn stores(&self) -> Vec<(String, String)> {
        let all = self.reloader.components.live().state.all();
        all.values().map(|one| (one.name.clone(), one.kind.clone())).collect()
    }

    fn names(&self) -> Vec<String> {
        self.stores().into_iter().map(|(name, _)| name).collect()
    }
}

/// There are no other sidecars here.
struct Nobody;

#[async_trait::async_trait]
impl naming::Resolver for Nobody {
    async fn register(&self, _: naming::Registration) -> ComponentResult<()> {
        Ok(())
    }

    async fn resolve(&self, _: &naming::Target) -> ComponentResult<Vec<String>> {
        Err(ComponentError::other("nobody is here"))
    }
}

/// No binding answers with states here.
struct NoStates;

#[async_trait::async_trait]
impl block_binding::SaveState for NoStates {
    async fn save(&self, _: String, _: Vec<wire::common::v1::StateItem>) -> Result<(), String> {
        Ok(())
    }
}

fn options(folder: &Path) -> Options {
    let arguments = ["--app-id", "app", "--resources-path", &folder.to_string_lossy()].map(str::to_owned);
    match Command::read(&arguments, Environment::default()).unwrap() {
        Command::Run(options) => *options,
        other => panic!("{other:?}"),
    }
}

fn resource(kind: &str, name: &str, spec: &str) -> String {
    let version = if kind == "Subscription" { "v2alpha1" } else { "v1alpha1" };
    format!("apiVersion: dapr.io/{version}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n---\n")
}

fn store(name: &str, more: &str) -> String {
    resource("Component", name, &format!("{{type: state.in-memory, version: v1{more}}}"))
}

#[tokio::test]
async fn components_come_change_and_go() {
    let world = World::new(&[("a.yaml", &store("a", ""))]).await;
    let first = world.reloader.components.live().state.get("a").unwrap();
    assert_eq!(world.write("b.yaml", &store("b", "")).await, None);
    assert_eq!(world.names(), ["a", "b"]);
    assert!(Arc::ptr_eq(&first, &world.reloader.components.live().state.get("a").unwrap()), "a was not touched");
    world.write("a.yaml", &store("a", ", metadata: [{name: x, value: y}]")).await;
    assert!(!Arc::ptr_eq(&first, &world.reloader.components.live().state.get("a").unwrap()), "a is a new one");
    world.write("a.yaml", &resource("Component", "a", "{type: pubsub.in-memory, version: v1}")).await;
    assert_eq!((world.names(), world.reloader.components.live().brokers.all().len()), (vec!["b".to_owned()], 1));
    assert_eq!(world.remove("a.yaml").await, None);
    assert!(world.reloader.components.live().brokers.is_empty());
}

#[tokio::test]
async fn a_component_that_fails_ends_the_sidecar_unless_it_is_to_be_ignored() {
    let world = World::new(&[("a.yaml", &store("a", ""))]).await;
    let broken = |more: &str| resource("Component", "a", &format!("{{type: state.sqlite, version: v1{more}}}"));
    assert_eq!(world.write("a.yaml", &broken(", ignoreErrors: true")).await, None);
    assert!(world.names().is_empty());
    world.write("a.yaml", &store("a", "")).await;
    assert_eq!(world.names(), ["a"]);
    let Some(Reason::Failed(reason)) = world.write("a.yaml", &broken("")).await else { panic!("it goes on") };
    assert!(reason.starts_with("process component a error: [INIT_COMPONENT_FAILURE]"), "{reason}");
}

#[tokio::test]
async fn a_component_of_a_type_that_is_not_there_stays_as_it_was() {
    let world = World::new(&[("a.yaml", &store("a", ""))]).await;
    let first = world.reloader.components.live().state.get("a").unwrap();
    for kind in ["state.nosuch", "stat.in-memory", "nothing"] {
        for more in ["", ", ignoreErrors: true"] {
            let unknown = |name| resource("Component", name, &format!("{{type: {kind}, version: v1{more}}}"));
            assert_eq!(world.write("a.yaml", &unknown("a")).await, None, "{kind}");
            assert_eq!(world.write("b.yaml", &unknown("b")).await, None, "{kind}");
            assert!(Arc::ptr_eq(&first, &world.reloader.components.live().state.get("a").unwrap()), "{kind}");
        }
    }
    assert_eq!(world.names(), ["a"]);
    assert_eq!(world.write("b.yaml", &store("b", "")).await, None);
    assert_eq!(world.names(), ["a", "b"], "it comes when it is mended");
    assert_eq!(world.remove("a.yaml").await, None);
    assert_eq!(world.names(), ["b"]);
}

#[tokio::test]
async fn what_cannot_be_read_changes_nothing_and_equal_names_end_the_sidecar() {
    let world = World::new(&[("a.yaml", &store("a", ""))]).await;
    assert_eq!(world.write("a.yaml", "kind: [").await, None);
    assert_eq!(world.names(), ["a"]);
    let Some(Reason::Failed(reason)) = world.write("a.yaml", &(store("a", "") + &store("a", ""))).await else {
        panic!("it goes on")
    };
    let expected = "failed to load resources from disk: duplicate definition of Component name a (state.in-memory/v1) \
                    with existing a (state.in-memory/v1)";
    assert_eq!(reason, expected);
}

#[tokio::test]
async fn a_component_that_lost_its_type_stays_as_it_was_and_keeps_a_sidecar_from_starting() {
    let world = World::new(&[("a.yaml", &store("a", ""))]).await;
    assert_eq!(world.write("a.yaml", &resource("Component", "a", "{version: v1}")).await, None);
    assert_eq!(world.names(), ["a"]);
    let problems = &world.reloader.current.get().problems;
    assert!(problems[0].to_string().ends_with("a.yaml: Component a: spec.type is missing"), "{problems:?}");
    let error =
        Current::first(&world.reloader.options).await.err().map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(error.ends_with("a.yaml: Component a: spec.type is missing"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_empty_for_a_moment_changes_nothing() {
    let world = World::new(&[("a.yaml", &store("a", ""))]).await;
    let first = world.reloader.components.live().state.get("a").unwrap();
    world.write("a.yaml", "").await;
    world.write("a.yaml", &store("a", "")).await;
    assert!(Arc::ptr_eq(&first, &world.reloader.components.live().state.get("a").unwrap()));
    world.write("a.yaml", "").await;
    assert_eq!(world.names(), ["a"]);
    world.reloader.reload().await;
    assert!(world.names().is_empty(), "it stays empty");
}

#[tokio::test]
async fn a_pipe_among_the_files_is_passed_over() {
    let world = World::new(&[("a.yaml", &store("a", ""))]).await;
    let pipe = world.folder.path().join("pipe.yaml");
    assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
    assert_eq!(world.write("b.yaml", &store("b", "")).await, None);
    assert_eq!(world.names(), ["a", "b"]);
}

#[tokio::test]
async fn a_component_waits_for_its_secret_store_and_follows_its_secrets() {
    let waiting = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: a}\n\
                   spec: {type: state.in-memory, version: v1, metadata: [{name: p, secretKeyRef: {name: s}}]}\n\
                   auth: {secretStore: vault}\n";
    let world = World::new(&[("a.yaml", waiting)]).await;
    assert!(world.names().is_empty());
    let secrets = world.folder.path().join("secrets.json");
    fs::write(&secrets, r#"{"s": "one"}"#).unwrap();
    let metadata = format!("metadata: [{{name: secretsFile, value: '{}'}}]", secrets.display());
    world
        .write(
            "s.yaml",
            &resource("Component", "vault", &format!("{{type: secretstores.local.file, version: v1, {metadata}}}")),
        )
        .await;
    let value = || Some(world.reloader.components.live().state.get("a")?.properties.get("p")?.to_owned());
    assert_eq!(value().as_deref(), Some("one"));
    fs::write(&secrets, r#"{"s": "two"}"#).unwrap();
    world.remove("s.yaml").await;
    world
        .write(
            "s.yaml",
            &resource("Component", "vault", &format!("{{type: secretstores.local.file, version: v1, {metadata}}}")),
        )
        .await;
    assert_eq!(world.reloader.reload().await, None);
    assert_eq!(value().as_deref(), Some("two"));
}

#[tokio::test]
async fn there_is_one_actor_state_store() {
    let actors = ", metadata: [{name: ActorStateStore, value: 'true'}]";
    let world = World::new(&[("a.yaml", &store("a", actors))]).await;
    world.write("b.yaml", &store("b", actors)).await;
    assert_eq!(world.names(), ["a"]);
    world.write("c.yaml", &store("c", "")).await;
    world.write("c.yaml", &store("c", actors)).await;
    assert_eq!(world.names(), ["a", "c"], "c stays as it was");
    world.remove("c.yaml").await;
    world.remove("a.yaml").await;
    assert_eq!(world.names(), ["b"]);
}

#[tokio::test]
async fn subscriptions_servers_and_policies_change_in_place() {
    let world = World::new(&[]).await;
    let subscription =
        |route: &str| resource("Subscription", "s", &format!("{{pubsubname: p, topic: t, routes: {route}}}"));
    assert_eq!(world.write("s.yaml", &subscription("{default: /a}")).await, None);
    let path = || world.reloader.followers.subscriber.list()[0].rules[0].path.clone();
    assert_eq!(path(), "/a");
    assert_eq!(world.write("s.yaml", &subscription("{rules: [{match: 'a ==', path: /b}]}")).await, None);
    assert_eq!(path(), "/a", "what cannot be used changes nothing");
    world.write("s.yaml", &subscription("{default: /c}")).await;
    assert_eq!(path(), "/c");
    world.remove("s.yaml").await;
    assert!(world.reloader.followers.subscriber.list().is_empty());

    let policy = resource("WorkflowAccessPolicy", "p", "{rules: [{callers: [{appID: a}], activities: [{name: x}]}]}");
    world
        .write("p.yaml", &(policy.clone() + &policy.replace("name: p", "name: wrong").replace("appID: a", "appID: ''")))
        .await;
    assert_eq!(world.reloader.current.get().resources.workflow_access_policies.len(), 1);
    let server = |url: &str, ignore: bool| {
        resource("MCPServer", "m", &format!("{{endpoint: {{sse: {{url: '{url}'}}}}, ignoreErrors: {ignore}}}"))
    };
    let servers = || world.reloader.current.get().resources.mcp_servers.len();
    assert_eq!((world.write("m.yaml", &server("http://a", false)).await, servers()), (None, 1));
    assert_eq!((world.write("m.yaml", &server("ftp://a", true)).await, servers()), (None, 0));
    assert!(matches!(world.write("m.yaml", &server("ftp://a", false)).await, Some(Reason::Failed(_))));
}

#[tokio::test]
async fn other_kinds_start_the_sidecar_again_when_they_really_change() {
    for (kind, spec) in [
        ("Configuration", "{tracing: {samplingRate: '1'}}"),
        ("HTTPEndpoint", "{baseUrl: http://a}"),
        ("Resiliency", "{policies: {timeouts: {a: 5s}}}"),
    ] {
        let text = resource(kind, "x", spec);
        let world = World::new(&[("x.yaml", &text)]).await;
        assert_eq!(world.write("x.yaml", &format!("# changed\n{text}")).await, None);
        assert_eq!(world.write("y.yaml", &text.replace("name: x", "name: y")).await, Some(Reason::Reload));
        fs::remove_file(world.folder.path().join("y.yaml")).unwrap();
        assert_eq!(world.remove("x.yaml").await, Some(Reason::Reload));
    }
}

#[tokio::test]
async fn a_mistake_that_was_left_in_place_ends_the_sidecar_not_later_either() {
    let rule = |rule: &str| {
        let routes = format!("{{rules: [{{match: '{rule}', path: /x}}], default: /y}}");
        resource("Subscription", "s", &format!("{{topic: t, pubsubname: p, routes: {routes}}}"))
    };
    let patience = |seconds: u8| resource("Resiliency", "r", &format!("{{policies: {{timeouts: {{a: {seconds}s}}}}}}"));
    let typed = |kind: &str| resource("Component", "c", &format!("{{{kind}version: v1}}"));
    for (name, mistake, mended) in [
        ("s.yaml", rule("(((("), rule("false")),
        ("c.yaml", typed("type: state.nope, "), typed("type: state.in-memory, ")),
        ("c.yaml", typed(""), typed("type: state.in-memory, ")),
    ] {
        let world = World::new(&[(name, &mended), ("r.yaml", &patience(5))]).await;
        assert_eq!(world.write(name, &mistake).await, None);
        assert_eq!(world.write("r.yaml", &patience(6)).await, None, "{mistake}");
        assert_eq!(world.write(name, &mended).await, Some(Reason::Reload));
    }
}
