//! Ports that stay the same from start to start as long as nobody else takes them, so that those who know them find it again.
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

/// Ports of the loopback address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Ports {
    pub(crate) placement: u16,
    pub(crate) scheduler: u16,
    pub(crate) etcd: u16,
}

impl Ports {
    /// Those of the last start in a folder that are still free; 0 in place of others.
    pub(crate) fn of(folder: &Path) -> Self {
        let text = std::fs::read(file(folder)).unwrap_or_default();
        let last: Self = serde_json::from_slice(&text).unwrap_or_default();
        Self { placement: free(last.placement), scheduler: free(last.scheduler), etcd: free(last.etcd) }
    }

    /// Keeps them for the next start. It can do without.
    pub(crate) fn keep(&self, folder: &Path) {
        if let Ok(text) = serde_json::to_vec(self) {
            std::fs::write(file(folder), text).ok();
        }
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("ports.json")
}

fn free(port: u16) -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_or(0, |_| port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_kept_unless_they_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Ports::of(folder.path()), Ports::default());
        let (taken, given_back) = (bound(), bound());
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let ports = Ports { placement: port(&taken), scheduler: port(&given_back), etcd: 0 };
        ports.keep(folder.path());
        drop(given_back);
        assert_eq!(Ports::of(folder.path()), Ports { placement: 0, ..ports });
    }

    fn bound() -> TcpListener {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
    }
}
