//! `--wait`: returns when the sidecar on this host can be called.
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const AT_MOST: Duration = Duration::from_secs(60);
const ONE_TRY: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(100);

/// Waits a minute at most; like Dapr it then ends as if all were well.
pub(crate) async fn until_outbound_ready(port: &str) -> ExitCode {
    let url = format!("http://localhost:{port}/v1.0/healthz/outbound");
    say(&format!("Waiting for Dapr to be outbound ready (timeout: 60 seconds): url={url}"));
    let ready = async {
        while !matches!(timeout(ONE_TRY, is_ready(port)).await, Ok(Ok(true))) {
            sleep(PAUSE).await;
        }
    };
    match timeout(AT_MOST, ready).await {
        Ok(()) => say("Dapr is outbound ready!"),
        Err(_) => say("timeout waiting for Dapr to become outbound ready; check that it runs and uses this port"),
    }
    ExitCode::SUCCESS
}

async fn is_ready(port: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(format!("localhost:{port}")).await?;
    stream.write_all(b"GET /v1.0/healthz/outbound HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    Ok(status.starts_with(b"HTTP/1.1 2"))
}

fn say(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).ok();
}
