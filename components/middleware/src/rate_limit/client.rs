//! Who sent a request, as far as a limit of rates goes.
use component_api::middleware::{ClientAddress, Request};
use http::{HeaderMap, HeaderValue};
use std::net::{IpAddr, Ipv6Addr};

const FORWARDED_FOR: &str = "x-forwarded-for";
const REAL_IP: &str = "x-real-ip";
const NOBODY: HeaderValue = HeaderValue::from_static("0.0.0.0");

/// The sender of a request.
pub(super) struct Client {
    /// What its requests are counted by: its address, or the network of one of IPv6.
    pub(super) key: String,
    /// Address and port of the connection; empty for requests of this sidecar itself.
    pub(super) address: String,
    pub(super) forwarded_for: Option<HeaderValue>,
}

impl Client {
    /// Proxies are believed. A request that nobody is known to have sent is marked so, as Dapr does it.
    pub(super) fn of(request: &mut Request) -> Self {
        let address = request.extensions().get::<ClientAddress>().map(|address| address.0);
        let headers = request.headers();
        let key = last(headers, FORWARDED_FOR).or_else(|| last(headers, REAL_IP));
        let key = key.or_else(|| address.map(|address| address.ip().to_string())).unwrap_or_default();
        if key.is_empty() {
            request.headers_mut().insert(FORWARDED_FOR, NOBODY);
        }
        Self {
            key: network(&key),
            address: address.map(|address| address.to_string()).unwrap_or_default(),
            forwarded_for: request.headers().get(FORWARDED_FOR).filter(|value| !value.is_empty()).cloned(),
        }
    }
}

/// The last address of a list.
fn last(headers: &HeaderMap, name: &str) -> Option<String> {
    let list = headers.get(name)?.to_str().ok()?;
    let address = list.rsplit(',').next()?.trim();
    (!list.trim().is_empty()).then(|| address.to_owned())
}

/// Who has an IPv6 address mostly has its whole network.
fn network(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).to_string(),
        },
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_are_one_client() {
        for (address, key) in
            [("1.2.3.4", "1.2.3.4"), ("2001:db8::1:2:3:4", "2001:db8::"), ("::ffff:1.2.3.4", "1.2.3.4"), ("me", "me")]
        {
            assert_eq!(network(address), key);
        }
    }

    #[test]
    fn the_nearest_proxy_is_believed() {
        let mut request = Request::default();
        let headers = request.headers_mut();
        headers.insert(FORWARDED_FOR, HeaderValue::from_static("1.1.1.1, 2.2.2.2"));
        headers.insert(REAL_IP, HeaderValue::from_static("3.3.3.3"));
        request.extensions_mut().insert(ClientAddress("4.4.4.4:80".parse().unwrap()));
        assert_eq!(Client::of(&mut request).key, "2.2.2.2");
        request.headers_mut().remove(FORWARDED_FOR);
        assert_eq!(Client::of(&mut request).key, "3.3.3.3");
        request.headers_mut().remove(REAL_IP);
        let client = Client::of(&mut request);
        assert_eq!((client.key.as_str(), client.address.as_str()), ("4.4.4.4", "4.4.4.4:80"));
        assert!(client.forwarded_for.is_none());
    }

    #[test]
    fn an_unknown_client_is_marked() {
        let mut request = Request::default();
        Client::of(&mut request);
        assert_eq!(request.headers()[FORWARDED_FOR], "0.0.0.0");
    }
}
