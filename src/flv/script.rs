//! Data messages (§7.1.2) → script tags, and what onMetaData says.

use std::borrow::Cow;

use crate::proto::amf0::{self, Object, Value};

use super::tag::{FileHeader, tag_type};

/// What becomes of a data message.
#[derive(Debug, Clone, PartialEq)]
pub struct Script<'a> {
    /// Type of the tag.
    pub kind: u8,
    /// Payload of the tag.
    pub payload: Cow<'a, [u8]>,
    /// The properties, if it is onMetaData.
    pub metadata: Option<Object>,
}

/// What is to be written for a data message of type 18 or 15: a publisher's `@setDataFrame` is taken off;
/// `|RtmpSampleAccess`, which is about rights, and nothing are not for a file. A message of type 15 without a value in AMF 3
/// becomes a tag of type 18, the only one that players look for metadata in.
pub fn prepare(kind: u8, payload: &[u8]) -> Option<Script<'_>> {
    // Type 15 begins with a byte 0, then come AMF 0 values (Enhanced RTMP v2).
    let (switch, body) = match payload {
        [0, rest @ ..] if kind == tag_type::SCRIPT_AMF3 => (true, rest),
        _ => (false, payload),
    };
    let stripped = body.strip_prefix(SET_DATA_FRAME);
    let body = stripped.unwrap_or(body);
    if body.is_empty() || body.starts_with(SAMPLE_ACCESS) {
        return None;
    }
    let kind = if switch && is_amf0_alone(body) { tag_type::SCRIPT } else { kind };
    let payload = match (switch && kind == tag_type::SCRIPT_AMF3, stripped) {
        (false, _) => Cow::Borrowed(body),
        (true, None) => Cow::Borrowed(payload),
        (true, Some(body)) => Cow::Owned([&[0], body].concat()),
    };
    Some(Script { kind, payload, metadata: metadata(body) })
}

/// Whether all of it is AMF 0.
fn is_amf0_alone(body: &[u8]) -> bool {
    fn is_amf0(value: &Value) -> bool {
        match value {
            Value::Amf3(_) => false,
            Value::StrictArray(values) => values.iter().all(is_amf0),
            value => value.as_object().is_none_or(|object| object.properties.iter().all(|(_, value)| is_amf0(value))),
        }
    }
    amf0::decode_all(body).is_ok_and(|values| values.iter().all(is_amf0))
}

/// The properties of an onMetaData, from the name on.
pub fn metadata(body: &[u8]) -> Option<Object> {
    match amf0::decode(body.strip_prefix(ON_META_DATA)?) {
        Ok((Value::Object(object) | Value::EcmaArray(object), _)) => Some(object),
        Ok((value, _)) => value.as_object().cloned(),
        Err(_) => None,
    }
}

/// The tracks that metadata speaks of, as flags of the file header.
pub fn declared_tracks(metadata: &Object) -> u8 {
    let says = |names: &[&str]| {
        names.iter().filter_map(|name| metadata.get(name)).any(|value| match value {
            Value::Boolean(truth) => *truth,
            Value::Null | Value::Undefined | Value::Unsupported => false,
            _ => true,
        })
    };
    // A plain "no" weighs more than a codec that is left over from a template.
    let denied = |name| metadata.get(name).and_then(Value::as_bool) == Some(false);
    let audio = !denied("hasAudio") && says(&["hasAudio", "audiocodecid", "audiosamplerate"]);
    let video = !denied("hasVideo") && says(&["hasVideo", "videocodecid", "width"]);
    (if audio { FileHeader::AUDIO } else { 0 }) | (if video { FileHeader::VIDEO } else { 0 })
}

/// `duration` in seconds, if there is one worth the name.
pub fn duration(metadata: &Object) -> Option<f64> {
    metadata.get("duration")?.as_number().filter(|duration| *duration > 0.0 && *duration < LONGEST_SECONDS)
}

