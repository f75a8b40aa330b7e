//! Calls of actors here and elsewhere, their turns, and what is answered.
use crate::placement::Placement;
use crate::world::{Sidecar, fault, hosting, in_step};
use block_actor::{
    Options, execute_actor_state_transaction, invoke_actor, register_actor_reminder, register_actor_timer,
};
use foundation_fault::code_of;
use futures_util::FutureExt;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use tonic::{Code, Request};
use wire::runtime::v1::{
    ExecuteActorStateTransactionRequest, InvokeActorRequest, RegisterActorReminderRequest, RegisterActorTimerRequest,
    TransactionalActorStateOperation,
};

fn call(actor_type: &str, id: &str, method: &str) -> Request<InvokeActorRequest> {
    let [actor_type, actor_id, method] = [actor_type, id, method].map(str::to_owned);
    Request::new(InvokeActorRequest { actor_type, actor_id, method, ..InvokeActorRequest::default() })
}

async fn alone() -> (Placement, Sidecar) {
    let (placement, sidecar) = in_step(json!({})).await;
    (placement, sidecar)
}

#[tokio::test]
async fn a_call_reaches_the_app_and_its_answer_the_caller() {
    let (_placement, sidecar) = alone().await;
    let sent = [("x-a", "1"), ("content-type", "text/x"), ("dapr-caller-app-id", "forged")];
    let (status, headers, body) = sidecar.send("POST t/a%20b/method/m?q=1", &sent, "hello").await;
    assert_eq!((status, body.as_str()), (200, "hello"));
    assert_eq!((&headers["x-own"], &headers["content-type"]), (&"1".parse().unwrap(), &"text/x".parse().unwrap()));
    let seen = sidecar.app.last();
    assert_eq!(seen.line, "PUT /actors/t/a%20b/method/m?q=1");
    let expected = [("x-a", "1"), ("content-type", "text/x"), ("dapr-caller-app-id", "app"), ("dapr-api-call", "true")];
    for (name, value) in expected {
        assert_eq!(seen.headers.get_all(name).iter().collect::<Vec<_>>(), [value], "{name}");
    }
    let mut request = call("t", "g", "m");
    request.get_mut().data = "bytes".into();
    request.get_mut().metadata = HashMap::from([("x-b".to_owned(), "2".to_owned())]);
    assert_eq!(invoke_actor(&sidecar.service, request).await.unwrap().data, "bytes");
    assert_eq!(sidecar.app.last().headers["x-b"], "2");
}

