//! What a gRPC app is asked at the start, and whether it is healthy.
use super::Caller;
use crate::{BulkSubscribe, Error, Rule, Subscription};
use tonic::{Code, Status};
use wire::runtime::v1::app_callback_health_check_client::AppCallbackHealthCheckClient;
use wire::runtime::v1::{TopicRoutes, TopicSubscription};

impl Caller {
    pub(super) async fn subscriptions(&self) -> Result<Vec<Subscription>, Error> {
        match self.callbacks().list_topic_subscriptions(self.request((), http::HeaderMap::new())).await {
            Ok(response) => Ok(response.into_inner().subscriptions.into_iter().map(subscription).collect()),
            Err(status) if status.code() == Code::Unimplemented => {
                tracing::info!(target: "dapr.runtime", "pubsub subscriptions: gRPC app does not implement ListTopicSubscriptions");
                Ok(Vec::new())
            }
            Err(status) => Err(status.into()),
        }
    }

    pub(super) async fn probe(&self) -> Result<(), String> {
        let mut client = AppCallbackHealthCheckClient::with_origin(self.connection.clone(), self.connection.origin());
        let done = client.health_check(self.request((), http::HeaderMap::new())).await;
        done.map(drop).map_err(refused)
    }
}

fn refused(status: Status) -> String {
    let advice = match status.code() {
        Code::Unimplemented => "; implement AppCallbackHealthCheck in the app, or leave out --enable-app-health-check",
        _ => "",
    };
    format!("Health check failed: {}{advice}", Error::from(status))
}

fn subscription(said: TopicSubscription) -> Subscription {
    Subscription {
        pubsub: said.pubsub_name,
        topic: said.topic,
        dead_letter_topic: said.dead_letter_topic,
        metadata: said.metadata.into_iter().collect(),
        rules: rules(said.routes.unwrap_or_default()),
        bulk: said.bulk_subscribe.map(|bulk| BulkSubscribe {
            enabled: bulk.enabled,
            max_messages_count: bulk.max_messages_count,
            max_await_duration_ms: bulk.max_await_duration_ms,
        }),
    }
}

/// Without routes, all events go to the app with an empty path.
fn rules(routes: TopicRoutes) -> Vec<Rule> {
    let given = routes.rules.into_iter().map(|rule| Rule::new(&rule.r#match, rule.path));
    let mut rules: Vec<Rule> = given.collect();
    if !routes.default.is_empty() || rules.is_empty() {
        rules.push(Rule::default_to(routes.default));
    }
    rules
}
