//! Connection strings in both of PostgreSQL's forms, with what Dapr's own driver reads besides.
use crate::metadata::ConnectionMetadata;
use component_api::{Error, Result};
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;
use std::str::FromStr;
use tokio_postgres::Config;

/// Keys that the driver reads itself; others are settings of the session.
const KNOWN: [&str; 18] = [
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "host",
    "hostaddr",
    "port",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
    "sslnegotiation",
];
/// Keys of Dapr's driver that have no meaning here.
const IGNORED: [&str; 11] = [
    "pool_min_conns",
    "pool_max_conn_lifetime",
    "pool_max_conn_lifetime_jitter",
    "pool_max_conn_idle_time",
    "pool_health_check_period",
    "default_query_exec_mode",
    "statement_cache_capacity",
    "description_cache_capacity",
    "sslsni",
    "krbsrvname",
    "min_read_buffer_size",
];

/// Where the database is, and how its certificate is checked.
pub(crate) struct Target {
    pub(crate) config: Config,
    pub(crate) tls: TlsSettings,
    /// Most connections, when the string says so.
    pub(crate) max_connections: Option<usize>,
}

/// What the string says of TLS. Paths are empty when it says nothing.
#[derive(Debug, Default)]
pub(crate) struct TlsSettings {
    /// `disable`, `allow`, `prefer`, `require`, `verify-ca` or `verify-full`.
    pub(crate) mode: String,
    pub(crate) root_certificates: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Reads the connection string and what goes before it.
///
/// # Errors
/// Nothing says where the database is, or a value cannot be read. The string itself is not told.
pub(crate) fn target(metadata: &ConnectionMetadata) -> Result<Target> {
    let text = metadata.connection_string.expose().trim();
    let mut pairs = if is_url(text) { url_pairs(text)? } else { plain_pairs(text) };
    let fields = [
        ("host", metadata.host.as_str()),
        ("hostaddr", &metadata.hostaddr),
        ("port", &metadata.port),
        ("dbname", &metadata.database),
        ("user", &metadata.user),
        ("password", metadata.password.expose()),
        ("sslrootcert", &metadata.ssl_root_cert),
    ];
    let given = fields.into_iter().filter(|(_, value)| !value.is_empty());
    pairs.extend(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
    if pairs.is_empty() {
        return Err(Error::invalid(
            "failed to build connection string: set connectionString, or host, user and database",
        ));
    }
    let mut taken = |name: &str| pairs.remove(name).unwrap_or_default();
    let tls = TlsSettings {
        mode: taken("sslmode"),
        root_certificates: taken("sslrootcert"),
        certificate: taken("sslcert"),
        key: taken("sslkey"),
    };
    let max_connections = taken("pool_max_conns").parse().ok();
    let config = Config::from_str(&plain_text(pairs));
    let config = config.map_err(|error| Error::invalid("the connection string cannot be read").with_source(error))?;
    Ok(Target { config, tls, max_connections })
}

fn is_url(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

type Pairs = BTreeMap<String, String>;

/// `name=value` pairs divided by spaces; values may be in single quotes.
fn plain_pairs(text: &str) -> Pairs {
    let mut pairs = Pairs::new();
    let mut rest = text.trim_start();
    while let Some((name, after)) = rest.split_once('=') {
        let (value, next) = value(after.trim_start());
        pairs.insert(name_of(name.trim()), value);
        rest = next.trim_start();
    }
    pairs
}

fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('\'') else {
        let (value, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((index, letter)) = letters.next() {
        match letter {
            '\'' => return (value, &quoted[index + 1..]),
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            other => value.push(other),
        }
    }
    (value, "")
}

fn name_of(name: &str) -> String {
    if name == "database" { "dbname".to_owned() } else { name.to_owned() }
}

/// `postgres://user:password@host:port,host:port/database?name=value`.
fn url_pairs(text: &str) -> Result<Pairs> {
    let (_, rest) = text.split_once("://").unwrap_or_default();
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let (hosts, ports): (Vec<_>, Vec<_>) = hosts.split(',').map(host_and_port).unzip();
    let mut pairs = Pairs::new();
    for (name, value) in [("user", user), ("password", password), ("dbname", database)] {
        pairs.insert(name.to_owned(), decoded(value)?);
    }
    pairs.insert("host".to_owned(), decoded(&hosts.join(","))?);
    pairs.insert("port".to_owned(), ports.join(","));
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        pairs.insert(name_of(&decoded(name)?), decoded(value)?);
    }
    pairs.retain(|_, value| !value.is_empty());
    Ok(pairs)
}

fn host_and_port(text: &str) -> (&str, &str) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host.trim_matches(['[', ']']), port),
        _ => (text.trim_matches(['[', ']']), "5432"),
    }
}

fn decoded(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|error| Error::invalid("the connection string is no UTF-8").with_source(error))?.into_owned())
}

/// What the driver reads. Names that it does not know become settings of the session.
fn plain_text(mut pairs: Pairs) -> String {
    pairs.retain(|name, _| !IGNORED.contains(&name.as_str()));
    let (known, settings): (Pairs, Pairs) = pairs.into_iter().partition(|(name, _)| KNOWN.contains(&name.as_str()));
    let mut options: Vec<String> = known.get("options").cloned().into_iter().collect();
    options.extend(settings.iter().map(|(name, value)| format!("-c {name}={}", value.replace(' ', "\\ "))));
    let options = (!options.is_empty()).then(|| ("options".to_owned(), options.join(" ")));
    let all = known.into_iter().filter(|(name, _)| name != "options").chain(options);
    let quoted = |value: String| value.replace('\\', "\\\\").replace('\'', "\\'");
    all.map(|(name, value)| format!("{name}='{}' ", quoted(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Target {
        target(&ConnectionMetadata { connection_string: text.into(), ..ConnectionMetadata::default() }).unwrap()
    }

    #[test]
    fn both_forms_mean_the_same() {
        let plain = r"host=db port=5433 user=me password='it\'s me' database=mine sslmode=verify-full sslrootcert=/ca.pem pool_max_conns=7 search_path=a";
        let url = "postgres://me:it%27s%20me@db:5433/mine?sslmode=verify-full&sslrootcert=/ca.pem&pool_max_conns=7&search_path=a";
        let (plain, url) = (read(plain), read(url));
        assert_eq!(plain.config, url.config);
        assert_eq!(plain.config.get_password(), Some(&b"it's me"[..]));
        assert_eq!(plain.config.get_options(), Some("-c search_path=a"));
        for tls in [plain.tls, url.tls] {
            assert_eq!((tls.mode.as_str(), tls.root_certificates.as_str()), ("verify-full", "/ca.pem"));
        }
        assert_eq!([plain.max_connections, url.max_connections], [Some(7); 2]);
    }

    #[test]
    fn fields_go_before_the_string() {
        let metadata = ConnectionMetadata {
            connection_string: "host=db user=me password=old dbname=mine".into(),
            password: "new".into(),
            port: "5433".to_owned(),
            ..ConnectionMetadata::default()
        };
        let config = target(&metadata).unwrap().config;
        assert_eq!((config.get_password(), config.get_ports()), (Some(&b"new"[..]), &[5433][..]));
        assert!(target(&ConnectionMetadata::default()).is_err(), "nothing says where the database is");
    }
}
