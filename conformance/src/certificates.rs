//! Certificates for a server with TLS and for its clients, from an authority that only one test knows.
#![allow(clippy::expect_used)] // Certificates that cannot be made end their test.
use crate::server::user_if_root;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use tempfile::TempDir;

/// PEM files: `authority.pem`; `server.pem` and `server.key` for `localhost` and 127.0.0.1; `client.pem` and `client.key`
/// for the user `trilby`, `client-both.pem` with both of them; and `stranger.pem`, an authority that vouched for nobody.
pub struct Certificates {
    folder: TempDir,
    user: Option<(u32, u32)>,
}

impl Certificates {
    /// Makes the files, for a server that runs as that user of Debian's if we are root, or as we do.
    ///
    /// # Panics
    /// When there is no such user, or the files cannot be written.
    pub fn new(user: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder for certificates");
        let made = Self { folder, user: user.and_then(user_if_root) };
        made.own(&made.folder.path().to_string_lossy(), 0o755);
        let (authority, stranger) = (authority(), authority());
        made.write("authority.pem", &authority.pem());
        made.write("stranger.pem", &stranger.pem());
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        made.issue(&authority, "server", CertificateParams::new(names).expect("names of a server"));
        let mut client = CertificateParams::default();
        client.distinguished_name.push(DnType::CommonName, "trilby");
        made.issue(&authority, "client", client);
        made.write("client-both.pem", &(made.text("client.pem") + &made.text("client.key")));
        made
    }

    /// One more file beside them; returns its path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn add(&self, name: &str, text: &str) -> String {
        self.write(name, text);
        self.path(name)
    }

    /// Path of a file.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    /// Text of a file.
    ///
    /// # Panics
    /// When there is no such file.
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file of a certificate")
    }

    fn issue(&self, authority: &CertifiedIssuer<'_, KeyPair>, name: &str, params: CertificateParams) {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, authority).expect("a certificate");
        self.write(&format!("{name}.pem"), &certificate.pem());
        self.write(&format!("{name}.key"), &key.serialize_pem());
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::write(&path, text).expect("write a certificate");
        // Servers refuse keys that others can read.
        self.own(&path, 0o600);
    }

    fn own(&self, path: &str, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("who may read it");
        if let Some((user, group)) = self.user {
            chown(path, Some(user), Some(group)).expect("give it to the server's user");
        }
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, format!("authority {}", uuid::Uuid::new_v4()));
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}
