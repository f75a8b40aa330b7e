//! How a RabbitMQ server is started.
use super::{PATIENCE, Program, free_port, variable};
use crate::certificates::Certificates;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

/// A server that keeps all of its files in the folder.
pub(super) async fn prepare(port: u16, folder: &str) -> Program {
    started(port, folder, &[format!("listeners.tcp.1 = 127.0.0.1:{port}")], "[].").await
}

/// The same over TLS. The user `trilby` is who has a certificate with that name.
pub(super) async fn prepare_with_tls(port: u16, folder: &str, certificates: &Certificates) -> Program {
    let lines = [
        "listeners.tcp = none".to_owned(),
        format!("listeners.ssl.1 = 127.0.0.1:{port}"),
        format!("ssl_options.cacertfile = {}", certificates.path("authority.pem")),
        format!("ssl_options.certfile = {}", certificates.path("server.pem")),
        format!("ssl_options.keyfile = {}", certificates.path("server.key")),
        "ssl_options.verify = verify_peer".to_owned(),
        "ssl_options.fail_if_no_peer_cert = true".to_owned(),
        "ssl_cert_login_from = common_name".to_owned(),
        "auth_mechanisms.1 = EXTERNAL".to_owned(),
        "auth_mechanisms.2 = PLAIN".to_owned(),
        "default_user = trilby".to_owned(),
        "default_pass = secret".to_owned(),
    ];
    started(port, folder, &lines, "[rabbitmq_auth_mechanism_ssl].").await
}

async fn started(port: u16, folder: &str, configuration: &[String], plugins: &str) -> Program {
    let path = variable("TRILBY_TEST_RABBITMQ").unwrap_or_else(|| "/usr/lib/rabbitmq/bin/rabbitmq-server".to_owned());
    let names = free_port();
    let file = |name: &str| format!("{folder}/{name}");
    let environment = [
        ("HOME", folder.to_owned()),
        ("ERL_EPMD_PORT", names.to_string()),
        // The script becomes the server, so that a signal to it is one to the server.
        ("RUNNING_UNDER_SYSTEMD", "1".to_owned()),
        ("RABBITMQ_NODENAME", format!("trilby{port}@localhost")),
        ("RABBITMQ_DIST_PORT", free_port().to_string()),
        ("RABBITMQ_MNESIA_BASE", file("data")),
        ("RABBITMQ_LOG_BASE", file("log")),
        ("RABBITMQ_LOGS", file("log/log")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", file("plugins")),
        ("RABBITMQ_CONFIG_FILE", file("configuration")),
        ("RABBITMQ_CONF_ENV_FILE", file("environment")),
        ("RABBITMQ_PID_FILE", file("pid")),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value)).to_vec();
    write(&file("configuration.conf"), &configuration.join("\n"));
    write(&file("plugins"), plugins);
    let _companion = Some(name_service(names).await);
    Program { environment, _companion, ..Program::new(path, Vec::new(), "-KILL") }
}

/// Erlang's name service. Without one, the server would start one that outlives it.
async fn name_service(port: u16) -> Child {
    let arguments = ["-port", &port.to_string(), "-address", "127.0.0.1"];
    let mut command = Command::new("epmd");
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let child = command.spawn().expect("epmd runs");
    let start = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
        assert!(start.elapsed() < PATIENCE, "epmd does not listen");
        sleep(Duration::from_millis(10)).await;
    }
    child
}

fn write(path: &str, text: &str) {
    std::fs::write(path, text).expect("write the configuration");
}
