//! Where the servers are, and how they are spoken to.
use crate::metadata::Metadata;
use component_api::{Error, Result, Secret};
use mongodb::options::{
    Acknowledgment, ClientOptions, CollectionOptions, ConnectionString, HostInfo, ReadConcern, Tls, WriteConcern,
};
use std::path::Path;
use std::time::Duration;

/// How long a write may wait for other servers.
const REPLICATION: Duration = Duration::from_secs(5);
/// Most connections where the connection string says nothing of it.
const CONNECTIONS: u32 = 100;
/// Where systems keep the certificates that they trust.
const SYSTEM_CERTIFICATES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Servers, with the options for them.
#[derive(Clone)]
pub(crate) struct Address {
    /// Their names in messages.
    pub(crate) name: String,
    parsed: ConnectionString,
}

impl Address {
    /// Reads where the servers are. Neither user nor password is told in an error.
    ///
    /// # Errors
    /// Something of it cannot be read.
    pub(crate) fn new(metadata: &Metadata) -> Result<Self> {
        let text = connection_string(metadata);
        let parsed = ConnectionString::parse(text.expose()).map_err(|error| unreadable(&text, &error.to_string()))?;
        Ok(Self { name: name(&parsed.host_info), parsed })
    }

    /// Options of a client. The servers of an SRV record are looked up.
    ///
    /// # Errors
    /// The servers cannot be looked up.
    pub(crate) async fn options(&self, patience: Duration) -> mongodb::error::Result<ClientOptions> {
        let mut options = ClientOptions::parse(self.parsed.clone()).await?;
        // A server that is away is to be told before the operation's own time is over.
        let selection = patience.mul_f32(0.8);
        options.server_selection_timeout = Some(options.server_selection_timeout.unwrap_or(selection).min(selection));
        options.connect_timeout = Some(options.connect_timeout.unwrap_or(selection).min(selection));
        options.max_pool_size = options.max_pool_size.or(Some(CONNECTIONS));
        let own = concat!("dapr-trilby-", env!("CARGO_PKG_VERSION"));
        options.app_name = Some(options.app_name.map_or(own.to_owned(), |name| format!("{own}:{name}")));
        if let Some(Tls::Enabled(tls)) = &mut options.tls {
            let system = SYSTEM_CERTIFICATES.into_iter().find(|path| Path::new(path).exists());
            tls.ca_file_path = tls.ca_file_path.take().or_else(|| system.map(Into::into));
        }
        Ok(options)
    }
}

/// What the collection's reads and writes promise.
///
/// # Errors
/// A concern that does not exist.
pub(crate) fn concerns(metadata: &Metadata) -> Result<CollectionOptions> {
    let acknowledgment = match metadata.write_concern.as_str() {
        "" => Acknowledgment::Nodes(1),
        "majority" => Acknowledgment::Majority,
        number => Acknowledgment::Nodes(number.parse().map_err(|_| {
            Error::invalid(format!("writeconcern must be a number of servers or majority, not '{number}'"))
        })?),
    };
    let write = WriteConcern::builder().w(acknowledgment).journal(true).w_timeout(REPLICATION).build();
    let read = match metadata.read_concern.as_str() {
        "" | "local" => ReadConcern::local(),
        "majority" => ReadConcern::majority(),
        "available" => ReadConcern::available(),
        "linearizable" => ReadConcern::linearizable(),
        "snapshot" => ReadConcern::snapshot(),
        other => {
            let known = "available, local, majority, linearizable or snapshot";
            return Err(Error::invalid(format!("readconcern '{other}' is unknown; it is {known}")));
        }
    };
    Ok(CollectionOptions::builder().write_concern(write).read_concern(read).build())
}

/// In Dapr's three forms: as it is, by a name of DNS, or by hosts.
fn connection_string(metadata: &Metadata) -> Secret {
    if !metadata.connection_string.is_empty() {
        return metadata.connection_string.clone();
    }
    let params = match metadata.params.as_str() {
        "" => String::new(),
        params => format!("?{}", params.trim_start_matches('?')),
    };
    let Metadata { host, server, username, password, database_name, .. } = metadata;
    let who = match (username.as_str(), password.expose()) {
        ("", _) | (_, "") => String::new(),
        (name, password) => format!("{}:{}@", encoded(name), encoded(password)),
    };
    let (scheme, place) = if server.is_empty() { ("mongodb", host) } else { ("mongodb+srv", server) };
    Secret::from(format!("{scheme}://{who}{place}/{database_name}{params}"))
}

