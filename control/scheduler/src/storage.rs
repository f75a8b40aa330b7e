//! Where jobs are kept: a file of this process behind etcd's API, perhaps one of several with the same records, or an etcd elsewhere.
mod peers;

use crate::metrics::Metrics;
use crate::options::{Embedded, Options, Store as Choice};
use anyhow::Context as _;
use foundation_drain::Drain;
use foundation_etcd::{Client, Remote, RemoteSettings, Settings, Store};
use foundation_identity::Identity;
use foundation_process::{Refused, listen, serve_grpc};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval};
use tonic::transport::server::Router;

const SCOPE: &str = "dapr.scheduler.server.etcd";
/// The folder of the file, and the one in which Dapr's own embedded etcd keeps its own.
const FOLDER: &str = "trilby-1";
const DAPRS: &str = "dapr-0.1";
/// Events of the past that can be watched, in bytes.
const HISTORY: u64 = 16 << 20;
/// After how many looks an event is old.
const AGE: usize = 2;
/// How often sizes are looked at, and after how many looks the file may be made smaller.
const LOOK: Duration = Duration::from_secs(5);
const LOOKS: u64 = 120;

/// Who this scheduler is to others that keep the same records, and where strangers are counted.
#[derive(Clone, Copy)]
pub(crate) struct Guard<'a> {
    pub(crate) identity: Option<&'a Identity>,
    pub(crate) refused: &'a Refused,
}

/// Opens the store, and serves it on a port; or gets ready to talk to one.
///
/// # Errors
/// A file that cannot be used, a port that is taken, endpoints that are none.
pub(crate) async fn open(
    options: &Options,
    guard: Guard<'_>,
    metrics: &Metrics,
    drain: &Drain,
) -> anyhow::Result<(Client, Option<u16>)> {
    match &options.store {
        Choice::Embedded(embedded) => {
            let store = open_embedded(embedded, guard, drain).await?;
            let listener = listen::tcp(&embedded.address, embedded.port).await;
            let listener = listener.with_context(|| {
                format!("cannot listen on {}:{}; check --etcd-client-port", embedded.address, embedded.port)
            })?;
            let bound = listener.local_addr()?;
            warn_of_strangers(bound);
            let port = bound.port();
            let routes = foundation_etcd::routes(store.clone(), &options.id, bound, drain);
            serve(routes, listener, guard.refused.clone(), drain);
            drain.spawn_until_stopped(look_after(store.clone(), metrics.clone(), embedded.defragmentation));
            Ok((Client::Embedded(store), Some(port)))
        }
        Choice::External { endpoints, username, password } => {
            let settings =
                RemoteSettings { endpoints: endpoints.clone(), username: username.clone(), password: password.clone() };
            Ok((Client::Remote(Remote::new(settings)?), None))
        }
    }
}

async fn open_embedded(embedded: &Embedded, guard: Guard<'_>, drain: &Drain) -> anyhow::Result<Store> {
    warn_of_other(&embedded.folder);
    let folder = embedded.folder.join(FOLDER);
    let settings = Settings {
        folder: folder.clone(),
        quota: embedded.quota,
        most_operations: embedded.most_operations,
        history_bytes: HISTORY,
        history_revisions: embedded.revisions,
    };
    let opened = match &embedded.members {
        None => Store::open(settings, drain).await,
        Some(members) => return peers::join(settings, members, guard, drain).await,
    };
    opened.with_context(|| format!("cannot open the store in {}; check --etcd-data-dir", folder.display()))
}

fn serve(routes: Router, listener: TcpListener, refused: Refused, drain: &Drain) {
    let stopping = drain.clone();
    drain.spawn(async move {
        if let Err(error) = serve_grpc(routes, listener, None, &stopping, refused).await {
            stopping.fail(format!("etcd's API failed: {error}"));
        }
    });
}

/// The API has no users and no TLS, as in Dapr: it is for this machine.
fn warn_of_strangers(bound: SocketAddr) {
    if !bound.ip().is_loopback() {
        tracing::warn!(
            target: SCOPE,
            "whoever reaches {bound} can read and change all jobs, with or without mTLS; check --etcd-client-listen-address"
        );
    }
}

/// The files of Dapr's scheduler are of another kind.
fn warn_of_other(folder: &Path) {
    let other = folder.join(DAPRS);
    if other.exists() {
        tracing::warn!(
            target: SCOPE,
            "jobs that Dapr's scheduler has left in {} are not read; export them there and import them here",
            other.display()
        );
    }
}

/// Shows sizes, and gives space back to the disk when half of the file is of no use.
async fn look_after(store: Store, metrics: Metrics, threshold: u64) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut count, mut past) = (0_u64, [0; AGE]);
    loop {
        looks.tick().await;
        store.age(past[0]);
        past.rotate_left(1);
        past[AGE - 1] = store.now().revision;
        let sizes = store.sizes();
        metrics.store(sizes, store.has_leader());
        count += 1;
        let unused = sizes.file.saturating_sub(sizes.in_use);
        if count.is_multiple_of(LOOKS) && sizes.file >= 2 * sizes.in_use && unused >= threshold {
            tracing::info!(target: SCOPE, "defragmenting: {} of {} bytes are in use", sizes.in_use, sizes.file);
            store.defragment().await.ok();
        }
    }
}
