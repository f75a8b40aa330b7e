//! Where the credentials are: the files of Dapr, and one more that tells how far the replacement of a root has come.
use crate::certificate::{ISSUER, ROOTS};
use crate::journal::Journal;
use crate::key::OF_ISSUER;
use crate::{Credentials, Error};
use foundation_identity::read_regular;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const JOURNAL: &str = "rotation.json";
const LOCK: &str = "rotation.lock";
/// Between two tries to get the lock.
const PAUSE: Duration = Duration::from_millis(20);

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

    /// Whether others on this machine may read the key of the issuer, and so be whoever they like.
    pub fn is_key_exposed(&self) -> bool {
        std::fs::metadata(&self.issuer_key).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
    }

    /// An error of what was read here, with the file that it is about.
    pub fn named(&self, error: Error) -> Error {
        let path = match &error {
            Error::Unreadable { what: ROOTS, .. } | Error::Empty(ROOTS) => &self.ca,
            Error::Unreadable { what: ISSUER, .. } | Error::Empty(ISSUER) | Error::NoAuthority => {
                &self.issuer_certificate
            }
            Error::Unreadable { what: OF_ISSUER, .. } => &self.issuer_key,
            _ => return error,
        };
        Error::InFile { path: path.display().to_string(), error: Box::new(error) }
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

    /// Keeps other processes from changing the files until the lock is dropped. Who holds it is waited for, but not for ever: it may be
    /// a process that hangs.
    ///
    /// # Errors
    /// A folder that is not writable, and [`Error::Locked`].
    pub fn lock(&self, patience: Duration) -> Result<File, Error> {
        let path = self.beside(LOCK);
        let failed = |reason| Error::Write { path: path.display().to_string(), reason };
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(failed)?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(reason)) => return Err(failed(reason)),
                Err(TryLockError::WouldBlock) if start.elapsed() >= patience => {
                    return Err(Error::Locked(path.display().to_string()));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            }
        }
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
    match read_regular(path).and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(reason) => Err(Error::Read { path: path.display().to_string(), reason }),
    }
}

/// Writes a file that only its owner may read, or the one that it is a link to. It is there as a whole or not at all. What lies where it
/// is prepared, such as a link that somebody has put there, is not written to.
///
/// # Errors
/// A folder that is not there or not writable.
pub fn write(path: &Path, text: &str) -> Result<(), Error> {
    let shown = path.display().to_string();
    let failed = |reason| Error::Write { path: shown.clone(), reason };
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
    file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all())).map_err(failed)?;
    std::fs::rename(&beside, &path).map_err(failed)?;
    // The name lasts when its folder does.
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_key_that_others_may_read_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::of_folder(folder.path());
        assert!(!files.is_key_exposed());
        write(&files.issuer_key, "secret").unwrap();
        assert!(!files.is_key_exposed());
        std::fs::set_permissions(&files.issuer_key, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(files.is_key_exposed());
    }

    #[test]
    fn a_link_stays_one_and_what_it_leads_to_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("ca.crt"), folder.path().join("real.crt"));
        std::fs::write(&target, "old").unwrap();
        symlink(&target, &path).unwrap();
        write(&path, "new").unwrap();
        assert!(path.is_symlink());
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "new");
    }

    #[test]
    fn what_would_block_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("it is no regular file"), "{error}");
    }

    #[test]
    fn nothing_is_written_through_what_others_have_laid_there() {
        let folder = tempfile::tempdir().unwrap();
        let (path, beside, elsewhere) =
            (folder.path().join("key"), folder.path().join("key.new"), folder.path().join("elsewhere"));
        symlink(&elsewhere, &beside).unwrap();
        write(&path, "secret").unwrap();
        assert!(!elsewhere.exists() && !path.is_symlink());

        std::fs::write(&beside, "").unwrap();
        std::fs::set_permissions(&beside, PermissionsExt::from_mode(0o666)).unwrap();
        write(&path, "secret").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(&path).unwrap().as_deref(), Some("secret"));
    }
}
