//! `dapr mtls export`: the credentials as files, for other sentries and for sidecars that are started by hand.
use super::Authority;
use crate::context::Context;
use anyhow::Context as _;
use clap::Args;
use foundation_credentials::Files;
use std::path::PathBuf;
use std::process::ExitCode;

/// Export the root certificates, and the certificate and the key of the issuer, to local files
#[derive(Args, Debug)]
pub(super) struct Export {
    /// The folder to save the certificates in
    #[arg(long, short = 'o', default_value = ".")]
    out: PathBuf,
}

impl Export {
    /// Writes `ca.crt`, `issuer.crt` and `issuer.key`.
    ///
    /// # Errors
    /// There are no credentials, or the folder cannot be written to.
    pub(super) fn run(&self, context: &Context, authority: &Authority) -> anyhow::Result<ExitCode> {
        let credentials = authority.credentials()?;
        let shown = self.out.display();
        std::fs::create_dir_all(&self.out).with_context(|| format!("cannot make the folder {shown}; check --out"))?;
        Files::of_folder(&self.out).write(&credentials).with_context(|| format!("cannot export to {shown}"))?;
        context.console.success(format!("Trust certs successfully exported to {shown}"));
        context.console.info("Who has issuer.key can be anybody: keep it as a secret. Sidecars need ca.crt alone.");
        Ok(ExitCode::SUCCESS)
    }
}
