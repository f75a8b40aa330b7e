//! What becomes of actors when they are not used, when hosts come and go, and without the placement service.
use crate::placement::Placement;
use crate::world::{Sidecar, hosting, in_step};
use block_actor::RuntimeStatus;
use futures_util::FutureExt;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test]
async fn an_actor_that_is_not_used_is_deactivated() {
    let (_placement, sidecar) = in_step(json!({"actorIdleTimeout": "20ms"})).await;
    let mut busy = Box::pin(sidecar.send("PUT t/busy/method/wait", &[], ""));
    tokio::select! {
        () = sidecar.app.until("PUT", 1) => {}
        _ = &mut busy => panic!("it waits"),
    }
    sidecar.check("PUT t/1/method/m", "", (200, "")).await;
    sidecar.app.until("DELETE /actors/t/1", 1).await;
    assert_eq!(sidecar.app.count("DELETE /actors/t/busy"), 0);
    sidecar.app.go_on.notify_one();
    assert_eq!(busy.await.0, 200);
    sidecar.app.until("DELETE /actors/t/busy", 1).await;
    sidecar.check("PUT t/1/method/m", "x", (200, "x")).await;
}

#[tokio::test]
async fn actors_move_when_a_host_comes() {
    let (placement, one) = in_step(json!({})).await;
    for id in 0..20 {
        one.check(&format!("PUT t/{id}/method/m"), "", (200, "")).await;
    }
    let other = Sidecar::start(Some(&placement), hosting("t", json!({}))).await;
    placement.round(2).await;
    let moved = one.app.count("DELETE");
    assert!(moved > 0 && moved < 20, "{moved}");
    let active = BTreeMap::from([("t".to_owned(), 20 - moved)]);
    assert_eq!(one.service.status(), RuntimeStatus::Running { ready: true, active });
    for id in 0..20 {
        one.check(&format!("PUT t/{id}/method/m"), "", (200, "")).await;
    }
    assert_eq!((one.app.count("PUT"), other.app.count("PUT")), (40 - moved, moved));
}

#[tokio::test]
async fn calls_get_time_to_end_before_their_actor_moves() {
    let (placement, one) = in_step(json!({"drainOngoingCallTimeout": "20s"})).await;
    let mut calls: Vec<_> = (0..20)
        .map(|id| format!("PUT t/{id}/method/wait"))
        .map(|line| {
            let one = &one;
            Box::pin(async move { one.send(&line, &[], "x").await })
        })
        .collect();
    for call in &mut calls {
        assert!(call.now_or_never().is_none());
    }
    let calls = futures_util::future::join_all(calls);
    let changes = async {
        one.app.until("PUT", 20).await;
        let other = Sidecar::start(Some(&placement), hosting("t", json!({}))).await;
        let mut round = Box::pin(placement.round(2));
        assert!((&mut round).now_or_never().is_none());
        one.app.go_on.notify_waiters();
        round.await;
        other
    };
    let (answers, other) = tokio::join!(calls, changes);
    assert!(answers.iter().all(|(status, _, body)| (*status, body.as_str()) == (200, "x")));
    assert_eq!(other.app.count("PUT"), 0, "no call was made twice");
}

#[tokio::test]
async fn calls_that_take_too_long_are_made_again_elsewhere_or_here() {
    let placement = Placement::start(0).await;
    let hosted = hosting("t", json!({"drainRebalancedActors": false}));
    let one = Sidecar::start(Some(&placement), hosted.clone()).await;
    placement.round(1).await;
    let mut call = Box::pin(one.send("PUT t/1/method/wait", &[], "x"));
    tokio::select! {
        () = one.app.until("PUT", 1) => {}
        _ = &mut call => panic!("it waits"),
    }
    let changes = async {
        let other = Sidecar::start(Some(&placement), hosted).await;
        placement.round(2).await;
        tokio::select! {
            () = one.app.until("PUT", 2) => one.app.go_on.notify_waiters(),
            () = other.app.until("PUT", 1) => other.app.go_on.notify_waiters(),
        }
        other
    };
    let ((status, _, body), _other) = tokio::join!(call, changes);
    assert_eq!((status, body.as_str()), (200, "x"));
}

#[tokio::test]
async fn without_the_placement_service_actors_end_and_calls_wait_for_it() {
    let (placement, sidecar) = in_step(json!({})).await;
    let port = placement.port();
    sidecar.check("PUT t/1/method/m", "", (200, "")).await;
    placement.stop().await;
    sidecar.app.until("DELETE /actors/t/1", 1).await;
    let mut waiting = Box::pin(sidecar.send("PUT t/1/method/m", &[], "x"));
    assert!((&mut waiting).now_or_never().is_none());
    assert!(matches!(sidecar.service.status(), RuntimeStatus::Running { ready: false, .. }));
    let placement = Placement::start(port).await;
    let ((status, _, body), ()) = tokio::join!(waiting, placement.round(1));
    assert_eq!((status, body.as_str()), (200, "x"));
}

