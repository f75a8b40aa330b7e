//! Values of messages: as they are, or in Avro with a schema of a registry.
//!
//! In Avro a value is a zero byte, the number of its schema as four bytes, and the binary form.
use crate::avro::Json;
use crate::metadata::SchemaMetadata;
use crate::registry::Registry;
use bytes::{BufMut, Bytes, BytesMut};
use component_api::{Error, Metadata as Pairs, Result, metadata_value};

/// Bytes before a value in Avro.
const HEAD: usize = 5;
/// The value of a message that only says that its key is gone.
const GONE: &[u8] = b"null";

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SchemaType {
    None,
    Avro,
}

/// Makes values from data, and data from values.
#[derive(Debug)]
pub(crate) struct Values {
    registry: Option<Registry>,
    json: Json,
}

impl SchemaType {
    /// The type that a request asks for.
    ///
    /// # Errors
    /// There is no such type.
    pub(crate) fn of(metadata: &Pairs) -> Result<Self> {
        let Some(text) = metadata_value(metadata, "valueSchemaType") else { return Ok(Self::None) };
        match text.to_lowercase().as_str() {
            "avro" => Ok(Self::Avro),
            "none" => Ok(Self::None),
            _ => Err(Error::invalid(format!("error parsing schema type. '{text}' is not a supported value"))),
        }
    }
}

impl Values {
    /// # Errors
    /// Metadata that cannot be used.
    pub(crate) fn new(metadata: &SchemaMetadata) -> Result<Self> {
        let json = if metadata.use_avro_json { Json::Tagged } else { Json::Plain };
        Ok(Self { registry: Registry::new(metadata)?, json })
    }

    /// The value of a message with that data; none for one that says that its key is gone.
    ///
    /// # Errors
    /// The data do not fit the schema, or it cannot be had.
    pub(crate) async fn outgoing(&self, topic: &str, data: Bytes, kind: SchemaType) -> Result<Option<Bytes>> {
        if data == GONE {
            return Ok(None);
        }
        if kind == SchemaType::None {
            return Ok(Some(data));
        }
        let latest = self.registry()?.latest(topic).await?;
        let binary = latest.schema.encode(&data, self.json)?;
        let mut value = BytesMut::with_capacity(HEAD + binary.len());
        value.put_u8(0);
        value.put_u32(latest.id);
        value.put_slice(&binary);
        Ok(Some(value.freeze()))
    }

    /// The data of a message with that value.
    ///
    /// # Errors
    /// The value does not fit its schema, or that cannot be had.
    pub(crate) async fn incoming(&self, value: Option<Bytes>, kind: SchemaType) -> Result<Bytes> {
        let Some(value) = value else { return Ok(Bytes::from_static(GONE)) };
        if kind == SchemaType::None {
            return Ok(value);
        }
        let (id, binary) = parts(&value)?;
        let schema = self.registry()?.by_id(id).await?;
        schema.decode(binary, self.json).map(Bytes::from)
    }

    fn registry(&self) -> Result<&Registry> {
        self.registry.as_ref().ok_or_else(|| Error::invalid("schema registry details not set: set schemaRegistryURL"))
    }
}

fn parts(value: &[u8]) -> Result<(u32, &[u8])> {
    let too_short = || Error::invalid("value is too short: it has no schema id");
    let (head, binary) = value.split_at_checked(HEAD).ok_or_else(too_short)?;
    let id = head.get(1..).and_then(|id| id.try_into().ok()).ok_or_else(too_short)?;
    Ok((u32::from_be_bytes(id), binary))
}
