//! The end of actors, of one or of many at once: the app is told, and what it has not answered by the deadline is over as well.
use super::{Hosted, Hosts, SCOPE, all_of};
use crate::app::Failure;
use crate::model::ActorKey;
use futures_util::future::{join_all, ready};
use futures_util::{StreamExt, stream};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long an app has for the end of all actors that end at once. The sidecar connects to the placement service, or ends itself, only
/// after it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(4);
/// Actors that an app is told of at the same time, each on a connection of its own over HTTP: an app that takes half a second for
/// each can let go of some thousand within [`PATIENCE`].
const AT_ONCE: usize = 1024;

impl Hosts {
    /// Deactivates those actors of some types for which `goes` says so.
    pub(crate) async fn halt(self: &Arc<Self>, names: &[String], goes: impl Fn(&ActorKey) -> bool, deadline: Instant) {
        let types = self.types.load_full();
        let affected = names.iter().filter_map(|name| types.get(name)).flat_map(all_of);
        self.halt_these(affected.filter(|(_, actor)| goes(&actor.key())).collect(), deadline).await;
    }

    /// Deactivates all actors.
    pub(crate) async fn halt_all(self: &Arc<Self>) {
        let types = self.types.load_full();
        self.halt_these(types.values().flat_map(all_of).collect(), Instant::now() + PATIENCE).await;
    }

    pub(super) async fn halt_these(self: &Arc<Self>, actors: Vec<Hosted>, deadline: Instant) {
        // None of them gets another turn from here on, however late its end comes.
        let (ending, ended): (Vec<_>, Vec<_>) = actors.into_iter().partition(|(_, actor)| actor.close());
        // What has begun goes on, whoever gives up waiting: others wait for it as well.
        self.drain.finish(Arc::clone(self).let_go_of(ending, deadline)).await;
        let gone = join_all(ended.iter().map(|(_, actor)| actor.gone()));
        timeout_at(deadline, gone).await.ok();
    }

    async fn let_go_of(self: Arc<Self>, actors: Vec<Hosted>, deadline: Instant) {
        let count = actors.len();
        let ends = stream::iter(actors).map(|hosted| self.let_go(hosted, deadline));
        let late = ends.buffer_unordered(AT_ONCE).filter(|in_time| ready(!*in_time)).count().await;
        self.idle.forget_ended();
        if late > 0 {
            tracing::error!(target: SCOPE, "Failed to halt {late} of {count} actors in time: the app has not answered; they are dropped");
        }
    }

    /// Tells the app of the end of an actor, which is over then, whatever the app says. Returns whether it said anything in time.
    pub(super) async fn let_go(&self, (hosted, actor): Hosted, deadline: Instant) -> bool {
        let key = actor.key();
        tracing::debug!(target: SCOPE, "Halting actor '{key}'");
        self.metrics.actor_rebalanced(&key.actor_type);
        // An app that is late already gets no more to do.
        let has_time = Instant::now() < deadline;
        let told = if has_time { timeout_at(deadline, hosted.app.deactivate(&key)).await.ok() } else { None };
        if let Some(Err(failure)) = &told {
            tracing::error!(target: SCOPE, "Failed to halt actor {key}: {failure}");
        }
        self.metrics.actor_deactivated(&key.actor_type, matches!(told, Some(Ok(()))));
        hosted.actors().remove(&actor.id);
        actor.leave();
        self.emptied.notify_waiters();
        told.is_some()
    }

    /// The same for an actor that ends by itself.
    pub(super) async fn let_go_alone(self: Arc<Self>, hosted: Hosted) {
        let key = hosted.1.key();
        if !self.let_go(hosted, Instant::now() + PATIENCE).await {
            let failure = Failure::Unreached("context deadline exceeded".to_owned());
            tracing::error!(target: SCOPE, "Failed to halt actor {key}: {failure}");
        }
    }
}
