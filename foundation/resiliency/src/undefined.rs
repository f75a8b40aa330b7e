//! Policies that targets name and no resource has: such a target goes without, as in Dapr.
use crate::tables::Tables;
use foundation_metadata::meant;
use foundation_resources::Targets;

/// What a target asks for: the member, and the name of the policy.
type Asked<'a> = [(&'static str, &'a str); 3];

/// Each name that no resource has, in words.
pub(crate) fn undefined(tables: &Tables, targets: &Targets) -> Vec<String> {
    let apps = targets
        .apps
        .iter()
        .map(|(name, one)| (format!("apps.{name}"), asked(&one.timeout, &one.retry, &one.circuit_breaker)));
    let actors = targets
        .actors
        .iter()
        .map(|(name, one)| (format!("actors.{name}"), asked(&one.timeout, &one.retry, &one.circuit_breaker)));
    let components = targets.components.iter().flat_map(|(name, both)| {
        [("inbound", &both.inbound), ("outbound", &both.outbound)].map(|(way, one)| {
            (format!("components.{name}.{way}"), asked(&one.timeout, &one.retry, &one.circuit_breaker))
        })
    });
    let all = apps.chain(actors).chain(components);
    all.flat_map(|(target, asked)| asked.into_iter().filter_map(move |asked| told(tables, &target, asked))).collect()
}

fn asked<'a>(timeout: &'a str, retry: &'a str, breaker: &'a str) -> Asked<'a> {
    [("timeout", timeout), ("retry", retry), ("circuitBreaker", breaker)]
}

fn told(tables: &Tables, target: &str, (member, name): (&'static str, &str)) -> Option<String> {
    let known = tables.names(member);
    if name.is_empty() || known.contains(&name) {
        return None;
    }
    let advice = meant(name, known).map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
    Some(format!("targets.{target} has {member} {name}, which no Resiliency defines, and goes without{advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use foundation_resources::{Policies, Resiliency, decode};
    use serde_json::json;

    fn told(targets: serde_json::Value) -> Vec<String> {
        let policies =
            json!({"timeouts": {"short": "2s"}, "retries": {"patient": {}}, "circuitBreakers": {"careful": {}}});
        let mut tables = Tables::default();
        tables.add(&decode::<Policies>(&policies).unwrap()).unwrap();
        let resource: Resiliency = decode(&json!({"spec": {"targets": targets}})).unwrap();
        undefined(&tables, &resource.spec.targets)
    }

    #[test]
    fn names_that_nobody_defines_are_told_with_what_was_meant() {
        let all = told(json!({
            "apps": {"shop": {"timeout": "shortt", "retry": "patient"}},
            "actors": {"cart": {"circuitBreaker": "other"}},
            "components": {"store": {"inbound": {"retry": "DaprBuiltInServiceRetries"}, "outbound": {"retry": "short"}}},
        }));
        assert_eq!(
            all,
            [
                "targets.apps.shop has timeout shortt, which no Resiliency defines, and goes without; did you mean short?",
                "targets.actors.cart has circuitBreaker other, which no Resiliency defines, and goes without",
                "targets.components.store.outbound has retry short, which no Resiliency defines, and goes without",
            ]
        );
    }

    #[test]
    fn names_that_are_there_are_passed_over() {
        assert!(told(json!({"apps": {"shop": {"timeout": "short", "circuitBreaker": "careful"}}})).is_empty());
    }
}
