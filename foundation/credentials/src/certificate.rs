//! Certificates of authorities, as far as it is known what they say.
use crate::error::{Error, unreadable};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use foundation_tls::pem_fault;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_parser::prelude::{FromDer, X509Certificate};

pub(crate) const ROOTS: &str = "the certificates of the roots";

/// A root that is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The certificate alone, in PEM.
    pub pem: String,
    /// SHA-256 of the certificate in hexadecimal digits, as tools show it.
    pub fingerprint: String,
    /// The organisation that it names; the trust domain, with Dapr.
    pub organization: String,
    pub begins: SystemTime,
    pub expires: SystemTime,
    der: CertificateDer<'static>,
}

impl Root {
    /// All certificates of a text in PEM, each once.
    ///
    /// # Errors
    /// A text with none, or with one that cannot be read.
    pub fn all(text: &str) -> Result<Vec<Self>, Error> {
        let mut roots: Vec<Self> = Vec::new();
        for der in CertificateDer::pem_slice_iter(text.as_bytes()) {
            let root = Self::new(der.map_err(|error| unreadable(ROOTS, pem_fault(&error)))?)?;
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        if roots.is_empty() { Err(Error::Empty(ROOTS)) } else { Ok(roots) }
    }

    fn new(der: CertificateDer<'static>) -> Result<Self, Error> {
        let (begins, expires, organization) = {
            let parsed = parse(&der, ROOTS)?;
            let organization = parsed.subject().iter_organization().next().and_then(|name| name.as_str().ok());
            let validity = parsed.validity();
            let (begins, expires) = (validity.not_before.timestamp(), validity.not_after.timestamp());
            (time(begins), time(expires), organization.unwrap_or_default().to_owned())
        };
        let hash = digest(&SHA256, &der);
        let fingerprint = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { pem: pem("CERTIFICATE", &der), fingerprint, organization, begins, expires, der })
    }

    /// Whether it has signed a certificate.
    pub(crate) fn has_signed(&self, certificate: &X509Certificate<'_>) -> bool {
        let Ok((_, own)) = X509Certificate::from_der(&self.der) else { return false };
        own.subject() == certificate.issuer() && certificate.verify_signature(Some(own.public_key())).is_ok()
    }
}

/// A block of PEM (RFC 7468).
pub fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The issuers of a leaf, without a root at the end: that one is in everybody's hands.
pub(crate) fn chain(text: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let mut chain = chain.map_err(|error| unreadable(ISSUER, pem_fault(&error)))?;
    if chain.len() > 1 && chain.last().is_some_and(is_root) {
        chain.pop();
    }
    if chain.is_empty() { Err(Error::Empty(ISSUER)) } else { Ok(chain) }
}

pub(crate) const ISSUER: &str = "the issuer's certificate";

pub(crate) fn parse<'a>(der: &'a CertificateDer<'_>, what: &'static str) -> Result<X509Certificate<'a>, Error> {
    X509Certificate::from_der(der).map(|(_, parsed)| parsed).map_err(|error| unreadable(what, error))
}

fn is_root(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| parsed.subject() == parsed.issuer())
}

/// A time in words (RFC 3339).
pub(crate) fn date(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).unwrap_or_default().to_string()
}

pub(crate) fn time(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}
