//! Connection strings as Dapr's own driver reads them: `user:password@tcp(host:port)/database?name=value`.
use component_api::{Error, Result};
use foundation_metadata::duration;
use mysql_async::{OptsBuilder, SslOpts};
use percent_encoding::percent_decode_str;
use std::time::Duration;

const PORT: u16 = 3306;
/// How often the system looks whether the other side of a silent connection is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Names of the driver that have no meaning here; others are settings of the session.
const IGNORED: [&str; 18] = [
    "allowAllFiles",
    "allowCleartextPasswords",
    "allowFallbackToPlaintext",
    "allowNativePasswords",
    "allowOldPasswords",
    "charset",
    "checkConnLiveness",
    "collation",
    "columnsWithAlias",
    "compress",
    "connectionAttributes",
    "interpolateParams",
    "loc",
    "maxAllowedPacket",
    "multiStatements",
    "parseTime",
    "rejectReadOnly",
    "serverPubKey",
];

/// Where the database is, and how it is reached.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) options: OptsBuilder,
    /// Its name in messages.
    pub(crate) name: String,
    /// How long connecting may take, when the string says so.
    pub(crate) timeout: Option<Duration>,
}

/// Reads a connection string. `certificates` is the path of the certificates that `tls=custom` stands for, or empty.
///
/// # Errors
/// A string, or a file, that cannot be read. The string itself is not told.
pub(crate) fn target(text: &str, certificates: &str) -> Result<Target> {
    // Passwords and paths of sockets may have slashes too.
    let (place, rest) = text.rsplit_once('/').ok_or_else(|| unreadable("it has no slash before the database"))?;
    let (database, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (credentials, address) = place.rsplit_once('@').unwrap_or(("", place));
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let options = OptsBuilder::default().user(filled(user)).pass(filled(password));
    let options = options.db_name(filled(&decoded(database)?)).tcp_keepalive(Some(KEEP_ALIVE)).prefer_socket(false);
    let (options, name) = at(options, address)?;
    let mut target = Target { options, name, timeout: None };
    target.read_parameters(parameters, certificates)?;
    Ok(target)
}

/// `tcp(host:port)`, `unix(path)`, or nothing, which is this machine.
fn at(options: OptsBuilder, address: &str) -> Result<(OptsBuilder, String)> {
    let (protocol, inside) = address.split_once('(').unwrap_or((address, ")"));
    let inside = inside.strip_suffix(')').ok_or_else(|| unreadable("the address has no closing parenthesis"))?;
    match protocol {
        "unix" => Ok((options.socket(Some(inside)), inside.to_owned())),
        "" | "tcp" | "tcp4" | "tcp6" => {
            let (host, port) = host_and_port(inside)?;
            Ok((options.ip_or_hostname(host).tcp_port(port), format!("{host}:{port}")))
        }
        other => Err(unreadable(&format!("'{other}' is neither tcp nor unix"))),
    }
}

fn host_and_port(text: &str) -> Result<(&str, u16)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, port.parse().map_err(|_| unreadable("the port is no number"))?)
        }
        _ => (text, PORT),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok((if host.is_empty() { "127.0.0.1" } else { host }, port))
}

