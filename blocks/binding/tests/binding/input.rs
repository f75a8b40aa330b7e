//! Events for apps of both protocols.
use crate::world::{Fake, World, instance, soon};
use foundation_app::Protocol;
use futures_util::poll;
use std::pin::pin;
use std::sync::Arc;
use wire::common::v1::StateItem;
use wire::runtime::v1::BindingEventResponse;
use wire::runtime::v1::binding_event_response::BindingEventConcurrency;

const INPUT: &[(&str, &str)] = &[("direction", "input")];

#[tokio::test]
async fn an_http_app_is_asked_by_options() {
    let fakes: Vec<_> = (0..5).map(|_| Fake::input()).collect();
    let names = ["asked", "routed", "refused", "not-allowed", "declared"];
    let metadata: [&[(&str, &str)]; 5] = [&[], &[("route", "/my/route")], &[], &[], INPUT];
    let components: Vec<_> = (0..5).map(|index| (names[index], metadata[index], Arc::clone(&fakes[index]))).collect();
    let mut world = World::new(Protocol::Http, &components).await;
    world.app.answer("OPTIONS /refused", 404, "");
    world.app.answer("OPTIONS /not-allowed", 405, "");
    world.reader.start().await;
    let read: Vec<_> = fakes.iter().map(|fake| fake.is_read()).collect();
    assert_eq!(read, [true, true, false, true, true]);
    let mut asked = Vec::new();
    for _ in 0..4 {
        let got = world.next().await;
        assert_eq!(got.headers["content-type"], "application/json");
        asked.push(got.path);
    }
    asked.sort();
    assert_eq!(asked, ["OPTIONS /asked", "OPTIONS /my/route", "OPTIONS /not-allowed", "OPTIONS /refused"]);
    assert!(world.is_quiet());
    fakes[1].event("{}", &[]).await.unwrap();
    assert_eq!(world.next().await.path, "POST /my/route");
}

