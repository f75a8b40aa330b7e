//! Files of a temporary folder.
use super::*;
use component_api::Metadata;
use tempfile::TempDir;

fn open() -> (TempDir, Files) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap().join("root");
    let files = Files::open(&Settings { root_path: root.to_string_lossy().into_owned() }).unwrap();
    (folder, files)
}

async fn perform(files: &Files, operation: &str, name: &str, data: &str) -> Result<Option<Bytes>> {
    let metadata = Metadata::from([("fileName".to_owned(), name.to_owned())]);
    let request = Request { operation: operation.to_owned(), data: Bytes::copy_from_slice(data.as_bytes()), metadata };
    files.invoke(request).await.map(|response| response.data)
}

async fn text(files: &Files, operation: &str, name: &str, data: &str) -> String {
    let data = perform(files, operation, name, data).await.unwrap().unwrap();
    String::from_utf8(data.to_vec()).unwrap()
}

async fn error(files: &Files, operation: &str, name: &str) -> String {
    let error = perform(files, operation, name, "").await.unwrap_err().to_string();
    error.replace(&files.root.to_string_lossy().into_owned(), "ROOT")
}

#[tokio::test]
async fn files_are_created_read_listed_and_deleted() {
    let (_folder, files) = open();
    assert_eq!(text(&files, "create", "b/a.txt", r#""hello""#).await, r#"{"fileName":"b/a.txt"}"#);
    assert_eq!(text(&files, "create", "a.json", r#"{"n":1}"#).await, r#"{"fileName":"a.json"}"#);
    assert_eq!(text(&files, "get", "/b/./a.txt", "").await, "hello");
    let listed: Vec<String> = serde_json::from_str(&text(&files, "list", "", "").await).unwrap();
    let expected = ["a.json", "b/a.txt"].map(|name| files.root.join(name).to_string_lossy().into_owned());
    assert_eq!(listed, expected);
    assert_eq!(perform(&files, "delete", "b/a.txt", "").await.unwrap(), None);
    assert_eq!(perform(&files, "delete", "b", "").await.unwrap(), None);
    assert_eq!(error(&files, "get", "b/a.txt").await, "file not found: ROOT/b/a.txt");
}

#[tokio::test]
async fn a_file_without_a_name_gets_one() {
    let (_folder, files) = open();
    let answer: serde_json::Value = serde_json::from_str(&text(&files, "create", "", "5").await).unwrap();
    assert_eq!(text(&files, "get", answer["fileName"].as_str().unwrap(), "").await, "5");
}

#[test]
fn data_stands_for_text_or_bytes() {
    for (data, expected) in [
        (r#""hello""#, "hello"),
        ("hello", "hello"),
        (r#""aGVsbG8=""#, "hello"),
        ("aGVs\nbG8=", "hello"),
        ("aGVsbG9=", "hello"),
        ("aGVsbG8", "aGVsbG8"),
        (r#"{"a": "<"}"#, r#"{"a": "<"}"#),
        ("", ""),
    ] {
        assert_eq!(content(data.as_bytes()), expected.as_bytes(), "{data}");
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_told() {
    let (_folder, files) = open();
    text(&files, "create", "a", "x").await;
    assert!(error(&files, "get", "").await.starts_with("error reading file ROOT: "));
    assert!(error(&files, "list", "none").await.starts_with("error getting stats for path ROOT/none: "));
    let no_folder = "unable to list files as the file specified is not a directory: ROOT/a";
    assert_eq!(error(&files, "list", "a").await, no_folder);
    assert!(error(&files, "delete", "none").await.starts_with("error deleting file ROOT/none: "));
    assert!(error(&files, "delete", "").await.starts_with("error deleting file ROOT: "));
    assert!(error(&files, "create", "a/b").await.starts_with("error creating directory ROOT/a: "));
    assert_eq!(error(&files, "move", "a").await, "unsupported operation move");
}

#[tokio::test]
async fn nothing_leads_out_of_the_folder() {
    let (folder, files) = open();
    std::fs::write(folder.path().join("secret"), "x").unwrap();
    assert_eq!(text(&files, "create", "../../out", "x").await, r#"{"fileName":"out"}"#);
    for name in ["../secret", "/../secret", "a/../../secret", "./.././secret"] {
        assert_eq!(error(&files, "get", name).await, "file not found: ROOT/secret", "{name}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn links_end_at_the_root() {
    use std::os::unix::fs::symlink;
    let (folder, files) = open();
    std::fs::write(folder.path().join("secret"), "x").unwrap();
    text(&files, "create", "b/file", "inside").await;
    for (link, target) in [("up", ".."), ("absolute", "/b"), ("relative", "b/../b"), ("one", "two"), ("two", "one")] {
        symlink(target, files.root.join(link)).unwrap();
    }
    symlink(folder.path().join("secret"), files.root.join("secret")).unwrap();
    assert!(error(&files, "get", "up/secret").await.starts_with("file not found: ROOT/"));
    assert!(error(&files, "get", "secret").await.starts_with("file not found: ROOT/"));
    assert_eq!(text(&files, "get", "absolute/file", "").await, "inside");
    assert_eq!(text(&files, "get", "relative/file", "").await, "inside");
    assert!(error(&files, "get", "one").await.contains("too many symbolic links"));
}

#[test]
fn some_roots_are_refused() {
    let refusal = |path: &str| Files::open(&Settings { root_path: path.to_owned() }).unwrap_err().to_string();
    assert_eq!(refusal(""), "failed to parse metadata: property rootPath must not be empty");
    let disallowed = "failed to parse metadata: property rootPath points to a disallowed location";
    for path in ["/proc", "/proc/self", "/tmp/../sys/x", "/boot/a"] {
        assert_eq!(refusal(path), disallowed, "{path}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let represents = "failed to parse metadata: property rootPath represents a file and not a directory";
    assert_eq!(refusal(&file.path().to_string_lossy()), represents);
}
