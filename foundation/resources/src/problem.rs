//! What is wrong with resource files.
use crate::document::Head;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Kind of the resource; empty when it cannot be told.
    pub kind: String,
    /// Name of the resource; empty when it cannot be told.
    pub name: String,
    /// Which field is wrong, and how. Never its value.
    pub reason: String,
    /// Whether a sidecar does not start with it, as Dapr's does not.
    pub is_fatal: bool,
}

impl Problem {
    pub(crate) fn of(file: &Path, head: &Head, reason: String) -> Self {
        let (kind, name) = (head.kind.clone(), head.metadata.name.clone());
        Self { file: file.to_owned(), kind, name, reason, is_fatal: false }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, kind, name, reason, .. } = self;
        match (kind.as_str(), name.as_str()) {
            ("", _) => write!(f, "{}: {reason}", file.display()),
            (kind, "") => write!(f, "{}: {kind}: {reason}", file.display()),
            (kind, name) => write!(f, "{}: {kind} {name}: {reason}", file.display()),
        }
    }
}

/// Why resources cannot be loaded at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder or file is not there or may not be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: std::io::Error },
    /// Files do not come, as from a pipe that nobody writes to or a network that is down.
    #[error("files cannot be read within {} seconds; check the file system they are on", .0.as_secs())]
    Stuck(Duration),
    /// Two resources of one kind have one name.
    #[error("{}", .0.join("\n"))]
    Duplicates(Vec<String>),
    /// A file that must be a configuration is none.
    #[error("{}: {reason}", file.display())]
    Malformed { file: PathBuf, reason: String },
    /// The configuration contradicts itself.
    #[error("{0}")]
    Invalid(String),
}
