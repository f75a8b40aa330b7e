//! The only binary: what it is, is told by the name it was called by, or by its first argument.
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// One of the programs that this binary is.
struct Program {
    name: &'static str,
    about: &'static str,
    /// Takes the command line without the name of the program.
    main: fn(&[String]) -> ExitCode,
}

const PROGRAMS: [Program; 6] = [
    Program { name: "dapr", about: "the command line tool: run, list, stop and call apps", main: cli::main },
    Program { name: "daprd", about: "the sidecar that serves the building blocks to an app", main: sidecar::main },
    Program { name: "placement", about: "tells sidecars which of them hosts which actor", main: placement },
    Program {
        name: "scheduler",
        about: "keeps jobs and reminders, and triggers them when they are due",
        main: scheduler,
    },
    Program {
        name: "control-plane",
        about: "placement and scheduler in one, for as long as `dapr run` needs them",
        main: control_plane,
    },
    Program { name: "sentry", about: "gives sidecars and the control plane their identities", main: sentry },
];

const MISUSE: u8 = 2;

fn main() -> ExitCode {
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let called = words.next().unwrap_or_default();
    let words: Vec<String> = words.collect();
    if let Some(program) = find(base_name(&called)) {
        return (program.main)(&words);
    }
    match words.split_first() {
        Some((first, rest)) => by_argument(first, rest),
        None => misuse("tell which program to be"),
    }
}

#[allow(clippy::disallowed_methods)] // Here the environment of this process is read.
fn placement(arguments: &[String]) -> ExitCode {
    let shows_state = std::env::var("DAPR_PLACEMENT_METADATA_ENABLED").is_ok_and(|text| text == "true" || text == "1");
    let token = std::env::var_os("DAPR_SENTRY_TOKEN_FILE").filter(|path| !path.is_empty()).map(Into::into);
    control_placement::main(arguments, shows_state, &namespace(), token)
}

fn control_plane(arguments: &[String]) -> ExitCode {
    control_local::main(arguments, &namespace())
}

fn scheduler(arguments: &[String]) -> ExitCode {
    control_scheduler::main(arguments, &namespace(), &environment())
}

/// Of the control plane.
#[allow(clippy::disallowed_methods)] // Here the environment of this process is read.
fn namespace() -> String {
    let given = std::env::var("NAMESPACE").ok().filter(|name| !name.is_empty());
    given.unwrap_or_else(|| "default".to_owned())
}

fn sentry(arguments: &[String]) -> ExitCode {
    control_sentry::main(arguments, &environment())
}

#[allow(clippy::disallowed_methods)] // Here the environment of this process is read.
fn environment() -> BTreeMap<String, String> {
    let text = |word: std::ffi::OsString| word.to_string_lossy().into_owned();
    std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
}

/// Links may be symbolic or hard: only the name counts, without its folder and ending.
fn base_name(called: &str) -> &str {
    Path::new(called).file_stem().and_then(|name| name.to_str()).unwrap_or_default()
}

fn by_argument(first: &str, rest: &[String]) -> ExitCode {
    match (find(first), first) {
        (Some(program), _) => (program.main)(rest),
        (None, "--help" | "-h" | "help") => print(&usage()),
        (None, "--version" | "-V" | "version") => print(&format!("trilby {}\n", env!("CARGO_PKG_VERSION"))),
        (None, unknown) => misuse(&format!("unknown program {unknown:?}")),
    }
}

fn find(name: &str) -> Option<&'static Program> {
    PROGRAMS.iter().find(|program| program.name == name)
}

fn print(text: &str) -> ExitCode {
    std::io::stdout().write_all(text.as_bytes()).ok();
    ExitCode::SUCCESS
}

fn misuse(what: &str) -> ExitCode {
    std::io::stderr().write_all(format!("trilby: {what}\n\n{}", usage()).as_bytes()).ok();
    ExitCode::from(MISUSE)
}

fn usage() -> String {
    let programs = PROGRAMS.iter().map(|program| format!("  {:<15}{}\n", program.name, program.about));
    format!(
        "Trilby is several programs in one binary.

Usage: trilby PROGRAM [ARGUMENTS]
       trilby --help | --version

Programs:
{}
`trilby PROGRAM --help` tells more. A link to this binary that is named like a program is that program.
",
        programs.collect::<String>()
    )
}
