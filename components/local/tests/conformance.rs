//! The common suite over the components of this crate.
use component_local::environment_secrets::{self, EnvironmentStore};
use component_local::file_secrets::{self, FileStore};
use component_local::files::{self, Files};
use conformance::binding;
use conformance::secret::{self, Subject};

#[tokio::test]
async fn file_secrets() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), r#"{"conftestsecret": "abcd", "secondsecret": {"a": "e", "b": "f"}}"#).unwrap();
    for multi_valued in [false, true] {
        let secrets_file = file.path().to_string_lossy().into_owned();
        let settings = file_secrets::Settings { secrets_file, nested_separator: ":".to_owned(), multi_valued };
        let store = FileStore::open(settings).await.unwrap();
        secret::run(&Subject { store: &store, single: ("conftestsecret", "abcd"), missing: Some("nothing") }).await;
    }
}

#[tokio::test]
async fn environment_secrets() {
    let store = EnvironmentStore::new(environment_secrets::Settings { prefix: "CARGO_".to_owned() });
    let single = ("PKG_NAME", env!("CARGO_PKG_NAME"));
    secret::run(&Subject { store: &store, single, missing: None }).await;
}

#[tokio::test]
async fn files() {
    let folder = tempfile::tempdir().unwrap();
    let root_path = folder.path().to_string_lossy().into_owned();
    let files = Files::open(&files::Settings { root_path }).unwrap();
    let thing = [("fileName".to_owned(), "dir/file".to_owned())].into();
    binding::run(&binding::Subject { binding: &files, thing }).await;
}