#[tokio::test]
async fn the_runtime_waits_for_the_app_and_follows_its_health() {
    let placement = Placement::start(0).await;
    let sidecar = Sidecar::start(Some(&placement), None).await;
    assert_eq!(sidecar.service.status(), RuntimeStatus::Initializing);
    sidecar.service.host(Some(&sidecar.channel), hosting("t", json!({}))).unwrap();
    placement.round(1).await;
    sidecar.check("PUT t/1/method/m", "", (200, "")).await;
    sidecar.service.unhost().await;
    placement.until_hosted("t", false).await;
    assert_eq!(sidecar.app.count("DELETE /actors/t/1"), 1);
}

#[tokio::test]
async fn at_the_end_others_take_over_before_the_connection_is_closed() {
    let (placement, sidecar) = in_step(json!({})).await;
    sidecar.check("PUT t/1/method/m", "", (200, "")).await;
    let service = async {
        placement.until_hosted("t", false).await;
        assert_eq!(sidecar.app.count("DELETE"), 0);
        placement.round(1).await;
    };
    tokio::join!(sidecar.service.end(), service);
    assert_eq!(sidecar.app.count("DELETE /actors/t/1"), 1);
    let (status, _, body) = sidecar.send("PUT t/1/method/m", &[], "").await;
    assert!(status == 503 && body.contains("ERR_ACTOR_RUNTIME_CLOSED"), "{body}");
}

#[tokio::test]
async fn an_app_that_never_ends_its_answer_holds_up_no_end() {
    let (_placement, sidecar) = in_step(json!({})).await;
    sidecar.check("PUT t/endless/method/m", "", (200, "")).await;
    // Less than the time that an app has for an answer.
    timeout(Duration::from_secs(4), sidecar.service.unhost()).await.unwrap();
    assert_eq!(sidecar.app.count("DELETE /actors/t/endless"), 1);
}

/// Others wait for the end that somebody began who does not wait any more.
#[tokio::test]
async fn the_end_of_an_actor_goes_on_whoever_gives_up_waiting_for_it() {
    let (_placement, sidecar) = in_step(json!({})).await;
    sidecar.check("PUT t/endless/method/m", "", (200, "")).await;
    sidecar.stores.remove("store");
    tokio::select! {
        () = sidecar.service.store_changed() => panic!("the app does not end its answer"),
        () = sidecar.app.until("DELETE /actors/t/endless", 1) => {}
    }
    timeout(Duration::from_secs(20), sidecar.service.end()).await.unwrap();
}

/// Others may have had the actors meanwhile.
#[tokio::test]
async fn tables_that_look_the_same_after_a_lost_connection_are_new_ones() {
    let (placement, sidecar) = in_step(json!({})).await;
    let port = placement.port();
    sidecar.check("PUT t/1/method/m", "", (200, "")).await;
    placement.stop().await;
    sidecar.app.until("DELETE /actors/t/1", 1).await;
    let placement = Placement::start(port).await;
    placement.until_hosted("t", true).await;
    placement.order("lock").await;
    placement.order("update").await;
    let mut waiting = Box::pin(sidecar.send("PUT t/1/method/m", &[], "x"));
    assert!((&mut waiting).now_or_never().is_none(), "not before all have the tables");
    let ((status, ..), ()) = tokio::join!(waiting, placement.order("unlock"));
    assert_eq!(status, 200);
}

/// A host of many types is named with all of them in each of their tables.
#[tokio::test]
async fn tables_are_taken_beyond_the_usual_limit_of_a_message() {
    let placement = Placement::start(0).await;
    let types: Vec<_> = (0..200).map(|number| format!("{number:0>150}")).collect();
    let sidecar = Sidecar::start(Some(&placement), Some(json!({"entities": types}))).await;
    timeout(Duration::from_secs(20), placement.round(1)).await.unwrap();
    sidecar.check(&format!("PUT {}/1/method/m", types[7]), "x", (200, "x")).await;
}

/// The app says what nobody may host, and the placement service would refuse all of it.
#[tokio::test]
async fn types_that_nobody_may_host_are_left_out() {
    let placement = Placement::start(0).await;
    let types = json!({"entities": ["dapr.internal.default.other.workflow", "t", ""]});
    let sidecar = Sidecar::start(Some(&placement), Some(types)).await;
    placement.round(1).await;
    sidecar.check("PUT t/1/method/m", "x", (200, "x")).await;
    let RuntimeStatus::Running { active, .. } = sidecar.service.status() else { panic!("it runs") };
    assert_eq!(active, BTreeMap::from([("t".to_owned(), 1)]));
}
