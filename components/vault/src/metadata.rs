//! Metadata of the component.
use component_api::{Error, Properties, Result, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// Secrets of a key/value engine, version 2, of HashiCorp Vault.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Address of the server.
    pub vault_addr: String,
    /// Required unless `vaultTokenMountPath` is set. Token that requests are made with.
    pub vault_token: Secret,
    /// Required unless `vaultToken` is set. Path of a file with the token, which is read anew for each request.
    pub vault_token_mount_path: String,
    /// Folder of the secrets in the engine.
    #[serde(rename = "vaultKVPrefix")]
    pub vault_kv_prefix: String,
    /// Whether the secrets are in a folder at all.
    #[serde(rename = "vaultKVUsePrefix")]
    pub vault_kv_use_prefix: bool,
    /// Where the engine is mounted.
    pub engine_path: String,
    /// `map`: a secret has named values; `text`: its values are one text, which is JSON.
    pub vault_value_type: ValueType,
    /// Certificates that the server's is checked against, as PEM. It goes before `caPath`, and that before `caCert`.
    pub ca_pem: String,
    /// Path of a folder with such certificates.
    pub ca_path: String,
    /// Path of a file with such certificates.
    pub ca_cert: String,
    /// Take any certificate of the server. For tests only.
    pub skip_verify: bool,
    /// Name that the server's certificate has to have, if not that of its address.
    #[serde(rename = "tlsServerName")]
    pub tls_server_name: String,
}

/// What a secret is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    #[default]
    Map,
    Text,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            vault_addr: "https://127.0.0.1:8200".to_owned(),
            vault_token: Secret::default(),
            vault_token_mount_path: String::new(),
            vault_kv_prefix: "dapr".to_owned(),
            vault_kv_use_prefix: true,
            engine_path: "secret".to_owned(),
            vault_value_type: ValueType::Map,
            ca_pem: String::new(),
            ca_path: String::new(),
            ca_cert: String::new(),
            skip_verify: false,
            tls_server_name: String::new(),
        }
    }
}

impl Metadata {
    /// Reads the metadata of a component.
    ///
    /// # Errors
    /// A value that cannot be read, or not exactly one of the two ways to give a token.
    pub fn read(properties: &Properties) -> Result<Self> {
        let mut read: Self = properties.decode()?;
        let usual = Self::default();
        for (value, usual) in [
            (&mut read.vault_addr, usual.vault_addr),
            (&mut read.vault_kv_prefix, usual.vault_kv_prefix),
            (&mut read.engine_path, usual.engine_path),
        ] {
            if value.is_empty() {
                *value = usual;
            }
        }
        match (read.vault_token.is_empty(), read.vault_token_mount_path.is_empty()) {
            (true, true) => {
                Err(Error::invalid("token mount path and token not set: set vaultToken or vaultTokenMountPath"))
            }
            (false, false) => Err(Error::invalid("token mount path and token both set: set only one of them")),
            _ => Ok(read),
        }
    }

    /// What the names of all secrets begin with.
    pub(crate) fn prefix(&self) -> String {
        if self.vault_kv_use_prefix { format!("{}/", self.vault_kv_prefix) } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Metadata> {
        Metadata::read(&pairs.iter().copied().collect::<Properties>())
    }

    #[test]
    fn one_way_to_give_a_token() {
        assert!(read(&[]).is_err());
        assert!(read(&[("vaultToken", "t"), ("vaultTokenMountPath", "/x")]).is_err());
        assert_eq!(read(&[("vaultToken", "t"), ("vaultKVPrefix", "")]).unwrap().prefix(), "dapr/");
        assert_eq!(read(&[("vaultToken", "t"), ("vaultKVUsePrefix", "false")]).unwrap().prefix(), "");
        assert!(read(&[("vaultToken", "t"), ("vaultValueType", "number")]).is_err());
    }
}
