//! `dapr mtls`: the credentials of the certificate authority of this machine.
mod expiry;
mod export;
mod renew;

use crate::commands::refuse_kubernetes;
use crate::context::Context;
use crate::install::Install;
use anyhow::Context as _;
use clap::{Args, Subcommand};
use foundation_credentials::{Credentials, Files, Lifetimes, Rotation};
use foundation_identity::{SpiffeId, TrustDomain};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// As sentry has it without a configuration.
const SKEW: Duration = Duration::from_secs(15 * 60);

/// Check if mTLS is enabled, and look after its certificates. Supported platforms: Self-hosted
#[derive(Args, Debug)]
pub(crate) struct Mtls {
    #[command(subcommand)]
    command: Option<Command>,
    /// Work on a Kubernetes cluster
    #[arg(long, short = 'k', global = true)]
    kubernetes: bool,
    /// Folder of the credentials, as sentry takes it [default: certs in the installation folder]
    #[arg(long, global = true)]
    issuer_credentials: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum Command {
    Export(export::Export),
    Expiry(expiry::Expiry),
    RenewCertificate(renew::Renew),
}

impl Mtls {
    /// Does what the subcommand says; without one, tells whether mTLS is on.
    ///
    /// # Errors
    /// Credentials that cannot be used, and Kubernetes.
    pub(crate) fn run(&self, context: &Context) -> anyhow::Result<ExitCode> {
        refuse_kubernetes(self.kubernetes)?;
        let authority = Authority { folder: self.folder(context)? };
        match &self.command {
            None => self.tell(context, &authority),
            Some(Command::Export(export)) => export.run(context, &authority),
            Some(Command::Expiry(expiry)) => expiry.run(context, &authority),
            Some(Command::RenewCertificate(renew)) => renew.run(context, &authority),
        }
    }

    fn folder(&self, context: &Context) -> anyhow::Result<PathBuf> {
        match &self.issuer_credentials {
            Some(folder) => Ok(folder.clone()),
            None => Ok(Install::of(context)?.certificates()),
        }
    }

    fn tell(&self, context: &Context, authority: &Authority) -> anyhow::Result<ExitCode> {
        let file = Install::of(context)?.configuration();
        let is_on = crate::running::asks_for_mtls(&file);
        let state = if is_on { "enabled" } else { "disabled" };
        context.console.info(format!("Mutual TLS is {state} in {}", file.display()));
        if !is_on {
            context.console.info("`dapr run` has it on with `spec.mtls.enabled: true` in its --config");
        }
        let word = match authority.files().read()? {
            Some(_) => "are in",
            None if self.issuer_credentials.is_some() => "are not in",
            None => "will be made by the first run that needs them in",
        };
        context.console.info(format!("The credentials of sentry {word} {}", authority.folder.display()));
        Ok(ExitCode::SUCCESS)
    }
}

/// The credentials that a subcommand works on.
struct Authority {
    folder: PathBuf,
}

impl Authority {
    fn files(&self) -> Files {
        Files::of_folder(&self.folder)
    }

    fn credentials(&self) -> anyhow::Result<Credentials> {
        let missing = || {
            format!(
                "there are no credentials in {}; a run with mTLS or `dapr mtls renew-certificate` makes them, and \
                 --issuer-credentials names another folder",
                self.folder.display()
            )
        };
        self.files().read()?.with_context(missing)
    }

    /// What becomes of the root. Whose authority it is, is told by the credentials that are there.
    fn rotation(&self, root: Duration) -> anyhow::Result<Rotation> {
        let present = self.files().read()?.and_then(|credentials| credentials.sentry());
        let usual = || SpiffeId::new(TrustDomain::new("localhost")?, "default", "dapr-sentry");
        let sentry = present.map_or_else(usual, Ok)?;
        // Sentries write down how long their certificates are good; without a word of them it is the usual.
        let usual = Lifetimes { workload: DAY, skew: SKEW, root };
        let lifetimes = self.files().journal()?.longest.map_or(usual, |longest| longest.lifetimes(root));
        Ok(Rotation { files: self.files(), sentry, lifetimes })
    }
}
