//! What the Configuration resource says to sentry (surface.md 3.3).
use crate::error::Error;
use crate::kubernetes::Kubernetes;
use foundation_credentials::Lifetimes;
use foundation_metadata::duration;
use foundation_resources::{Configuration, Mtls};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const LIFETIME: Duration = Duration::from_secs(24 * 3600);
const SKEW: Duration = Duration::from_secs(15 * 60);

/// Settings of sentry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub lifetimes: Lifetimes,
    /// Options of the validator of tokens by a key set. Without it whoever asks is believed.
    pub jwks: Option<BTreeMap<String, String>>,
}

impl Settings {
    /// Reads a configuration file. `root` is how long roots are good that are made here.
    ///
    /// # Errors
    /// A file that cannot be read, durations that are none, and validators that cannot be chosen.
    pub fn load(file: Option<&Path>, environment: &BTreeMap<String, String>, root: Duration) -> Result<Self, Error> {
        let Some(file) = file else { return Self::new(&Mtls::default(), root) };
        let variable = |name: &str| environment.get(name).map(String::as_str);
        let configuration = Configuration::load(&[file.to_owned()], &variable);
        let configuration = configuration.map_err(|error| Error::Configuration(error.to_string()))?;
        Self::new(&configuration.spec.mtls.unwrap_or_default(), root)
    }

    /// Reads a Configuration of a cluster, in the namespace of the control plane.
    ///
    /// # Errors
    /// As [`Settings::load`], and a resource that is not there.
    pub(crate) async fn of_cluster(
        kubernetes: &Kubernetes,
        namespace: &str,
        name: &str,
        root: Duration,
    ) -> Result<Self, Error> {
        let path = format!("/apis/dapr.io/v1alpha1/namespaces/{namespace}/configurations/{name}");
        let unusable = |reason: String| Error::Configuration(format!("couldn't find config name {name:?}: {reason}"));
        let resource = kubernetes.api().get::<Value>(&path).await.map_err(|error| unusable(error.to_string()))?;
        let mtls = Option::<Mtls>::deserialize(&resource["spec"]["mtls"]);
        Self::new(&mtls.map_err(|error| unusable(error.to_string()))?.unwrap_or_default(), root)
    }

    fn new(mtls: &Mtls, root: Duration) -> Result<Self, Error> {
        let lifetimes = Lifetimes {
            workload: length("workloadCertTTL", &mtls.workload_cert_ttl, LIFETIME)?,
            skew: length("allowedClockSkew", &mtls.allowed_clock_skew, SKEW)?,
            root,
        };
        if lifetimes.workload.is_zero() {
            return Err(Error::Configuration(format!(
                "workloadCertTTL is {:?}, and certificates would be over at once; use a duration such as 24h",
                mtls.workload_cert_ttl
            )));
        }
        let mut jwks = None;
        for validator in &mtls.token_validators {
            match validator.name.to_ascii_lowercase().as_str() {
                "jwks" => jwks = Some(options(&validator.options.0)),
                "kubernetes" | "insecure" => return Err(Error::Configuration(BUILT_IN.to_owned())),
                other => return Err(Error::Configuration(unknown(other))),
            }
        }
        Ok(Self { lifetimes, jwks })
    }
}

const BUILT_IN: &str =
    "invalid token validator: the built-in 'kubernetes' and 'insecure' validators cannot be configured manually";

fn unknown(name: &str) -> String {
    format!("invalid token validator name: '{name}'; supported values: 'jwks'")
}

fn length(name: &str, text: &str, default: Duration) -> Result<Duration, Error> {
    if text.is_empty() {
        return Ok(default);
    }
    if text.starts_with('-') {
        return Err(Error::Configuration(format!("{name} is {text:?}, which is negative; use a duration such as 15m")));
    }
    duration::parse(text).ok_or_else(|| Error::Configuration(format!("{name} is {text:?}; use a duration such as 24h")))
}

fn options(value: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let members = value.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.to_ascii_lowercase(), text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_live_for_a_while() {
        for none in ["0s", "-1h"] {
            let mtls = Mtls { workload_cert_ttl: none.to_owned(), ..Mtls::default() };
            let error = Settings::new(&mtls, LIFETIME).unwrap_err().to_string();
            assert!(error.contains("workloadCertTTL") && error.contains(none), "{error}");
        }
        assert_eq!(Settings::new(&Mtls::default(), LIFETIME).unwrap().lifetimes.workload, LIFETIME);
    }

    #[test]
    fn clocks_differ_by_nothing_or_more() {
        let skew = |text: &str| {
            let mtls = Mtls { allowed_clock_skew: text.to_owned(), ..Mtls::default() };
            Settings::new(&mtls, LIFETIME).map(|settings| settings.lifetimes.skew)
        };
        let error = skew("-1h").unwrap_err().to_string();
        assert!(error.contains("allowedClockSkew") && error.contains("-1h"), "{error}");
        assert_eq!(skew("0s").unwrap(), Duration::ZERO);
    }
}
