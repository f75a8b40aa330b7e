//! Secrets of files with all kinds of values.
use super::*;
use component_api::Properties;
use serde_json::json;

const CONTENT: &str = r#"{"plain": "v1", "empty": "", "number": 5, "bool": true, "none": null,
    "nested": {"user": "u", "deep": {"pw": "p"}}, "list": ["a", "b"]}"#;

async fn open(content: &str, properties: &[(&str, &str)]) -> Result<FileStore> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    let path = file.path().to_string_lossy();
    let properties = properties.iter().copied().chain([("SecretsFile", path.as_ref())]);
    FileStore::open(properties.collect::<Properties>().decode()?).await
}

async fn all(content: &str, properties: &[(&str, &str)]) -> Value {
    let store = open(content, properties).await.unwrap();
    serde_json::to_value(store.bulk_get(&Metadata::new()).await.unwrap()).unwrap()
}

#[tokio::test]
async fn every_value_is_a_secret_by_its_path() {
    let expected = json!({
        "plain": {"plain": "v1"}, "empty": {"empty": ""}, "number": {"number": "5"}, "bool": {"bool": "true"},
        "none": {"none": "null"}, "nested:user": {"nested:user": "u"}, "nested:deep:pw": {"nested:deep:pw": "p"},
        "list:0": {"list:0": "a"}, "list:1": {"list:1": "b"},
    });
    assert_eq!(all(CONTENT, &[]).await, expected);
    assert_eq!(all(r#"{"a": {"b": "c"}}"#, &[("nestedseparator", ".")]).await, json!({"a.b": {"a.b": "c"}}));
}

#[tokio::test]
async fn objects_stay_together_when_secrets_have_several_values() {
    let expected = json!({
        "plain": {"plain": "v1"}, "empty": {"empty": ""}, "nested": {"user": "u", "deep:pw": "p"},
    });
    assert_eq!(all(CONTENT, &[("multiValued", "true")]).await, expected);
    assert!(open(CONTENT, &[("multiValued", "yes")]).await.unwrap().features().multiple_values);
    assert!(!open(CONTENT, &[("multiValued", "no")]).await.unwrap().features().multiple_values);
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_an_error() {
    let error = open("{}", &[]).await.unwrap().get("key1", &Metadata::new()).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::NotFound, "secret key1 not found"));
}

#[tokio::test]
async fn what_is_in_the_file_is_never_shown() {
    for content in ["\"hunter2\"", "[\"hunter2\"]", "{\"a\": hunter2}", "hunter2"] {
        let error = open(content, &[]).await.err().unwrap().to_string();
        assert!(error.contains("is not a JSON object: look at line 1"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_file_must_be_named_and_exist() {
    let missing = FileStore::open(Settings::default()).await.err().unwrap();
    assert_eq!(missing.to_string(), "missing local secrets file in metadata");
    let settings = Settings { secrets_file: "/nonexistent/secrets.json".to_owned(), ..Settings::default() };
    let error = FileStore::open(settings).await.err().unwrap();
    assert!(error.to_string().starts_with("cannot read /nonexistent/secrets.json: "), "{error}");
}
