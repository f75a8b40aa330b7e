//! What the name resolver said, kept for a while.
use crate::Error;
use crate::connection::lock;
use crate::target::Target;
use component_api::naming::Resolver;
use rand::seq::IndexedRandom;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long an answer is used (protocols.md 6.6).
const KEPT: Duration = Duration::from_secs(20);
const DEADLINE: Duration = Duration::from_secs(5);
/// Targets are named by callers: more than this many are not kept.
const MOST: usize = 10_000;

/// A resolver with a cache in front of it.
pub(crate) struct Names {
    resolver: Arc<dyn Resolver>,
    default_port: u16,
    known: Mutex<HashMap<Target, Known>>,
}

struct Known {
    addresses: Vec<Arc<str>>,
    until: Instant,
}

impl Names {
    pub(crate) fn new(resolver: Arc<dyn Resolver>, default_port: u16) -> Self {
        Self { resolver, default_port, known: Mutex::default() }
    }

    pub(crate) fn resolver(&self) -> &dyn Resolver {
        self.resolver.as_ref()
    }

    /// One address of the app; a random one when it has several.
    pub(crate) async fn address(&self, target: &Target) -> Result<Arc<str>, Error> {
        if let Some(address) = self.known(target) {
            return Ok(address);
        }
        let asked = tokio::time::timeout(DEADLINE, self.ask(target)).await;
        let addresses = asked.map_err(|_| Error::Target("timeout waiting for address".to_owned()))??;
        let chosen = addresses.choose(&mut rand::rng()).cloned();
        self.keep(target, addresses);
        chosen.ok_or_else(|| Error::Target(nothing_found(target)))
    }

    /// Asks anew next time.
    pub(crate) fn forget(&self, target: &Target) {
        lock(&self.known).remove(target);
    }

    fn known(&self, target: &Target) -> Option<Arc<str>> {
        let known = lock(&self.known);
        let found = known.get(target).filter(|known| known.until > Instant::now())?;
        found.addresses.choose(&mut rand::rng()).cloned()
    }

    async fn ask(&self, target: &Target) -> Result<Vec<Arc<str>>, Error> {
        let addresses = self.resolver.resolve(&target.question(self.default_port)).await?;
        tracing::debug!(target: "dapr.runtime.direct_messaging", "{}/{} is at {}", target.namespace, target.app_id, addresses.join(", "));
        Ok(addresses.into_iter().map(Arc::from).collect())
    }

    fn keep(&self, target: &Target, addresses: Vec<Arc<str>>) {
        let mut known = lock(&self.known);
        if addresses.is_empty() {
            return;
        }
        if known.len() >= MOST {
            known.retain(|_, known| known.until > Instant::now());
        }
        if known.len() < MOST {
            known.insert(target.clone(), Known { addresses, until: Instant::now() + KEPT });
        }
    }
}

fn nothing_found(target: &Target) -> String {
    format!("resolver returned empty address for app id {}/{}", target.namespace, target.app_id)
}
