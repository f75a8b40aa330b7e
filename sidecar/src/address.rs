//! Where other sidecars find this one.
use crate::options::Environment;
use std::net::{IpAddr, UdpSocket};
use tokio::net::TcpListener;

const FIRST_PORT: u16 = 47300;
/// Addresses for documentation: no packet is sent there, but the kernel says which of its own addresses it would use.
const ELSEWHERE: [(&str, &str); 2] = [("0.0.0.0:0", "192.0.2.1:80"), ("[::]:0", "[2001:db8::1]:80")];
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// The address of this host: `DAPR_HOST_IP`, else the one that the kernel prefers.
pub(crate) fn of_host(environment: &Environment) -> String {
    let given = environment.filled("DAPR_HOST_IP").map(str::to_owned);
    let found = || ELSEWHERE.iter().find_map(|(own, other)| preferred(own, other)).map(|address| address.to_string());
    given.or_else(found).unwrap_or_else(|| "127.0.0.1".to_owned())
}

/// The address to tell others: one that is listened on alone wins over that of the host.
pub(crate) fn advertised(listened_on: &str, environment: &Environment) -> String {
    if LOOPBACK.contains(&listened_on) { listened_on.to_owned() } else { of_host(environment) }
}

/// Name of this host.
pub(crate) fn host_name(environment: &Environment) -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let given = || environment.filled("HOSTNAME").map(str::to_owned);
    kernel.map(|name| name.trim().to_owned()).or_else(given).unwrap_or_default()
}

/// A port that stays the same for an app when it starts again, if it is free.
pub(crate) async fn stable_port(app_id: &str, environment: &Environment) -> u16 {
    let folder = std::env::current_dir().unwrap_or_default();
    let user = environment.get("USER").unwrap_or_default();
    let text = format!("{app_id}|{}|{user}|{}", folder.display(), host_name(environment));
    let port = FIRST_PORT + u16::try_from(hash(&text) % u64::from(u16::MAX - FIRST_PORT)).unwrap_or_default();
    let free = TcpListener::bind(("localhost", port)).await.is_ok();
    if free { port } else { 0 }
}

/// FNV-1a, which gives the same number in every build.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn preferred(own: &str, other: &str) -> Option<IpAddr> {
    let socket = UdpSocket::bind(own).ok()?;
    socket.connect(other).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_unspecified())
}
