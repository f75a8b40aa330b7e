//! How a Mosquitto server is started.
use super::user::user_if_root;
use super::{Program, variable};
use std::fs;
use std::os::unix::fs::chown;

/// A server that lets everybody in. `more` are lines about its listener.
pub(super) fn program(port: u16, folder: &str, more: Vec<String>) -> Program {
    let path = variable("TRILBY_TEST_MOSQUITTO").unwrap_or_else(|| "mosquitto".to_owned());
    let file = format!("{folder}/configuration");
    let lines = [
        format!("listener {port} 127.0.0.1"),
        "allow_anonymous true".to_owned(),
        "persistence true".to_owned(),
        format!("persistence_location {folder}/"),
        "max_inflight_messages 1000".to_owned(),
        "max_queued_messages 100000".to_owned(),
        "log_type none".to_owned(),
    ];
    fs::write(&file, [&lines[..], &more[..]].concat().join("\n")).expect("write the configuration");
    let user = user_if_root("mosquitto");
    if let Some((user, group)) = user {
        chown(folder, Some(user), Some(group)).expect("give the folder to the user mosquitto");
    }
    // It writes its sessions when it ends, and not before: a server that is killed forgets them.
    Program { user, ..Program::new(path, vec!["-c".to_owned(), file], "-TERM") }
}
