//! The keys of an issuer, fetched again when they are old or when a token has a key that is not among them.
use crate::client::Client;
use arc_swap::ArcSwap;
use component_api::{Error, Result, Task};
use foundation_jwt::{Error as TokenError, Expected, KeySet};
use http::HeaderMap;
use http::header::CACHE_CONTROL;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const SCOPE: &str = "dapr.middleware.http.bearer";
/// How long keys are taken for good at least.
const FRESH: Duration = Duration::from_secs(10 * 60);
const FRESH_AT_MOST: Duration = Duration::from_secs(24 * 3600);
/// Between two fetches for the sake of unknown keys, which anybody can send.
const PAUSE: Duration = Duration::from_secs(10);

/// Keys that keep themselves fresh.
pub(super) struct Keys {
    source: Arc<Source>,
    /// The fetch in the background, if one runs.
    refresh: Mutex<Option<Task>>,
}

struct Source {
    client: Client,
    url: String,
    fetched: ArcSwap<Fetched>,
    /// One fetch at a time: whoever waits for it finds the new keys.
    fetching: tokio::sync::Mutex<Instant>,
}

struct Fetched {
    keys: KeySet,
    stale_at: Instant,
}

impl Keys {
    /// Fetches the keys for the first time.
    ///
    /// # Errors
    /// When they are not there.
    pub(super) async fn fetch(client: Client, url: String) -> Result<Self> {
        let fetched = fetch(&client, &url).await?;
        let fetching = tokio::sync::Mutex::new(Instant::now());
        let source = Source { client, url, fetched: ArcSwap::from_pointee(fetched), fetching };
        Ok(Self { source: Arc::new(source), refresh: Mutex::default() })
    }

    /// Whether a token is good.
    pub(super) async fn verify(&self, token: &str, expected: &Expected) -> bool {
        let fetched = self.source.fetched.load_full();
        if fetched.stale_at <= Instant::now() {
            self.refresh_in_background();
        }
        let mut verified = fetched.keys.verify(token, expected);
        if verified == Err(TokenError::UnknownKey) && self.source.refresh().await {
            verified = self.source.fetched.load().keys.verify(token, expected);
        }
        if let Err(error) = &verified {
            tracing::debug!(target: SCOPE, "request refused: {error}");
        }
        verified.is_ok()
    }

    fn refresh_in_background(&self) {
        let mut refresh = self.refresh.lock().unwrap_or_else(PoisonError::into_inner);
        if refresh.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let source = Arc::clone(&self.source);
        *refresh = Some(Task::spawn(async move |_| {
            source.refresh().await;
        }));
    }
}

impl Source {
    /// Fetches the keys, unless that was tried just now. Whether there may be new ones.
    async fn refresh(&self) -> bool {
        let seen = self.fetched.load_full();
        let mut tried = self.fetching.lock().await;
        if !Arc::ptr_eq(&seen, &self.fetched.load()) {
            return true;
        }
        if tried.elapsed() < PAUSE {
            return false;
        }
        *tried = Instant::now();
        match fetch(&self.client, &self.url).await {
            Ok(fetched) => self.fetched.store(Arc::new(fetched)),
            Err(error) => {
                tracing::warn!(target: SCOPE, "Error while refreshing JWKS cache: {error}");
                return false;
            }
        }
        true
    }
}

async fn fetch(client: &Client, url: &str) -> Result<Fetched> {
    let failed = |error: Error| Error::new(error.kind(), "failed to fetch JWKS").with_source(error);
    let response = client.get(url).await.map_err(failed)?;
    let keys = KeySet::parse(response.body()).map_err(|error| failed(Error::other(error.to_string())))?;
    Ok(Fetched { keys, stale_at: Instant::now() + lifetime(response.headers()) })
}

/// As long as the issuer says, within limits.
fn lifetime(headers: &HeaderMap) -> Duration {
    let directives = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let age = directives.split(',').find_map(|directive| directive.trim().strip_prefix("max-age=")?.parse().ok());
    age.map_or(FRESH, Duration::from_secs).clamp(FRESH, FRESH_AT_MOST)
}
