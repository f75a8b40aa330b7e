//! How a Redis server is started.

pub(super) fn arguments(port: u16, folder: &str) -> Vec<String> {
    let port = port.to_string();
    let arguments = ["--port", &port, "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes"];
    let durable = ["--appendfsync", "always", "--save", "", "--loglevel", "warning"];
    arguments.into_iter().chain(durable).map(str::to_owned).collect()
}
