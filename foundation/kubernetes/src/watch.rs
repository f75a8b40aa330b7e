//! Changes of a list, as they happen.
use crate::Error;
use crate::lines::Lines;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// How long a watch lasts, and when it is given up that has not ended by then.
const LENGTH: Duration = Duration::from_secs(300);
const PATIENCE: Duration = Duration::from_secs(330);

/// A watch. It ends after some minutes, for the next one to begin where it has ended.
pub struct Watch {
    lines: Lines,
}

/// What has happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    Added,
    Modified,
    Deleted,
    /// Nothing, but the version is a new one.
    Bookmark,
    Error,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Change {
    #[serde(rename = "type")]
    pub kind: Kind,
    pub object: Value,
}

impl Change {
    /// The name of the object.
    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// The version that the next watch may begin with.
    pub fn version(&self) -> Option<&str> {
        self.object["metadata"]["resourceVersion"].as_str().filter(|version| !version.is_empty())
    }
}

impl Watch {
    pub(crate) fn new(lines: Lines) -> Self {
        Self { lines }
    }

    /// The next change; none when the watch has ended.
    ///
    /// # Errors
    /// A connection that breaks or is silent for too long, and [`Error::Ended`] when the list has to be read again.
    pub async fn next(&mut self) -> Result<Option<Change>, Error> {
        loop {
            let line = timeout(PATIENCE, self.lines.next()).await.map_err(|_| Error::Silent)??;
            match line {
                None => return Ok(None),
                Some(line) if line.trim_ascii().is_empty() => {}
                Some(line) => return change(&line).map(Some),
            }
        }
    }
}

pub(crate) fn path(path: &str, version: &str) -> String {
    let seconds = LENGTH.as_secs();
    format!("{path}?watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={version}")
}

fn change(line: &[u8]) -> Result<Change, Error> {
    let change: Change = serde_json::from_slice(line)?;
    match change.kind {
        Kind::Error => Err(Error::Ended(change.object["message"].as_str().unwrap_or("it does not say why").to_owned())),
        _ => Ok(change),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_change() {
        let line = br#"{"type":"DELETED","object":{"metadata":{"name":"shop","resourceVersion":"7"}}}"#;
        let deleted = change(line).unwrap();
        assert_eq!((deleted.kind, deleted.name(), deleted.version()), (Kind::Deleted, "shop", Some("7")));
        let line = br#"{"type":"ERROR","object":{"code":410,"message":"too old resource version"}}"#;
        assert!(change(line).unwrap_err().to_string().ends_with("too old resource version"));
        assert!(matches!(change(b"{"), Err(Error::Answer(_))));
    }
}
