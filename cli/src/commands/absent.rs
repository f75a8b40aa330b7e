//! Commands of Dapr that this build does not have yet: known by name, so that they answer clearly.
use anyhow::bail;
use clap::Args;
use std::process::ExitCode;

/// Takes any command line.
#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(crate) struct Absent {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _arguments: Vec<String>,
}

impl Absent {
    /// Says what is missing.
    ///
    /// # Errors
    /// Always.
    pub(crate) fn run(&self, command: &str, needs: &str) -> anyhow::Result<ExitCode> {
        bail!("`dapr {command}` needs {needs}, which is not in this build yet")
    }
}
