//! Against schedulers on loopback.
use super::*;
use crate::hosts::Options;
use axum::Router;
use axum::routing::post;
use foundation_drain::Drain;
use foundation_grpc::answer_message;
use foundation_peer::ControlService;
use tokio::net::TcpListener;

/// A client of schedulers: one that ends each connection at the first call, and maybe one that answers.
async fn client(one_answers: bool, drain: &Drain) -> Client {
    let mut addresses = vec![breaks(drain).await];
    if one_answers {
        addresses.push(answers(drain).await);
    }
    let service = ControlService { addresses: addresses.clone(), identity: None };
    let client = Client::new(Options { service, streams: 1, app_id: String::new(), namespace: String::new() });
    client.know(addresses);
    client
}

async fn breaks(drain: &Drain) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drain.spawn_until_stopped(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            let _call = connection.accept().await;
        }
    });
    address
}

async fn answers(drain: &Drain) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = Router::new().fallback(post(|| async { answer_message(&GetJobResponse::default()) }));
    drain.spawn_until_stopped(async move {
        axum::serve(listener, router).await.ok();
    });
    address
}

#[tokio::test]
async fn a_lost_connection_is_unavailable() {
    let drain = Drain::new();
    let client = client(false, &drain).await;
    let status = client.schedule(ScheduleJobRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().starts_with("lost the connection to the scheduler: "), "{status:?}");
}

#[tokio::test]
async fn what_may_be_done_twice_is_asked_of_the_next_scheduler() {
    let drain = Drain::new();
    let client = client(true, &drain).await;
    for _ in 0..3 {
        client.get(GetJobRequest::default()).await.unwrap();
        client.schedule(ScheduleJobRequest { overwrite: true, ..ScheduleJobRequest::default() }).await.unwrap();
    }
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        outcomes.push(client.schedule(ScheduleJobRequest::default()).await.is_ok());
    }
    outcomes.sort_unstable();
    assert_eq!(outcomes, [false, true], "what may not is told");
}
