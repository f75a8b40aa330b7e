//! The keys of an issuer, fetched again when they are old or when a token has a key that is not among them.
use crate::client::Client;
use crate::together::Together;
use arc_swap::ArcSwap;
use component_api::{Error, Result};
use foundation_jwt::{Error as TokenError, Expected, KeySet};
use http::HeaderMap;
use http::header::CACHE_CONTROL;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout};

const SCOPE: &str = "dapr.middleware.http.bearer";
/// How long keys are taken for good at least.
const FRESH: Duration = Duration::from_secs(10 * 60);
const FRESH_AT_MOST: Duration = Duration::from_secs(24 * 3600);
/// Between two fetches for the sake of unknown keys, which anybody can send.
const PAUSE: Duration = Duration::from_secs(10);

/// How long a request waits for new keys; their fetch may take longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keys that keep themselves fresh.
pub(super) struct Keys {
    source: Arc<Source>,
    refresh: Together<()>,
}

struct Source {
    client: Client,
    url: String,
    fetched: ArcSwap<Fetched>,
    /// The end of the last fetch, so that one which took long is no reason for the next.
    tried: Mutex<Instant>,
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
        let tried = Mutex::new(Instant::now());
        let source = Source { client, url, fetched: ArcSwap::from_pointee(fetched), tried };
        Ok(Self { source: Arc::new(source), refresh: Together::default() })
    }

    /// Whether a token is good.
    pub(super) async fn verify(&self, token: &str, expected: &Expected) -> bool {
        let fetched = self.source.fetched.load_full();
        if fetched.stale_at <= Instant::now() {
            self.refresh.begin(|| Arc::clone(&self.source).refresh());
        }
        let mut verified = fetched.keys.verify(token, expected);
        if verified == Err(TokenError::UnknownKey) && self.has_others(&fetched).await {
            verified = self.source.fetched.load().keys.verify(token, expected);
        }
        if let Err(error) = &verified {
            tracing::debug!(target: SCOPE, "request refused: {error}");
        }
        verified.is_ok()
    }

    /// Whether there are other keys than these, for which they are fetched.
    async fn has_others(&self, seen: &Arc<Fetched>) -> bool {
        let refreshed = self.refresh.outcome(|| Arc::clone(&self.source).refresh());
        timeout(PATIENCE, refreshed).await.ok();
        !Arc::ptr_eq(seen, &self.source.fetched.load())
    }
}

impl Source {
    /// Fetches the keys, unless that was tried just now.
    async fn refresh(self: Arc<Self>) {
        if self.tried().elapsed() < PAUSE {
            return;
        }
        match fetch(&self.client, &self.url).await {
            Ok(fetched) => self.fetched.store(Arc::new(fetched)),
            Err(error) => tracing::warn!(target: SCOPE, "Error while refreshing JWKS cache: {error}"),
        }
        *self.tried() = Instant::now();
    }

    fn tried(&self) -> MutexGuard<'_, Instant> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
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
