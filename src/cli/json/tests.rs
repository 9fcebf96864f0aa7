use serde_json::json;

use super::*;
use crate::proto::{amf0 as wire0, amf3 as wire3};

/// Every AMF 0 type and marker, also the odd ones.
const AMF0: &str = include_str!("../../../tests/data/amf0-values.ndjson");

/// Every AMF 3 type and marker.
const AMF3: &str = include_str!("../../../tests/data/amf3-values.ndjson");

#[test]
fn every_amf0_value_goes_through_json_and_bytes() {
    let long = Json::from("x".repeat(70_000)).to_string();
    for line in AMF0.lines().chain([long.as_str()]) {
        let json: Json = serde_json::from_str(line).unwrap();
        let value = to_amf0(&json).unwrap_or_else(|error| panic!("{line}: {error}"));
        let mut bytes = Vec::new();
        wire0::encode(&value, &mut bytes);
        let (back, used) = wire0::decode(&bytes).unwrap();
        assert_eq!(used, bytes.len());
        assert_eq!(from_amf0(&back).to_string(), line);
    }
}

#[test]
fn every_amf3_value_goes_through_json_and_bytes() {
    for line in AMF3.lines() {
        let json: Json = serde_json::from_str(line).unwrap();
        let value = to_amf3(&json).unwrap_or_else(|error| panic!("{line}: {error}"));
        let mut bytes = Vec::new();
        wire3::encode(&value, &mut bytes);
        let (back, used) = wire3::decode(&bytes).unwrap();
        assert_eq!(used, bytes.len());
        assert_eq!(from_amf3(&back).to_string(), line);
    }
}

#[test]
fn numbers_of_amf3_know_integers_from_doubles() {
    assert_eq!(to_amf3(&json!(5)), Ok(wire3::Value::Integer(5)));
    assert_eq!(to_amf3(&json!(5.0)), Ok(wire3::Value::Double(5.0)));
    assert_eq!(to_amf3(&json!(1u64 << 63)), Ok(wire3::Value::Double((1u64 << 63) as f64)));
    assert_eq!(to_amf0(&json!(5)), to_amf0(&json!(5.0)));
}

#[test]
fn what_is_refused_says_why() {
    let both = [
        (json!({"$externalizable": "x"}), "only their class"),
        (json!({"$nothing": 1}), "$nothing is nothing"),
        (json!({"$undefined": false}), "true expected"),
        (json!({"$date": "today"}), "a number expected"),
        (json!({"$number": "1"}), "a number expected"),
        (json!({"$date": 1, "zone": 2}), "\"zone\" means nothing"),
        (json!({"$object": [["a"]]}), "[name, value] expected"),
        (json!({"$object": {"n".repeat(65_536): 1}}), "65535"),
        (json!([{"$ref": -1}]), "an index"),
    ];
    for (json, reason) in both {
        assert!(to_amf0(&json).unwrap_err().contains(reason), "{json} {:?}", to_amf0(&json));
        assert!(to_amf3(&json).unwrap_err().contains(reason), "{json} {:?}", to_amf3(&json));
    }
    let amf3 = [
        (json!({"$vector": "int", "items": [1.5]}), "32 bits"),
        (json!({"$vector": "uint", "items": [-1]}), "32 bits"),
        (json!({"$vector": "string", "items": []}), "a vector is of"),
        (json!({"$vector": "int"}), "an array expected"),
        (json!({"$vector": "int", "items": [], "class": "x"}), "no \"class\""),
        (json!({"$bytes": "?"}), "Base64"),
        (json!({"": 1}), "empty name"),
        (json!({"$class": "x", "members": {"a": 1}, "dynamic": false}), "sealed"),
        (json!({"$dictionary": [[1]]}), "[key, value] expected"),
        (json!({"$movieClip": true}), "nothing that AMF 3 has"),
    ];
    for (json, reason) in amf3 {
        assert!(to_amf3(&json).unwrap_err().contains(reason), "{json} {:?}", to_amf3(&json));
    }
    assert!(to_amf0(&json!({"$bytes": ""})).unwrap_err().contains("--amf3"));
    assert!(to_amf0(&json!({"$date": 0, "timeZone": 40_000})).unwrap_err().contains("minutes"));
}

#[test]
fn what_a_terminal_could_obey_is_escaped() {
    let json = Json::from("a\u{9b}b\u{202e}c\u{7f}d\u{2028}\n\"\u{e9}");
    let line = one_line(&json);
    assert_eq!(line, "\"a\\u009bb\\u202ec\\u007fd\\u2028\\n\\\"\u{e9}\"");
    assert_eq!(serde_json::from_str::<Json>(&line).unwrap(), json);
}
