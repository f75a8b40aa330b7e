//! Jobs go with their namespace: those of one that is deleted in Kubernetes are deleted (protocols.md 3.2).
//!
//! Each scheduler does it, for a deletion that is done twice does no harm, and one that is missed is not done again.
use crate::keyspace::Keyspace;
use crate::names::of_namespace;
use foundation_kubernetes::{Change, Error, Kind, Kubernetes};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::sleep;

const SCOPE: &str = "dapr.scheduler.server.controller";
const PATH: &str = "/api/v1/namespaces";
/// Namespaces of one answer: each may have some kibibytes of annotations.
const PAGE: usize = 100;
/// Between two watches, and before another try.
const PAUSE: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_secs(5);

/// The namespaces of a cluster, and what has become of them.
pub(crate) struct Namespaces {
    kubernetes: Kubernetes,
    keyspace: Keyspace,
    known: BTreeSet<String>,
    /// Those that are gone, and may have jobs still.
    gone: BTreeSet<String>,
}

/// Why namespaces are not followed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Kubernetes(#[from] Error),
    #[error("cannot delete their jobs: {0}")]
    Store(#[from] foundation_etcd::Error),
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Default, Deserialize)]
struct Item {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    name: String,
    resource_version: String,
    r#continue: String,
}

impl Namespaces {
    pub(crate) fn new(kubernetes: Kubernetes, keyspace: Keyspace) -> Self {
        Self { kubernetes, keyspace, known: BTreeSet::new(), gone: BTreeSet::new() }
    }

    /// Follows them for good. What happened while they could not be followed is found out afterwards.
    pub(crate) async fn follow(mut self) -> Infallible {
        let mut told = String::new();
        loop {
            let Err(failure) = self.list_and_watch().await;
            if let Failure::Kubernetes(Error::Ended(reason)) = &failure {
                tracing::debug!(target: SCOPE, "namespaces are listed again: {reason}");
                sleep(PAUSE).await;
                continue;
            }
            let reason = failure.to_string();
            if reason != told {
                tracing::warn!(target: SCOPE, "namespaces of Kubernetes cannot be followed: {reason}");
            }
            told = reason;
            sleep(RETRY).await;
        }
    }

    async fn list_and_watch(&mut self) -> Result<Infallible, Failure> {
        let mut version = self.list().await?;
        tracing::info!(target: SCOPE, "Controller ready");
        loop {
            self.purge().await?;
            version = self.watch(version).await?;
            sleep(PAUSE).await;
        }
    }

    /// Reads what is there; returns the version of that.
    async fn list(&mut self) -> Result<String, Failure> {
        let (mut now, mut next) = (BTreeSet::new(), String::new());
        loop {
            let path = format!("{PATH}?limit={PAGE}&continue={next}");
            let page: List = self.kubernetes.get(&path).await?;
            now.extend(page.items.into_iter().map(|item| item.metadata.name));
            next = page.metadata.r#continue;
            if next.is_empty() {
                self.compare(now);
                return Ok(page.metadata.resource_version);
            }
        }
    }

    /// What was known and is not there now is gone.
    fn compare(&mut self, now: BTreeSet<String>) {
        self.gone.extend(self.known.difference(&now).cloned());
        self.gone.retain(|name| !now.contains(name));
        self.known = now;
    }

    /// Takes note of changes until the watch ends; returns the version after them.
    async fn watch(&mut self, mut version: String) -> Result<String, Failure> {
        let mut watch = self.kubernetes.watch(PATH, &version).await?;
        while let Some(change) = watch.next().await? {
            if let Some(now) = change.version() {
                now.clone_into(&mut version);
            }
            self.take(&change);
            self.purge().await?;
        }
        Ok(version)
    }

    fn take(&mut self, change: &Change) {
        let name = change.name();
        match change.kind {
            Kind::Deleted if !name.is_empty() => {
                self.known.remove(name);
                self.gone.insert(name.to_owned());
            }
            Kind::Added | Kind::Modified => {
                self.gone.remove(name);
                self.known.insert(name.to_owned());
            }
            Kind::Deleted | Kind::Bookmark | Kind::Error => {}
        }
    }

    async fn purge(&mut self) -> Result<(), Failure> {
        while let Some(name) = self.gone.first() {
            tracing::info!(target: SCOPE, "Deleting jobs from deleted namespace {name}");
            for prefix in of_namespace(name) {
                self.keyspace.delete_jobs(&prefix).await?;
            }
            self.gone.pop_first();
        }
        Ok(())
    }
}
