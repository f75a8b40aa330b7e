//! How a MariaDB server is started. It does not run as root, so it gets the user that Debian made for it.
use super::user::user_if_root;
use super::{Program, variable};
use std::os::unix::fs::chown;

/// Makes the files of a new server, whose user `root` has no password. `more` are arguments beyond what it
/// needs.
pub(super) async fn prepare(port: u16, folder: &str, more: Vec<String>) -> Program {
    let user = user_if_root("mysql");
    if let Some((user, group)) = user {
        chown(folder, Some(user), Some(group)).expect("give the folder to the user mysql");
    }
    // Two servers that make their files at the same time get in each other's way in a shared folder.
    let (data, temporary) = (format!("--datadir={folder}/data"), format!("--tmpdir={folder}"));
    let place = [format!("--port={port}"), format!("--socket={folder}/socket"), format!("--pid-file={folder}/pid")];
    let own = ["--bind-address=127.0.0.1".to_owned(), format!("--log-error={folder}/log"), temporary.clone()];
    let arguments =
        ["--no-defaults".to_owned(), data.clone()].into_iter().chain(place).chain(own).chain(more).collect();
    let path = variable("TRILBY_TEST_MARIADB").unwrap_or_else(|| "mariadbd".to_owned());
    let program = Program { user, ..Program::new(path, arguments, "-KILL") };
    let arguments = ["--no-defaults", &data, &temporary, "--auth-root-authentication-method=normal", "--skip-test-db"];
    let made = program.command("mariadb-install-db").args(arguments).output().await;
    let made = made.expect("mariadb-install-db runs");
    assert!(made.status.success(), "the files of the server: {}", String::from_utf8_lossy(&made.stderr));
    program
}
