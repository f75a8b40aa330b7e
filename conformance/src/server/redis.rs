//! How a Redis server is started.
use super::{Program, variable};

/// A program that `more` says more about: first the file that it reads, if there is one, then options, which go before
/// those given here.
pub(super) fn program(port: u16, folder: &str, more: Vec<String>) -> Program {
    let path = variable("TRILBY_TEST_REDIS").unwrap_or_else(|| "redis-server".to_owned());
    started(path, port, folder, more)
}

/// Valkey with the modules of Redis Stack.
pub(super) fn with_modules(port: u16, folder: &str) -> Program {
    let home = || format!("{}/.cache/trilby/redis-modules/1", variable("HOME").expect("a home folder"));
    let programs = variable("TRILBY_TEST_REDIS_MODULES").unwrap_or_else(home);
    let load = ["redisearch.so", "rejson.so"].map(|name| ["--loadmodule".to_owned(), format!("{programs}/{name}")]);
    started(format!("{programs}/valkey-server"), port, folder, load.concat())
}

fn started(path: String, port: u16, folder: &str, more: Vec<String>) -> Program {
    let port = port.to_string();
    let place = ["--port", &port, "--bind", "127.0.0.1", "--dir", folder];
    let durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--loglevel", "warning"];
    let (files, options): (Vec<_>, Vec<_>) = more.into_iter().partition(|argument| argument.ends_with(".conf"));
    let own = place.into_iter().chain(durable).map(str::to_owned);
    Program::new(path, files.into_iter().chain(own).chain(options).collect(), "-KILL")
}
