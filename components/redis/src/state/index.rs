//! Indexes over members of JSON documents, as `queryIndexes` declares them.
use component_api::{Error, Result};
use redis::{Cmd, Value};
use serde::Deserialize;
use std::collections::BTreeSet;

/// An index of the server over all JSON documents.
#[derive(Debug, Deserialize)]
pub(super) struct Index {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    indexes: Vec<Field>,
}

/// A member of values that can be searched for.
#[derive(Debug, Deserialize)]
pub(super) struct Field {
    #[serde(default)]
    key: String,
    /// `TEXT`, `NUMERIC`, `TAG` or another type of the server.
    #[serde(default, rename = "type")]
    kind: String,
}

/// Reads the metadata property `queryIndexes`, a list in JSON; there may be none.
///
/// # Errors
/// It is no such list, or an index or a member lacks a name or a type.
pub(super) fn read(text: &str) -> Result<Vec<Index>> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let indexes: Vec<Index> = serde_json::from_str(text).map_err(|error| refusal(error.to_string()))?;
    let mut names = BTreeSet::new();
    for index in &indexes {
        if !names.insert(&index.name) {
            return Err(refusal(format!("duplicate schema name {}", index.name)));
        }
        index.check()?;
    }
    Ok(indexes)
}

fn refusal(reason: String) -> Error {
    Error::invalid(format!("metadata property queryIndexes: {reason}"))
}

impl Index {
    fn check(&self) -> Result<()> {
        if self.name.is_empty() {
            return Err(refusal("empty query schema name".to_owned()));
        }
        for field in &self.indexes {
            if field.key.is_empty() {
                return Err(refusal(format!("empty key in query schema {}", self.name)));
            }
            if field.kind.is_empty() {
                return Err(refusal(format!("empty type in query schema {}", self.name)));
            }
        }
        Ok(())
    }

    /// The field of a member: its name in queries, and whether it is found as a whole only.
    ///
    /// # Errors
    /// The index does not have it.
    pub(super) fn field(&self, key: &str) -> Result<(String, bool)> {
        let number = self.indexes.iter().rposition(|field| field.key == key);
        let number = number.ok_or_else(|| Error::invalid(format!("JSON path \"{key}\" is not indexed")))?;
        Ok((alias(number), self.indexes[number].kind.eq_ignore_ascii_case("TAG")))
    }

    /// The command that makes it, which is that of Dapr's component.
    pub(super) fn creation(&self) -> Cmd {
        let mut create = redis::cmd("FT.CREATE");
        create.arg(&self.name).arg("ON").arg("JSON").arg("SCHEMA");
        for (number, field) in self.indexes.iter().enumerate() {
            create.arg(path(field)).arg("AS").arg(alias(number)).arg(&field.kind).arg("SORTABLE");
        }
        create
    }

    /// Whether what `FT.INFO` says of an index is true of this one too.
    pub(super) fn is_described_by(&self, info: &Value) -> bool {
        let Value::Array(info) = info else { return false };
        let attributes = info.chunks(2).find(|pair| matches!(text(&pair[0]).as_deref(), Some("attributes")));
        let Some([_, Value::Array(attributes)]) = attributes else { return false };
        let own = self.indexes.iter().enumerate().map(|(number, field)| described(number, field));
        attributes.iter().map(attribute).eq(own.map(Some))
    }
}

/// `identifier`, its value, `attribute`, its value, `type`, its value, and what is the same of all that we make.
fn attribute(attribute: &Value) -> Option<[String; 3]> {
    let Value::Array(words) = attribute else { return None };
    let word = |place: usize| words.get(place).and_then(text);
    Some([word(1)?, word(3)?, word(5)?])
}

fn described(number: usize, field: &Field) -> [String; 3] {
    [path(field), alias(number), field.kind.to_ascii_uppercase()]
}

fn alias(number: usize) -> String {
    format!("var{number}")
}

fn path(field: &Field) -> String {
    format!("$.data.{}", field.key)
}

fn text(value: &Value) -> Option<String> {
    redis::from_redis_value_ref(value).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An index as Dapr's documentation has it.
    pub(crate) fn example() -> Index {
        let text = r#"[{"name": "one", "indexes": [
            {"key": "person.org", "type": "TEXT"}, {"key": "person.id", "type": "NUMERIC"}, {"key": "state", "type": "TAG"}
        ]}]"#;
        read(text).unwrap().remove(0)
    }

    #[test]
    fn the_command_is_dapr_s() {
        let words = "FT.CREATE one ON JSON SCHEMA $.data.person.org AS var0 TEXT SORTABLE \
                     $.data.person.id AS var1 NUMERIC SORTABLE $.data.state AS var2 TAG SORTABLE";
        let mut expected = Cmd::new();
        words.split_whitespace().for_each(|word| {
            expected.arg(word);
        });
        assert_eq!(example().creation().get_packed_command(), expected.get_packed_command());
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert!(read(" ").unwrap().is_empty());
        let cases = [
            ("x", "expected value"),
            (r#"[{"indexes": []}]"#, "empty query schema name"),
            (r#"[{"name": "a"}, {"name": "a"}]"#, "duplicate schema name a"),
            (r#"[{"name": "a", "indexes": [{"type": "TEXT"}]}]"#, "empty key in query schema a"),
            (r#"[{"name": "a", "indexes": [{"key": "b"}]}]"#, "empty type in query schema a"),
        ];
        for (text, expected) in cases {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("queryIndexes") && error.contains(expected), "{error}");
        }
        assert!(example().field("person").unwrap_err().to_string().contains("\"person\" is not indexed"));
    }

    #[test]
    fn an_index_that_is_there_is_known_again() {
        let word = |word: &str| Value::BulkString(word.into());
        let field = |path: &str, alias: &str, kind: &str| {
            Value::Array(["identifier", path, "attribute", alias, "type", kind, "SORTABLE"].map(word).to_vec())
        };
        let info = |fields: Vec<Value>| {
            Value::Array(vec![word("index_name"), word("one"), word("attributes"), Value::Array(fields)])
        };
        let two = [field("$.data.person.org", "var0", "TEXT"), field("$.data.person.id", "var1", "NUMERIC")];
        let all = [&two[..], &[field("$.data.state", "var2", "TAG")]].concat();
        assert!(example().is_described_by(&info(all)));
        assert!(!example().is_described_by(&info(two.to_vec())));
        assert!(!example().is_described_by(&Value::Nil));
    }
}
