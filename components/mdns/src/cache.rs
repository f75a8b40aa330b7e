//! What was found, for as long as it is trusted.
use crate::records::Found;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long an address is used after it was last heard of (protocols.md 6.6).
const TRUSTED: Duration = Duration::from_secs(60);
/// How long an app stays of interest after it was last asked for.
const OF_INTEREST: Duration = Duration::from_secs(120);
/// App ids come from callers: no more than this many are looked for.
const MOST_APPS: usize = 4096;

/// Addresses of the apps that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    apps: Mutex<HashMap<String, App>>,
    changed: Notify,
}

#[derive(Debug)]
struct App {
    asked: Instant,
    addresses: Vec<(SocketAddr, Instant)>,
}

impl Cache {
    /// The addresses of an app, which is of interest from now on; IPv4 ones if there are any.
    pub(crate) fn lookup(&self, app_id: &str) -> Vec<String> {
        let now = Instant::now();
        let mut apps = self.lock();
        if apps.len() >= MOST_APPS && !apps.contains_key(app_id) {
            return Vec::new();
        }
        let app = apps.entry(app_id.to_owned()).or_insert_with(|| App { asked: now, addresses: Vec::new() });
        app.asked = now;
        app.addresses.retain(|(_, until)| *until > now);
        preferred(&app.addresses)
    }

    /// Waits until the app has an address.
    pub(crate) async fn wait(&self, app_id: &str) -> Vec<String> {
        loop {
            let changed = self.changed.notified();
            let addresses = self.lookup(app_id);
            if !addresses.is_empty() {
                return addresses;
            }
            changed.await;
        }
    }

    /// Keeps what is of interest.
    pub(crate) fn learn(&self, found: Found) {
        let until = Instant::now() + TRUSTED;
        if let Some(app) = self.lock().get_mut(&found.app_id) {
            app.addresses.retain(|(address, _)| *address != found.address);
            if !found.gone {
                app.addresses.push((found.address, until));
            }
        }
        self.changed.notify_waiters();
    }

    /// The apps to ask for again; those nobody asks for any more are dropped.
    pub(crate) fn of_interest(&self) -> Vec<String> {
        let mut apps = self.lock();
        apps.retain(|_, app| app.asked.elapsed() < OF_INTEREST);
        apps.keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, App>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn preferred(addresses: &[(SocketAddr, Instant)]) -> Vec<String> {
    let any_v4 = addresses.iter().any(|(address, _)| address.is_ipv4());
    let kept = addresses.iter().filter(|(address, _)| address.is_ipv4() == any_v4);
    kept.map(|(address, _)| address.to_string()).collect()
}
