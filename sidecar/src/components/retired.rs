//! Components that are out of use: they end when their last user lets go of them.
use async_trait::async_trait;
use component_api::{
    Instance, Result, binding, configuration, conversation, crypto, lock, middleware, pubsub, secret, state,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

const SCOPE: &str = "dapr.runtime";
/// How long users may take to let go.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether they have: a shared pointer cannot be waited for.
const PAUSE: Duration = Duration::from_millis(20);

/// A component that is out of use.
pub(crate) struct Retired(Box<dyn Held>);

impl Retired {
    /// Of a component that new calls do not find any more.
    pub(crate) fn new<T: Closable + ?Sized>(instance: Arc<Instance<T>>) -> Self {
        Self(Box::new(Holder(instance)))
    }

    /// Ends the component when its last user has let go of it; at once when they take too long or the sidecar ends.
    pub(crate) async fn close(self, ending: CancellationToken) {
        let unused = async {
            while self.0.is_used() {
                sleep(PAUSE).await;
            }
        };
        timeout(PATIENCE, ending.run_until_cancelled(unused)).await.ok();
        self.close_now().await;
    }

    /// Ends the component; what it says about it is logged.
    pub(crate) async fn close_now(self) {
        let name = self.0.log_name();
        tracing::info!(target: SCOPE, "Shutting down component {name}");
        if let Err(error) = self.0.close().await {
            tracing::warn!(target: SCOPE, "error closing component {name}: {error}");
        }
    }
}

/// What all kinds of components have in common.
#[async_trait]
pub(crate) trait Closable: Send + Sync + 'static {
    /// Makes the first contact with the server behind it, if there is one.
    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    async fn close(&self) -> Result<()>;
}

macro_rules! closable_with_server {
    ($($component:path)*) => {$(
        #[async_trait]
        impl Closable for dyn $component {
            async fn ping(&self) -> Result<()> {
                <Self as $component>::ping(self).await
            }

            async fn close(&self) -> Result<()> {
                <Self as $component>::close(self).await
            }
        }
    )*};
}

macro_rules! closable {
    ($($component:path)*) => {$(
        #[async_trait]
        impl Closable for dyn $component {
            async fn close(&self) -> Result<()> {
                <Self as $component>::close(self).await
            }
        }
    )*};
}

closable_with_server! { state::Store pubsub::Broker binding::Binding configuration::Store lock::Store }

closable! { crypto::Keys conversation::Model }

#[async_trait]
impl Closable for dyn secret::Store {
    async fn ping(&self) -> Result<()> {
        secret::Store::ping(self).await
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Closable for dyn middleware::Http {
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
trait Held: Send + Sync {
    fn log_name(&self) -> String;
    fn is_used(&self) -> bool;
    async fn close(&self) -> Result<()>;
}

struct Holder<T: ?Sized>(Arc<Instance<T>>);

#[async_trait]
impl<T: Closable + ?Sized> Held for Holder<T> {
    fn log_name(&self) -> String {
        let Instance { name, kind, version, .. } = &*self.0;
        format!("{name} ({kind}/{version})")
    }

    fn is_used(&self) -> bool {
        Arc::strong_count(&self.0) > 1 || Arc::strong_count(&self.0.component) > 1
    }

    async fn close(&self) -> Result<()> {
        self.0.component.close().await
    }
}
