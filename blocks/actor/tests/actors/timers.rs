//! Timers of actors.
use crate::placement::Placement;
use crate::world::{Sidecar, fault, hosting, in_step};
use block_actor::{register_actor_timer, unregister_actor_timer};
use serde_json::json;
use wire::runtime::v1::{RegisterActorTimerRequest, UnregisterActorTimerRequest};

async fn sidecar() -> (Placement, Sidecar) {
    let (placement, sidecar) = in_step(json!({})).await;
    (placement, sidecar)
}

#[tokio::test]
async fn a_timer_ticks_as_often_as_it_shall() {
    let (_placement, sidecar) = sidecar().await;
    let timer = r#"{"dueTime": "0h0m0s10ms", "period": "R3/PT0S", "callback": "c", "data": {"a":  1}}"#;
    sidecar.check("PUT t/1/timers/x", timer, (204, "")).await;
    sidecar.app.until("PUT /actors/t/1/method/timer/x", 1).await;
    let seen = sidecar.app.last();
    let body = r#"{"data":{"a":1},"callback":"c","dueTime":"0h0m0s10ms","period":"R3/PT0S"}"#;
    assert_eq!(
        (seen.body.as_ref(), &seen.headers["content-type"]),
        (body.as_bytes(), &"application/json".parse().unwrap())
    );
    let again = r#"{"period": "R3/10ms"}"#;
    sidecar
        .check(
            "PUT t/2/timers/x",
            again,
            (500, &creating("invalid timer period: parse error: unsupported duration format: R3/10ms")),
        )
        .await;
    let request = RegisterActorTimerRequest {
        actor_type: "t".to_owned(),
        actor_id: "2".to_owned(),
        name: "y".to_owned(),
        period: "10ms".to_owned(),
        data: "hi".into(),
        ..Default::default()
    };
    register_actor_timer(&sidecar.service, request).unwrap();
    sidecar.app.until("PUT /actors/t/2/method/timer/y", 3).await;
    assert_eq!(sidecar.app.last().body.as_ref(), br#"{"data":"aGk=","callback":"","dueTime":"","period":"10ms"}"#);
    let [actor_type, actor_id, name] = ["t", "2", "y"].map(str::to_owned);
    unregister_actor_timer(&sidecar.service, UnregisterActorTimerRequest { actor_type, actor_id, name }).unwrap();
}

fn creating(reason: &str) -> String {
    fault("ERR_ACTOR_TIMER_CREATE", &format!("error creating actor timer: {reason}"))
}

#[tokio::test]
async fn timers_that_cannot_be_are_refused() {
    let (_placement, sidecar) = sidecar().await;
    for (body, reason) in [
        (r#"{"dueTime": "soon"}"#, "error parsing timer due time: unsupported time/duration format: soon"),
        (r#"{"period": "R0/PT1S"}"#, "invalid timer period: has zero repetitions"),
        (r#"{"ttl": "R2/PT1S"}"#, "error parsing timer TTL: repetitions are not allowed"),
    ] {
        sidecar.check("PUT t/1/timers/x", body, (500, &creating(reason))).await;
    }
    let (status, _, body) = sidecar.send("PUT t/1/timers/x", &[], r#"{"ttl": "-5s"}"#).await;
    assert!(status == 500 && body.contains("timer t||1||x has already expired: dueTime: "), "{body}");
    let foreign = creating("can't create timer for actor u||1: actor type not registered");
    sidecar.check("PUT u/1/timers/x", "{}", (500, &foreign)).await;
    let (status, _, body) = sidecar.send("PUT t/1/timers/a%2Fb", &[], "{}").await;
    assert!(status == 400 && body.contains("ERR_BAD_REQUEST"), "{body}");
    sidecar.check("DELETE t/1/timers/none", "", (204, "")).await;
}

#[tokio::test]
async fn ids_that_no_path_can_have_are_refused_everywhere() {
    let (_placement, sidecar) = sidecar().await;
    let text = r#"invalid request: invalid actorId: name is a path traversal sequence: "..""#;
    let refused = fault("ERR_BAD_REQUEST", text);
    for (method, what) in [("PUT", "timers/x"), ("PUT", "reminders/x"), ("PUT", "method/m"), ("GET", "state/k")] {
        sidecar.check(&format!("{method} t/%2e%2e/{what}"), "{}", (400, &refused)).await;
    }
    sidecar.check("PUT t/%2e%2e/state", "[]", (400, &refused)).await;
}

/// Years of ticks are one, and the next comes when it is due.
#[tokio::test]
async fn ticks_that_were_missed_come_as_one() {
    let (_placement, sidecar) = sidecar().await;
    let timer = r#"{"dueTime": "2020-01-01T00:00:00Z", "period": "1h"}"#;
    sidecar.check("PUT t/1/timers/x", timer, (204, "")).await;
    sidecar.app.until("PUT /actors/t/1/method/timer/x", 1).await;
    sidecar.check("PUT t/2/timers/y", "{}", (204, "")).await;
    sidecar.app.until("PUT /actors/t/2/method/timer/y", 1).await;
    assert_eq!(sidecar.app.count("PUT /actors/t/1/method/timer/x"), 1);
}

#[tokio::test]
async fn a_timer_takes_the_place_of_the_one_with_its_name() {
    let (_placement, sidecar) = sidecar().await;
    sidecar.check("PUT t/1/timers/x", r#"{"dueTime": "1h", "callback": "old"}"#, (204, "")).await;
    sidecar.check("PUT t/1/timers/x", r#"{"callback": "new"}"#, (204, "")).await;
    sidecar.app.until("PUT /actors/t/1/method/timer/x", 1).await;
    assert!(sidecar.app.last().body.starts_with(br#"{"callback":"new""#));
}

/// Ticks that wait for a busy actor end with their timer; the actor hears of none of them.
#[tokio::test]
async fn a_tick_that_has_not_begun_ends_with_its_timer() {
    let (_placement, sidecar) = sidecar().await;
    let busy = sidecar.send("PUT t/1/method/wait", &[], "");
    let replaced = async {
        sidecar.app.until("PUT /actors/t/1/method/wait", 1).await;
        for _ in 0..10 {
            sidecar.check("PUT t/1/timers/x", r#"{"period": "1h"}"#, (204, "")).await;
            sidecar.check("PUT t/2/method/meanwhile", "", (200, "")).await;
        }
        sidecar.check("DELETE t/1/timers/x", "", (204, "")).await;
        sidecar.app.go_on.notify_one();
    };
    tokio::join!(busy, replaced);
    sidecar.check("PUT t/1/method/m", "", (200, "")).await;
    assert_eq!(sidecar.app.count("PUT /actors/t/1/method/timer/x"), 0);
}

/// What the app has been told of is not broken off: the next call waits for it.
#[tokio::test]
async fn a_tick_that_has_begun_outlives_its_timer() {
    let (_placement, sidecar) = sidecar().await;
    sidecar.check("PUT t/1/timers/wait", "{}", (204, "")).await;
    sidecar.app.until("PUT /actors/t/1/method/timer/wait", 1).await;
    sidecar.check("DELETE t/1/timers/wait", "", (204, "")).await;
    let mut next = Box::pin(sidecar.send("PUT t/1/method/m", &[], ""));
    tokio::select! {
        _ = &mut next => panic!("it waits"),
        () = sidecar.check("PUT t/2/method/meanwhile", "", (200, "")) => {}
    }
    assert_eq!(sidecar.app.count("PUT /actors/t/1/method/m"), 0);
    sidecar.app.go_on.notify_one();
    assert_eq!(next.await.0, 200);
}

#[tokio::test]
async fn ticks_reach_the_host_of_the_actor() {
    let placement = Placement::start(0).await;
    let one = Sidecar::start(Some(&placement), hosting("t", json!({}))).await;
    let other = Sidecar::start(Some(&placement), hosting("t", json!({}))).await;
    placement.round(2).await;
    for id in 0..20 {
        one.check(&format!("PUT t/{id}/timers/x"), r#"{"data": 5}"#, (204, "")).await;
    }
    let seen = async |sidecar: &Sidecar| sidecar.app.until("PUT", 1).await;
    tokio::join!(seen(&one), seen(&other));
    assert_eq!(other.app.last().body.as_ref(), br#"{"data":5,"callback":"","dueTime":"","period":""}"#);
}
