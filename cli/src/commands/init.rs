//! `dapr init`: makes this machine ready, without a container and without the network.
use crate::commands::refuse_kubernetes;
use crate::context::Context;
use crate::install::Install;
use clap::Args;
use std::process::ExitCode;

/// Install Dapr on this machine. Supported platforms: Self-hosted
#[derive(Args, Debug)]
pub(crate) struct Init {
    /// Install without default components
    #[arg(long, short = 's')]
    slim: bool,
    /// Deploy Dapr to a Kubernetes cluster
    #[arg(long, short = 'k')]
    kubernetes: bool,
    #[command(flatten)]
    needless: Needless,
}

/// Flags of Dapr that have nothing to do here: the runtime is this program, and there are no containers.
#[derive(Args, Debug)]
struct Needless {
    #[arg(long, hide = true)]
    dev: bool,
    #[arg(long, hide = true)]
    wait: bool,
    #[arg(long, hide = true)]
    timeout: Option<u64>,
    #[arg(long, hide = true)]
    runtime_version: Option<String>,
    #[arg(long, short = 'n', hide = true)]
    namespace: Option<String>,
    #[arg(long, hide = true)]
    enable_mtls: bool,
    #[arg(long, hide = true)]
    enable_ha: bool,
    #[arg(long, hide = true)]
    network: Option<String>,
    #[arg(long, hide = true)]
    from_dir: Option<String>,
    #[arg(long, hide = true)]
    image_variant: Option<String>,
    #[arg(long, hide = true)]
    image_registry: Option<String>,
    #[arg(long, hide = true)]
    container_runtime: Option<String>,
    #[arg(long, hide = true)]
    scheduler_volume: Option<String>,
    #[arg(long, hide = true)]
    scheduler_override_broadcast_host_port: Option<String>,
    #[arg(long, hide = true)]
    redis_stack: bool,
    #[arg(long, hide = true)]
    set: Vec<String>,
    #[arg(long, hide = true)]
    ca_root_certificate: Option<String>,
    #[arg(long, hide = true)]
    issuer_private_key: Option<String>,
    #[arg(long, hide = true)]
    issuer_public_certificate: Option<String>,
}

impl Init {
    /// Writes what is not there yet.
    ///
    /// # Errors
    /// A folder or file cannot be written.
    pub(crate) fn run(&self, context: &Context) -> anyhow::Result<ExitCode> {
        refuse_kubernetes(self.kubernetes)?;
        let (console, install) = (context.console, Install::of(context)?);
        self.needless.explain(context);
        for replaced in install.link_programs()? {
            console.warning(format!("What was there before is kept as {}.", replaced.display()));
        }
        console.info(format!("daprd binary has been installed to {}.", install.bin().display()));
        install.write_configuration()?;
        install.make_components_folder()?;
        if !self.slim {
            for (file, is_new) in install.write_components()? {
                console.info(match is_new {
                    true => format!("{} has been written; it keeps its data in an SQLite file.", file.display()),
                    false => format!("{} was there and stays as it is.", file.display()),
                });
            }
        }
        self.tell_path(context, &install);
        console.success(
            "Success! Dapr is ready; nothing needs to run in the background. To get started, try `dapr run --help`.",
        );
        Ok(ExitCode::SUCCESS)
    }

    fn tell_path(&self, context: &Context, install: &Install) {
        let (bin, path) = (install.bin(), context.environment.get("PATH").unwrap_or_default());
        if !std::env::split_paths(path).any(|folder| folder == bin) {
            context.console.info(format!("To call dapr and daprd by name: export PATH=\"{}:$PATH\"", bin.display()));
        }
    }
}

impl Needless {
    fn explain(&self, context: &Context) {
        let given = [
            ("runtime-version", self.runtime_version.is_some()),
            ("network", self.network.is_some()),
            ("from-dir", self.from_dir.is_some()),
            ("image-variant", self.image_variant.is_some()),
            ("image-registry", self.image_registry.is_some()),
            ("container-runtime", self.container_runtime.is_some()),
            ("scheduler-volume", self.scheduler_volume.is_some()),
            ("scheduler-override-broadcast-host-port", self.scheduler_override_broadcast_host_port.is_some()),
            ("redis-stack", self.redis_stack),
        ];
        for (flag, _) in given.iter().filter(|(_, given)| *given) {
            let reason = "the runtime is this program itself, and no container is used";
            context.console.warning(format!("--{flag} has no effect: {reason}"));
        }
    }
}
