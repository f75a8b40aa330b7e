//! What a sidecar tells others about itself.

/// This sidecar.
#[derive(Clone, Debug, Default)]
pub struct Own {
    pub app_id: String,
    pub namespace: String,
    /// IP address that others reach it at; may be empty.
    pub address: String,
    pub host_name: String,
    /// Port of the internal gRPC server; the default one of others.
    pub internal_port: u16,
}

impl Own {
    /// Values that are added to the headers of a call on its way, by name (protocols.md 6.2).
    pub(crate) fn forwarded(&self) -> impl Iterator<Item = (&'static str, String)> {
        let values = [
            ("X-Forwarded-For", self.address.clone()),
            ("X-Forwarded-Host", self.host_name.clone()),
            ("Forwarded", self.forwarded_element()),
        ];
        values.into_iter().filter(|(_, value)| !value.is_empty())
    }

    /// RFC 7239; IPv6 addresses are quoted and in brackets.
    fn forwarded_element(&self) -> String {
        let node = if self.address.contains(':') { format!("\"[{}]\"", self.address) } else { self.address.clone() };
        let address = (!node.is_empty()).then(|| format!("for={node};by={node}"));
        let host = (!self.host_name.is_empty()).then(|| format!("host={}", self.host_name));
        address.into_iter().chain(host).collect::<Vec<_>>().join(";")
    }
}