/// What divides the parts of a URL is percent-encoded. What has been so already stays.
fn encoded(text: &str) -> String {
    let encode = |letter: char| match letter {
        ':' | '/' | '?' | '#' | '[' | ']' | '@' => format!("%{:02X}", u32::from(letter)),
        other => other.to_string(),
    };
    text.chars().map(encode).collect()
}

/// The library's words may quote what it was given.
fn unreadable(text: &Secret, words: &str) -> Error {
    let (before, _) = text.expose().rsplit_once('@').unwrap_or_default();
    let (_, who) = before.split_once("://").unwrap_or_default();
    let tells = who.split(':').any(|part| !part.is_empty() && words.contains(part));
    let words = if tells { "user or password may have to be percent-encoded" } else { words };
    Error::invalid(format!("the place of mongodb cannot be read: {words}; check connectionString, host and params"))
}

fn name(hosts: &HostInfo) -> String {
    match hosts {
        HostInfo::HostIdentifiers(hosts) => hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        HostInfo::DnsRecord(name) => name.clone(),
        _ => "its servers".to_owned(),
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Address").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use component_api::Properties;

    fn metadata(pairs: &[(&str, &str)]) -> Metadata {
        Metadata::read(&pairs.iter().copied().collect::<Properties>()).unwrap()
    }

    #[test]
    fn forms_of_addresses() {
        let cases: [(&[(&str, &str)], &str); 6] = [
            (&[("host", "a:1,b:2")], "mongodb://a:1,b:2/daprStore"),
            (&[("host", "a"), ("username", "me")], "mongodb://a/daprStore"),
            (
                &[("host", "a"), ("username", "me"), ("password", "p@%40"), ("params", "tls=true")],
                "mongodb://me:p%40%40@a/daprStore?tls=true",
            ),
            (&[("server", "x.y"), ("params", "?w=1")], "mongodb+srv://x.y/daprStore?w=1"),
            (
                &[("server", "x.y"), ("username", "me"), ("password", "p"), ("databaseName", "d")],
                "mongodb+srv://me:p@x.y/d",
            ),
            (&[("connectionString", "mongodb://z"), ("host", "a")], "mongodb://z"),
        ];
        for (pairs, expected) in cases {
            assert_eq!(connection_string(&metadata(pairs)).expose(), expected);
        }
    }

    #[test]
    fn what_is_missing_or_too_much() {
        for pairs in [&[][..], &[("host", "a"), ("server", "b")], &[("host", "a"), ("operationTimeout", "0s")]] {
            assert!(Metadata::read(&pairs.iter().copied().collect::<Properties>()).is_err(), "{pairs:?}");
        }
    }

    #[test]
    fn passwords_are_not_told() {
        for text in ["mongodb://me:very-secret@", "mongodb://me:very/secret@a", "mongodb://me:very-secret@a/?x=y"] {
            let address = Address::new(&metadata(&[("connectionString", text)]));
            let told = format!("{address:?}");
            assert!(address.is_err() && !told.contains("secret@") && !told.contains("very"), "{told}");
        }
        let address = Address::new(&metadata(&[("connectionString", "mongodb://me:very-secret@a:5,b")])).unwrap();
        assert_eq!(format!("{address:?}"), "Address(\"a:5,b:27017\")");
    }

    #[test]
    fn concerns_that_do_not_exist() {
        for wrong in [("writeconcern", "few"), ("readconcern", "all")] {
            assert!(concerns(&metadata(&[("host", "a"), wrong])).is_err());
        }
        let written = concerns(&metadata(&[("host", "a"), ("writeconcern", "majority")])).unwrap().write_concern;
        assert_eq!(written.unwrap().w, Some(Acknowledgment::Majority));
    }
}
