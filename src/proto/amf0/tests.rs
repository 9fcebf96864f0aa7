use super::*;
use proptest::prelude::*;

fn encoded(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    encode(value, &mut out);
    out
}

/// The value is those bytes, both ways, and nothing less is a value.
fn golden(value: Value, bytes: &[u8]) {
    assert_eq!(encoded(&value), bytes, "{value:?}");
    assert_eq!(decode(&[bytes, b"more"].concat()), Ok((value, bytes.len())));
    for length in 0..bytes.len() {
        refused(&bytes[..length], "expected");
    }
}

/// Not a value, and the error knows where.
fn refused(bytes: &[u8], part: &str) {
    let error = decode(bytes).unwrap_err();
    assert!(error.offset as usize <= bytes.len(), "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

fn object() -> Object {
    Object::default().with("b", 1.0).with("a", true).with("b", "again")
}

const OBJECT_BYTES: &[u8] = b"\x00\x01b\x00\x3f\xf0\0\0\0\0\0\0\x00\x01a\x01\x01\x00\x01b\x02\x00\x05again\x00\x00\x09";

#[test]
fn every_marker() {
    golden(Value::Number(-1.5), b"\x00\xbf\xf8\0\0\0\0\0\0");
    golden(Value::Boolean(true), b"\x01\x01");
    golden("r\u{e9}".into(), b"\x02\x00\x03r\xc3\xa9");
    golden("".into(), b"\x02\x00\x00");
    golden(Value::Object(object()), &[b"\x03", OBJECT_BYTES].concat());
    golden(Value::MovieClip, b"\x04");
    golden(Value::Null, b"\x05");
    golden(Value::Undefined, b"\x06");
    golden(Value::Reference(0x0102), b"\x07\x01\x02");
    golden(Value::StrictArray(vec![Value::Null, 0.0.into()]), b"\x0a\0\0\0\x02\x05\x00\0\0\0\0\0\0\0\0");
    golden(Value::Date { time_ms: 1.0, time_zone_min: -60 }, b"\x0b\x3f\xf0\0\0\0\0\0\0\xff\xc4");
    golden(Value::Unsupported, b"\x0d");
    golden(Value::RecordSet, b"\x0e");
    golden(Value::XmlDocument("<a/>".into()), b"\x0f\0\0\0\x04<a/>");
    let typed = Value::TypedObject { class_name: "org.C".into(), object: object() };
    golden(typed, &[b"\x10\x00\x05org.C", OBJECT_BYTES].concat());
    golden(Value::Amf3(amf3::Value::Integer(5)), b"\x11\x04\x05");
}

#[test]
fn order_and_duplicates_stay() {
    let (value, _) = decode(&[b"\x03", OBJECT_BYTES].concat()).unwrap();
    let object = value.as_object().unwrap();
    assert_eq!(object.properties.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["b", "a", "b"]);
    assert_eq!(object.get("b"), Some(&Value::Number(1.0)), "the first of a name");
}

#[test]
fn an_ecma_array_counts_as_it_likes_and_may_end_with_the_input() {
    let with = |count: u32| [b"\x08", &count.to_be_bytes()[..], OBJECT_BYTES].concat();
    assert_eq!(encoded(&Value::EcmaArray(object())), with(3));
    for count in [0, 1, 3, u32::MAX] {
        let bytes = with(count);
        assert_eq!(decode(&bytes), Ok((Value::EcmaArray(object()), bytes.len())));
        let open = &bytes[..bytes.len() - 3];
        assert_eq!(decode(open), Ok((Value::EcmaArray(object()), open.len())));
    }
    // Cut within a property it is no value; an object must have its end.
    refused(&with(3)[..20], "expected");
    let object = [b"\x03", OBJECT_BYTES].concat();
    refused(&object[..object.len() - 3], "expected");
}

#[test]
fn a_name_may_be_empty() {
    let bytes = b"\x03\x00\x00\x05\x00\x00\x09";
    let (value, used) = decode(bytes).unwrap();
    assert_eq!((value, used), (Value::Object(Object::default().with("", Value::Null)), bytes.len()));
}

#[test]
fn long_strings() {
    let short = "x".repeat(65_535);
    assert_eq!(encoded(&short.as_str().into())[..3], [2, 0xff, 0xff]);
    let long = "x".repeat(65_536);
    let bytes = encoded(&long.as_str().into());
    assert_eq!(bytes[..5], [12, 0, 1, 0, 0]);
    assert_eq!(decode(&bytes), Ok((long.into(), 65_541)));
    // A name cannot be long: it is cut between characters.
    let name = "\u{e9}".repeat(40_000);
    let (value, _) = decode(&encoded(&Object::default().with(&name, 1.0).into())).unwrap();
    assert_eq!(value.as_object().unwrap().properties[0].0.len(), 65_534);
}

#[test]
fn text_that_is_not_utf8_is_kept() {
    let bytes = b"\x02\x00\x02\xffa";
    let (value, used) = decode(bytes).unwrap();
    assert_eq!((value.as_str(), used), (Some("\u{10ffff}a"), 5));
    assert_eq!(encoded(&value), bytes);
}

#[test]
fn unknown_markers_are_named_with_their_place() {
    for marker in (0x12..=0xff).chain([0x09]) {
        let error = decode(&[0x0a, 0, 0, 0, 1, marker]).unwrap_err();
        assert_eq!((error.layer, error.offset), (Layer::Amf0, 5));
        assert!(error.to_string().contains(&format!("{marker:#04x}")), "{error}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| [b"\x0a\0\0\0\x01".repeat(depth), vec![5]].concat();
    assert!(decode(&nested(MAX_DEPTH)).is_ok());
    refused(&nested(MAX_DEPTH + 1), "inside one another");
    refused(&b"\x03\x00\x01a".repeat(1_000_000), "inside one another");
    refused(&b"\x10\x00\x01c\x00\x01a".repeat(1_000_000), "inside one another");
}

#[test]
fn the_number_of_values_is_bounded() {
    let nulls = |count: u32| [&b"\x0a"[..], &count.to_be_bytes()[..], &vec![5; count as usize][..]].concat();
    assert!(decode(&nulls(MAX_VALUES - 1)).is_ok());
    refused(&nulls(MAX_VALUES), "at most");
    // Neither several values nor AMF 3 in between is a way around it.
    let several = [nulls(MAX_VALUES / 2), nulls(MAX_VALUES / 2)].concat();
    assert!(decode_all(&several).is_err());
    let mut amf3 = Vec::new();
    amf3::encode(
        &amf3::Value::Array(amf3::Array { dense: vec![amf3::Value::Null; 1000], ..Default::default() }),
        &mut amf3,
    );
    let wrapped = [&[0x11][..], &amf3].concat();
    assert!(decode_all(&wrapped.repeat(150)).is_ok());
    assert!(decode_all(&wrapped.repeat(250)).is_err());
}

#[test]
fn announced_lengths_allocate_nothing() {
    for bytes in
        [&b"\x0c\xff\xff\xff\xffabc"[..], b"\x0f\x7f\xff\xff\xff", b"\x0a\xff\xff\xff\xff\x05", b"\x02\xff\xffabc"]
    {
        refused(bytes, "expected");
    }
}

#[test]
fn several_values_in_a_row() {
    assert_eq!(decode_all(b""), Ok(Vec::new()));
    assert_eq!(decode_all(b"\x05\x01\x00\x06"), Ok(vec![Value::Null, false.into(), Value::Undefined]));
    assert!(decode_all(b"\x05\x01").is_err());
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<f64>().prop_filter("comparable", |n| !n.is_nan()).prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        ".*".prop_map(Value::String),
        Just(Value::MovieClip),
        Just(Value::Null),
        Just(Value::Undefined),
        any::<u16>().prop_map(Value::Reference),
        (-1e15..1e15, any::<i16>()).prop_map(|(time_ms, time_zone_min)| Value::Date { time_ms, time_zone_min }),
        Just(Value::Unsupported),
        Just(Value::RecordSet),
        ".*".prop_map(Value::XmlDocument),
        (-0x1000_0000..0x1000_0000).prop_map(|n| Value::Amf3(amf3::Value::Integer(n))),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let object = prop::collection::vec((".*", inner.clone()), 0..6).prop_map(|properties| Object { properties });
        prop_oneof![
            object.clone().prop_map(Value::Object),
            object.clone().prop_map(Value::EcmaArray),
            prop::collection::vec(inner, 0..6).prop_map(Value::StrictArray),
            (".*", object).prop_map(|(class_name, object)| Value::TypedObject { class_name, object }),
        ]
    })
}

proptest! {
    #[test]
    fn what_was_written_is_read(value in any_value()) {
        let bytes = encoded(&value);
        prop_assert_eq!(decode(&bytes), Ok((value, bytes.len())));
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok((_, used)) = decode(&bytes) {
            prop_assert!(used <= bytes.len());
        }
    }

    #[test]
    fn a_damaged_value_does_no_harm(value in any_value(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encoded(&value);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode_all(&bytes);
    }
}
