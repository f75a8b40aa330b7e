//! The few protobuf primitives of the messages that sidecars exchange, without a struct in between.
use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::encoding::{decode_varint, encode_varint, encoded_len_varint};

/// Bytes that are not the protobuf message they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed protobuf message: {0}")]
pub struct Malformed(&'static str);

/// Value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Number(u64),
    Bytes(Bytes),
}

impl Value {
    /// The number; 0 for another kind of value.
    pub(crate) fn number(&self) -> u64 {
        match self {
            Self::Number(number) => *number,
            Self::Bytes(_) => 0,
        }
    }

    /// The bytes; empty for another kind of value.
    pub(crate) fn bytes(self) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(_) => Bytes::new(),
        }
    }

    /// The text, with replacement characters where it is not UTF-8.
    pub(crate) fn text(self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

/// The fields of a message, in the order of the wire. Values share the message's memory.
pub(crate) struct Fields(pub(crate) Bytes);

impl Iterator for Fields {
    type Item = Result<(u32, Value), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0.clear();
        }
        Some(field)
    }
}

impl Fields {
    fn field(&mut self) -> Result<(u32, Value), Malformed> {
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).map_err(|_| Malformed("field number"))?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => Value::Bytes(self.take(8)?),
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Bytes(self.take(4)?),
            _ => return Err(Malformed("wire type")),
        };
        Ok((number, value))
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        decode_varint(&mut self.0).map_err(|_| Malformed("varint"))
    }

    fn take(&mut self, length: u64) -> Result<Bytes, Malformed> {
        let length = usize::try_from(length).map_err(|_| Malformed("length"))?;
        if length > self.0.remaining() {
            return Err(Malformed("length"));
        }
        Ok(self.0.split_to(length))
    }
}

/// Writes a number; 0 is left out, as proto3 does.
pub(crate) fn put_number(out: &mut BytesMut, field: u32, number: u64) {
    if number != 0 {
        encode_varint(u64::from(field) << 3, out);
        encode_varint(number, out);
    }
}

/// Writes bytes or text; empty ones are left out, as proto3 does.
pub(crate) fn put_bytes(out: &mut BytesMut, field: u32, bytes: &[u8]) {
    if !bytes.is_empty() {
        put_element(out, field, bytes);
    }
}

/// Writes one element of a repeated field, empty or not.
pub(crate) fn put_element(out: &mut BytesMut, field: u32, bytes: &[u8]) {
    put_length(out, field, bytes.len());
    out.put_slice(bytes);
}

/// Writes the key and length of a value of bytes that follows.
pub(crate) fn put_length(out: &mut BytesMut, field: u32, length: usize) {
    encode_varint((u64::from(field) << 3) | 2, out);
    encode_varint(length as u64, out);
}

/// Writes a message inside the message; its length is put in front once it is known.
pub(crate) fn put_message(out: &mut BytesMut, field: u32, write: impl FnOnce(&mut BytesMut)) {
    encode_varint((u64::from(field) << 3) | 2, out);
    let start = out.len();
    write(out);
    let length = out.len() - start;
    let width = encoded_len_varint(length as u64);
    out.put_bytes(0, width);
    out.copy_within(start..start + length, start + width);
    encode_varint(length as u64, &mut &mut out[start..start + width]);
}
