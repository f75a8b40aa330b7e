//! The common suite over all models, and what exactly their APIs are sent.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod anthropic;
mod chat;
mod fake;

use component_api::conversation::Model;
use component_api::{Config, Error, Properties, Registry};
use component_conversation::Echo;
use conformance::conversation::{Promises, run};
use fake::{Answer, Fake};
use std::sync::Arc;

const ALL: Promises = Promises { json_arguments: true, structured: true };

/// A component as a sidecar makes it.
pub(crate) async fn made(name: &str, properties: &[(&str, &str)]) -> Result<Arc<dyn Model>, Error> {
    let mut registry = Registry::default();
    component_conversation::register(&mut registry);
    let factory = registry.conversation.find(name, "v1").or_error(name, "v1").unwrap();
    let properties: Properties = properties.iter().copied().collect();
    factory(Config {
        name: "model".to_owned(),
        app_id: "app".to_owned(),
        namespace: String::new(),
        version: "v1".to_owned(),
        properties,
    })
    .await
}

#[tokio::test]
async fn echo() {
    run(&Echo, Promises::default()).await;
}

#[tokio::test]
async fn models_with_the_api_of_openai() {
    for name in ["openai", "deepseek", "googleai", "huggingface", "mistral", "ollama"] {
        let fake = Fake::start(Answer::AsAModel).await;
        let model = made(name, &[("key", "secret"), ("endpoint", &fake.url("/v1/"))]).await.unwrap();
        run(&*model, ALL).await;
        assert!(fake.requests().iter().all(|request| request.path == "/v1/chat/completions"), "{name}");
    }
}

#[tokio::test]
async fn models_of_azure() {
    let fake = Fake::start(Answer::AsAModel).await;
    let endpoint = fake.url("");
    let azure = [("key", "secret"), ("endpoint", &endpoint), ("apiType", "Azure"), ("apiVersion", "v")];
    run(&*made("openai", &azure).await.unwrap(), ALL).await;
    let request = fake.requests().remove(0);
    let path = "/openai/deployments/gpt-4.1-nano/chat/completions?api-version=v";
    assert_eq!(
        (request.path.as_str(), request.header("api-key"), request.header("authorization")),
        (path, "secret", "")
    );
}

#[tokio::test]
async fn models_of_anthropic() {
    let fake = Fake::start(Answer::AsClaude).await;
    let model = made("anthropic", &[("key", "secret"), ("endpoint", &fake.url("/v1/"))]).await.unwrap();
    run(&*model, ALL).await;
    let request = fake.requests().remove(0);
    assert_eq!((request.path.as_str(), request.header("x-api-key")), ("/v1/messages", "secret"));
    assert_eq!(request.header("anthropic-version"), "2023-06-01");
}