#[tokio::test]
async fn errors_are_told_in_daprs_words() {
    let (_placement, sidecar) = alone().await;
    let invoke = |reason: &str| fault("ERR_ACTOR_INVOKE_METHOD", &format!("error invoke actor method: {reason}"));
    let failed = invoke("error from actor service: (500) no");
    sidecar.check("PUT t/1/method/fail", "", (500, &failed)).await;
    let missing = invoke("actor method not found: actors/t/1/method/missing");
    sidecar.check("PUT t/1/method/missing", "", (500, &missing)).await;
    sidecar.check("PUT t/1/method/wrong", "", (200, "sorry")).await;
    let forbidden = |what: &str| format!("invalid request: {what}");
    let name = fault("ERR_BAD_REQUEST", &forbidden(r#"invalid actorId: name contains forbidden character: "a/b""#));
    sidecar.check("PUT t/a%2Fb/method/m", "", (400, &name)).await;
    let method = fault("ERR_BAD_REQUEST", &forbidden(r#"method contains forbidden character: "m?""#));
    sidecar.check("PUT t/1/method/m%3F", "", (400, &method)).await;
    let status = invoke_actor(&sidecar.service, call("t", "1", "fail")).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(status.message(), "error invoke actor method: error from actor service: (500) no");
    assert_eq!(invoke_actor(&sidecar.service, call("t", "1", "wrong")).await.unwrap().data, "sorry");
}

#[tokio::test]
async fn without_a_placement_service_there_are_no_actors() {
    let sidecar = Sidecar::start(None, None).await;
    let absent = fault("ERR_ACTOR_NO_PLACEMENT", "placement service is not configured");
    for line in ["PUT t/1/method/m", "GET t/1/state/k", "GET t/1/reminders/r", "DELETE t/1/timers/t"] {
        sidecar.check(line, "", (400, &absent)).await;
    }
    sidecar.check("POST t/1/state", "[]", (400, &absent)).await;
    let status = invoke_actor(&sidecar.service, call("t", "1", "m")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test]
async fn that_there_are_no_actors_is_said_before_what_else_is_wrong() {
    let sidecar = Sidecar::start(None, None).await;
    let service = &sidecar.service;
    let (actor_type, actor_id) = ("t".to_owned(), "a/b".to_owned());
    let operations = vec![TransactionalActorStateOperation { operation_type: "foo".to_owned(), ..Default::default() }];
    let transaction =
        ExecuteActorStateTransactionRequest { actor_type: actor_type.clone(), actor_id: actor_id.clone(), operations };
    let reminder = RegisterActorReminderRequest { actor_type: actor_type.clone(), ..Default::default() };
    let timer = RegisterActorTimerRequest { actor_type, actor_id, ..Default::default() };
    for status in [
        register_actor_reminder(service, reminder).await.unwrap_err(),
        register_actor_timer(service, timer).unwrap_err(),
        execute_actor_state_transaction(service, transaction).await.unwrap_err(),
    ] {
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "placement service is not configured"));
        assert_eq!(code_of(&status).unwrap().name(), "ERR_ACTOR_NO_PLACEMENT");
    }
    let reserved = RegisterActorReminderRequest { actor_type: "dapr.internal.x".to_owned(), ..Default::default() };
    let status = register_actor_reminder(service, reserved).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn reminders_say_what_they_lack() {
    let (_placement, sidecar) = alone().await;
    let lacking = "scheduler clients are disabled";
    let lacking = fault("ERR_ACTOR_REMINDER_CREATE", &format!("error creating actor reminder: {lacking}"));
    sidecar.check("PUT t/1/reminders/r", "{}", (500, &lacking)).await;
    let foreign = "operations on actor reminders are only possible on hosted actor types";
    sidecar.check("PUT u/1/reminders/r", "{}", (403, &fault("ERR_ACTOR_REMINDER_NON_HOSTED", foreign))).await;
    let (status, _, body) = sidecar.send("PUT t/1/reminders/r", &[], "{").await;
    assert!(status == 400 && body.contains("ERR_MALFORMED_REQUEST"), "{body}");
}

#[tokio::test]
async fn each_id_is_served_by_one_of_two_sidecars() {
    let placement = Placement::start(0).await;
    let one = Sidecar::start(Some(&placement), hosting("t", json!({}))).await;
    let other = Sidecar::start(Some(&placement), hosting("t", json!({}))).await;
    placement.round(2).await;
    for id in 0..40 {
        for sidecar in [&one, &other] {
            sidecar.check(&format!("PUT t/{id}/method/m"), "x", (200, "x")).await;
        }
    }
    let (here, there) = (one.app.count("PUT"), other.app.count("PUT"));
    assert!(here + there == 80 && here > 0 && there > 0, "{here} {there}");
    for id in 0..40 {
        let line = format!("PUT /actors/t/{id}/method/m");
        let counts = [one.app.count(&line), other.app.count(&line)];
        assert!(counts.contains(&0), "{id} was active in two places: {counts:?}");
    }
    let nested = "rpc error: code = Internal desc = error invoke actor method: error from actor service: (500) no";
    let nested = fault("ERR_ACTOR_INVOKE_METHOD", &format!("error invoke actor method: {nested}"));
    let id = (0..40).find(|id| other.app.count(&format!("PUT /actors/t/{id}/method/m")) > 0).unwrap();
    one.check(&format!("PUT t/{id}/method/fail"), "", (500, &nested)).await;
    one.check(&format!("PUT t/{id}/method/wrong"), "", (200, "sorry")).await;
}

#[tokio::test]
async fn an_actor_does_one_thing_at_a_time() {
    let (_placement, sidecar) = alone().await;
    let mut first = Box::pin(sidecar.send("PUT t/1/method/wait", &[], ""));
    assert!((&mut first).now_or_never().is_none());
    let mut second = Box::pin(sidecar.send("PUT t/1/method/m", &[], ""));
    tokio::select! {
        () = sidecar.app.until("PUT", 1) => {}
        _ = &mut first => panic!("it waits"),
    }
    assert!((&mut second).now_or_never().is_none());
    sidecar.check("PUT t/2/method/m", "", (200, "")).await;
    assert_eq!(sidecar.app.count("PUT /actors/t/1/method/m"), 0);
    sidecar.app.go_on.notify_one();
    assert_eq!((first.await.0, second.await.0), (200, 200));
}

#[tokio::test]
async fn a_chain_of_calls_comes_back_as_deep_as_it_may() {
    let placement = Placement::start(0).await;
    let reentrant = json!({"reentrancy": {"enabled": true, "maxStackDepth": 2}});
    let sidecar = Arc::new(Sidecar::start(Some(&placement), hosting("t", reentrant)).await);
    placement.round(1).await;
    let mut outer = Box::pin(sidecar.send("PUT t/1/method/wait", &[], ""));
    tokio::select! {
        () = sidecar.app.until("PUT", 1) => {}
        _ = &mut outer => panic!("it waits"),
    }
    let chain = sidecar.app.last().headers["dapr-reentrancy-id"].to_str().unwrap().to_owned();
    let named = [("Dapr-Reentrancy-Id", chain.as_str())];
    assert_eq!(sidecar.send("PUT t/1/method/m", &named, "").await.0, 200);
    let mut inner = Box::pin(sidecar.send("PUT t/1/method/wait", &named, ""));
    tokio::select! {
        () = sidecar.app.until("PUT /actors/t/1/method/wait", 2) => {}
        _ = &mut inner => panic!("it waits"),
    }
    let (status, _, body) = sidecar.send("PUT t/1/method/m", &named, "").await;
    assert_eq!((status, body), (500, fault("ERR_ACTOR_STACK_DEPTH", "maximum stack depth exceeded")));
    sidecar.app.go_on.notify_waiters();
    assert_eq!((outer.await.0, inner.await.0), (200, 200));
}

#[tokio::test]
async fn calls_wait_until_it_is_known_where_actors_live() {
    let placement = Placement::start(0).await;
    let options = Options::default();
    let sidecar = Sidecar::with(Some(&placement), hosting("t", json!({})), options).await;
    let mut early = Box::pin(sidecar.send("PUT t/1/method/m", &[], "x"));
    assert!((&mut early).now_or_never().is_none());
    let ((status, _, body), ()) = tokio::join!(early, placement.round(1));
    assert_eq!((status, body.as_str()), (200, "x"));
}
