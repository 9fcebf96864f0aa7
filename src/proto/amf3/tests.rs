use super::*;
use crate::proto::{Layer, ProtocolError};
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
        let error = decode(&bytes[..length]).unwrap_err();
        assert_eq!(error.layer, Layer::Amf3);
        assert!(error.offset as usize <= length);
    }
}

fn object(class_name: &str, sealed: &[(&str, Value)], dynamic: Option<Members>) -> Value {
    let names = sealed.iter().map(|(name, _)| (*name).into()).collect();
    let traits = Traits { class_name: class_name.into(), dynamic: dynamic.is_some(), sealed: names };
    let sealed = sealed.iter().map(|(_, value)| value.clone()).collect();
    Value::Object(Object { traits: traits.into(), sealed, dynamic: dynamic.unwrap_or_default() })
}

fn array(dense: Vec<Value>) -> Value {
    Value::Array(Array { associative: Members::new(), dense })
}

fn string(text: &str) -> Value {
    Value::String(text.into())
}

fn refused(bytes: &[u8], part: &str) -> ProtocolError {
    let error = decode(bytes).unwrap_err();
    assert_eq!(error.layer, Layer::Amf3);
    assert!(error.to_string().contains(part), "{error}");
    error
}

#[test]
fn simple_values() {
    golden(Value::Undefined, &[0]);
    golden(Value::Null, &[1]);
    golden(Value::Boolean(false), &[2]);
    golden(Value::Boolean(true), &[3]);
    golden(Value::Double(1.5), &[5, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]);
    golden(string("abc"), &[6, 7, b'a', b'b', b'c']);
    golden(string(""), &[6, 1]);
    golden(Value::XmlDocument("<a/>".into()), b"\x07\x09<a/>");
    golden(Value::Xml("<a/>".into()), b"\x0b\x09<a/>");
    golden(Value::Date(0.0), &[8, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    golden(Value::ByteArray(vec![1, 2, 3]), &[12, 7, 1, 2, 3]);
}

#[test]
fn integers_have_29_bits() {
    for (number, bytes) in [
        (0, &[4, 0][..]),
        (0x7f, &[4, 0x7f]),
        (0x80, &[4, 0x81, 0]),
        (0x3fff, &[4, 0xff, 0x7f]),
        (0x4000, &[4, 0x81, 0x80, 0]),
        (0x1f_ffff, &[4, 0xff, 0xff, 0x7f]),
        (0x20_0000, &[4, 0x80, 0xc0, 0x80, 0]),
        (0x0fff_ffff, &[4, 0xbf, 0xff, 0xff, 0xff]),
        (-1, &[4, 0xff, 0xff, 0xff, 0xff]),
        (-0x1000_0000, &[4, 0xc0, 0x80, 0x80, 0]),
    ] {
        golden(Value::Integer(number), bytes);
    }
    // One more is a double.
    assert_eq!(encoded(&Value::Integer(0x1000_0000)), encoded(&Value::Double(268_435_456.0)));
    assert_eq!(encoded(&Value::Integer(i32::MIN))[0], 5);
}

#[test]
fn arrays_and_repeated_strings() {
    let associative = vec![("key".into(), string("key"))];
    golden(
        Value::Array(Array { associative, dense: vec![Value::Null, string("v"), string("v"), string("key")] }),
        b"\x09\x09\x07key\x06\x00\x01\x01\x06\x03v\x06\x02\x06\x00",
    );
}

#[test]
fn objects_and_repeated_traits() {
    golden(object("", &[], Some(vec![("a".into(), Value::Null)])), b"\x0a\x0b\x01\x03a\x01\x01");
    let point = |x, y| object("Point", &[("x", Value::Integer(x)), ("y", Value::Integer(y))], None);
    golden(
        array(vec![point(1, 2), point(3, 4)]),
        b"\x09\x05\x01\x0a\x23\x0bPoint\x03x\x03y\x04\x01\x04\x02\x0a\x01\x04\x03\x04\x04",
    );
}

#[test]
fn vectors_and_dictionaries() {
    golden(Value::VectorInt(Vector { fixed: true, items: vec![-1, 1] }), &[13, 5, 1, 255, 255, 255, 255, 0, 0, 0, 1]);
    golden(Value::VectorUint(Vector { fixed: false, items: vec![u32::MAX] }), &[14, 3, 0, 255, 255, 255, 255]);
    golden(Value::VectorDouble(Vector { fixed: false, items: vec![1.0] }), &[15, 3, 0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]);
    golden(
        Value::VectorObject { class_name: "A".into(), items: Vector { fixed: false, items: vec![Value::Null] } },
        b"\x10\x03\x00\x03A\x01",
    );
    golden(
        Value::Dictionary { weak: true, entries: vec![(Value::Integer(1), Value::Boolean(true))] },
        &[17, 3, 1, 4, 1, 3],
    );
}

#[test]
fn references_stay_references() {
    // An array that holds itself, and a date twice.
    golden(
        array(vec![Value::Reference(0), Value::Date(0.0), Value::Reference(1)]),
        &[9, 7, 1, 9, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 8, 2],
    );
    refused(&[9, 2], "an object that came before, got a reference to 1");
    refused(&[9, 3, 1, 8, 2], "a reference to 1");
    refused(&[6, 0], "a string that came before");
    // The empty string is not numbered.
    refused(&[9, 5, 1, 6, 1, 6, 0], "a string that came before");
    refused(&[10, 1], "traits that came before");
}

#[test]
fn members_are_found() {
    let value = object("C", &[("a", Value::Integer(1))], Some(vec![("b".into(), string("text"))]));
    assert_eq!(value.get("a").and_then(Value::as_number), Some(1.0));
    assert_eq!(value.get("b").and_then(Value::as_str), Some("text"));
    assert_eq!(value.get("c"), None);
    let value = Value::Array(Array { associative: vec![("n".into(), Value::Double(2.5))], dense: vec![] });
    assert_eq!(value.get("n").and_then(Value::as_number), Some(2.5));
    assert_eq!((value.as_number(), value.as_str(), Value::Null.get("n")), (None, None, None));
}

#[test]
fn strings_that_are_not_utf_8_are_replaced() {
    assert_eq!(decode(&[6, 5, 0xff, b'a']), Ok((string("\u{fffd}a"), 4)));
}

#[test]
fn what_is_not_understood_is_refused() {
    refused(&[0x12], "0x12");
    let error = refused(b"\x0a\x07\x03A\x00", "externalizable \"A\"");
    assert_eq!(error.offset, 4);
    let long = [&[10, 7, 0x87, 0x69], [b'a'; 500].as_slice()].concat();
    assert!(refused(&long, "externalizable").got.len() < 120);
}

#[test]
fn announced_lengths_take_no_memory() {
    const MOST: [u8; 4] = [0xff, 0xff, 0xff, 0xff];
    for kind in 0x06..=0x11 {
        for end in [&[][..], &[0, 1], &[1, 1, 1, 1, 1]] {
            assert!(decode(&[&[kind], &MOST[..], end].concat()).is_err());
        }
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels| [[9, 3, 1].repeat(levels), vec![1]].concat();
    assert!(decode(&nested(63)).is_ok());
    refused(&nested(64), "64 deep");
    refused(&nested(100_000), "64 deep");
}

#[test]
fn parts_are_bounded() {
    // An array of `count` nulls; its length has three bytes.
    let nulls = |count: usize| {
        let number = count << 1 | 1;
        let head = [9, (number >> 14) as u8 | 0x80, (number >> 7) as u8 | 0x80, number as u8 & 0x7f, 1];
        [head.to_vec(), vec![1; count]].concat()
    };
    assert!(decode(&nulls(199_999)).is_ok());
    refused(&nulls(200_000), "200000");
    // Names of sealed members that are all one string.
    let names = [&[10, 0xff, 0xff, 0xff, 0xf3, 1, 3, b'n'][..], &vec![0; 300_000]].concat();
    refused(&names, "200000");
}

#[test]
fn repetitions_of_a_long_string_share_it() {
    let text = "x".repeat(1000);
    let bytes = encoded(&array(vec![string(&text); 1000]));
    assert!(bytes.len() < 4000);
    let Value::Array(array) = decode(&bytes).unwrap().0 else { panic!() };
    let texts: Vec<_> = array.dense.iter().filter_map(Value::as_str).map(str::as_ptr).collect();
    assert_eq!(texts.len(), 1000);
    assert!(texts.iter().all(|text| *text == texts[0]));
}

fn any_name() -> impl Strategy<Value = Arc<str>> {
    "[a-c]{1,2}|\\PC{1,5}".prop_map(Arc::from)
}

fn any_members(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Members> {
    prop::collection::vec((any_name(), value), 0..4)
}

fn any_vector<T: std::fmt::Debug>(item: impl Strategy<Value = T>) -> impl Strategy<Value = Vector<T>> {
    (any::<bool>(), prop::collection::vec(item, 0..5)).prop_map(|(fixed, items)| Vector { fixed, items })
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Undefined),
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        (-(1 << 28)..1 << 28).prop_map(Value::Integer),
        any::<f64>().prop_map(Value::Double),
        any_name().prop_map(Value::String),
        ".{0,9}".prop_map(Value::XmlDocument),
        ".{0,9}".prop_map(Value::Xml),
        any::<f64>().prop_map(Value::Date),
        any::<Vec<u8>>().prop_map(Value::ByteArray),
        any_vector(any::<i32>()).prop_map(Value::VectorInt),
        any_vector(any::<u32>()).prop_map(Value::VectorUint),
        any_vector(any::<f64>()).prop_map(Value::VectorDouble),
        // The outermost value is an object of some kind, see below.
        Just(Value::Reference(0)),
    ];
    let tree = leaf.prop_recursive(5, 60, 4, |inner| {
        prop_oneof![
            (any_members(inner.clone()), prop::collection::vec(inner.clone(), 0..4))
                .prop_map(|(associative, dense)| Value::Array(Array { associative, dense })),
            (any_name(), any::<bool>(), any_members(inner.clone()), any_members(inner.clone())).prop_map(
                |(class_name, dynamic, sealed, members)| {
                    let (names, sealed) = sealed.into_iter().unzip();
                    let traits = Traits { class_name, dynamic, sealed: names }.into();
                    let dynamic = if dynamic { members } else { Members::new() };
                    Value::Object(Object { traits, sealed, dynamic })
                }
            ),
            (any_name(), any_vector(inner.clone()))
                .prop_map(|(class_name, items)| Value::VectorObject { class_name, items }),
            (any::<bool>(), prop::collection::vec((inner.clone(), inner), 0..3))
                .prop_map(|(weak, entries)| Value::Dictionary { weak, entries }),
        ]
    });
    tree.prop_map(|value| array(vec![value, Value::Reference(0)]))
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in any_value()) {
        let bytes = encoded(&value);
        prop_assert_eq!(decode(&bytes), Ok((value, bytes.len())));
    }

    #[test]
    fn truncation_is_an_error(value in any_value(), cut in any::<prop::sample::Index>()) {
        let bytes = encoded(&value);
        prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn any_bytes_are_survived(kind in 0u8..0x13, bytes in any::<Vec<u8>>()) {
        if let Ok((value, used)) = decode(&[&[kind], &bytes[..]].concat()) {
            prop_assert!(used <= bytes.len() + 1);
            // Lossy replacement and members that cannot be written aside, what was read can be written and read again.
            prop_assert!(decode(&encoded(&value)).is_ok());
        }
    }
}

/// What is two bytes on the wire each time is its whole length for whoever writes it out.
#[test]
fn repetitions_of_long_texts_are_limited() {
    let text = [&[marker::STRING, 0x87, 0xe8, 0x01][..], &[b'x'; 64_000]].concat();
    let array = |repetitions: usize| {
        let count = ((repetitions + 1) << 1 | 1) as u32;
        let count = [(count >> 14 | 0x80) as u8, (count >> 7 & 0x7f | 0x80) as u8, (count & 0x7f) as u8];
        [&[marker::ARRAY][..], &count, &[1], &text, &[marker::STRING, 0].repeat(repetitions)].concat()
    };
    assert!(decode(&array(190)).is_ok());
    refused(&array(210), "at most 200000");
    // Names of members, all in a class that is referred to.
    let class = [&[marker::OBJECT, 0x13, 3, b'C', 0x87, 0xe8, 0x01][..], &[b'x'; 64_000], &[marker::NULL]].concat();
    let objects = |repetitions: usize| {
        let count = ((repetitions + 1) << 1 | 1) as u32;
        let count = [(count >> 14 | 0x80) as u8, (count >> 7 & 0x7f | 0x80) as u8, (count & 0x7f) as u8];
        [&[marker::ARRAY][..], &count, &[1], &class, &[marker::OBJECT, 1, marker::NULL].repeat(repetitions)].concat()
    };
    assert!(decode(&objects(190)).is_ok());
    refused(&objects(210), "at most 200000");
    // Short ones cost nothing.
    let names =
        [&[marker::ARRAY, 0x86, 0x8d, 0x21, 1, marker::STRING, 9][..], b"time", &[marker::STRING, 0].repeat(49_999)];
    assert!(decode(&names.concat()).is_ok());
}
