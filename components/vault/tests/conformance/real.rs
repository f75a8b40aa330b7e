//! The common suite against a real Vault, where there is one: no package that CI can have brings it.
use super::open_at;
use component_api::secret::Store;
use component_api::{Kind, Metadata as Pairs};
use conformance::server::Server;
use tokio::process::Command;

#[tokio::test]
#[ignore = "needs a program vault, and is run by ./test components where there is one"]
async fn secrets_of_a_real_vault() {
    let server = Server::vault().await;
    let address = format!("http://{}", server.address());
    for secret in [["dapr/one", "one=1"], ["dapr/two", "a=old"], ["dapr/two", "a=new"], ["dapr/folder/in side", "a=3"]]
    {
        put(&address, secret).await;
    }
    let store = open_at(&address, &[]);
    let subject = conformance::secret::Subject { store: &store, single: ("one", "1"), missing: Some("nothing") };
    conformance::secret::run(&subject).await;
    let all = store.bulk_get(&Pairs::new()).await.unwrap();
    assert_eq!(all.keys().map(String::as_str).collect::<Vec<_>>(), ["folder/in side", "one", "two"]);
    let first = Pairs::from([("version_id".to_owned(), "1".to_owned())]);
    assert_eq!(store.get("two", &first).await.unwrap()["a"], "old");
    assert_eq!(store.get("two", &Pairs::new()).await.unwrap()["a"], "new");
    store.ping().await.unwrap();
    let error = open_at(&address, &[("vaultToken", "wrong")]).get("one", &Pairs::new()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "{error}");
}

/// Vault's own command line writes it; at first the server may not be ready.
async fn put(address: &str, [path, pair]: [&str; 2]) {
    let start = std::time::Instant::now();
    loop {
        let mut command = Command::new("vault");
        command.args(["kv", "put", "-mount=secret", path, pair]).env("VAULT_ADDR", address).env("VAULT_TOKEN", "token");
        let done = command.output().await.unwrap();
        if done.status.success() {
            return;
        }
        assert!(start.elapsed().as_secs() < 60, "{}", String::from_utf8_lossy(&done.stderr));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
