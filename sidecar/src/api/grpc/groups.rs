//! The methods of the Dapr service by the groups that allow and deny lists know (surface.md 2.2).
use crate::api::observe::Counted;
use std::collections::HashMap;

/// Path of the service, with the slash before a method.
pub(crate) const SERVICE: &str = "/dapr.proto.runtime.v1.Dapr/";

pub(crate) const INVOKE_SERVICE: &str = "InvokeService";

const GROUPS: &[(&str, &[&str])] = &[
    ("invoke.v1", &[INVOKE_SERVICE]),
    (
        "state.v1",
        &["GetState", "GetBulkState", "SaveState", "DeleteState", "DeleteBulkState", "ExecuteStateTransaction"],
    ),
    ("state.v1alpha1", &["QueryStateAlpha1"]),
    ("publish.v1", &["PublishEvent", "BulkPublishEvent"]),
    ("publish.v1alpha1", &["BulkPublishEventAlpha1"]),
    ("subscribe.v1alpha1", &["SubscribeTopicEventsAlpha1"]),
    ("bindings.v1", &["InvokeBinding"]),
    ("secrets.v1", &["GetSecret", "GetBulkSecret"]),
    (
        "actors.v1",
        &[
            "RegisterActorTimer",
            "UnregisterActorTimer",
            "RegisterActorReminder",
            "GetActorReminder",
            "UnregisterActorReminder",
            "UnregisterActorRemindersByType",
            "ListActorReminders",
            "GetActorState",
            "ExecuteActorStateTransaction",
            "InvokeActor",
        ],
    ),
    ("actors.v1alpha1", &["SubscribeActorEventsAlpha1"]),
    ("metadata.v1", &["GetMetadata", "SetMetadata"]),
    ("configuration.v1", &["GetConfiguration", "SubscribeConfiguration", "UnsubscribeConfiguration"]),
    (
        "configuration.v1alpha1",
        &["GetConfigurationAlpha1", "SubscribeConfigurationAlpha1", "UnsubscribeConfigurationAlpha1"],
    ),
    ("lock.v1alpha1", &["TryLockAlpha1"]),
    ("unlock.v1alpha1", &["UnlockAlpha1"]),
    ("crypto.v1alpha1", &["EncryptAlpha1", "DecryptAlpha1"]),
    (
        "subtlecrypto.v1alpha1",
        &[
            "SubtleGetKeyAlpha1",
            "SubtleEncryptAlpha1",
            "SubtleDecryptAlpha1",
            "SubtleSignAlpha1",
            "SubtleVerifyAlpha1",
            "SubtleWrapKeyAlpha1",
            "SubtleUnwrapKeyAlpha1",
        ],
    ),
    (
        "workflows.v1alpha1",
        &[
            "StartWorkflowAlpha1",
            "GetWorkflowAlpha1",
            "TerminateWorkflowAlpha1",
            "RaiseEventWorkflowAlpha1",
            "PurgeWorkflowAlpha1",
            "PauseWorkflowAlpha1",
            "ResumeWorkflowAlpha1",
        ],
    ),
    (
        "workflows.v1beta1",
        &[
            "StartWorkflowBeta1",
            "GetWorkflowBeta1",
            "TerminateWorkflowBeta1",
            "RaiseEventWorkflowBeta1",
            "PurgeWorkflowBeta1",
            "PauseWorkflowBeta1",
            "ResumeWorkflowBeta1",
        ],
    ),
    ("jobs.v1", &["ScheduleJob", "DeleteJob", "GetJob", "DeleteJobsByPrefix", "ListJobs"]),
    (
        "jobs.v1alpha1",
        &["ScheduleJobAlpha1", "DeleteJobAlpha1", "GetJobAlpha1", "DeleteJobsByPrefixAlpha1", "ListJobsAlpha1"],
    ),
    ("shutdown.v1", &["Shutdown"]),
    ("conversation.v1alpha1", &["ConverseAlpha1"]),
    ("conversation.v1alpha2", &["ConverseAlpha2"]),
];

/// The group of each method.
pub(crate) fn by_method() -> HashMap<&'static str, &'static str> {
    GROUPS.iter().flat_map(|(group, methods)| methods.iter().map(move |method| (*method, *group))).collect()
}

/// Methods that are no single exchange.
const STREAMS: [&str; 6] = [
    "SubscribeTopicEventsAlpha1",
    "SubscribeActorEventsAlpha1",
    "SubscribeConfiguration",
    "SubscribeConfigurationAlpha1",
    "EncryptAlpha1",
    "DecryptAlpha1",
];

/// How metrics count a call of the API.
pub(crate) fn counted(path: &str, groups: &HashMap<&'static str, &'static str>) -> Counted {
    match path.strip_prefix(SERVICE) {
        Some(method) if STREAMS.contains(&method) => Counted::Stream,
        Some(method) if groups.contains_key(method) => Counted::Unary,
        _ if path.starts_with("/grpc.reflection.") => Counted::Not,
        _ => Counted::Proxied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;
    use prost_types::FileDescriptorSet;

    #[test]
    fn every_method_is_in_one_group() {
        let files = FileDescriptorSet::decode(wire::FILE_DESCRIPTOR_SET).unwrap().file;
        let runtime = files.into_iter().filter(|file| file.package() == "dapr.proto.runtime.v1");
        let service = runtime.flat_map(|file| file.service).find(|service| service.name() == "Dapr").unwrap();
        let groups = by_method();
        let missing: Vec<_> = service.method.iter().filter(|method| !groups.contains_key(method.name())).collect();
        assert_eq!((missing.len(), service.method.len()), (0, groups.len()), "{missing:?}");
    }
}
