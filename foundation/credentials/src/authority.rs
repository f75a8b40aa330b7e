//! The certificate authority: signs public keys with the issuer's key.
#[cfg(test)]
mod tests;

use crate::Credentials;
use crate::certificate::{ISSUER, chain, date, parse, pem, time};
use crate::error::{Error, unreadable};
use crate::key::{OF_ISSUER, private_key};
use foundation_identity::{ROOTS_EXTENSION, SpiffeId, Svid, Trust, announcement, new_key};
use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_parser::prelude::X509Certificate;

/// How long certificates are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    pub workload: Duration,
    /// How far clocks may differ: certificates begin so long ago.
    pub skew: Duration,
    /// Of roots and issuers that are made here.
    pub root: Duration,
}

/// Signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    chain: Vec<CertificateDer<'static>>,
    anchors: String,
    /// What certificates say of them.
    announcement: Vec<u8>,
    expires: SystemTime,
    /// When the issuer or its root ends: nobody trusts a certificate beyond that.
    ends: SystemTime,
    lifetimes: Lifetimes,
}

/// A certificate for someone else's key.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Leaf first, then the issuers.
    pub chain: Vec<CertificateDer<'static>>,
    pub expires: SystemTime,
}

impl Authority {
    /// Takes credentials that fit together.
    ///
    /// # Errors
    /// Credentials that cannot be read, or whose key and certificate do not lead to one of the roots.
    pub fn new(credentials: &Credentials, lifetimes: Lifetimes) -> Result<Self, Error> {
        let chain = chain(&credentials.issuer_certificate)?;
        let first = chain.first().ok_or(Error::Empty(ISSUER))?;
        let parsed = parse(first, ISSUER)?;
        if !may_sign(&parsed) {
            return Err(Error::NoAuthority);
        }
        let expires = time(parsed.validity().not_after.timestamp());
        let key = private_key(&credentials.issuer_key, OF_ISSUER)?;
        let issuer = Issuer::from_ca_cert_der(first, key).map_err(|error| unreadable(ISSUER, error))?;
        let announcement = announcement(credentials.ca.as_bytes());
        let ends = expires.min(credentials.signing_root()?.expires);
        Ok(Self { issuer, anchors: credentials.ca.clone(), announcement, expires, ends, lifetimes, chain })
    }

    /// Signs a key for an identity.
    ///
    /// # Errors
    /// [`Error::Ended`], and what the library says, such as of names that are no ASCII.
    pub fn sign(&self, key: &impl PublicKeyData, id: &SpiffeId, hosts: &[String]) -> Result<Signed, Error> {
        let now = SystemTime::now();
        if self.ends <= now {
            return Err(Error::Ended);
        }
        let expires = whole_seconds(now + self.lifetimes.workload).min(self.ends);
        let mut params = CertificateParams::new(hosts)?;
        params.subject_alt_names.push(SanType::URI(Ia5String::try_from(id.to_string())?));
        params.distinguished_name = DistinguishedName::new();
        params.serial_number = Some(random_serial());
        params.not_before = now.checked_sub(self.lifetimes.skew).unwrap_or(UNIX_EPOCH).max(UNIX_EPOCH).into();
        params.not_after = expires.into();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let announcement = self.announcement.clone();
        params.custom_extensions = vec![CustomExtension::from_oid_content(ROOTS_EXTENSION, announcement)];
        let leaf = params.signed_by(key, &self.issuer)?;
        let chain = std::iter::once(leaf.der().clone()).chain(self.chain.iter().cloned()).collect();
        Ok(Signed { chain, expires })
    }

    /// An identity for this very process, with a new key. It is one that the roots lead to.
    ///
    /// # Errors
    /// As [`Authority::sign`], [`Error::IssuerEnded`] and [`Error::Untrusted`].
    pub fn own(&self, id: &SpiffeId) -> Result<Svid, Error> {
        if self.ends <= SystemTime::now() {
            return Err(Error::IssuerEnded(date(self.ends)));
        }
        let pair = new_key()?;
        let signed = self.sign(&pair, id, &[])?;
        let own = Svid::new(signed.chain, &PrivateKeyDer::from(pair))?;
        let (leaf, rest) = own.chain().split_first().ok_or(Error::Empty("the own certificate"))?;
        let trust = self.trust()?;
        // An issuer may be good for one side of a connection alone; both sides are sidecars.
        trust.server(leaf, rest).and_then(|_| trust.client(leaf, rest)).map_err(Error::Untrusted)?;
        Ok(own)
    }

    /// The roots.
    ///
    /// # Errors
    /// Roots that cannot be read.
    pub fn trust(&self) -> Result<Trust, Error> {
        Ok(Trust::from_pem(self.anchors.as_bytes())?)
    }

    /// The roots in PEM.
    pub fn anchors(&self) -> &str {
        &self.anchors
    }

    /// When the issuer's certificate ends.
    pub fn expires(&self) -> SystemTime {
        self.expires
    }

    /// When it can sign no more: the issuer's certificate or that of its root has ended.
    pub fn ends(&self) -> SystemTime {
        self.ends
    }

    /// Whether the other one has the same certificates, and so the same key.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.chain == other.chain && self.anchors == other.anchors
    }

    /// How long its certificates are good.
    pub fn lifetimes(&self) -> Lifetimes {
        self.lifetimes
    }
}

/// Whether all who verify take what it signs (RFC 5280, section 4.2.1.3): the TLS library here does not look at the use of keys.
fn may_sign(issuer: &X509Certificate<'_>) -> bool {
    let usage = issuer.key_usage().ok().flatten();
    issuer.is_ca() && usage.is_none_or(|usage| usage.value.key_cert_sign())
}

impl Signed {
    /// The chain in PEM.
    pub fn pem(&self) -> String {
        self.chain.iter().map(|certificate| pem("CERTIFICATE", certificate)).collect()
    }
}

/// 128 bits, positive.
pub(crate) fn random_serial() -> SerialNumber {
    let mut bytes: [u8; 16] = rand::random();
    bytes[0] &= 0x7f;
    SerialNumber::from_slice(&bytes)
}

/// Certificates end on whole seconds; a short life shall not become none.
fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(since.as_secs() + u64::from(since.subsec_nanos() > 0))
}
