//! How a Vault server is started.
use super::{Program, variable};

/// A server for development: it keeps everything in memory, and `token` may do everything.
pub(super) fn program(port: u16, folder: &str) -> Program {
    let path = variable("TRILBY_TEST_VAULT").unwrap_or_else(|| "vault".to_owned());
    let listen = format!("-dev-listen-address=127.0.0.1:{port}");
    let own = ["server", "-dev", "-dev-root-token-id=token", "-dev-no-store-token", &listen];
    let environment = vec![("HOME".to_owned(), folder.to_owned())];
    Program { environment, ..Program::new(path, own.map(str::to_owned).to_vec(), "-KILL") }
}
