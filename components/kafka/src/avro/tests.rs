//! Values in both forms.
use super::Json::{Plain, Tagged};
use super::*;

fn schema(text: &str) -> Schema {
    Schema::parse(text).unwrap()
}

/// The binary form, and the JSON that comes back.
fn round(schema: &Schema, json: &str, form: Json) -> (Vec<u8>, String) {
    let binary = schema.encode(json.as_bytes(), form).unwrap();
    let back = String::from_utf8(schema.decode(&binary, form).unwrap()).unwrap();
    (binary, back)
}

#[test]
fn simple_types() {
    for (kind, json, binary) in [
        ("null", "null", &[][..]),
        ("boolean", "true", &[1]),
        ("int", "-1", &[1]),
        ("int", "2147483647", &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
        ("long", "64", &[0x80, 1]),
        ("long", "-9223372036854775808", &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ("float", "1.5", &[0, 0, 0xc0, 0x3f]),
        ("double", "-2", &[0, 0, 0, 0, 0, 0, 0, 0xc0]),
        ("string", r#""füß""#, &[10, b'f', 0xc3, 0xbc, 0xc3, 0x9f]),
        ("bytes", r#""\u0000ÿ""#, &[4, 0, 0xff]),
    ] {
        let (written, back) = round(&schema(&format!("\"{kind}\"")), json, Plain);
        assert_eq!((written, back), (binary.to_vec(), json.to_owned()), "{kind}");
    }
}

#[test]
fn what_is_no_value_of_a_type() {
    for (kind, json) in
        [("int", "2147483648"), ("long", "1.5"), ("string", "1"), ("boolean", "0"), ("null", "0"), ("bytes", "[]")]
    {
        assert!(schema(&format!("\"{kind}\"")).encode(json.as_bytes(), Plain).is_err(), "{kind} {json}");
    }
}

const PERSON: &str = r#"{"type":"record","name":"Person","namespace":"a.b","fields":[
    {"name":"name","type":"string"},
    {"name":"age","type":["null","int"],"default":null},
    {"name":"color","type":{"type":"enum","name":"Color","symbols":["RED","GREEN"]},"default":"GREEN"},
    {"name":"tags","type":{"type":"array","items":"string"},"default":[]},
    {"name":"sizes","type":{"type":"map","values":"long"},"default":{}},
    {"name":"hash","type":{"type":"fixed","name":"Hash","size":2},"default":"\u0001\u0002"},
    {"name":"friend","type":["null","Person"],"default":null}
]}"#;

#[test]
fn records() {
    let schema = schema(PERSON);
    let (binary, back) = round(&schema, r#"{"name":"Ann"}"#, Plain);
    assert_eq!(binary, [6, b'A', b'n', b'n', 0, 2, 0, 0, 1, 2, 0]);
    let rest = r#""color":"GREEN","tags":[],"sizes":{},"hash":"\u0001\u0002","friend":null}"#;
    assert_eq!(back, format!(r#"{{"name":"Ann","age":null,{rest}"#));
    let full =
        r#"{"name":"Bo","age":7,"color":"RED","tags":["x","y"],"sizes":{"a":1},"hash":"ab","friend":{"name":"Ann"}}"#;
    let (_, back) = round(&schema, full, Plain);
    let friend = format!(r#"{{"name":"Ann","age":null,{rest}"#);
    assert_eq!(back, full.replace(r#"{"name":"Ann"}"#, &friend));
    assert!(schema.encode(br#"{"name":"Ann","height":1}"#, Plain).is_err(), "there is no such field");
    assert!(schema.encode(b"{}", Plain).is_err(), "there is no name");
}

#[test]
fn unions_with_their_types() {
    let schema = schema(PERSON);
    let tagged = r#"{"name":"Bo","age":{"int":7},"color":"RED","tags":[],"sizes":{},"hash":"ab","friend":{"a.b.Person":{"name":"Ann","age":null,"color":"RED","tags":[],"sizes":{},"hash":"ab","friend":null}}}"#;
    assert_eq!(round(&schema, tagged, Tagged).1, tagged);
    assert!(schema.encode(br#"{"name":"Bo","age":7}"#, Tagged).is_err());
    let logical = self::schema(r#"["null",{"type":"long","logicalType":"timestamp-millis"}]"#);
    assert_eq!(
        round(&logical, r#"{"long.timestamp-millis":1}"#, Tagged),
        (vec![2, 2], r#"{"long.timestamp-millis":1}"#.to_owned())
    );
}

#[test]
fn the_kind_of_a_union_that_fits() {
    let schema = schema(r#"["null","string","int",{"type":"array","items":"int"}]"#);
    for (json, place) in [("null", 0), (r#""a""#, 1), ("5", 2), ("[1]", 3)] {
        let (binary, back) = round(&schema, json, Plain);
        assert_eq!((binary[0], back.as_str()), (place * 2, json));
    }
    assert!(schema.encode(b"true", Plain).is_err());
    let numbers = self::schema(r#"["long","double"]"#);
    assert_eq!(numbers.encode(b"1", Plain).unwrap()[0], 2, "kinds of numbers are tried by their names");
}

#[test]
fn blocks_with_their_size() {
    let schema = schema(r#"{"type":"array","items":"int"}"#);
    assert_eq!(schema.decode(&[3, 4, 2, 4, 0], Plain).unwrap(), b"[1,2]");
}

#[test]
fn what_is_broken() {
    let schema = schema(PERSON);
    for binary in [&[][..], &[6, b'A'], &[1], &[0, 8], &[0xff; 20]] {
        assert!(schema.decode(binary, Plain).is_err(), "{binary:?}");
    }
    let nothing = self::schema(r#"{"type":"array","items":"null"}"#);
    assert!(nothing.decode(&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 1], Plain).is_err(), "it would fill the memory");
    let endless = self::schema(r#"{"type":"record","name":"E","fields":[{"name":"e","type":"E"}]}"#);
    assert!(endless.decode(&[], Plain).is_err());
}

#[test]
fn schemas_that_are_none() {
    for text in ["", "\"nothing\"", "[]", "{}", "5", r#"{"type":"record","name":"a"}"#, r#"{"type":"enum","name":"a"}"#]
    {
        assert!(Schema::parse(text).is_err(), "{text}");
    }
}

/// What Dapr's component wrote for these values.
#[test]
fn the_same_bytes_as_dapr() {
    let schema = schema(
        r#"{"type":"record","name":"Person","namespace":"a.b","fields":[
            {"name":"name","type":"string"},
            {"name":"age","type":["null","int"],"default":null},
            {"name":"size","type":["null","long","double"],"default":null},
            {"name":"tags","type":{"type":"array","items":"string"},"default":[]},
            {"name":"hash","type":"bytes","default":""},
            {"name":"color","type":{"type":"enum","name":"Color","symbols":["RED","GREEN"]},"default":"GREEN"},
            {"name":"at","type":["null",{"type":"long","logicalType":"timestamp-millis"}],"default":null}]}"#,
    );
    let full = r#"{"name":"Ann","age":7,"size":1.5,"tags":["x"],"hash":"\u00ff","at":1700000000000}"#;
    let expected = b"\x06Ann\x02\x0e\x04\0\0\0\0\0\0\xf8\x3f\x02\x02x\0\x02\xff\x02\x02\x80\xa0\xab\xfe\xf9\x62";
    assert_eq!(schema.encode(full.as_bytes(), Plain).unwrap(), expected);
    let short = schema.encode(br#"{"name":"Bo","size":3}"#, Plain).unwrap();
    assert_eq!(short, b"\x04Bo\0\x04\0\0\0\0\0\0\x08\x40\0\0\x02\0");
}