/// No stream lasts thirty years; encoders use such values as "unknown".
const LONGEST_SECONDS: f64 = 1e9;

/// The name that begins metadata, as an AMF 0 string.
pub const ON_META_DATA: &[u8] = b"\x02\0\x0aonMetaData";
const SET_DATA_FRAME: &[u8] = b"\x02\0\x0d@setDataFrame";
const SAMPLE_ACCESS: &[u8] = b"\x02\0\x11|RtmpSampleAccess";

#[cfg(test)]
mod tests {
    use super::*;

    fn message(names: &[&str], object: Object) -> Vec<u8> {
        let mut bytes = Vec::new();
        names.iter().for_each(|name| amf0::encode_string(name, &mut bytes));
        amf0::encode(&Value::EcmaArray(object), &mut bytes);
        bytes
    }

    #[test]
    fn the_publishers_prefix_is_taken_off() {
        let object = Object::default().with("duration", 2.5);
        let plain = message(&["onMetaData"], object.clone());
        let prefixed = message(&["@setDataFrame", "onMetaData"], object.clone());
        for bytes in [&plain, &prefixed] {
            let script = prepare(18, bytes).unwrap();
            assert_eq!(&*script.payload, plain);
            assert_eq!(duration(&script.metadata.unwrap()), Some(2.5));
        }
        let amf3 = [&[0], prefixed.as_slice()].concat();
        let script = prepare(15, &amf3).unwrap();
        assert_eq!((script.kind, &*script.payload, script.metadata), (18, plain.as_slice(), Some(object)));
        let with_amf3 = [&amf3, &b"\x11\x06\x03x"[..]].concat();
        let script = prepare(15, &with_amf3).unwrap();
        assert_eq!((script.kind, script.payload[0], &script.payload[1..=plain.len()]), (15, 0, plain.as_slice()));
    }

    #[test]
    fn rights_are_not_for_files_and_other_data_is() {
        assert_eq!(prepare(18, &message(&["|RtmpSampleAccess"], Object::default())), None);
        assert_eq!(prepare(18, b""), None);
        assert_eq!(prepare(15, b"\0"), None);
        assert_eq!(prepare(18, b"\x02\0\x0d@setDataFrame"), None);
        let text = message(&["onTextData"], Object::default());
        assert_eq!(prepare(18, &text).unwrap(), Script { kind: 18, payload: Cow::Borrowed(&text), metadata: None });
        assert_eq!(prepare(18, b"\xff\xfe").unwrap().payload, b"\xff\xfe".as_slice());
        assert_eq!(prepare(15, b"\x11\x06").unwrap().payload, b"\x11\x06".as_slice());
    }

    #[test]
    fn every_truncation_of_metadata_is_kept_as_a_tag() {
        let bytes = message(&["onMetaData"], Object::default().with("width", 640.0));
        for cut in 1..bytes.len() {
            let script = prepare(18, &bytes[..cut]).unwrap();
            assert_eq!(script.payload, &bytes[..cut]);
        }
    }

    #[test]
    fn durations_that_are_none() {
        for number in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300, 4_294_967_295_000.0] {
            assert_eq!(duration(&Object::default().with("duration", number)), None, "{number}");
        }
        assert_eq!(duration(&Object::default().with("duration", "12")), None);
        assert_eq!(duration(&Object::default().with("duration", 360_000.0)), Some(360_000.0));
    }

    #[test]
    fn declared_tracks_follow_what_is_said() {
        let object = Object::default;
        assert_eq!(declared_tracks(&object()), 0);
        assert_eq!(declared_tracks(&object().with("audiocodecid", 10.0)), 4);
        assert_eq!(declared_tracks(&object().with("videocodecid", "avc1").with("hasAudio", true)), 5);
        assert_eq!(declared_tracks(&object().with("videocodecid", 7.0).with("hasVideo", false)), 0);
        assert_eq!(declared_tracks(&object().with("width", Value::Null)), 0);
    }
}
