//! Copies of an identity in files, for other programs beside this process (protocols.md 5.3).
use crate::Error;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What others need to be who this process is. It holds the private key.
pub(crate) struct Copies {
    /// In PEM.
    pub(crate) key: String,
    /// The certificate and those above it, in PEM.
    pub(crate) chain: Vec<u8>,
    /// The roots to trust, in PEM.
    pub(crate) roots: Vec<u8>,
    /// The token beside the certificate, where sentry gives one.
    pub(crate) token: Option<String>,
}

impl Copies {
    /// Writes them to a folder, for the eyes of its owner alone. The folder is a link that is moved from one set of files to the next: a
    /// reader never sees a key beside the certificate of another. The set before stays for those who are just reading it.
    ///
    /// # Errors
    /// [`Error::Copies`], such as for a folder that is there and is no link.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        self.swap(folder).map_err(|reason| Error::Copies { path: folder.display().to_string(), reason })
    }

    fn swap(&self, folder: &Path) -> io::Result<()> {
        let name = folder.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidInput)?;
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        if folder.exists() && !folder.is_symlink() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is there already and no link; remove it"));
        }
        let before = std::fs::read_link(folder).ok();
        let next = format!("{}-{name}", now());
        self.fill(&parent.join(&next))?;
        let link = parent.join(format!("{next}.link"));
        symlink(&next, &link)?;
        std::fs::rename(&link, folder)?;
        let kept = [Some(PathBuf::from(next)), before];
        remove_others(parent, name, |set| kept.iter().flatten().any(|kept| kept.file_name() == set.file_name()))
    }

    fn fill(&self, folder: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(folder)?;
        // What the mask of the process takes away is of no use to the owner.
        std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        write(&folder.join("key.pem"), self.key.as_bytes())?;
        write(&folder.join("cert.pem"), &self.chain)?;
        write(&folder.join("ca.pem"), &self.roots)?;
        self.token.iter().try_for_each(|token| write(&folder.join("jwt_svid.token"), token.as_bytes()))
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

/// Removes the sets of earlier times, such as of a process that was killed.
fn remove_others(parent: &Path, name: &str, is_kept: impl Fn(&Path) -> bool) -> io::Result<()> {
    for entry in std::fs::read_dir(parent)? {
        let path = entry?.path();
        if is_set(&path, name) && !is_kept(&path) {
            std::fs::remove_dir_all(path)?;
        }
    }
    Ok(())
}

fn is_set(path: &Path, name: &str) -> bool {
    let of = path.file_name().and_then(|set| set.to_str()).and_then(|set| set.split_once('-'));
    of.is_some_and(|(time, of)| of == name && time.bytes().all(|digit| digit.is_ascii_digit())) && path.is_dir()
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copies(key: &str, token: Option<&str>) -> Copies {
        Copies { key: key.to_owned(), chain: b"chain".into(), roots: b"roots".into(), token: token.map(str::to_owned) }
    }

    fn read(path: PathBuf) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn the_folder_leads_to_the_last_set_and_the_one_before_stays() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("deep/tls");
        copies("first", Some("token")).write(&folder).unwrap();
        assert_eq!(read(folder.join("jwt_svid.token")), "token");
        let reading = folder.canonicalize().unwrap();
        copies("second", None).write(&folder).unwrap();
        let files = ["key.pem", "cert.pem", "ca.pem"].map(|name| read(folder.join(name)));
        assert_eq!(files, ["second", "chain", "roots"]);
        assert_eq!(read(reading.join("key.pem")), "first");
        assert!(!folder.join("jwt_svid.token").exists());
        copies("third", None).write(&folder).unwrap();
        assert!(!reading.exists());
        assert_eq!(std::fs::read_dir(folder.parent().unwrap()).unwrap().count(), 3);
    }

    #[test]
    fn only_the_owner_reads_them() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("tls");
        copies("key", Some("token")).write(&folder).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        for name in ["key.pem", "cert.pem", "ca.pem", "jwt_svid.token"] {
            assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
        }
    }

    #[test]
    fn a_folder_of_others_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key.pem"), "theirs").unwrap();
        let error = copies("ours", None).write(folder.path()).unwrap_err().to_string();
        assert!(error.contains("--identity-directory-write") && !error.contains("ours"), "{error}");
        assert_eq!(read(folder.path().join("key.pem")), "theirs");
    }
}
