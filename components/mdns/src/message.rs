//! DNS messages as far as multicast DNS of services needs them (RFC 1035, RFC 6762).
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const A: u16 = 1;
pub(crate) const PTR: u16 = 12;
const TXT: u16 = 16;
const AAAA: u16 = 28;
const SRV: u16 = 33;
pub(crate) const ANY: u16 = 255;

const INTERNET: u16 = 1;
/// In a question: answer to me alone. In a record: this is all there is of its kind.
const TOP_BIT: u16 = 0x8000;
/// A response with authority.
const RESPONSE_FLAGS: u16 = 0x8400;
/// More pointers than this in one name are a loop.
const MOST_POINTERS: usize = 16;
const LONGEST_LABEL: usize = 63;
const LONGEST_NAME: usize = 255;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) name: String,
    pub(crate) kind: u16,
    /// The answer is wanted by unicast.
    pub(crate) unicast: bool,
}

/// What a record says of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    Pointer(String),
    Service { port: u16, host: String },
    Text(Vec<Vec<u8>>),
    Address(IpAddr),
    Other,
}

/// A record. Names are absolute, with the dot at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) ttl: u32,
    pub(crate) data: Data,
}

/// A message; the sections of records are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) response: bool,
    pub(crate) questions: Vec<Question>,
    pub(crate) records: Vec<Record>,
}

impl Message {
    /// A question for pointers to the instances of a service.
    pub(crate) fn query(name: String) -> Self {
        let question = Question { name, kind: PTR, unicast: false };
        Self { response: false, questions: vec![question], records: Vec::new() }
    }

    /// An answer: the first record answers, the others are additional.
    pub(crate) fn answer(records: Vec<Record>) -> Self {
        Self { response: true, questions: Vec::new(), records }
    }

    /// The bytes to send; none when a name cannot be written.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let flags = if self.response { RESPONSE_FLAGS } else { 0 };
        let answers = self.records.len().min(1);
        let counts = [self.questions.len(), answers, 0, self.records.len() - answers];
        let mut out = Vec::with_capacity(512);
        put(&mut out, 0);
        put(&mut out, flags);
        for count in counts {
            put(&mut out, u16::try_from(count).ok()?);
        }
        for question in &self.questions {
            put_name(&mut out, &question.name)?;
            put(&mut out, question.kind);
            put(&mut out, if question.unicast { INTERNET | TOP_BIT } else { INTERNET });
        }
        for record in &self.records {
            put_record(&mut out, record)?;
        }
        Some(out)
    }

    /// Reads a message; none when it is malformed.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader { bytes, at: 2 };
        let response = reader.number()? & TOP_BIT != 0;
        let questions = reader.number()?;
        let records = (0..3).try_fold(0u32, |sum, _| Some(sum + u32::from(reader.number()?)))?;
        let questions = (0..questions).map(|_| reader.question()).collect::<Option<_>>()?;
        let records = (0..records).map(|_| reader.record()).collect::<Option<_>>()?;
        Some(Self { response, questions, records })
    }
}

fn put(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_be_bytes());
}

fn put_name(out: &mut Vec<u8>, name: &str) -> Option<()> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    for label in labels {
        let length = u8::try_from(label.len()).ok().filter(|length| usize::from(*length) <= LONGEST_LABEL)?;
        out.push(length);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    (name.len() <= LONGEST_NAME).then_some(())
}

fn put_record(out: &mut Vec<u8>, record: &Record) -> Option<()> {
    let mut data = Vec::new();
    put_data(&mut data, &record.data)?;
    put_name(out, &record.name)?;
    put(out, record.data.kind());
    put(out, record.data.class());
    out.extend_from_slice(&record.ttl.to_be_bytes());
    put(out, u16::try_from(data.len()).ok()?);
    out.extend_from_slice(&data);
    Some(())
}

fn put_data(out: &mut Vec<u8>, data: &Data) -> Option<()> {
    match data {
        Data::Pointer(name) => put_name(out, name)?,
        Data::Service { port, host } => {
            [0, 0, *port].into_iter().for_each(|number| put(out, number));
            put_name(out, host)?;
        }
        Data::Text(texts) => {
            for text in texts {
                out.push(u8::try_from(text.len()).ok()?);
                out.extend_from_slice(text);
            }
        }
        Data::Address(IpAddr::V4(address)) => out.extend_from_slice(&address.octets()),
        Data::Address(IpAddr::V6(address)) => out.extend_from_slice(&address.octets()),
        Data::Other => {}
    }
    Some(())
}

impl Data {
    fn kind(&self) -> u16 {
        match self {
            Self::Pointer(_) => PTR,
            Self::Service { .. } => SRV,
            Self::Text(_) => TXT,
            Self::Address(IpAddr::V4(_)) => A,
            Self::Address(IpAddr::V6(_)) => AAAA,
            Self::Other => 0,
        }
    }

    /// Pointers are shared by all instances of a service, the rest belongs to one.
    fn class(&self) -> u16 {
        if matches!(self, Self::Pointer(_)) { INTERNET } else { INTERNET | TOP_BIT }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn question(&mut self) -> Option<Question> {
        let name = self.name()?;
        let kind = self.number()?;
        Some(Question { name, kind, unicast: self.number()? & TOP_BIT != 0 })
    }

    fn record(&mut self) -> Option<Record> {
        let name = self.name()?;
        let kind = self.number()?;
        self.number()?;
        let ttl = self.array().map(u32::from_be_bytes)?;
        let length = usize::from(self.number()?);
        let end = self.at.checked_add(length)?;
        let data = self.data(kind, end)?;
        self.at = end;
        (end <= self.bytes.len()).then_some(Record { name, ttl, data })
    }

    fn data(&mut self, kind: u16, end: usize) -> Option<Data> {
        match kind {
            PTR => self.name().map(Data::Pointer),
            SRV => {
                self.take(4)?;
                let port = self.number()?;
                self.name().map(|host| Data::Service { port, host })
            }
            TXT => self.texts(end).map(Data::Text),
            A => self.array().map(|octets: [u8; 4]| Data::Address(Ipv4Addr::from(octets).into())),
            AAAA => self.array().map(|octets: [u8; 16]| Data::Address(Ipv6Addr::from(octets).into())),
            _ => Some(Data::Other),
        }
    }

    fn texts(&mut self, end: usize) -> Option<Vec<Vec<u8>>> {
        let mut texts = Vec::new();
        while self.at < end {
            let [length] = self.array()?;
            texts.push(self.take(usize::from(length))?.to_vec());
        }
        Some(texts)
    }

    /// A name, following pointers to earlier parts of the message.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let (mut back, mut pointers) = (None, 0);
        loop {
            let [length] = self.array()?;
            match length {
                0 => break,
                1..=63 => {
                    name.push_str(&String::from_utf8_lossy(self.take(usize::from(length))?));
                    name.push('.');
                }
                192.. => {
                    let [low] = self.array()?;
                    back = back.or(Some(self.at));
                    self.at = usize::from(length & 0x3f) << 8 | usize::from(low);
                    pointers += 1;
                }
                _ => return None,
            }
            if pointers > MOST_POINTERS || name.len() > LONGEST_NAME * 3 {
                return None;
            }
        }
        self.at = back.unwrap_or(self.at);
        Some(name)
    }
}
