//! How a Redis server is started.
use super::{Program, variable};

/// A program that `more` says more about: first the file that it reads, if there is one, then options, which go before
/// those given here.
pub(super) fn program(port: u16, folder: &str, more: Vec<String>) -> Program {
    let port = port.to_string();
    let place = ["--port", &port, "--bind", "127.0.0.1", "--dir", folder];
    let durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--loglevel", "warning"];
    let (files, options): (Vec<_>, Vec<_>) = more.into_iter().partition(|argument| argument.ends_with(".conf"));
    let path = variable("TRILBY_TEST_REDIS").unwrap_or_else(|| "redis-server".to_owned());
    let own = place.into_iter().chain(durable).map(str::to_owned);
    Program::new(path, files.into_iter().chain(own).chain(options).collect(), "-KILL")
}
