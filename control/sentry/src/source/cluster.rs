//! Credentials that are kept in a cluster, and made there when they are missing.
use crate::error::Error;
use crate::options::JwtOptions;
use crate::tokens::{Keys, Tokens};
use crate::trust_bundle::{Held, TrustBundle};
use foundation_credentials::{Credentials, Lifetimes, Step};
use foundation_identity::SpiffeId;
use std::time::SystemTime;

const SCOPE: &str = "dapr.sentry.ca";

/// The credentials of a cluster.
pub(super) struct Cluster {
    pub(super) bundle: TrustBundle,
    pub(super) lifetimes: Lifetimes,
    pub(super) own: SpiffeId,
    pub(super) jwt: Option<JwtOptions>,
}

impl Cluster {
    /// What is kept; what is missing is made and kept from now on.
    ///
    /// # Errors
    /// Secret and config map that are not there or may not be written, and credentials that cannot be used.
    pub(super) async fn load(&self) -> Result<(Credentials, Option<Tokens>, Vec<Step>), Error> {
        let before = self.bundle.read().await?;
        let complete = self.complete(before.clone())?;
        let is_new = complete != before;
        let held = if is_new { self.keep(&before, complete).await? } else { complete };
        let steps = if is_new { vec![Step::Made] } else { Vec::new() };
        let (credentials, tokens) = self.usable(held.clone())?;
        self.bundle.publish(&held).await?;
        Ok((credentials, tokens, steps))
    }

    /// What is kept.
    ///
    /// # Errors
    /// Credentials that are not there or cannot be used.
    pub(super) async fn present(&self) -> Result<(Credentials, Option<Tokens>), Error> {
        self.usable(self.bundle.read().await?)
    }

    fn complete(&self, mut held: Held) -> Result<Held, Error> {
        if held.credentials.is_none() {
            let made = Credentials::generate(&self.own, self.lifetimes, SystemTime::now())?;
            held.credentials = Some(made);
        }
        if let Some(options) = self.jwt.as_ref().filter(|_| held.keys.is_none()) {
            held.keys = Some(Keys::generate(options)?);
        }
        Ok(held)
    }

    /// Keeps what was made, unless another sentry was quicker: then it is that one's which counts.
    async fn keep(&self, before: &Held, complete: Held) -> Result<Held, Error> {
        let Err(error) = self.bundle.write(&complete).await else { return Ok(complete) };
        let now = self.bundle.read().await?;
        let is_complete = now.credentials.is_some() && now.keys.is_some() == complete.keys.is_some();
        if now == *before || !is_complete {
            return Err(error);
        }
        tracing::info!(target: SCOPE, "another sentry has written the trust bundle just now; it is used");
        Ok(now)
    }

    /// Checks what is held.
    fn usable(&self, held: Held) -> Result<(Credentials, Option<Tokens>), Error> {
        let gone = || Error::Configuration("the trust bundle has lost its credentials; restore them".to_owned());
        let credentials = held.credentials.ok_or_else(gone)?;
        let Some(options) = &self.jwt else { return Ok((credentials, None)) };
        let tokens = Tokens::new(held.keys.ok_or_else(gone)?, options, self.lifetimes.skew)?;
        Ok((credentials, Some(tokens)))
    }
}
