//! Where values come from.
use super::*;
use component_api::{Instance, Result as Outcome};
use foundation_resources::{DynamicValue, ObjectMeta};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Has the secret `known` with the keys `known` and `other`.
struct Secrets;

#[async_trait::async_trait]
impl secret::Store for Secrets {
    fn features(&self) -> secret::Features {
        secret::Features::default()
    }

    async fn get(&self, name: &str, _: &Metadata) -> Outcome<secret::Secret> {
        match name {
            "known" => {
                Ok([("known", "hush"), ("other", "quiet")].map(|(key, value)| (key.into(), value.into())).into())
            }
            _ => Err(component_api::Error::new(component_api::Kind::NotFound, "no such secret")),
        }
    }

    async fn bulk_get(&self, _: &Metadata) -> Outcome<BTreeMap<String, secret::Secret>> {
        Ok(BTreeMap::new())
    }
}

fn stores() -> Stores {
    let stores = Stores::default();
    let (name, kind, version) = ("vault".to_owned(), "secretstores.test".to_owned(), "v1".to_owned());
    stores.insert(Instance { name, kind, version, properties: Properties::default(), component: Arc::new(Secrets) });
    stores
}

fn values() -> Values {
    let environment = [
        ("HOME_TOWN", "Hamburg"),
        ("APP_API_TOKEN", "no"),
        ("DAPR_SECRET", "no"),
        ("NAMESPACE", "ns"),
        ("POD_NAME", "pod"),
    ];
    Values::new("app", Environment::from(environment))
}

fn item(name: &str, value: Option<&str>, secret: Option<(&str, &str)>, variable: &str) -> NameValue {
    let reference = |(name, key): (&str, &str)| SecretKeyRef { name: name.to_owned(), key: key.to_owned() };
    NameValue {
        name: name.to_owned(),
        value: value.map(DynamicValue::from),
        secret_key_ref: secret.map(reference),
        env_ref: variable.to_owned(),
    }
}

fn component(store: &str, items: Vec<NameValue>) -> Component {
    let mut component =
        Component { metadata: ObjectMeta { name: "c".to_owned(), ..Default::default() }, ..Default::default() };
    component.auth.secret_store = store.to_owned();
    component.spec.metadata = items;
    component
}

async fn resolve(store: &str, items: Vec<NameValue>) -> Result<Vec<String>, Unready> {
    let resolved = values().of_component(&component(store, items), &stores()).await?;
    Ok(resolved.iter().map(|(_, value)| value.to_owned()).collect())
}

#[tokio::test]
async fn secrets_variables_and_values() {
    let items = vec![
        item("a", Some("plain"), None, ""),
        item("b", None, Some(("known", "")), ""),
        item("c", Some("loses"), Some(("known", "other")), ""),
        item("d", None, Some(("unknown", "")), ""),
        item("e", None, None, "HOME_TOWN"),
        item("f", Some("wins"), None, "HOME_TOWN"),
    ];
    let expected = ["plain", "hush", "quiet", "", "Hamburg", "wins"];
    assert_eq!(resolve("vault", items).await.unwrap(), expected);
}

#[tokio::test]
async fn some_variables_are_not_for_components() {
    let names = ["APP_API_TOKEN", "dapr_secret", "A B", "UNSET"];
    let items = names.iter().map(|name| item(name, None, None, name)).collect();
    assert_eq!(resolve("", items).await.unwrap(), ["", "", "", ""]);
}

#[tokio::test]
async fn a_secret_store_that_does_not_run_is_waited_for_and_none_is_not() {
    let items = vec![item("a", None, Some(("known", "")), "")];
    assert_eq!(resolve("other", items.clone()).await, Err(Unready("other".to_owned())));
    assert_eq!(resolve("", items).await.unwrap(), [""]);
}

#[tokio::test]
async fn headers_of_an_endpoint_are_empty_without_their_secret() {
    let mut endpoint = HttpEndpoint::default();
    endpoint.auth.secret_store = "vault".to_owned();
    endpoint.spec.headers = vec![item("a", None, Some(("known", "")), ""), item("b", Some("x"), None, "")];
    let pairs = |endpoint: HttpEndpoint| async move {
        values().of_endpoint(&endpoint, &endpoint.spec.headers, &stores()).await
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(pairs(endpoint.clone()).await, [pair("a", "hush"), pair("b", "x")]);
    endpoint.auth.secret_store = "other".to_owned();
    assert_eq!(pairs(endpoint).await, [pair("a", ""), pair("b", "x")]);
}

#[test]
fn templates_are_filled_in() {
    let fill = |text: &str| values().fill("x", text.to_owned()).unwrap();
    assert_eq!(fill("{appID}-{podName}-{namespace}"), "app-pod-ns.app");
    assert_eq!(fill("plain {other}"), "plain {other}");
    let two = fill("{uuid} {uuid}");
    let (one, other) = two.split_once(' ').unwrap();
    assert!(one.len() == 36 && one != other, "{two}");
    let unset = Values::new("app", Environment::default()).fill("x", "{podName}".to_owned()).unwrap_err();
    assert!(unset.contains("podName is not set"), "{unset}");
}
