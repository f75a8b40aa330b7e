//! How a Redis server is started.
use super::{Program, variable};

pub(super) fn program(port: u16, folder: &str) -> Program {
    let port = port.to_string();
    let place = ["--port", &port, "--bind", "127.0.0.1", "--dir", folder];
    let durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--loglevel", "warning"];
    Program {
        path: variable("TRILBY_TEST_REDIS").unwrap_or_else(|| "redis-server".to_owned()),
        arguments: place.into_iter().chain(durable).map(str::to_owned).collect(),
        user: None,
        signal: "-KILL",
    }
}