#[tokio::test]
async fn an_http_app_gets_events_and_answers_them() {
    let fake = Fake::input();
    let mut world = World::new(Protocol::Http, &[("in", INPUT, Arc::clone(&fake))]).await;
    world.reader.start().await;
    world.app.answer("POST /in", 201, "done");
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(fake.event(r#"{"a":1}"#, &[("X-Meta", "m"), ("traceparent", trace)]).await.unwrap(), "done");
    let got = world.next().await;
    assert_eq!((got.path.as_str(), got.body.as_str()), ("POST /in", r#"{"a":1}"#));
    assert_eq!(
        (&got.headers["content-type"], &got.headers["x-meta"]),
        (&"application/json".parse().unwrap(), &"m".parse().unwrap())
    );
    assert_eq!(got.headers.get_all("traceparent").iter().collect::<Vec<_>>(), [trace]);
    world.app.answer("POST /in", 404, "gone");
    let refusal = "fails to send binding event to http app channel, status code: 404 body: gone";
    assert_eq!(fake.event("", &[]).await.unwrap_err(), refusal);
}

#[tokio::test]
async fn a_grpc_app_lists_what_it_wants() {
    let (wanted, unwanted) = (Fake::input(), Fake::input());
    let components = [("wanted", &[][..], Arc::clone(&wanted)), ("unwanted", &[], Arc::clone(&unwanted))];
    let mut world = World::new(Protocol::Grpc, &components).await;
    world.app.wanted.lock().unwrap().push("wanted".to_owned());
    world.reader.start().await;
    assert_eq!((wanted.is_read(), unwanted.is_read()), (true, false));
    world.app.grpc.lock().unwrap().data = "done".into();
    assert_eq!(wanted.event("x", &[("k", "v")]).await.unwrap(), "done");
    let got = world.next().await;
    assert_eq!((got.path.as_str(), got.body.as_str(), &got.headers["event-k"]), ("wanted", "x", &"v".parse().unwrap()));
    world.app.answer("wanted", 500, "later");
    let refusal = "error invoking app: rpc error: code = Aborted desc = later";
    assert_eq!(wanted.event("", &[]).await.unwrap_err(), refusal);
}

#[tokio::test]
async fn the_answer_of_a_grpc_app_is_followed() {
    let (input, first, second) = (Fake::input(), Fake::output(), Fake::output());
    let components =
        [("in", INPUT, Arc::clone(&input)), ("one", &[], Arc::clone(&first)), ("two", &[], Arc::clone(&second))];
    for concurrency in [BindingEventConcurrency::Sequential, BindingEventConcurrency::Parallel] {
        let world = World::new(Protocol::Grpc, &components).await;
        world.reader.start().await;
        let state = StateItem { key: "k".to_owned(), ..StateItem::default() };
        let answer = BindingEventResponse {
            store_name: "store".to_owned(),
            states: vec![state],
            to: ["one", "two"].map(str::to_owned).into(),
            data: r#"{"a":1}"#.into(),
            concurrency: concurrency.into(),
        };
        *world.app.grpc.lock().unwrap() = answer;
        assert_eq!(input.event("", &[]).await.unwrap(), r#"{"a":1}"#);
        assert_eq!(world.saved().await, [("store".to_owned(), "k".to_owned())]);
    }
    let sent = ("create".to_owned(), r#"{"a":1}"#.to_owned());
    assert_eq!((first.sent(), second.sent()), (vec![sent.clone(); 2], vec![sent; 2]));
}

#[tokio::test]
async fn a_sequence_ends_where_it_fails() {
    let (input, output) = (Fake::input(), Fake::output());
    let world =
        World::new(Protocol::Grpc, &[("in", INPUT, Arc::clone(&input)), ("one", &[], Arc::clone(&output))]).await;
    world.reader.start().await;
    world.app.grpc.lock().unwrap().to = ["nope", "one"].map(str::to_owned).into();
    input.event("", &[]).await.unwrap();
    assert_eq!(output.sent(), []);
}

#[tokio::test]
async fn the_end_waits_for_events_in_work() {
    let fake = Fake::input();
    let mut world = World::new(Protocol::Http, &[("in", INPUT, Arc::clone(&fake))]).await;
    world.reader.start().await;
    world.app.answer("POST /in", 200, "done");
    let answered = world.app.hold("POST /in");
    let reader = Arc::clone(&world.reader);
    let ending = async {
        world.next().await;
        let mut end = pin!(reader.end());
        assert!(poll!(end.as_mut()).is_pending());
        answered.send(()).unwrap();
        end.await;
    };
    let (answer, ()) = soon(async { tokio::join!(fake.event("", &[]), ending) }).await;
    assert_eq!(answer.unwrap(), "done");
    assert_eq!(fake.event("", &[]).await.unwrap_err(), "input binding is closed");
    world.reader.start().await;
    assert_eq!(fake.event("", &[]).await.unwrap_err(), "input binding is closed");
}

#[tokio::test]
async fn bindings_stop_and_start_with_the_app() {
    let fake = Fake::input();
    let world = World::new(Protocol::Http, &[("in", INPUT, Arc::clone(&fake))]).await;
    for _ in 0..2 {
        world.reader.start().await;
        assert_eq!(fake.event("", &[]).await.unwrap(), "");
        world.reader.stop().await;
        assert_eq!(fake.event("", &[]).await.unwrap_err(), "input binding is closed");
    }
}

#[tokio::test]
async fn a_hanging_event_holds_nothing_up() {
    let (old, new) = (Fake::input(), Fake::input());
    let mut world = World::new(Protocol::Http, &[("in", INPUT, Arc::clone(&old))]).await;
    world.reader.start().await;
    let _hold = world.app.hold("POST /in");
    let mut hanging = pin!(old.event("", &[]));
    tokio::select! {
        _ = hanging.as_mut() => panic!("it does not hang"),
        _ = world.next() => {}
    }
    world.live.insert(instance(&("in", INPUT, Arc::clone(&new))));
    soon(world.reader.reconcile()).await;
    assert_eq!(new.event("", &[]).await.unwrap(), "", "the one that replaces it is at work");
    assert_eq!(old.event("", &[]).await.unwrap_err(), "input binding is closed");
}
