//! Where sidecars reach this scheduler.
use crate::options::Options;
use std::io;
use std::net::IpAddr;

/// The address that other schedulers and sidecars are told, as host:port; `port` is the one that is listened on.
///
/// # Errors
/// A host without a network.
pub(crate) fn address(options: &Options, port: u16) -> io::Result<String> {
    if let Some(address) = &options.broadcast {
        return Ok(address.clone());
    }
    let host = match options.address.trim() {
        "localhost" => "localhost".to_owned(),
        listen => match listen.parse::<IpAddr>() {
            Ok(ip) if !ip.is_unspecified() => ip.to_string(),
            _ => own()?,
        },
    };
    let is_ipv6 = host.contains(':');
    Ok(if is_ipv6 { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
}

/// The first address of this host that others can reach, or that of itself alone.
fn own() -> io::Result<String> {
    let mut all: Vec<_> = if_addrs::get_if_addrs()?.into_iter().map(|interface| interface.ip()).collect();
    all.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
    let first = all.first().ok_or_else(|| io::Error::other("there is no network interface"))?;
    Ok(first.to_string())
}
