//! Where the lines of apps and sidecars go: to the console, to a file, or to both.
use crate::console::{self, Console, Status};
use serde::Deserialize;
use std::fmt::Display;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Longer lines are written in several pieces.
const LONGEST_LINE: usize = 64 << 10;

/// `appLogDestination` and `daprdLogDestination` of a run template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Target {
    Console,
    File,
    FileAndConsole,
}

/// Takes lines. Clones write to the same places.
#[derive(Clone, Debug)]
pub(crate) struct Sink {
    console: Option<Console>,
    file: Option<Arc<File>>,
    json: bool,
}

impl Sink {
    /// Writes to the console alone.
    pub(crate) fn console(console: Console) -> Self {
        Self { console: Some(console), file: None, json: console.json }
    }

    /// Writes to a file, and to the console too if the target says so.
    pub(crate) fn file(file: File, target: Target, console: Console) -> Self {
        let shown = (target != Target::File).then_some(console);
        Self { console: shown, file: Some(Arc::new(file)), json: console.json }
    }

    /// Writes a status line.
    pub(crate) fn status(&self, status: Status, text: impl Display) {
        let text = text.to_string();
        if let Some(console) = self.console {
            console.status(status, &text);
        }
        let line = if self.json { console::json(status, &text) } else { format!("{text}\n") };
        self.to_file(line.as_bytes());
    }

    /// Writes a line about a failure, which nobody is to miss.
    pub(crate) fn failure(&self, text: impl Display) {
        if self.console.is_none() {
            Console::new(self.json, true).failure(&text);
        }
        self.status(Status::Failure, text);
    }

    /// Writes all lines of a process until it closes its end. Those of an app carry a prefix.
    pub(crate) async fn pump(self, mut from: impl AsyncBufRead + Unpin, prefix: Option<String>) {
        let mut line = Vec::new();
        while let Ok(bytes) = from.fill_buf().await
            && !bytes.is_empty()
        {
            let (end, whole) = end_of_line(bytes, line.len());
            line.extend_from_slice(&bytes[..end]);
            from.consume(end);
            if whole {
                self.line(&mut line, prefix.as_deref());
            }
        }
        if !line.is_empty() {
            self.line(&mut line, prefix.as_deref());
        }
    }

    /// Writes a line and empties it.
    fn line(&self, line: &mut Vec<u8>, prefix: Option<&str>) {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = [prefix.unwrap_or_default().as_bytes(), text].concat();
        match (self.console, prefix) {
            (Some(console), Some(_)) => console.app_line(&text),
            (Some(console), None) => console.line(&text),
            (None, _) => {}
        }
        let mut plain = without_colours(&text);
        plain.push(b'\n');
        self.to_file(&plain);
        line.clear();
    }

    /// A full disk must not end the app: what cannot be written is lost.
    fn to_file(&self, bytes: &[u8]) {
        if let Some(file) = &self.file {
            (&**file).write_all(bytes).ok();
        }
    }
}

/// How many bytes belong to the line, and whether it ends there.
fn end_of_line(bytes: &[u8], before: usize) -> (usize, bool) {
    let room = LONGEST_LINE.saturating_sub(before);
    let window = &bytes[..bytes.len().min(room)];
    match window.iter().position(|byte| *byte == b'\n') {
        Some(position) => (position + 1, true),
        None => (window.len(), window.len() == room),
    }
}

/// Leaves out the sequences that set colours, `ESC [ numbers m`.
fn without_colours(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len() + 1);
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = match colour(rest) {
            Some(length) => &rest[length..],
            None => {
                plain.push(*first);
                after
            }
        };
    }
    plain
}

fn colour(text: &[u8]) -> Option<usize> {
    let numbers = text.strip_prefix(b"\x1b[")?;
    let length = numbers.iter().position(|byte| !byte.is_ascii_digit() && *byte != b';')?;
    (numbers[length] == b'm').then_some(length + 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    async fn written(text: &[u8], prefix: Option<&str>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let sink = Sink::file(File::create(&path).unwrap(), Target::File, Console::new(false, true));
        sink.pump(text, prefix.map(str::to_owned)).await;
        let mut read = String::new();
        File::open(path).unwrap().read_to_string(&mut read).unwrap();
        read
    }

    #[tokio::test]
    async fn lines_get_their_prefix_and_lose_their_colours() {
        assert_eq!(written(b"a\n\x1b[31;1mb\x1b[0m", Some("== x == ")).await, "== x == a\n== x == b\n");
        assert_eq!(written(b"a\n\n", None).await, "a\n\n");
    }

    #[tokio::test]
    async fn endless_lines_are_cut() {
        let text = written(&vec![b'x'; LONGEST_LINE + 3], None).await;
        let lengths: Vec<_> = text.lines().map(str::len).collect();
        assert_eq!(lengths, [LONGEST_LINE, 3]);
    }
}
