//! Host and port of a server.
use component_api::{Error, Result};

/// The port of Redis.
const DEFAULT_PORT: u16 = 6379;

/// Host and port of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// Reads `host`, `host:port`, an IPv6 address, or one in brackets with a port.
    ///
    /// # Errors
    /// A port that is no number, or another one than the port that was set apart.
    pub(crate) fn parse(text: &str, port: u16) -> Result<Self> {
        let Some((host, own)) = split(text) else {
            let port = if port == 0 { DEFAULT_PORT } else { port };
            return Ok(Self { host: bare(text), port });
        };
        let own: u16 = own.parse().map_err(|_| Error::invalid(format!("redisHost '{text}' has no valid port")))?;
        if port != 0 && port != own {
            let message = format!("redisHost '{text}' has a port of its own, and redisPort is {port}; set one of them");
            return Err(Error::invalid(message));
        }
        Ok(Self { host: bare(host), port: own })
    }
}

/// An IPv6 address without brackets has colons but no port.
fn split(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    (!host.contains(':') || host.ends_with(']')).then_some((host, port))
}

fn bare(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, port: u16) -> Option<(String, u16)> {
        Address::parse(text, port).ok().map(|address| (address.host, address.port))
    }

    #[test]
    fn hosts_with_and_without_ports() {
        let cases = [
            ("redis", 0, "redis", 6379),
            ("redis", 7000, "redis", 7000),
            ("redis:7000", 0, "redis", 7000),
            ("redis:7000", 7000, "redis", 7000),
            ("::1", 0, "::1", 6379),
            ("[::1]:7000", 0, "::1", 7000),
        ];
        for (text, port, host, expected) in cases {
            assert_eq!(parse(text, port), Some((host.to_owned(), expected)), "{text}");
        }
        assert_eq!(parse("redis:7000", 7001), None, "two ports");
        assert_eq!(parse("redis:x", 0), None, "no number");
    }
}
