//! What values look like.
use super::wrong;
use component_api::Result;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Logical types whose name is that of a kind in a union, as Dapr's component has them.
const LOGICAL: &[&str] = &[
    "int.date",
    "int.time-millis",
    "long.time-micros",
    "long.timestamp-millis",
    "long.timestamp-micros",
    "bytes.decimal",
    "string.validated-string",
];

/// A schema. Types refer to each other by number, as they may contain themselves.
#[derive(Debug)]
pub(crate) struct Schema {
    types: Vec<Type>,
    root: Id,
}

/// Number of a type.
pub(super) type Id = usize;

/// A type, and its name in unions.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) name: String,
    pub(super) shape: Shape,
}

/// What a value of a type consists of.
#[derive(Debug)]
pub(super) enum Shape {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Array(Id),
    Map(Id),
    Union(Vec<Id>),
    Record(Vec<Field>),
    Enum(Vec<String>),
    Fixed(usize),
}

/// A field of a record.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) of: Id,
    pub(super) default: Option<Value>,
}

/// Reads a schema.
#[derive(Default)]
struct Reader {
    types: Vec<Type>,
    named: BTreeMap<String, Id>,
}

impl Schema {
    /// Reads a schema that is written as JSON.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| wrong("the schema is no JSON").with_source(error))?;
        let mut reader = Reader::default();
        let root = reader.read(&value, "")?;
        Ok(Self { types: reader.types, root })
    }

    pub(super) fn root(&self) -> Id {
        self.root
    }

    pub(super) fn get(&self, id: Id) -> &Type {
        &self.types[id]
    }
}

impl Reader {
    fn read(&mut self, value: &Value, namespace: &str) -> Result<Id> {
        match value {
            Value::String(name) => self.by_name(name, namespace),
            Value::Array(kinds) => self.union(kinds, namespace),
            Value::Object(object) => self.object(object, namespace),
            other => Err(wrong(format!("{other} is no type"))),
        }
    }

    fn by_name(&mut self, name: &str, namespace: &str) -> Result<Id> {
        if let Some(shape) = primitive(name) {
            return Ok(self.add(name.to_owned(), shape));
        }
        let full = full_name(name, namespace);
        let found = self.named.get(&full).or_else(|| self.named.get(name));
        found.copied().ok_or_else(|| wrong(format!("the schema names the type '{name}' and does not have it")))
    }

    fn union(&mut self, kinds: &[Value], namespace: &str) -> Result<Id> {
        if kinds.is_empty() {
            return Err(wrong("a union of the schema has no types"));
        }
        let ids = kinds.iter().map(|kind| self.read(kind, namespace)).collect::<Result<_>>()?;
        Ok(self.add("union".to_owned(), Shape::Union(ids)))
    }

    fn object(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<Id> {
        let Some(kind) = object.get("type") else { return Err(wrong("a type of the schema has no 'type'")) };
        let Some(kind) = kind.as_str() else { return self.read(kind, namespace) };
        match kind {
            "array" => {
                let of = self.part(object, "items", namespace)?;
                Ok(self.add("array".to_owned(), Shape::Array(of)))
            }
            "map" => {
                let of = self.part(object, "values", namespace)?;
                Ok(self.add("map".to_owned(), Shape::Map(of)))
            }
            "record" | "error" | "enum" | "fixed" => self.named(object, kind, namespace),
            simple => self.simple(object, simple, namespace),
        }
    }

    fn part(&mut self, object: &Map<String, Value>, name: &str, namespace: &str) -> Result<Id> {
        let part = object.get(name).ok_or_else(|| wrong(format!("a type of the schema has no '{name}'")))?;
        self.read(part, namespace)
    }

    fn simple(&mut self, object: &Map<String, Value>, kind: &str, namespace: &str) -> Result<Id> {
        let logical = text(object, "logicalType").map(|logical| format!("{kind}.{logical}"));
        match (logical.filter(|name| LOGICAL.contains(&name.as_str())), primitive(kind)) {
            (Some(name), Some(shape)) => Ok(self.add(name, shape)),
            _ => self.by_name(kind, namespace),
        }
    }

    fn named(&mut self, object: &Map<String, Value>, kind: &str, namespace: &str) -> Result<Id> {
        let Some(name) = text(object, "name") else { return Err(wrong(format!("a type '{kind}' has no name"))) };
        let full = full_name(name, text(object, "namespace").unwrap_or(namespace));
        let inner = full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        // It is known before its fields, which may be of its own type.
        let id = self.add(full.clone(), Shape::Null);
        if self.named.insert(full.clone(), id).is_some() {
            return Err(wrong(format!("the schema has two types '{full}'")));
        }
        self.types[id].shape = match kind {
            "enum" => Shape::Enum(symbols(object).ok_or_else(|| wrong(format!("enum '{full}' has no symbols")))?),
            "fixed" => Shape::Fixed(size(object).ok_or_else(|| wrong(format!("fixed '{full}' has no size")))?),
            _ => Shape::Record(self.fields(object, &full, &inner)?),
        };
        Ok(id)
    }

    fn fields(&mut self, object: &Map<String, Value>, record: &str, namespace: &str) -> Result<Vec<Field>> {
        let fields = object.get("fields").and_then(Value::as_array);
        let fields = fields.ok_or_else(|| wrong(format!("record '{record}' has no fields")))?;
        fields.iter().map(|field| self.field(field, record, namespace)).collect()
    }

    fn field(&mut self, field: &Value, record: &str, namespace: &str) -> Result<Field> {
        let object = field.as_object();
        let named = object.and_then(|object| Some((object, text(object, "name")?)));
        let (object, name) = named.ok_or_else(|| wrong(format!("a field of record '{record}' has no name")))?;
        let of = self.object(object, namespace)?;
        Ok(Field { name: name.to_owned(), of, default: object.get("default").cloned() })
    }

    fn add(&mut self, name: String, shape: Shape) -> Id {
        self.types.push(Type { name, shape });
        self.types.len() - 1
    }
}

fn primitive(name: &str) -> Option<Shape> {
    Some(match name {
        "null" => Shape::Null,
        "boolean" => Shape::Boolean,
        "int" => Shape::Int,
        "long" => Shape::Long,
        "float" => Shape::Float,
        "double" => Shape::Double,
        "bytes" => Shape::Bytes,
        "string" => Shape::String,
        _ => return None,
    })
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

fn symbols(object: &Map<String, Value>) -> Option<Vec<String>> {
    let symbols = object.get("symbols")?.as_array()?;
    symbols.iter().map(|symbol| symbol.as_str().map(str::to_owned)).collect()
}

fn size(object: &Map<String, Value>) -> Option<usize> {
    usize::try_from(object.get("size")?.as_u64()?).ok()
}
