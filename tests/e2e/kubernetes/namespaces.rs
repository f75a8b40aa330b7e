//! Jobs go with their namespace.
use super::api::{ApiServer, BEARER};
use crate::authority::Sentry;
use crate::scheduler::Scheduler;
use crate::wait::until;

/// A scheduler as in a cluster, with a job and a reminder in each namespace.
async fn scheduler(api: &ApiServer, sentry: &Sentry, namespaces: &[&str]) -> Scheduler {
    let scheduler = Scheduler::with(vec![
        "--mode=kubernetes".to_owned(),
        format!("--kubeconfig={}", api.kubeconfig(BEARER, &api.roots())),
        format!("--sentry-address=127.0.0.1:{}", sentry.port),
        format!("--trust-anchors-file={}", sentry.roots().display()),
        "--trust-domain=localhost".to_owned(),
    ])
    .await;
    for namespace in namespaces {
        scheduler.put(&format!("dapr/jobs/app||{namespace}||web||daily")).await;
        scheduler.put(&format!("dapr/counters/app||{namespace}||web||daily")).await;
        scheduler.put(&format!("dapr/jobs/actorreminder||{namespace}||cart||7||pay")).await;
    }
    scheduler
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_a_namespace_that_is_deleted_are_deleted() {
    let (api, sentry) = (ApiServer::start().await, Sentry::start().await);
    api.make_namespaces(&["shop", "shop2", "stock"]);
    let scheduler = scheduler(&api, &sentry, &["shop", "shop2", "stock", "unknown"]).await;
    until("namespaces are watched", async || api.is_watched()).await;
    api.delete_namespace("shop");
    until("its jobs are gone", async || scheduler.stored().await == 6).await;
    api.delete_namespace_unseen("stock");
    until("those of the next one are gone", async || scheduler.stored().await == 4).await;
    let left = scheduler.keys("dapr/").await;
    let expected = ["shop2", "unknown"];
    let is_expected = |key: &String| expected.iter().any(|name| key.contains(&format!("||{name}||")));
    assert!(left.iter().filter(|key| !key.starts_with("dapr/leadership")).all(is_expected), "{left:?}");
}
