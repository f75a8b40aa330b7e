//! A certificate that keeps itself fresh.
use crate::bundle::Bundle;
use crate::copies::Copies;
use crate::{Anchors, Error, Identity, Sentry, Svid};
use foundation_drain::Drain;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

const SCOPE: &str = "dapr.runtime.security";
/// Between two tries when sentry does not sign, unless the certificate ends sooner.
const RETRY: Duration = Duration::from_secs(10);
const RETRY_AT_START: Duration = Duration::from_secs(1);
/// Certificates may live for milliseconds; sentry shall have a rest between two of them.
const REST: Duration = Duration::from_millis(50);
/// Clocks are set, and machines sleep: the time is looked at again after this.
const LOOK: Duration = Duration::from_secs(60);

/// Is told of each renewal, and of each request for a certificate that failed.
pub type Watch = Arc<dyn Fn(Result<(), &Error>) + Send + Sync>;

/// Gets a certificate, however long that takes, and keeps it and the roots fresh until the drain stops.
///
/// # Errors
/// An address that cannot be one, and roots that cannot be used. A file of them that is not there yet is waited for.
pub async fn start(sentry: Sentry, anchors: Anchors, watch: Watch, drain: &Drain) -> Result<Identity, Error> {
    sentry.check()?;
    let bundle = anchors.read().await?;
    drain.spawn_until_stopped(anchors.follow(bundle.clone()));
    let own = first(&sentry, &bundle, &watch).await;
    tracing::info!(target: SCOPE, "identity is {}", own.id());
    let identity = Identity::sharing(own, bundle.trust().clone());
    drain.spawn_until_stopped(rotate(sentry, identity.clone(), bundle, watch));
    Ok(identity)
}

async fn first(sentry: &Sentry, bundle: &Bundle, watch: &Watch) -> Svid {
    loop {
        match sign(sentry, bundle).await {
            Ok(svid) => return svid,
            Err(error) => {
                watch(Err(&error));
                tracing::warn!(target: SCOPE, "no certificate yet: {error}");
                sleep(RETRY_AT_START).await;
            }
        }
    }
}

async fn rotate(sentry: Sentry, identity: Identity, bundle: Bundle, watch: Watch) {
    loop {
        until_half(identity.own().expires()).await;
        while let Err(error) = renew(&sentry, &identity, &bundle).await {
            watch(Err(&error));
            let left = remaining(identity.own().expires());
            tracing::warn!(target: SCOPE, "the certificate could not be renewed, {}: {error}", state(left));
            sleep(pause(left)).await;
        }
        watch(Ok(()));
    }
}

/// Until the next try. A certificate that has ended is worth no more haste than none at the start.
fn pause(left: Duration) -> Duration {
    if left.is_zero() { RETRY_AT_START } else { (left / 4).clamp(REST, RETRY) }
}

fn state(left: Duration) -> String {
    if left.is_zero() {
        return "and has ended: nobody accepts new connections with it".to_owned();
    }
    format!("and is good for another {}s", left.as_secs())
}

async fn renew(sentry: &Sentry, identity: &Identity, bundle: &Bundle) -> Result<(), Error> {
    let svid = sign(sentry, bundle).await?;
    tracing::debug!(target: SCOPE, "certificate renewed");
    identity.renew(svid);
    Ok(())
}

/// A new certificate. Its roots are trusted before it is used.
async fn sign(sentry: &Sentry, bundle: &Bundle) -> Result<Svid, Error> {
    let signed = sentry.sign(bundle.trust()).await?;
    if !signed.roots.is_empty() {
        bundle.told(signed.roots);
    }
    if let Some(folder) = sentry.copies.clone() {
        let key = signed.pair.serialize_pem();
        let copies = Copies { key, chain: signed.chain, roots: bundle.pem(), token: signed.token };
        spawn_blocking(move || copies.write(&folder)).await.unwrap_or(Ok(()))?;
    }
    Ok(signed.svid)
}

/// Waits until half of the time that is left has gone by, or the clock was set back: the certificate may not be valid yet then.
async fn until_half(expires: SystemTime) {
    let begun = SystemTime::now();
    let due = begun + remaining(expires) / 2;
    sleep(REST).await;
    loop {
        let now = SystemTime::now();
        if now >= due || now + LOOK < begun {
            return;
        }
        sleep(remaining(due).min(LOOK)).await;
    }
}

fn remaining(until: SystemTime) -> Duration {
    until.duration_since(SystemTime::now()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_closer_until_the_end_and_not_beyond() {
        let of = |seconds| pause(Duration::from_secs_f64(seconds));
        assert_eq!([of(3600.0), of(8.0), of(0.004)], [RETRY, Duration::from_secs(2), REST]);
        assert_eq!(of(0.0), RETRY_AT_START);
    }
}
