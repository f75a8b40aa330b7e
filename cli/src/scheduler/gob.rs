//! As much of Go's gob encoding as a file of jobs needs (<https://pkg.go.dev/encoding/gob>): a struct of maps from texts to bytes.
use anyhow::{Context as _, bail, ensure};
use std::collections::BTreeMap;

/// Records by key.
pub(super) type Records = BTreeMap<String, Vec<u8>>;

/// Definitions of the struct `ExportFile {Jobs, Counters map[string][]byte}` and of its map, as Go writes them.
const DEFINITIONS: &[u8] = b"\x2f\x7f\x03\x01\x01\x0aExportFile\x01\xff\x80\x00\x01\x02\x01\x04Jobs\x01\xff\x82\x00\x01\x08Counters\x01\xff\x82\x00\x00\x00\
    \x22\xff\x81\x04\x01\x01\x12map[string][]uint8\x01\xff\x82\x00\x01\x0c\x01\x0a\x00\x00";
/// The id of the struct there, and the number of its two fields.
const STRUCT: i64 = 64;
/// Builtin types.
const BYTES: i64 = 5;
const TEXT: i64 = 6;

/// Writes both maps.
pub(super) fn encode(jobs: &Records, counters: &Records) -> Vec<u8> {
    let mut value = Vec::new();
    put_int(&mut value, STRUCT);
    for map in [jobs, counters] {
        put_uint(&mut value, 1);
        put_uint(&mut value, map.len() as u64);
        for (key, bytes) in map {
            put_bytes(&mut value, key.as_bytes());
            put_bytes(&mut value, bytes);
        }
    }
    put_uint(&mut value, 0);
    let mut file = DEFINITIONS.to_vec();
    put_bytes(&mut file, &value);
    file
}

/// Reads a struct of maps: the maps by the names of their fields.
///
/// # Errors
/// The file is something else, or damaged.
pub(super) fn decode(file: &[u8]) -> anyhow::Result<BTreeMap<String, Records>> {
    let (mut rest, mut types) = (Reader(file), Types::default());
    while !rest.0.is_empty() {
        let length = rest.length()?;
        let mut message = Reader(rest.take(length)?);
        match message.int()? {
            id if id < 0 => types.define(id.checked_neg().context("a type has no id")?, &mut message)?,
            id => return types.structs.get(&id).context("a value has no type")?.read(&types, &mut message),
        }
    }
    bail!("there is no value in it")
}

#[derive(Default)]
struct Types {
    structs: BTreeMap<i64, Struct>,
    /// Maps from texts to bytes.
    maps: Vec<i64>,
}

/// Names and types of the fields.
struct Struct(Vec<(String, i64)>);

impl Types {
    /// Reads a definition: field 2 is a struct and field 3 a map. Others are none of ours.
    fn define(&mut self, id: i64, message: &mut Reader<'_>) -> anyhow::Result<()> {
        match message.uint()? {
            3 => {
                let found = Struct::define(message)?;
                self.structs.insert(id, found);
            }
            4 if map_is_ours(message)? => self.maps.push(id),
            _ => {}
        }
        Ok(())
    }
}

impl Struct {
    fn define(message: &mut Reader<'_>) -> anyhow::Result<Self> {
        let mut fields = Vec::new();
        let mut number = 0;
        while let Some(field) = message.field(&mut number)? {
            match field {
                1 => message.common()?,
                _ => {
                    for _ in 0..message.length()? {
                        fields.push(message.named()?);
                    }
                }
            }
        }
        Ok(Self(fields))
    }

    fn read(&self, types: &Types, message: &mut Reader<'_>) -> anyhow::Result<BTreeMap<String, Records>> {
        let (mut maps, mut number) = (BTreeMap::new(), 0);
        while let Some(field) = message.field(&mut number)? {
            let (name, kind) = self.0.get(field - 1).context("a value has an unknown field")?;
            ensure!(types.maps.contains(kind), "its field {name} is no map of records");
            maps.insert(name.clone(), message.records()?);
        }
        Ok(maps)
    }
}

