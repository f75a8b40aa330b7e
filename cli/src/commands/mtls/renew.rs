//! `dapr mtls renew-certificate`: new credentials, without an interruption.
use super::{Authority, DAY};
use crate::context::Context;
use crate::install::make_private_folder;
use anyhow::{Context as _, bail, ensure};
use clap::Args;
use foundation_credentials::{Credentials, Rotation, Step};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

/// The flags of a public key infrastructure that there is already.
const GIVEN: &str = "--ca-root-certificate, --issuer-public-certificate and --issuer-private-key";
/// A hundred years: certificates cannot name all times after that.
const MOST_DAYS: u32 = 36_500;

/// Replace the root certificate, and the certificate and the key of the issuer
#[derive(Args, Debug)]
pub(super) struct Renew {
    /// The private key of the new root, in a file; a new one is made otherwise, and not kept
    #[arg(long)]
    private_key: Option<PathBuf>,
    /// The root certificate to use, in a file
    #[arg(long)]
    ca_root_certificate: Option<PathBuf>,
    /// The private key of the issuer to use, in a file
    #[arg(long)]
    issuer_private_key: Option<PathBuf>,
    /// The certificate of the issuer to use, in a file
    #[arg(long)]
    issuer_public_certificate: Option<PathBuf>,
    /// The days that a new root is good for
    #[arg(long, default_value_t = 365)]
    valid_until: u32,
    #[command(flatten)]
    needless: Needless,
}

/// Flags of Dapr that have nothing to do here: sentry and sidecars take new certificates while they run.
#[derive(Args, Debug)]
struct Needless {
    #[arg(long, hide = true)]
    restart: bool,
    #[arg(long, hide = true)]
    timeout: Option<u64>,
    #[arg(long, hide = true)]
    image_variant: Option<String>,
}

