//! The commands, one file each: a clap struct and its `run`.
pub(crate) mod absent;
pub(crate) mod build_info;
pub(crate) mod completion;
pub(crate) mod components;
pub(crate) mod configurations;
pub(crate) mod init;
pub(crate) mod invoke;
pub(crate) mod list;
pub(crate) mod mcpservers;
pub(crate) mod mtls;
pub(crate) mod publish;
pub(crate) mod run;
pub(crate) mod scheduler;
pub(crate) mod stop;
pub(crate) mod uninstall;
pub(crate) mod version;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use clap::Args;
use std::path::Path;

/// Refuses `--kubernetes`.
///
/// # Errors
/// It was asked for.
fn refuse_kubernetes(asked: bool) -> anyhow::Result<()> {
    ensure!(!asked, "Kubernetes is not in this build yet; leave out --kubernetes (-k) to work on this machine");
    Ok(())
}

/// Which part of a Kubernetes cluster is meant.
#[derive(Args, Debug)]
pub(crate) struct Cluster {
    /// List those of a Kubernetes cluster
    #[arg(long, short = 'k')]
    kubernetes: bool,
    /// List those of all namespaces of a cluster
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    /// List those of this namespace of a cluster
    #[arg(long)]
    namespace: Option<String>,
}

impl Cluster {
    /// Refuses each of them.
    ///
    /// # Errors
    /// One was asked for.
    pub(crate) fn refuse(&self) -> anyhow::Result<()> {
        refuse_kubernetes(self.kubernetes || self.all_namespaces || self.namespace.is_some())
    }
}

/// The payload of `--data` or `--data-file`; neither is an empty one.
///
/// # Errors
/// The file cannot be read.
fn payload(data: Option<&str>, file: Option<&Path>) -> anyhow::Result<Bytes> {
    let Some(file) = file else { return Ok(Bytes::from(data.unwrap_or_default().to_owned())) };
    let read = std::fs::read(file).with_context(|| format!("Error reading payload from '{}'", file.display()));
    read.map(Bytes::from)
}
