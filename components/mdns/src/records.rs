//! The records that make an app known, and what is read from those of others (protocols.md 6.6).
use crate::message::{ANY, Data, Message, PTR, Question, Record};
use std::net::{IpAddr, SocketAddr};

const SERVICE_TTL: u32 = 3200;
const ADDRESS_TTL: u32 = 120;

/// An app at one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) app_id: String,
    /// Distinguishes sidecars of the same app: `<hostname>:<process id>`.
    pub(crate) instance: String,
    pub(crate) host_name: String,
    pub(crate) address: SocketAddr,
}

/// An app as found in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) app_id: String,
    pub(crate) address: SocketAddr,
    /// It says goodbye.
    pub(crate) gone: bool,
}

/// The name under which an app's instances are asked for.
pub(crate) fn service_name(app_id: &str) -> String {
    format!("{app_id}.local.")
}

impl Service {
    /// Whether a question is answered by [`Service::announcement`].
    pub(crate) fn answers(&self, question: &Question) -> bool {
        let is = |name: &str| question.name.eq_ignore_ascii_case(name);
        match question.kind {
            PTR => is(&service_name(&self.app_id)),
            ANY => is(&service_name(&self.app_id)) || is(&self.name()),
            _ => is(&self.name()),
        }
    }

    /// All records: Go's resolver wants them in one message.
    pub(crate) fn announcement(&self) -> Message {
        self.records(SERVICE_TTL, ADDRESS_TTL)
    }

    /// Tells others to forget the app.
    pub(crate) fn goodbye(&self) -> Message {
        self.records(0, 0)
    }

    fn records(&self, service_ttl: u32, address_ttl: u32) -> Message {
        let host = format!("{}.local.", self.host_name.trim_end_matches('.'));
        let service = Data::Service { port: self.address.port(), host: host.clone() };
        let text = Data::Text(vec![self.app_id.clone().into_bytes()]);
        Message::answer(vec![
            Record { name: service_name(&self.app_id), ttl: service_ttl, data: Data::Pointer(self.name()) },
            Record { name: self.name(), ttl: service_ttl, data: service },
            Record { name: self.name(), ttl: service_ttl, data: text },
            Record { name: host, ttl: address_ttl, data: Data::Address(self.address.ip()) },
        ])
    }

    fn name(&self) -> String {
        format!("{}.{}", self.instance, service_name(&self.app_id))
    }
}

/// The apps that a message names with text, port and address; an IPv4 address is preferred.
pub(crate) fn found(message: &Message) -> Vec<Found> {
    let services = message.records.iter().filter_map(|record| match &record.data {
        Data::Service { port, host } => Some((record, *port, host)),
        _ => None,
    });
    let read = |(record, port, host): (&Record, u16, &String)| {
        let app_id = text_of(message, &record.name)?;
        let address = SocketAddr::new(address_of(message, host)?, port);
        Some(Found { app_id, address, gone: record.ttl == 0 })
    };
    services.filter_map(read).collect()
}

fn text_of(message: &Message, name: &str) -> Option<String> {
    let texts = message.records.iter().filter(|record| record.name == name);
    texts
        .filter_map(|record| if let Data::Text(texts) = &record.data { texts.first() } else { None })
        .find_map(|text| String::from_utf8(text.clone()).ok())
}

fn address_of(message: &Message, host: &str) -> Option<IpAddr> {
    let records = message.records.iter().filter(|record| record.name.eq_ignore_ascii_case(host));
    let addresses =
        records.filter_map(|record| if let Data::Address(address) = record.data { Some(address) } else { None });
    addresses.min_by_key(IpAddr::is_ipv6)
}
