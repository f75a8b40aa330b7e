//! Where the credentials are: the files of Dapr, and one more that tells how far the replacement of a root has come.
use crate::journal::Journal;
use crate::{Credentials, Error};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const JOURNAL: &str = "rotation.json";
const LOCK: &str = "rotation.lock";

/// Where the credentials are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    pub ca: PathBuf,
    pub issuer_certificate: PathBuf,
    pub issuer_key: PathBuf,
}

impl Files {
    /// With Dapr's names in a folder.
    pub fn of_folder(folder: &Path) -> Self {
        let [ca, issuer_certificate, issuer_key] = ["ca.crt", "issuer.crt", "issuer.key"].map(|name| folder.join(name));
        Self { ca, issuer_certificate, issuer_key }
    }

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

    /// How far the replacement of a root has come; nowhere without a file.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn journal(&self) -> Result<Journal, Error> {
        let path = self.beside(JOURNAL);
        let Some(text) = read(&path)? else { return Ok(Journal::default()) };
        let path = path.display().to_string();
        serde_json::from_str(&text).map_err(|reason| Error::Journal { path, reason })
    }

    pub(crate) fn write_journal(&self, journal: &Journal) -> Result<(), Error> {
        let path = self.beside(JOURNAL);
        let text = serde_json::to_string_pretty(journal);
        let text = text.map_err(|reason| Error::Journal { path: path.display().to_string(), reason })?;
        write(&path, &text)
    }

    /// Keeps other processes from changing the files until the lock is dropped.
    pub(crate) fn lock(&self) -> Result<File, Error> {
        let path = self.beside(LOCK);
        let failed = |reason| Error::Write { path: path.display().to_string(), reason };
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(file)
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.ca.with_file_name(name)
    }
}

/// The content of a file, if it is there.
///
/// # Errors
/// A file that is there and cannot be read.
pub fn read(path: &Path) -> Result<Option<String>, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(reason) => Err(Error::Read { path: path.display().to_string(), reason }),
    }
}

/// Writes a file that only its owner may read. It is there as a whole or not at all.
///
/// # Errors
/// A folder that is not there or not writable.
pub fn write(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |reason| Error::Write { path: path.display().to_string(), reason };
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside);
    file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all())).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)
}
