//! Tokens that are signed by a key of a set: inline, in a file or behind a URL (protocols.md 5.2).
use crate::client::{client, get};
use crate::error::{Error, Refusal};
use arc_swap::ArcSwapOption;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use foundation_fetch::Client;
use foundation_identity::SpiffeId;
use foundation_jwt::{Error as TokenError, Expected, KeySet};
use foundation_metadata::duration;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const SCOPE: &str = "dapr.sentry.identity.jwks";
/// How far clocks may differ.
const SKEW: Duration = Duration::from_secs(5 * 60);
/// Between two looks at the source for the sake of unknown keys, which anybody can send.
const PAUSE: Duration = Duration::from_secs(10 * 60);
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_secs(30);

/// Checks tokens.
pub struct Jwks {
    source: Source,
    audience: String,
    pause: Duration,
    keys: ArcSwapOption<KeySet>,
    /// When the last look at the source was over; one look at a time.
    looked: tokio::sync::Mutex<Option<Instant>>,
}

enum Source {
    Inline(Vec<u8>),
    File(PathBuf),
    Url(Box<Client>, String),
}

impl Jwks {
    /// Tokens must be for `sentry`.
    ///
    /// # Errors
    /// A source that can be none, and a certificate that cannot be read.
    pub(crate) fn new(options: &BTreeMap<String, String>, sentry: &SpiffeId) -> Result<Self, Error> {
        let option = |name: &str| options.get(name).map(String::as_str).unwrap_or_default();
        let length = |name| duration::parse(option(name));
        let deadline = length("requesttimeout").filter(|length| !length.is_zero()).unwrap_or(DEADLINE);
        let source = source(option("source"), option("cacertificate"), deadline)?;
        let pause = length("minrefreshinterval").filter(|pause| *pause > SHORTEST_PAUSE).unwrap_or(PAUSE);
        Ok(Self {
            source,
            audience: sentry.to_string(),
            pause,
            keys: ArcSwapOption::empty(),
            looked: Default::default(),
        })
    }

    /// Reads the keys for the first time, however long that takes.
    pub(crate) async fn load(&self) {
        while self.keys.load().is_none() {
            self.look(Duration::ZERO).await;
            if self.keys.load().is_none() {
                tokio::time::sleep(SHORTEST_PAUSE).await;
            }
        }
    }

    /// Reads the keys again and again: a key that was taken out of the set proves nothing any more.
    pub(crate) async fn follow(&self) {
        let Some(pause) = self.source.pause(self.pause) else { return };
        loop {
            tokio::time::sleep(pause).await;
            self.look(pause).await;
        }
    }

    pub(crate) async fn check(&self, id: &SpiffeId, token: &str) -> Result<(), Refusal> {
        let expected =
            Expected { issuer: None, subject: Some(id.to_string()), audience: Some(self.audience.clone()), skew: SKEW };
        let mut verified = self.verify(token, &expected)?;
        if let Err(TokenError::UnknownKey | TokenError::Signature | TokenError::Algorithm | TokenError::NoKey) =
            verified
        {
            self.look(self.pause).await;
            verified = self.verify(token, &expected)?;
        }
        verified.map_err(|error| Refusal::Denied(format!("token validation failed: {}", described(&error))))
    }

    fn verify(&self, token: &str, expected: &Expected) -> Result<Result<(), TokenError>, Refusal> {
        let keys = self.keys.load();
        let keys = keys.as_ref().ok_or_else(|| Refusal::Denied("jwks validator not ready".to_owned()))?;
        Ok(keys.verify(token, expected).map(drop))
    }

    /// Reads the keys unless that was done just now, maybe while this call waited for its turn.
    async fn look(&self, pause: Duration) {
        let mut looked = self.looked.lock().await;
        if looked.is_some_and(|time| time.elapsed() < pause) {
            return;
        }
        match self.source.read().await {
            Ok(keys) => self.keys.store(Some(Arc::new(keys))),
            Err(reason) => {
                tracing::warn!(target: SCOPE, "cannot read the key set: {reason}; check the option source of the jwks validator")
            }
        }
        *looked = Some(Instant::now());
    }
}

impl Source {
    /// Between two looks at what may change. A file costs nobody anything.
    fn pause(&self, wanted: Duration) -> Option<Duration> {
        match self {
            Self::Inline(_) => None,
            Self::File(_) => Some(SHORTEST_PAUSE),
            Self::Url(..) => Some(wanted),
        }
    }

    async fn read(&self) -> Result<KeySet, String> {
        let json = match self {
            Self::Inline(json) => json.clone(),
            Self::File(path) => tokio::fs::read(path).await.map_err(|error| format!("{}: {error}", path.display()))?,
            Self::Url(client, url) => get(client, url).await?,
        };
        KeySet::parse(&json).map_err(|error| error.to_string())
    }
}

fn source(text: &str, ca: &str, deadline: Duration) -> Result<Source, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::Configuration("the jwks validator needs the option source".to_owned()));
    }
    if text.starts_with("https://") || text.starts_with("http://") {
        return Ok(Source::Url(Box::new(client(ca, deadline)?), text.to_owned()));
    }
    if text.starts_with('{') {
        return Ok(Source::Inline(text.as_bytes().to_vec()));
    }
    let path = Path::new(text);
    match STANDARD.decode(text) {
        Ok(json) if !path.exists() => Ok(Source::Inline(json)),
        _ => Ok(Source::File(path.to_owned())),
    }
}

/// As Dapr's library says it, which clients look for (suite.md 4.4).
fn described(error: &TokenError) -> String {
    match error {
        TokenError::Audience => "\"aud\" not satisfied".to_owned(),
        TokenError::Subject => "\"sub\" not satisfied".to_owned(),
        TokenError::Expired => "\"exp\" not satisfied".to_owned(),
        TokenError::Early => "\"nbf\" not satisfied".to_owned(),
        TokenError::Signature | TokenError::Algorithm | TokenError::UnknownKey | TokenError::NoKey => {
            "could not verify message using any of the signatures or keys".to_owned()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_source_that_does_not_answer_waits_once() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let options = [("source", url.as_str()), ("requesttimeout", "3s"), ("minrefreshinterval", "2s")];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let jwks = Jwks::new(&options, &"spiffe://localhost/ns/default/dapr-sentry".parse().unwrap()).unwrap();
        let start = Instant::now();
        tokio::join!(jwks.look(jwks.pause), jwks.look(jwks.pause), jwks.look(jwks.pause));
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
}
