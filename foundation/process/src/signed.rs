//! Identities that a process signs for itself, as the credentials of the authority are at hand: `dapr run` has them on this machine.
use foundation_credentials::{Authority, Credentials, Error, Files, Lifetimes};
use foundation_drain::Drain;
use foundation_identity::{Identity, SpiffeId, Svid, Trust};
use std::time::{Duration, Instant};
use tokio::time::sleep;

const SCOPE: &str = "dapr.runtime.security";
/// A root that signs no more is trusted for longer than that (protocols.md 5.3), so that none is dropped below a certificate in use.
const LIFE: Duration = Duration::from_secs(10 * 60);
const SKEW: Duration = Duration::from_secs(15 * 60);
/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(1);

/// Signs an identity, and keeps it and the roots fresh until the drain stops.
///
/// # Errors
/// Credentials that are not there or cannot be used.
pub(crate) fn start(files: Files, id: SpiffeId, drain: &Drain) -> Result<Identity, Error> {
    let credentials = read(&files)?;
    let (own, trust) = sign(&credentials, &id)?;
    let identity = Identity::new(own, trust);
    drain.spawn_until_stopped(keep(files, identity.clone(), credentials));
    Ok(identity)
}

async fn keep(files: Files, identity: Identity, mut known: Credentials) {
    let mut signed = Instant::now();
    loop {
        sleep(LOOK).await;
        // Files that are being replaced fit together again in a moment.
        let Ok(credentials) = read(&files) else { continue };
        if credentials == known && signed.elapsed() < LIFE / 2 {
            continue;
        }
        match sign(&credentials, &identity.id()) {
            Ok((own, trust)) => {
                identity.trust(trust);
                identity.renew(own);
                (known, signed) = (credentials, Instant::now());
            }
            Err(error) => tracing::warn!(target: SCOPE, "the certificate could not be renewed: {error}"),
        }
    }
}

fn read(files: &Files) -> Result<Credentials, Error> {
    files.read()?.ok_or_else(|| Error::Incomplete(files.ca.display().to_string()))
}

fn sign(credentials: &Credentials, id: &SpiffeId) -> Result<(Svid, Trust), Error> {
    let authority = Authority::new(credentials, Lifetimes { workload: LIFE, skew: SKEW, root: LIFE })?;
    Ok((authority.own(id)?, authority.trust()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn made(files: &Files) -> Credentials {
        let lifetimes = Lifetimes { workload: LIFE, skew: SKEW, root: LIFE * 6 };
        let sentry = "spiffe://localhost/ns/default/dapr-sentry".parse().unwrap();
        let made = Credentials::generate(&sentry, lifetimes, SystemTime::now()).unwrap();
        files.write(&made).unwrap();
        made
    }

    #[tokio::test]
    async fn an_identity_follows_the_credentials() {
        let folder = tempfile::tempdir().unwrap();
        let (files, drain) = (Files::of_folder(folder.path()), Drain::new());
        let id: SpiffeId = "spiffe://localhost/ns/default/dapr-placement".parse().unwrap();
        assert!(matches!(start(files.clone(), id.clone(), &drain), Err(Error::Incomplete(_))));
        made(&files);
        let identity = start(files.clone(), id.clone(), &drain).unwrap();
        let first = identity.own();
        assert_eq!(first.id(), &id);
        let next = made(&files);
        while identity.own().chain() == first.chain() {
            sleep(Duration::from_millis(10)).await;
        }
        let (own, trust) = (identity.own(), Trust::from_pem(next.ca.as_bytes()).unwrap());
        assert_eq!(trust.server(&own.chain()[0], &own.chain()[1..]).unwrap(), id);
        drain.close(Duration::from_secs(1)).await;
    }
}
