//! The only binary: what it is, is told by the name it was called by, or by its first argument.
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: trilby daprd [flags]\n\nA link named daprd to this program does the same.\n";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let called = arguments.next().unwrap_or_default();
    let mut arguments: Vec<String> = arguments.collect();
    let mut name = program(&called).to_owned();
    if !is_known(&name) && !arguments.is_empty() {
        name = arguments.remove(0);
    }
    match name.as_str() {
        "daprd" => sidecar::main(&arguments),
        _ => {
            std::io::stderr().write_all(USAGE.as_bytes()).ok();
            ExitCode::from(2)
        }
    }
}

fn program(called: &str) -> &str {
    Path::new(called).file_stem().and_then(|name| name.to_str()).unwrap_or_default()
}

fn is_known(name: &str) -> bool {
    name == "daprd"
}
