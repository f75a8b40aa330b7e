//! Free ports, each handed out once.
use anyhow::{Context as _, bail};
use std::net::{Ipv4Addr, TcpListener};

/// Picks ports. Those picked stay taken until this is dropped, so that no two are the same.
#[derive(Debug, Default)]
pub(crate) struct Ports(Vec<TcpListener>);

impl Ports {
    /// The port that was asked for, or any free one if none was (nothing, 0 or below).
    ///
    /// # Errors
    /// The port is taken or is none.
    pub(crate) fn pick(&mut self, flag: &str, wanted: Option<i64>) -> anyhow::Result<u16> {
        let Some(wanted) = wanted.filter(|port| *port > 0) else { return self.free() };
        let Ok(port) = u16::try_from(wanted) else { bail!("invalid --{flag}: {wanted} is no port") };
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port));
        self.0.push(listener.with_context(|| format!("invalid --{flag}: port {port} is not available"))?);
        Ok(port)
    }

    fn free(&mut self) -> anyhow::Result<u16> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).context("there is no free port")?;
        let port = listener.local_addr()?.port();
        self.0.push(listener);
        Ok(port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_taken_ones_are_refused() {
        let mut ports = Ports::default();
        let (one, other) = (ports.pick("a", None).unwrap(), ports.pick("a", Some(-1)).unwrap());
        assert_ne!(one, other);
        let error = ports.pick("dapr-http-port", Some(one.into())).unwrap_err();
        assert!(error.to_string().contains("--dapr-http-port"), "{error}");
        drop(ports);
        assert_eq!(Ports::default().pick("a", Some(one.into())).unwrap(), one);
    }
}
