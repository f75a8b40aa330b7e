//! Values as Go writes them, and any text at all.
use super::{DEPTH, STACK, TooDeep, check_depth, compact, escape_html, from_slice, read, write};
use proptest::prelude::*;

fn rewritten(text: &str) -> String {
    String::from_utf8(write(&read(text.as_bytes()).unwrap()).to_vec()).unwrap()
}

#[test]
fn values_are_written_as_go_writes_them() {
    let cases = [
        (r#"{"b": 1, "a": [1, 2.50, {}], "B": null}"#, r#"{"B":null,"a":[1,2.5,{}],"b":1}"#),
        (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
        (r#""<a href='x'>&\u2028\u2029\u20ac</a>""#, r#""\u003ca href='x'\u003e\u0026\u2028\u2029€\u003c/a\u003e""#),
        (r#""\u0001\b\f\n\t\/\"\\\u00fc""#, r#""\u0001\b\f\n\t/\"\\ü""#),
        ("[1e3, 100000000000000000000, 1e21, 1.5E+300]", "[1000,100000000000000000000,1e+21,1.5e+300]"),
        ("[0.000001, 1e-7, -0, -0.0, 0e5]", "[0.000001,1e-7,-0,-0,0]"),
        (
            "[9007199254740993, 18446744073709551615, -9223372036854775808]",
            "[9007199254740992,18446744073709552000,-9223372036854776000]",
        ),
        (
            "[0.1, 123456789.12345679, 5e-324, 1.7976931348623157e308]",
            "[0.1,123456789.12345679,5e-324,1.7976931348623157e+308]",
        ),
        (" true false", "true"),
        (r#"["\ud83d\ude00","\ud83d","\ude00x","\\ud83d"]"#, r#"["😀","�","�x","\\ud83d"]"#),
    ];
    for (text, expected) in cases {
        assert_eq!(rewritten(text), expected, "{text}");
    }
    assert_eq!(read(b"\"\xff\"").unwrap(), "\u{fffd}");
    for wrong in ["", "nope", "[1", "1e400", "{\"a\"}", "\"\\u12\""] {
        assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn white_space_goes_and_text_stays() {
    let compacted = |text: &str| compact(text.as_bytes()).map(|raw| raw.get().to_owned());
    assert_eq!(compacted("{ \"a b\" : [ 1 ,\n2 ] }").as_deref(), Some("{\"a b\":[1,2]}"));
    assert_eq!(compacted(r#"[ "\" \\" , 1.0 ]"#).as_deref(), Some(r#"["\" \\",1.0]"#));
    assert_eq!([compacted("map[a:1]"), compacted(""), compacted("1 2")], [None, None, None]);
}

#[test]
fn values_are_as_deep_as_in_go() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let deep = nested(DEPTH);
    let all = move || {
        let value = read(deep.as_bytes()).unwrap();
        assert_eq!(write(&value), deep);
        assert_eq!(from_slice::<serde_json::Value>(deep.as_bytes()).unwrap(), value);
    };
    std::thread::Builder::new().stack_size(STACK).spawn(all).unwrap().join().unwrap();
    let deeper = nested(DEPTH + 1);
    assert_eq!(read(deeper.as_bytes()).unwrap_err(), TooDeep.to_string());
    assert_eq!(from_slice::<serde_json::Value>(deeper.as_bytes()).unwrap_err().to_string(), TooDeep.to_string());
    assert_eq!(check_depth(format!("\"\\\"{deeper}").as_bytes()), Ok(()));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = (read(&body), compact(&body), escape_html(body));
    }

    #[test]
    fn any_text_survives(text in ".*", number in any::<f64>()) {
        let json = serde_json::json!({"text": text, "number": number, "list": [text]});
        let written = write(&json);
        let again = read(&written).unwrap();
        prop_assert_eq!(&again["text"], &json["text"]);
        prop_assert_eq!(again["number"].as_f64(), json["number"].as_f64());
        prop_assert_eq!(write(&again), written);
    }

    #[test]
    fn something_like_json_never_panics(text in r#"[\[\]{}",:\\u0-9dDeE.+\- a-f]{0,40}"#) {
        if let Ok(value) = read(text.as_bytes()) {
            prop_assert!(compact(&write(&value)).is_some());
        }
    }
}
