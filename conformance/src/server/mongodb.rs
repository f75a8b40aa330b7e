//! How a server with MongoDB's protocol is started.
use super::{Program, variable};

/// What the server needs to be like MongoDB.
const LAUNCHER: &str = include_str!("mongodb.py");

/// A replica set of one server, named `secantus`. `more` are arguments beyond that; `--standalone` makes it a server alone.
pub(super) fn program(port: u16, folder: &str, more: Vec<String>) -> Program {
    let path = variable("TRILBY_TEST_MONGODB_PYTHON").unwrap_or_else(environment);
    let (port, data) = (port.to_string(), format!("{folder}/data"));
    // Every commit is on the disk before it is answered.
    let own = ["-c", LAUNCHER, "--port", &port, "--storage-path", &data, "--log-level", "ERROR", "--sync-on-commit"];
    Program::new(path, own.into_iter().map(str::to_owned).chain(more).collect(), "-KILL")
}

/// Where conformance/install puts it.
fn environment() -> String {
    let home = variable("HOME").expect("a home folder");
    format!("{home}/.cache/trilby/mongodb/bin/python")
}
