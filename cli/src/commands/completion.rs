//! `dapr completion`: scripts that complete command lines.
use clap::{Args, ValueEnum};
use clap_complete::{Shell, generate};
use std::io::Write;
use std::process::ExitCode;

/// Generates shell completion scripts
#[derive(Args, Debug)]
pub(crate) struct Completion {
    /// The shell to complete in
    shell: Kind,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

impl Completion {
    /// Prints the script for a command line.
    pub(crate) fn run(&self, command: &mut clap::Command) -> ExitCode {
        let shell = match self.shell {
            Kind::Bash => Shell::Bash,
            Kind::Zsh => Shell::Zsh,
            Kind::Fish => Shell::Fish,
            Kind::Powershell => Shell::PowerShell,
        };
        let mut script = Vec::new();
        generate(shell, command, "dapr", &mut script);
        std::io::stdout().write_all(&script).ok();
        ExitCode::SUCCESS
    }
}
