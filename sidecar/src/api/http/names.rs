//! Names of endpoints, for logs that shall not show paths (surface.md 5.3).
use http::Method;

/// Methods between bars, the path below its version with `*` for a part and `**` for the rest, and the name.
const NAMES: &[(&str, &str, &str)] = &[
    ("GET", "state/*/*", "GetState"),
    ("DELETE", "state/*/*", "DeleteState"),
    ("POST|PUT", "state/*/bulk", "GetBulkState"),
    ("POST|PUT", "state/*/transaction", "ExecuteStateTransaction"),
    ("POST|PUT", "state/*/query", "QueryStateAlpha1"),
    ("POST|PUT", "state/*", "SaveState"),
    ("POST|PUT", "publish/bulk/*/**", "BulkPublishEvent"),
    ("POST|PUT", "publish/*/**", "PublishEvent"),
    ("POST|PUT", "bindings/*", "InvokeBinding"),
    ("GET", "configuration/*/subscribe", "SubscribeConfiguration"),
    ("GET", "configuration/*/*/unsubscribe", "UnsubscribeConfiguration"),
    ("GET", "configuration/*", "GetConfiguration"),
    ("GET", "secrets/*/bulk", "GetBulkSecret"),
    ("GET", "secrets/*/*", "GetSecret"),
    ("GET", "metadata", "GetMetadata"),
    ("PUT", "metadata/*", "PutMetadata"),
    ("GET", "healthz", "Healthz"),
    ("GET", "healthz/outbound", "HealthzOutbound"),
    ("POST", "shutdown", "Shutdown"),
    ("POST", "lock/*", "TryLock"),
    ("POST", "unlock/*", "Unlock"),
    ("PUT", "crypto/*/encrypt", "Encrypt"),
    ("PUT", "crypto/*/decrypt", "Decrypt"),
    ("POST", "conversation/*/converse", "Converse"),
    ("POST", "jobs/*", "ScheduleJob"),
    ("GET", "jobs/*", "GetJob"),
    ("DELETE", "jobs/*", "DeleteJob"),
    ("POST|PUT", "actors/*/*/state", "ExecuteActorStateTransaction"),
    ("GET", "actors/*/*/state/*", "GetActorState"),
    ("POST|PUT", "actors/*/*/reminders/*", "RegisterActorReminder"),
    ("GET", "actors/*/*/reminders/*", "GetActorReminder"),
    ("DELETE", "actors/*/*/reminders/*", "UnregisterActorReminder"),
    ("POST|PUT", "actors/*/*/timers/*", "RegisterActorTimer"),
    ("DELETE", "actors/*/*/timers/*", "UnregisterActorTimer"),
    ("GET", "workflows/*/*", "GetWorkflow"),
    ("POST", "workflows/*/*/start", "StartWorkflow"),
    ("POST", "workflows/*/*/pause", "PauseWorkflow"),
    ("POST", "workflows/*/*/resume", "ResumeWorkflow"),
    ("POST", "workflows/*/*/terminate", "TerminateWorkflow"),
    ("POST", "workflows/*/*/purge", "PurgeWorkflow"),
    ("POST", "workflows/*/*/raiseEvent/*", "RaiseEventWorkflow"),
];

/// The name of the endpoint that a path belongs to; what belongs to none is a call of an app.
pub(crate) fn name(method: &Method, path: &str) -> String {
    let all: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    let Some((version, parts)) = all.split_first() else { return "InvokeService".to_owned() };
    match parts {
        ["invoke", target, ..] => format!("InvokeService/{target}"),
        ["actors", kind, id, "method", _] => format!("InvokeActor/{kind}.{id}"),
        parts if version.starts_with("v1.0") => known(method, parts).unwrap_or("InvokeService").to_owned(),
        _ => "InvokeService".to_owned(),
    }
}

fn known(method: &Method, parts: &[&str]) -> Option<&'static str> {
    let fits = |methods: &str, path: &str| methods.split('|').any(|one| one == method.as_str()) && matches(path, parts);
    NAMES.iter().find(|(methods, path, _)| fits(methods, path)).map(|(_, _, name)| *name)
}

fn matches(pattern: &str, parts: &[&str]) -> bool {
    let mut rest = parts.iter();
    for wanted in pattern.split('/') {
        match (wanted, rest.next()) {
            ("**", Some(_)) => return true,
            ("*", Some(_)) => {}
            (wanted, Some(part)) if wanted == *part => {}
            _ => return false,
        }
    }
    rest.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_told_by_method_and_path() {
        for (method, path, expected) in [
            (Method::GET, "/v1.0/state/store/key", "GetState"),
            (Method::POST, "/v1.0/state/store", "SaveState"),
            (Method::POST, "/v1.0/publish/pubsub/a/b", "PublishEvent"),
            (Method::GET, "/v1.0/invoke/testapp/method/hi", "InvokeService/testapp"),
            (Method::PUT, "/v1.0/actors/t/1/method/m", "InvokeActor/t.1"),
            (Method::PATCH, "/v1.0/state/store/key", "InvokeService"),
            (Method::GET, "/", "InvokeService"),
        ] {
            assert_eq!(name(&method, path), expected, "{path}");
        }
    }
}
