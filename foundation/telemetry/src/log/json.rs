//! Lines as logrus writes JSON: one object, its members sorted by name.
use super::line::{Line, Value};
use serde_json::{Map, Value as Json};

/// The line without its end.
pub(super) fn line(line: &Line) -> String {
    let fixed = [("level", line.level), ("msg", &line.message), ("time", &line.time)];
    let fixed = fixed.map(|(name, text)| (name.to_owned(), Json::from(text)));
    let fields = line.fields.iter().map(|(name, value)| ((*name).to_owned(), json(value)));
    let mut members: Vec<(String, Json)> = fields.chain(fixed).collect();
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    as_go(&Json::Object(Map::from_iter(members)).to_string())
}

fn json(value: &Value) -> Json {
    match value {
        Value::Text(text) => text.as_str().into(),
        Value::Bare(text) => serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into()),
    }
}

/// Go escapes what HTML could take for markup; such characters stand only in strings.
fn as_go(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}
