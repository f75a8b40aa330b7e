//! What errors of Kafka mean.
use component_api::{Error, Kind};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// The last thing that a client said is wrong, beside the errors of what was asked of it.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) code: Code,
    pub(crate) reason: String,
}

impl Trouble {
    /// Whether it explains why nothing can be done at all.
    pub(crate) fn is_decisive(&self) -> bool {
        self.code == Code::AllBrokersDown || kind(self.code) == Kind::Denied
    }

    /// No other broker can be reached either.
    pub(crate) fn ends_hope(&mut self) {
        if !self.is_decisive() {
            self.code = Code::AllBrokersDown;
        }
    }
}

/// An error in the components' terms, with the names of the brokers and what to check. What the client said beside it
/// explains why there was no answer.
pub(crate) fn translate(brokers: &str, error: &KafkaError, trouble: Option<&Trouble>) -> Error {
    let Some(code) = error.rdkafka_error_code() else { return unusual(brokers, error) };
    if is_silence(code)
        && let Some(trouble) = trouble
    {
        return told(brokers, kind(trouble.code), &trouble.reason);
    }
    told(brokers, kind(code), &code.to_string())
}

/// The error of a component that has ended.
pub(crate) fn closed() -> Error {
    Error::other("component is closed")
}

/// The error of work in a thread that did not come to its end.
pub(crate) fn broken_off(error: tokio::task::JoinError) -> Error {
    Error::other("kafka: work in the background broke off").with_source(error)
}

fn told(brokers: &str, kind: Kind, what: &str) -> Error {
    let advice = match kind {
        Kind::Denied => "; check authType, user, password, certificates and the permissions of the user",
        Kind::NotFound => "; create the topic, check its name, and partitionNumber if it is given",
        Kind::Unavailable | Kind::Timeout => "; check that the brokers run, their addresses, and whether they want TLS",
        _ => "",
    };
    Error::new(kind, format!("kafka at {brokers}: {what}{advice}"))
}

/// The value of a setting is left out: it may be a password.
fn unusual(brokers: &str, error: &KafkaError) -> Error {
    match error {
        KafkaError::ClientConfig(_, what, name, _) => Error::invalid(format!("kafka: setting {name}: {what}")),
        KafkaError::ClientCreation(what) => Error::invalid(format!("kafka: {what}")),
        KafkaError::Nul(_) => Error::invalid("kafka: a name of a topic, key or header has a zero byte"),
        KafkaError::Canceled => closed(),
        other => Error::other(format!("kafka at {brokers}: {other}")),
    }
}

/// There was no answer, for a reason that the code does not tell.
fn is_silence(code: Code) -> bool {
    matches!(
        code,
        Code::MessageTimedOut
            | Code::OperationTimedOut
            | Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::RequestTimedOut
            | Code::TimedOutQueue
            | Code::WaitingForCoordinator
    )
}

fn kind(code: Code) -> Kind {
    match code {
        Code::Authentication
        | Code::SSL
        | Code::SaslAuthenticationFailed
        | Code::UnsupportedSASLMechanism
        | Code::IllegalSASLState
        | Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed => Kind::Denied,
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => Kind::NotFound,
        Code::InvalidTopic
        | Code::MessageSizeTooLarge
        | Code::MessageBatchTooLarge
        | Code::InvalidMessageSize
        | Code::InvalidRecord
        | Code::InvalidArgument
        | Code::InvalidGroupId
        | Code::InvalidSessionTimeout
        | Code::InconsistentGroupProtocol
        | Code::PolicyViolation => Kind::Invalid,
        Code::QueueFull | Code::ThrottlingQuotaExceeded => Kind::RateLimited,
        Code::OperationTimedOut | Code::RequestTimedOut | Code::TimedOutQueue => Kind::Timeout,
        Code::MessageTimedOut
        | Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::Resolve
        | Code::WaitingForCoordinator
        | Code::LeaderNotAvailable
        | Code::NotLeaderForPartition
        | Code::BrokerNotAvailable
        | Code::ReplicaNotAvailable
        | Code::NetworkException
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::NotCoordinator
        | Code::NotEnoughReplicas
        | Code::NotEnoughReplicasAfterAppend
        | Code::KafkaStorageError => Kind::Unavailable,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_explained() {
        let error = KafkaError::MessageProduction(Code::MessageTimedOut);
        let plain = translate("a:9092", &error, None);
        assert!(plain.is_temporary() && plain.to_string().contains("a:9092"), "{plain}");
        let trouble = Trouble { code: Code::Authentication, reason: "wrong password".to_owned() };
        let explained = translate("a:9092", &error, Some(&trouble));
        assert_eq!(explained.kind(), Kind::Denied);
        assert!(explained.to_string().contains("wrong password"));
        let answered = translate("a", &KafkaError::MessageProduction(Code::MessageSizeTooLarge), Some(&trouble));
        assert_eq!(answered.kind(), Kind::Invalid, "{answered}");
    }

    #[test]
    fn values_of_settings_are_not_told() {
        let result = rdkafka::ClientConfig::new().set("sasl.mechanism", "very-secret").create_native_config();
        let text = result.err().map(|error| translate("a", &error, None).to_string());
        assert!(text.is_none_or(|text| !text.contains("very-secret")));
    }
}