impl Renew {
    /// Has the new root trusted; sentry lets it sign when everybody knows it.
    ///
    /// # Errors
    /// Files that are missing or do not fit together, and a root that is being replaced already.
    pub(super) fn run(&self, context: &Context, authority: &Authority) -> anyhow::Result<ExitCode> {
        let days = self.valid_until;
        ensure!((1..=MOST_DAYS).contains(&days), "--valid-until is {days}; give 1 to {MOST_DAYS} days");
        let rotation = authority.rotation(self.valid_until * DAY)?;
        let now = SystemTime::now();
        let given = self.given()?;
        let is_own = given.is_none();
        if let Some(credentials) = &given {
            let check = credentials.check(&rotation.sentry, rotation.lifetimes);
            check.with_context(|| format!("what is given cannot be used; check {GIVEN}"))?;
        }
        let credentials = given.map_or_else(|| self.made(&rotation, now), Ok)?;
        let folder = authority.folder.display();
        let make = make_private_folder(&authority.folder);
        make.with_context(|| format!("cannot make the folder {folder}; check --issuer-credentials"))?;
        match rotation.renew(&credentials, is_own, now)? {
            Step::Made => {
                context.console.success(format!("There were no credentials in {folder}; there are new ones now"))
            }
            _ => self.tell(context, &credentials, rotation.switches()? <= Some(now))?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn tell(&self, context: &Context, credentials: &Credentials, is_at_once: bool) -> anyhow::Result<()> {
        let root = credentials.signing_root()?;
        let (console, fingerprint) = (context.console, root.fingerprint);
        console.success(format!("A new root is trusted beside the present one; SHA-256 {fingerprint}"));
        console.info(if is_at_once {
            "Sentry lets it sign at once, or when it starts: the present one has ended. Sidecars that were given their roots as a \
             text have to be started anew with those of today."
        } else {
            "Sentry lets it sign when all certificates have been renewed since (24 hours, or workloadCertTTL of its configuration), \
             and drops the present one when nothing that it vouched for is left. `dapr mtls expiry` tells how far it is."
        });
        if self.needless.restart {
            console.warning("--restart has no effect: sentry and sidecars take the new root while they run");
        }
        Ok(())
    }

    fn made(&self, rotation: &Rotation, now: SystemTime) -> anyhow::Result<Credentials> {
        let (sentry, lifetimes) = (&rotation.sentry, rotation.lifetimes);
        let Some(path) = &self.private_key else { return Ok(Credentials::generate(sentry, lifetimes, now)?) };
        let key = text(path, "private-key")?;
        Credentials::of_root_key(&key, sentry, lifetimes, now)
            .with_context(|| format!("--private-key {}", path.display()))
    }

    /// Credentials of a public key infrastructure that there is already.
    fn given(&self) -> anyhow::Result<Option<Credentials>> {
        match (&self.ca_root_certificate, &self.issuer_public_certificate, &self.issuer_private_key) {
            (None, None, None) => Ok(None),
            _ if self.private_key.is_some() => {
                bail!("--private-key makes a new root; leave it out to use the certificates that are given")
            }
            (Some(ca), Some(certificate), Some(key)) => Ok(Some(Credentials {
                ca: text(ca, "ca-root-certificate")?,
                issuer_certificate: text(certificate, "issuer-public-certificate")?,
                issuer_key: text(key, "issuer-private-key")?,
            })),
            _ => bail!("give all of {GIVEN}, or none of them for new ones"),
        }
    }
}

fn text(path: &Path, flag: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}; check --{flag}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::Console;
    use foundation_credentials::Files;

    fn renew() -> Renew {
        let needless = Needless { restart: false, timeout: None, image_variant: None };
        Renew {
            private_key: None,
            ca_root_certificate: None,
            issuer_private_key: None,
            issuer_public_certificate: None,
            valid_until: 365,
            needless,
        }
    }

    fn run(renew: &Renew, folder: &Path) -> anyhow::Result<()> {
        let context = Context { console: Console::new(false, true), environment: [].into(), runtime_path: None };
        renew.run(&context, &Authority { folder: folder.to_owned() }).map(drop)
    }

    #[test]
    fn the_first_credentials_are_there_at_once_and_later_ones_are_announced() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("certs");
        run(&renew(), &folder).unwrap();
        let first = Files::of_folder(&folder).read().unwrap().unwrap();
        let left = first.signing_root().unwrap().expires.duration_since(SystemTime::now()).unwrap();
        assert!(left > 364 * DAY && left <= 365 * DAY);
        run(&renew(), &folder).unwrap();
        let both = Files::of_folder(&folder).read().unwrap().unwrap();
        assert_eq!(both.roots().unwrap().len(), 2);
        assert!(both.issuer_key == first.issuer_key);
        let error = run(&renew(), &folder).unwrap_err();
        assert!(error.to_string().contains("announced already"), "{error}");
    }

    #[test]
    fn what_is_given_must_be_whole_and_fit_together() {
        let (folder, given) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let [one, other] = ["one", "other"].map(|name| given.path().join(name));
        run(&renew(), &one).unwrap();
        run(&renew(), &other).unwrap();
        let of = |ca: &Path, key: &Path| Renew {
            ca_root_certificate: Some(ca.join("ca.crt")),
            issuer_public_certificate: Some(one.join("issuer.crt")),
            issuer_private_key: Some(key.join("issuer.key")),
            ..renew()
        };
        let told = |renew: Renew| format!("{:#}", run(&renew, folder.path()).unwrap_err());
        assert!(told(of(&other, &one)).contains("none of the roots") || told(of(&other, &one)).contains("roots"));
        assert!(told(of(&one, &other)).contains("key"));
        assert!(told(Renew { issuer_private_key: None, ..of(&one, &one) }).contains("give all of"));
        assert!(told(Renew { private_key: Some(one.join("issuer.key")), ..of(&one, &one) }).contains("leave it out"));
        assert!(told(of(&one, &given.path().join("nowhere"))).contains("--issuer-private-key"));
        for valid_until in [0, 99_999_999] {
            assert!(told(Renew { valid_until, ..renew() }).contains("--valid-until"));
        }
        assert!(told(Renew { private_key: Some(one.join("ca.crt")), ..renew() }).contains("--private-key"));
        run(&of(&one, &one), folder.path()).unwrap();
        let key = Renew { private_key: Some(one.join("issuer.key")), ..renew() };
        run(&key, folder.path()).unwrap();
    }
}