/// Reads the definition of a map: its name and id, its types of keys and of values.
fn map_is_ours(message: &mut Reader<'_>) -> anyhow::Result<bool> {
    let (mut number, mut key, mut value) = (0, 0, 0);
    while let Some(field) = message.field(&mut number)? {
        match field {
            1 => message.common()?,
            2 => key = message.int()?,
            _ => value = message.int()?,
        }
    }
    Ok((key, value) == (TEXT, BYTES))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> anyhow::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).context("it ends too early")?;
        self.0 = rest;
        Ok(taken)
    }

    /// Small numbers are a byte; before others stands the negative count of their bytes.
    fn uint(&mut self) -> anyhow::Result<u64> {
        let first = self.take(1)?[0];
        if first < 128 {
            return Ok(first.into());
        }
        let length = usize::from(first.wrapping_neg());
        ensure!(length <= 8, "a number in it is too long");
        Ok(self.take(length)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The sign is the last bit.
    #[allow(clippy::cast_possible_wrap)] // The bit that would wrap has been shifted out.
    fn int(&mut self) -> anyhow::Result<i64> {
        let number = self.uint()?;
        Ok(if number & 1 == 0 { (number >> 1) as i64 } else { !((number >> 1) as i64) })
    }

    fn length(&mut self) -> anyhow::Result<usize> {
        let length = usize::try_from(self.uint()?).ok().filter(|length| *length <= self.0.len());
        length.context("it ends too early")
    }

    fn bytes(&mut self) -> anyhow::Result<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    fn text(&mut self) -> anyhow::Result<String> {
        let bytes = self.bytes()?.to_vec();
        String::from_utf8(bytes).context("a text in it is no UTF-8")
    }

    /// The number of the next field of a struct, from 1 on; none at its end.
    fn field(&mut self, number: &mut usize) -> anyhow::Result<Option<usize>> {
        let step = usize::try_from(self.uint()?).ok().filter(|step| *step < 64).context("a field in it is unknown")?;
        *number += step;
        Ok((step > 0).then_some(*number))
    }

    /// The name and the id of a type, which say nothing new.
    fn common(&mut self) -> anyhow::Result<()> {
        self.named().map(drop)
    }

    fn named(&mut self) -> anyhow::Result<(String, i64)> {
        let (mut name, mut id, mut number) = (String::new(), 0, 0);
        while let Some(field) = self.field(&mut number)? {
            match field {
                1 => name = self.text()?,
                _ => id = self.int()?,
            }
        }
        Ok((name, id))
    }

    fn records(&mut self) -> anyhow::Result<Records> {
        (0..self.length()?).map(|_| Ok((self.text()?, self.bytes()?.to_vec()))).collect()
    }
}

fn put_uint(to: &mut Vec<u8>, number: u64) {
    if number < 128 {
        to.push(number.to_le_bytes()[0]);
        return;
    }
    let length = 8 - number.leading_zeros() as usize / 8;
    to.push((length as u8).wrapping_neg());
    to.extend_from_slice(&number.to_be_bytes()[8 - length..]);
}

fn put_int(to: &mut Vec<u8>, number: i64) {
    let (bits, sign) = if number < 0 { (!number, 1) } else { (number, 0) };
    put_uint(to, bits.unsigned_abs() << 1 | sign);
}

fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    put_uint(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by Go 1.24: a job of three bytes, and a map without counters.
    const BY_GO: &str = "2f7f0301010a4578706f727446696c6501ff8000010201044a6f627301ff82000108436f756e7465727301ff8200000022ff81040101126d61705b737472696e675d5b5d75696e743801ff8200010c010a00000dff800101016b030102c8010000";
    /// A job of 300 bytes, and an empty counter.
    const LONGER: &str = "2f7f0301010a4578706f727446696c6501ff8000010201044a6f627301ff82000108436f756e7465727301ff8200000022ff81040101126d61705b737472696e675d5b5d75696e743801ff8200010c010a0000fe013bff8001010161fe012c";

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn records(all: &[(&str, &[u8])]) -> Records {
        all.iter().map(|(key, bytes)| ((*key).to_owned(), bytes.to_vec())).collect()
    }

    #[test]
    fn files_are_those_of_go() {
        let jobs = records(&[("k", &[1, 2, 200])]);
        assert_eq!(encode(&jobs, &Records::new()), bytes(BY_GO));
        let read = decode(&bytes(BY_GO)).unwrap();
        assert_eq!(read, [("Jobs".to_owned(), jobs), ("Counters".to_owned(), Records::new())].into());
        let longer = [bytes(LONGER), vec![7; 300], b"\x01\x01\x01c\x00\x00".to_vec()].concat();
        let (jobs, counters) = (records(&[("a", &[7; 300])]), records(&[("c", &[])]));
        assert_eq!(encode(&jobs, &counters), longer);
        assert_eq!(decode(&longer).unwrap(), [("Jobs".to_owned(), jobs), ("Counters".to_owned(), counters)].into());
    }

    #[test]
    fn what_is_cut_off_is_refused_and_nothing_else_happens() {
        let whole = bytes(BY_GO);
        for length in 0..whole.len() {
            assert!(decode(&whole[..length]).is_err(), "{length}");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xff;
            decode(&damaged).ok();
        }
    }
}
