//! The roots that count now: those that were given, and those that sentry tells of along with each certificate.
use crate::{Error, Trust};
use arc_swap::ArcSwap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SCOPE: &str = "dapr.runtime.security";

/// Roots from two sources. Sentry announces the next root before it signs, so that a process that was given its roots as a text, or as
/// a file that nobody changes, outlives the root that it began with. What was given stays: it may name roots that sentry knows nothing
/// of. Clones share the roots.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    trust: Arc<ArcSwap<Trust>>,
    sources: Arc<Mutex<Sources>>,
}

#[derive(Debug, Default)]
struct Sources {
    given: Vec<u8>,
    told: Vec<u8>,
}

impl Sources {
    fn knows(&self, roots: &[u8]) -> bool {
        self.told == roots || self.given == roots
    }

    fn pem(&self) -> Vec<u8> {
        [&self.given, b"\n".as_slice(), &self.told].concat()
    }
}

impl Bundle {
    /// Roots in PEM, as they were given.
    ///
    /// # Errors
    /// What [`Trust::from_pem`] says.
    pub(crate) fn new(given: Vec<u8>) -> Result<Self, Error> {
        let trust = Arc::new(ArcSwap::from_pointee(Trust::from_pem(&given)?));
        Ok(Self { trust, sources: Arc::new(Mutex::new(Sources { given, told: Vec::new() })) })
    }

    /// The roots as they are at each moment.
    pub(crate) fn trust(&self) -> &Arc<ArcSwap<Trust>> {
        &self.trust
    }

    /// All roots in PEM; one that is given and told stands there twice.
    pub(crate) fn pem(&self) -> Vec<u8> {
        self.sources().pem()
    }

    /// Takes other roots than those that were given before. What sentry told before counts no more: who takes a root away wants its
    /// successors gone too, and a sentry that is trusted still tells anew with the next certificate.
    ///
    /// # Errors
    /// What [`Trust::from_pem`] says; all stays as it is then.
    pub(crate) fn given(&self, given: Vec<u8>) -> Result<(), Error> {
        Trust::from_pem(&given)?;
        self.change(|sources| *sources = Sources { given, told: Vec::new() })
    }

    /// Takes what sentry tells. A text that is of no use is passed over: the certificate beside it is good.
    pub(crate) fn told(&self, told: Vec<u8>) {
        let is_known = self.sources().knows(&told);
        // Roots end while nothing is told, so that they are all looked at again.
        match self.change(|sources| sources.told = told) {
            Ok(()) if is_known => {}
            Ok(()) => tracing::info!(target: SCOPE, "trust anchors of sentry are trusted from now on"),
            Err(error) => tracing::warn!(target: SCOPE, "trust anchors of sentry are not used: {error}"),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Sources)) -> Result<(), Error> {
        let mut sources = self.sources();
        let before = (sources.given.clone(), sources.told.clone());
        change(&mut sources);
        match Trust::from_pem(&sources.pem()) {
            Ok(trust) => self.trust.store(Arc::new(trust)),
            Err(error) => {
                (sources.given, sources.told) = before;
                return Err(error);
            }
        }
        Ok(())
    }

    fn sources(&self) -> MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id_of;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
    use rustls_pki_types::CertificateDer;
    use std::time::{Duration, SystemTime};

    /// A root in PEM and a certificate that it has signed.
    fn root(remaining: i64) -> (String, CertificateDer<'static>) {
        let (key, own) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let now = SystemTime::now();
        let length = Duration::from_secs(remaining.unsigned_abs());
        params.not_after = if remaining < 0 { now - length } else { now + length }.into();
        let pem = params.self_signed(&key).unwrap().pem();
        let mut leaf = CertificateParams::default();
        leaf.subject_alt_names = vec![SanType::URI("spiffe://a/ns/b/c".try_into().unwrap())];
        let leaf = leaf.signed_by(&own, &Issuer::from_params(&params, &key)).unwrap();
        (pem, leaf.der().clone())
    }

    fn trusts(bundle: &Bundle, leaf: &CertificateDer<'static>) -> bool {
        let trusted = bundle.trust().load().client(leaf, &[]);
        trusted.is_ok_and(|id| id == id_of(leaf).unwrap())
    }

    #[test]
    fn what_is_given_and_what_is_told_both_count() {
        let [(given, by_given), (told, by_told), (later, by_later)] = [(); 3].map(|()| root(3600));
        let bundle = Bundle::new(given.clone().into_bytes()).unwrap();
        assert!(trusts(&bundle, &by_given) && !trusts(&bundle, &by_told));
        bundle.told(format!("{given}{told}").into_bytes());
        assert!(trusts(&bundle, &by_given) && trusts(&bundle, &by_told));
        bundle.told(later.into_bytes());
        assert!(trusts(&bundle, &by_given) && !trusts(&bundle, &by_told) && trusts(&bundle, &by_later));
        bundle.given(told.into_bytes()).unwrap();
        assert!(!trusts(&bundle, &by_given) && trusts(&bundle, &by_told) && !trusts(&bundle, &by_later));
    }

    #[test]
    fn what_is_of_no_use_changes_nothing() {
        let (given, by_given) = root(3600);
        let bundle = Bundle::new(given.into_bytes()).unwrap();
        bundle.told(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec());
        assert!(bundle.given(b"nothing".to_vec()).is_err());
        assert!(bundle.given(root(-60).0.into_bytes()).is_err());
        assert!(trusts(&bundle, &by_given));
    }

    #[test]
    fn a_root_may_end_while_it_is_trusted() {
        let (ending, by_ending) = root(2);
        let bundle = Bundle::new(ending.into_bytes()).unwrap();
        assert!(trusts(&bundle, &by_ending));
        while trusts(&bundle, &by_ending) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let (good, by_good) = root(3600);
        bundle.told(good.into_bytes());
        assert!(trusts(&bundle, &by_good) && !trusts(&bundle, &by_ending));
    }

    #[test]
    fn a_root_that_has_ended_vouches_for_nothing() {
        let ((ended, by_ended), (good, by_good)) = (root(-60), root(3600));
        assert!(Bundle::new(ended.clone().into_bytes()).is_err());
        let bundle = Bundle::new(format!("{ended}{good}").into_bytes()).unwrap();
        assert!(!trusts(&bundle, &by_ended) && trusts(&bundle, &by_good));
    }
}