impl Target {
    fn read_parameters(&mut self, parameters: &str, certificates: &str) -> Result<()> {
        let mut setup = Vec::new();
        for pair in parameters.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value)?;
            match name {
                "timeout" => self.timeout = duration::parse(&value).filter(|timeout| !timeout.is_zero()),
                "readTimeout" | "writeTimeout" => {}
                "clientFoundRows" => self.change(|options| options.client_found_rows(value == "true")),
                "tls" => self.secure(&value, certificates)?,
                _ if IGNORED.contains(&name) => {}
                _ => setup.push(setting(name, &value)?),
            }
        }
        self.change(|options| options.setup(setup));
        Ok(())
    }

    fn change(&mut self, change: impl FnOnce(OptsBuilder) -> OptsBuilder) {
        self.options = change(std::mem::take(&mut self.options));
    }

    fn secure(&mut self, mode: &str, certificates: &str) -> Result<()> {
        // The client takes the provider of the process; one that is there already is as good.
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let any = SslOpts::default().with_disable_built_in_roots(true);
        let options = match mode {
            "false" => return Ok(()),
            "true" => with_roots_of_the_system(any),
            "custom" if certificates.is_empty() => return Err(unreadable("tls=custom needs pemPath")),
            "custom" => any.with_root_certs(vec![read(certificates)?.into()]),
            // Dapr's driver falls back to a connection in the clear, which this one does not.
            "skip-verify" | "preferred" => with_roots_of_the_system(any)
                .with_danger_accept_invalid_certs(true)
                .with_danger_skip_domain_validation(true),
            other => {
                return Err(unreadable(&format!(
                    "tls is '{other}', not true, false, skip-verify, preferred or custom"
                )));
            }
        };
        self.change(|target| target.ssl_opts(options));
        Ok(())
    }
}

fn with_roots_of_the_system(options: SslOpts) -> SslOpts {
    let found = rustls_native_certs::load_native_certs().certs;
    options.with_root_certs(found.into_iter().map(|certificate| certificate.to_vec().into()).collect())
}

fn read(path: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Error::invalid(format!("pemPath {path} cannot be read")).with_source(error))
}

/// A statement that makes a setting of the session. Texts are in quotes already, as Dapr's driver wants it.
fn setting(name: &str, value: &str) -> Result<String> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(unreadable("the name of a setting has other characters than letters, digits and underscores"));
    }
    Ok(format!("SET {name} = {value}"))
}

fn decoded(text: &str) -> Result<String> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| unreadable("a part of it is no text"))?;
    Ok(text.into_owned())
}

fn unreadable(reason: &str) -> Error {
    Error::invalid(format!(
        "the connection string cannot be read: {reason}; its form is user:password@tcp(host:port)/database?name=value"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mysql_async::Opts;

    fn read(text: &str) -> (String, Opts) {
        let target = target(text, "").unwrap();
        (target.name, target.options.into())
    }

    #[test]
    fn strings_of_all_forms() {
        let (name, options) = read("me:a/b@c:d@tcp(db.example:3307)/mine?parseTime=true&sql_mode='ANSI'");
        assert_eq!(name, "db.example:3307");
        assert_eq!((options.user(), options.pass(), options.db_name()), (Some("me"), Some("a/b@c:d"), Some("mine")));
        assert_eq!((options.ip_or_hostname(), options.tcp_port()), ("db.example", 3307));
        assert_eq!(options.setup(), ["SET sql_mode = 'ANSI'"]);
        assert_eq!(read("me@tcp([::1]:1)/").0, "::1:1");
        assert_eq!(read("me@tcp(::1)/").0, "::1:1".replace(":1:1", ":1"), "an address without brackets has no port");
        assert_eq!(read("me@unix(/run/x.sock)/").0, "/run/x.sock");
        assert_eq!(read("/").0, "127.0.0.1:3306");
        assert_eq!(read("me@tcp/").0, "127.0.0.1:3306");
    }

    #[test]
    fn what_cannot_be_read_is_not_told() {
        for text in [
            "secret",
            "a:secret@tcp(x",
            "a:secret@tcp(x:y)/",
            "a:secret@udp(x)/",
            "a:secret@/?tls=x",
            "a:secret@/?a-b=1",
        ] {
            let error = target(text, "").unwrap_err().to_string();
            assert!(error.contains("cannot be read") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn modes_of_tls() {
        let of = |mode: &str| target(&format!("me@tcp(x)/?tls={mode}&timeout=3s"), "").map(|target| target.timeout);
        assert_eq!(of("skip-verify").unwrap(), Some(Duration::from_secs(3)));
        assert!(of("true").is_ok() && of("false").is_ok() && of("custom").is_err());
    }
}
