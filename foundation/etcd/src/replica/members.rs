//! The members of a replicated store, as `--etcd-initial-cluster` lists them.
use std::net::IpAddr;

/// All members in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    all: Vec<Member>,
    own: usize,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    /// `host:port` where the others reach it.
    pub address: String,
    /// Of its name: it stays the same when others come and go.
    pub id: u64,
}

impl Members {
    /// Reads `name=http://host:port` of each; nothing when one is none, a name comes twice, or `own` is not among them.
    pub fn parse<'a>(members: impl IntoIterator<Item = &'a str>, own: &str) -> Option<Self> {
        let mut all = members.into_iter().map(member).collect::<Option<Vec<_>>>()?;
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let is_twice = all.windows(2).any(|two| two[0].name == two[1].name);
        let own = all.iter().position(|member| member.name == own).filter(|_| !is_twice)?;
        Some(Self { all, own })
    }

    pub fn own(&self) -> &Member {
        &self.all[self.own]
    }

    pub fn all(&self) -> &[Member] {
        &self.all
    }

    /// All but the own one.
    pub fn others(&self) -> impl Iterator<Item = &Member> {
        let own = self.own;
        self.all.iter().enumerate().filter(move |(place, _)| *place != own).map(|(_, member)| member)
    }

    /// Where the own one is to listen: on its own address if that is one, else on all.
    pub fn listens_on(&self) -> (&str, u16) {
        let (host, port) = self.own().address.rsplit_once(':').unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_address = bare == "localhost" || bare.parse::<IpAddr>().is_ok();
        (if is_address { bare } else { "" }, port.parse().unwrap_or_default())
    }

    pub(crate) fn name(&self, id: u64) -> &str {
        self.all.iter().find(|member| member.id == id).map_or("an unknown member", |member| &member.name)
    }

    /// Who the cluster is: its members' names.
    pub(crate) fn cluster(&self) -> u64 {
        let names: Vec<_> = self.all.iter().map(|member| member.name.as_str()).collect();
        fingerprint(names.join(",").as_bytes())
    }
}

fn member(text: &str) -> Option<Member> {
    let (name, url) = text.trim().split_once('=')?;
    let address = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?.trim_end_matches('/');
    address.rsplit_once(':')?.1.parse::<u16>().ok()?;
    Some(Member { name: name.to_owned(), address: address.to_owned(), id: fingerprint(name.as_bytes()) })
}

/// FNV-1a of 64 bits: it is written to files, and must never change.
fn fingerprint(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, own: &str) -> Option<Members> {
        Members::parse(text.split(','), own)
    }

    #[test]
    fn members_are_read_in_any_order() {
        let members = parse("b=http://localhost:2,a=https://a.example:1", "b").unwrap();
        assert_eq!((members.own().name.as_str(), members.listens_on()), ("b", ("localhost", 2)));
        let other = parse("a=http://10.0.0.1:1,b=http://localhost:2", "a").unwrap();
        assert_eq!((members.cluster(), members.own().id), (other.cluster(), other.all()[1].id));
        assert_eq!(parse("a=https://a.example:1/", "a").unwrap().listens_on(), ("", 1));
        assert_eq!(members.others().map(|member| member.address.as_str()).collect::<Vec<_>>(), ["a.example:1"]);
    }

    #[test]
    fn fingerprints_never_change() {
        assert_eq!(fingerprint(b"a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn what_is_no_cluster_is_refused() {
        for text in ["", "a", "a=x:1", "a=http://x", "b=http://x:1", "a=http://x:1,a=http://y:1"] {
            assert_eq!(parse(text, "a"), None, "{text}");
        }
    }
}
