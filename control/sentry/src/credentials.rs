//! The credentials of the authority: files in Dapr's form, made when they are missing (protocols.md 5.1, 5.3).
use crate::authority::{Lifetimes, random_serial};
use crate::error::Error;
use foundation_identity::SpiffeId;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ED25519,
};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Life of a root and of an issuer that are made here.
const LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// Where the credentials are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    pub ca: PathBuf,
    pub issuer_certificate: PathBuf,
    pub issuer_key: PathBuf,
}

/// The credentials in PEM.
#[derive(Clone)]
pub struct Credentials {
    pub ca: String,
    pub issuer_certificate: String,
    pub issuer_key: String,
}

impl Files {
    /// The credentials; none when none of the files is there.
    ///
    /// # Errors
    /// A file that is there and cannot be read, and [`Error::Incomplete`]: what is there must not be replaced.
    pub fn read(&self) -> Result<Option<Credentials>, Error> {
        match (read(&self.ca)?, read(&self.issuer_certificate)?, read(&self.issuer_key)?) {
            (Some(ca), Some(issuer_certificate), Some(issuer_key)) => {
                Ok(Some(Credentials { ca, issuer_certificate, issuer_key }))
            }
            (None, None, None) => Ok(None),
            (ca, certificate, _) => Err(Error::Incomplete(self.missing(ca.is_some(), certificate.is_some()))),
        }
    }

    fn missing(&self, has_ca: bool, has_certificate: bool) -> String {
        let path = match (has_ca, has_certificate) {
            (false, _) => &self.ca,
            (true, false) => &self.issuer_certificate,
            (true, true) => &self.issuer_key,
        };
        path.display().to_string()
    }

    /// Writes the credentials, for the owner's eyes only.
    ///
    /// # Errors
    /// A folder that is not there or not writable.
    pub fn write(&self, credentials: &Credentials) -> Result<(), Error> {
        write(&self.issuer_key, &credentials.issuer_key)?;
        write(&self.issuer_certificate, &credentials.issuer_certificate)?;
        write(&self.ca, &credentials.ca)
    }
}

impl Credentials {
    /// A new root, and an issuer for `sentry` that it has signed. The key of the root is not kept.
    ///
    /// # Errors
    /// None but what the library says.
    pub fn generate(sentry: &SpiffeId, lifetimes: Lifetimes) -> Result<Self, Error> {
        let (root_key, key) = (KeyPair::generate_for(&PKCS_ED25519)?, KeyPair::generate_for(&PKCS_ED25519)?);
        let root = authority(sentry.trust_domain().as_str(), lifetimes);
        let mut issuer = authority(&sentry.to_string(), lifetimes);
        issuer.use_authority_key_identifier_extension = true;
        let ca: Certificate = root.self_signed(&root_key)?;
        let signed = issuer.signed_by(&key, &Issuer::from_params(&root, &root_key))?;
        Ok(Self { ca: ca.pem(), issuer_certificate: signed.pem(), issuer_key: key.serialize_pem() })
    }
}

fn authority(organization: &str, lifetimes: Lifetimes) -> CertificateParams {
    let now = SystemTime::now();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, organization);
    params.serial_number = Some(random_serial());
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = (now - lifetimes.skew).into();
    params.not_after = (now + LIFETIME).into();
    params
}

/// The content of a file, if it is there.
pub(crate) fn read(path: &Path) -> Result<Option<String>, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(reason) => Err(Error::Read { path: path.display().to_string(), reason }),
    }
}

/// Writes a file that only its owner may read. It is there as a whole or not at all.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |reason| Error::Write { path: path.display().to_string(), reason };
    let beside = path.with_extension("new");
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside);
    file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all())).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)
}
