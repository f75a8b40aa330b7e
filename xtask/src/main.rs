//! Work on the project itself: checks that the compiler cannot make, and what is generated from the code.
mod docs;
mod tidy;

use anyhow::bail;
use clap::{Parser, Subcommand};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Work on the project itself.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks the rules of the house: directions of dependencies, file lengths, module docs.
    Tidy,
    /// Writes the reference pages below docs/ anew.
    Docs,
}

fn main() -> anyhow::Result<()> {
    match Options::parse().command {
        Command::Tidy => tidy(),
        Command::Docs => docs::write(&root()),
    }
}

fn tidy() -> anyhow::Result<()> {
    let problems = tidy::problems(&root())?;
    for problem in &problems {
        writeln!(std::io::stderr(), "{problem}").ok();
    }
    if problems.is_empty() { Ok(()) } else { bail!("{} problems", problems.len()) }
}

/// The root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}
