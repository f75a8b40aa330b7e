//! How a PostgreSQL server is started. It does not run as root, so it gets the user that Debian made for it.
use super::user::user_if_root;
use super::{PATIENCE, Program, variable};
use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio::time::sleep;

/// Makes the files of a new server. `more` are arguments beyond what it needs.
pub(super) async fn prepare(port: u16, folder: &str, more: Vec<String>) -> Program {
    let programs = programs();
    let user = user_if_root("postgres");
    if let Some((user, group)) = user {
        chown(folder, Some(user), Some(group)).expect("give the folder to the user postgres");
    }
    let data = format!("{folder}/data");
    let path = |name: &str| programs.join(name).to_string_lossy().into_owned();
    let port = port.to_string();
    // What tests do on purpose need not be told.
    let quiet = ["-c", "listen_addresses=127.0.0.1", "-c", "log_min_messages=panic"];
    let place = ["-D", &data, "-p", &port, "-k", folder].into_iter().chain(quiet);
    // At this signal its other processes end too, so that it can start again at once.
    let program =
        Program { user, ..Program::new(path("postgres"), place.map(str::to_owned).chain(more).collect(), "-QUIT") };
    let arguments = ["-D", &data, "-U", "trilby", "-A", "trust", "--no-sync", "-E", "UTF8"];
    let made = program.command(&path("initdb")).args(arguments).status().await;
    assert!(made.is_ok_and(|made| made.success()), "initdb makes the files of the server");
    program
}

/// Waits until it takes commands, and makes the database.
pub(super) async fn wait_until_ready(port: u16) {
    let (start, port) = (Instant::now(), port.to_string());
    let create = programs().join("createdb");
    let try_it = || Command::new(&create).args(["-h", "127.0.0.1", "-p", &port, "-U", "trilby", "trilby"]).output();
    while !try_it().await.is_ok_and(|tried| tried.status.success()) {
        assert!(start.elapsed() < PATIENCE, "the server takes commands");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Debian has a folder for each version; the newest is taken.
fn programs() -> PathBuf {
    if let Some(folder) = variable("TRILBY_TEST_POSTGRES") {
        return folder.into();
    }
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let newest = versions.filter_map(|version| Some(version.ok()?.path())).max().expect("a version of PostgreSQL");
    newest.join("bin")
}
