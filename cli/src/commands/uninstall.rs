//! `dapr uninstall`: removes what `dapr init` installed.
use crate::commands::refuse_kubernetes;
use crate::console::Console;
use crate::context::Context;
use crate::install::Install;
use anyhow::Context as _;
use clap::Args;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

/// Uninstall Dapr runtime. Supported platforms: Self-hosted
#[derive(Args, Debug)]
pub(crate) struct Uninstall {
    /// Remove the whole .dapr folder, with its components and their data
    #[arg(long)]
    all: bool,
    /// Uninstall Dapr from a Kubernetes cluster
    #[arg(long, short = 'k')]
    kubernetes: bool,
    #[arg(long, hide = true)]
    dev: bool,
    #[arg(long, hide = true)]
    timeout: Option<u64>,
    #[arg(long, hide = true)]
    network: Option<String>,
    #[arg(long, short = 'n', hide = true)]
    namespace: Option<String>,
    #[arg(long, hide = true)]
    container_runtime: Option<String>,
}

impl Uninstall {
    /// Removes the programs; components and data stay unless all is to go.
    ///
    /// # Errors
    /// A folder cannot be removed.
    pub(crate) fn run(&self, context: &Context) -> anyhow::Result<ExitCode> {
        refuse_kubernetes(self.kubernetes)?;
        let (console, install) = (context.console, Install::of(context)?);
        console.info("Removing Dapr from your machine...");
        let restored = install.unlink_programs()?;
        for program in &restored {
            console.info(format!("{} is what it was before", program.display()));
        }
        if restored.is_empty() {
            remove(&install.bin(), console)?;
        }
        match self.all {
            true => remove(&install.root, console)?,
            false => console.info(format!(
                "Components, configuration and data stay in {}; --all removes them too",
                install.root.display()
            )),
        }
        console.success("Dapr has been removed successfully");
        Ok(ExitCode::SUCCESS)
    }
}

fn remove(folder: &Path, console: Console) -> anyhow::Result<()> {
    let shown = folder.display();
    match std::fs::remove_dir_all(folder) {
        Ok(()) => console.info(format!("Removing directory: {shown}")),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            console.warning(format!("WARNING: {shown} does not exist"))
        }
        removed => removed.with_context(|| format!("cannot remove {shown}"))?,
    }
    Ok(())
}
