//! The credentials of an authority, and how they are made (protocols.md 5.1, 5.3).
use crate::authority::random_serial;
use crate::certificate::{self, ISSUER, Root, chain, parse};
use crate::error::unreadable;
use crate::key::{OF_ISSUER, private_key};
use crate::{Authority, Error, Lifetimes};
use foundation_identity::{SpiffeId, new_key};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData,
};
use std::time::{SystemTime, UNIX_EPOCH};

/// The credentials in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// All roots that are trusted.
    pub ca: String,
    /// The issuer, and what is between it and its root.
    pub issuer_certificate: String,
    pub issuer_key: String,
}

impl Credentials {
    /// A new root that lives from `now` on, and an issuer for `sentry` that it has signed. The key of the root is not kept.
    ///
    /// # Errors
    /// None but what the library says.
    pub fn generate(sentry: &SpiffeId, lifetimes: Lifetimes, now: SystemTime) -> Result<Self, Error> {
        Self::under(&new_key()?, sentry, life(lifetimes, now))
    }

    /// Like [`Credentials::generate`], for what follows credentials that are valid from `begins` on. It is valid since then, too: a clock
    /// that was ahead when it was made leaves nothing behind that is of no use when the clock is right.
    pub(crate) fn successor(
        begins: SystemTime,
        sentry: &SpiffeId,
        lifetimes: Lifetimes,
        now: SystemTime,
    ) -> Result<Self, Error> {
        let (own, ends) = life(lifetimes, now);
        Self::under(&new_key()?, sentry, (own.min(begins), ends))
    }

    /// Like [`Credentials::generate`], with a certain key of the root in PEM.
    ///
    /// # Errors
    /// A key that cannot be read.
    pub fn of_root_key(key: &str, sentry: &SpiffeId, lifetimes: Lifetimes, now: SystemTime) -> Result<Self, Error> {
        let key = private_key(key, "the key of the root")?;
        Self::under(&key, sentry, life(lifetimes, now))
    }

    fn under(root_key: &KeyPair, sentry: &SpiffeId, life: (SystemTime, SystemTime)) -> Result<Self, Error> {
        let key = new_key()?;
        let root = authority(sentry.trust_domain().as_str(), life);
        let mut issuer = authority(&sentry.to_string(), life);
        issuer.use_authority_key_identifier_extension = true;
        let ca: Certificate = root.self_signed(root_key)?;
        let signed = issuer.signed_by(&key, &Issuer::from_params(&root, root_key))?;
        Ok(Self { ca: ca.pem(), issuer_certificate: signed.pem(), issuer_key: key.serialize_pem() })
    }

    /// Whether they fit together and sign what their roots vouch for.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, sentry: &SpiffeId, lifetimes: Lifetimes) -> Result<(), Error> {
        Authority::new(self, lifetimes)?.own(sentry).map(drop)
    }

    /// Whether the key is that of the issuer's certificate, whatever the time.
    pub(crate) fn fit_together(&self) -> Result<(), Error> {
        let chain = chain(&self.issuer_certificate)?;
        let issuer = parse(chain.first().ok_or(Error::Empty(ISSUER))?, ISSUER)?;
        let key = private_key(&self.issuer_key, OF_ISSUER)?;
        if key.subject_public_key_info() != issuer.public_key().raw {
            return Err(unreadable(OF_ISSUER, "it is not that of the issuer's certificate"));
        }
        Ok(())
    }

    /// The roots that are trusted.
    ///
    /// # Errors
    /// Roots that cannot be read.
    pub fn roots(&self) -> Result<Vec<Root>, Error> {
        Root::all(&self.ca)
    }

    /// The root that the issuer comes from.
    ///
    /// # Errors
    /// Certificates that cannot be read, or an issuer that comes from none of the roots.
    pub fn signing_root(&self) -> Result<Root, Error> {
        let chain = chain(&self.issuer_certificate)?;
        let last = chain.last().ok_or(Error::Empty(ISSUER))?;
        let last = parse(last, ISSUER)?;
        let roots = self.roots()?.into_iter();
        // The newest one, if a root was given a new certificate for its old key.
        let root = roots.filter(|root| root.has_signed(&last)).max_by_key(|root| root.expires);
        root.ok_or_else(|| Error::Unreadable { what: ISSUER, reason: "none of the roots has signed it".to_owned() })
    }

    /// When the issuer's certificate ends.
    ///
    /// # Errors
    /// A certificate that cannot be read.
    pub fn issuer_expires(&self) -> Result<SystemTime, Error> {
        let chain = chain(&self.issuer_certificate)?;
        let first = chain.first().ok_or(Error::Empty(ISSUER))?;
        Ok(certificate::time(parse(first, ISSUER)?.validity().not_after.timestamp()))
    }

    /// The identity that the issuer names, if it names one as Dapr does.
    pub fn sentry(&self) -> Option<SpiffeId> {
        let chain = chain(&self.issuer_certificate).ok()?;
        let issuer = parse(chain.first()?, ISSUER).ok()?;
        issuer.subject().iter_organization().next()?.as_str().ok()?.parse().ok()
    }
}

/// From when on and until when credentials are good that are made now. Certificates know no times before 1970.
fn life(lifetimes: Lifetimes, now: SystemTime) -> (SystemTime, SystemTime) {
    (now.checked_sub(lifetimes.skew).unwrap_or(UNIX_EPOCH).max(UNIX_EPOCH), now + lifetimes.root)
}

fn authority(organization: &str, (begins, ends): (SystemTime, SystemTime)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, organization);
    params.serial_number = Some(random_serial());
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = begins.into();
    params.not_after = ends.into();
    params
}
