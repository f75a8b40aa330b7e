//! Metadata that both components share: how the broker is reached.
use component_api::{Error, Properties, Result, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// How the broker is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectionMetadata {
    /// Required. Where the broker is, as `mqtt://user:password@host:1883`, or `mqtts://...` with TLS; `tcp`, `ssl`, `tls` and
    /// `tcps` are names for the same.
    pub url: Secret,
    /// Name of the session; the broker lets only one process have it at a time. Default: the app id.
    #[serde(rename = "consumerID")]
    pub consumer_id: String,
    /// The broker keeps messages until they are taken over by somebody else.
    pub retain: bool,
    /// The broker forgets the session, with messages that were not handled, when the connection ends.
    pub clean_session: bool,
    /// Certificates that the broker's is checked against, as PEM.
    pub ca_cert: String,
    /// Certificate of the client, as PEM.
    pub client_cert: String,
    /// Key of the client's certificate, as PEM.
    pub client_key: Secret,
}

impl ConnectionMetadata {
    /// Reads what both components have in common.
    ///
    /// # Errors
    /// A value that cannot be read, or no `url`.
    pub(crate) fn read(properties: &Properties, app_id: &str) -> Result<Self> {
        let mut read: Self = properties.decode()?;
        if read.url.is_empty() {
            return Err(Error::invalid("missing url: set it to a place such as mqtt://host:1883"));
        }
        if read.consumer_id.is_empty() {
            app_id.clone_into(&mut read.consumer_id);
        }
        Ok(read)
    }
}
