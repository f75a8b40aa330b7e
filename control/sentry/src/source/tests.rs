//! Files that change while they are followed.
use super::*;
use foundation_telemetry::Registry;
use std::path::Path;

fn own() -> SpiffeId {
    "spiffe://localhost/ns/default/dapr-sentry".parse().unwrap()
}

fn lifetimes(root: Duration) -> Lifetimes {
    Lifetimes { workload: DAY, skew: Duration::ZERO, root }
}

/// As somebody else has made them, so that nothing is replaced by itself.
fn made(root: Duration) -> Credentials {
    Credentials::generate(&own(), lifetimes(root), SystemTime::now()).unwrap()
}

fn source(folder: &Path) -> Source {
    let arguments = ["--issuer-credentials".to_owned(), folder.display().to_string()];
    let options = Options::read(&arguments, &Default::default()).unwrap();
    Source::new(&options, lifetimes(DAY), own(), None)
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_told_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::of_folder(folder.path());
    files.write(&made(DAY)).unwrap();
    let key = std::fs::read_to_string(&files.issuer_key).unwrap().replace('\n', "");
    std::fs::write(&files.issuer_key, &key).unwrap();
    let metrics = Metrics::new(&Registry::new().unwrap()).unwrap();
    let error = source(folder.path()).load(&metrics).await.err().unwrap().to_string();
    let expected = "issuer.key: the issuer's key cannot be read: the line with -----END is missing";
    assert!(error.contains(expected) && !error.contains(&key[30..60]), "{error}");
}
