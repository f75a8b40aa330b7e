//! Files that change while they are followed.
use super::*;
use foundation_process::Ready;
use foundation_telemetry::Registry;
use std::path::Path;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);
/// Its end can be waited for.
const SHORT: Duration = Duration::from_secs(3);

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

async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

/// Does this while files are followed.
async fn followed(source: Source, registry: &Registry, ready: &Ready, meanwhile: impl Future<Output = ()>) {
    let metrics = Arc::new(Metrics::new(registry).unwrap());
    let signers = source.load(&metrics).await.unwrap();
    let identity = Identity::new(signers.authority.own(&own()).unwrap(), signers.authority.trust().unwrap());
    let fitness = Arc::new(Fitness::new(ready.clone()));
    fitness.validators_are_ready();
    tokio::select! {
        () = source.follow(Arc::new(ArcSwap::from_pointee(signers)), identity, metrics, fitness) => {}
        () = meanwhile => {}
    }
}

#[tokio::test]
async fn an_issuer_that_has_ended_is_no_health_until_there_is_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::of_folder(folder.path());
    files.write(&made(SHORT)).unwrap();
    let (registry, ready) = (Registry::new().unwrap(), Ready::default());
    let meanwhile = async {
        until("it is well", || ready.get()).await;
        until("it has ended", || !ready.get()).await;
        files.write(&made(DAY)).unwrap();
        until("it is well again", || ready.get()).await;
    };
    followed(source(folder.path()), &registry, &ready, meanwhile).await;
}

#[tokio::test]
async fn an_issuer_that_is_written_again_has_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::of_folder(folder.path());
    let first = made(DAY);
    files.write(&first).unwrap();
    let registry = Registry::new().unwrap();
    let (source, metrics) = (source(folder.path()), Metrics::new(&registry).unwrap());
    let signers = source.load(&metrics).await.unwrap();
    let identity = Identity::new(signers.authority.own(&own()).unwrap(), signers.authority.trust().unwrap());
    let signers = ArcSwap::from_pointee(signers);
    for (credentials, changes) in [(&first, 0), (&made(DAY), 1), (&made(DAY), 2)] {
        files.write(credentials).unwrap();
        source.reload(&signers, &identity, &metrics).await.unwrap();
        let counted = registry.render().contains(&format!("dapr_sentry_issuercert_changed_total {changes}\n"));
        assert_eq!(counted, changes > 0, "{}", registry.render());
    }
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
