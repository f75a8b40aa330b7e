//! How a NATS server is started.
use super::{Program, variable};

/// A server with JetStream that lets everybody in. `more` are arguments beyond that.
pub(super) fn program(port: u16, folder: &str, more: Vec<String>) -> Program {
    let path = variable("TRILBY_TEST_NATS").unwrap_or_else(|| "nats-server".to_owned());
    let port = port.to_string();
    let own = ["-js", "-a", "127.0.0.1", "-p", &port, "-sd", folder, "-l", "/dev/null"];
    Program::new(path, own.into_iter().map(str::to_owned).chain(more).collect(), "-KILL")
}
