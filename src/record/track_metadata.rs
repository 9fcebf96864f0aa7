//! onMetaData of a stream of which one track is kept (Enhanced RTMP v2, "Enhancing onMetaData").
//!
//! ```text
//! onMetaData { width, videocodecid, …: of track 0 · videoTrackIdInfoMap { "1": { width, … }, … } · audioTrackIdInfoMap … }
//! ```
//!
//! What the map says of the chosen track takes the place of what is said of track 0; of what it does not say, that stands
//! for both. AMF 3 metadata stays as it is.

use crate::proto::amf0::{self, Object, Value};

/// Appends the metadata of the chosen tracks to `out`, if `payload` is an onMetaData in which something changes.
pub(super) fn of_tracks(payload: &[u8], video: Option<u8>, audio: Option<u8>, out: &mut Vec<u8>) -> bool {
    // Most data messages are something else, and not to be decoded for nothing.
    if !payload.windows(NAME.len()).take(MAX_PROLOGUE).any(|bytes| bytes == NAME) {
        return false;
    }
    let Ok(mut values) = amf0::decode_all(payload) else { return false };
    let metadata = values.iter_mut().find_map(|value| match value {
        Value::Object(object) | Value::EcmaArray(object) => Some(object),
        _ => None,
    });
    let Some(metadata) = metadata else { return false };
    let changed = [
        video.is_some_and(|id| choose(metadata, "videoTrackIdInfoMap", id, &VIDEO)),
        audio.is_some_and(|id| choose(metadata, "audioTrackIdInfoMap", id, &AUDIO)),
    ];
    if !changed.contains(&true) {
        return false;
    }
    values.iter().for_each(|value| amf0::encode(value, out));
    true
}

/// The map goes, for the tracks that it speaks of are not there any more. Whether there was one.
fn choose(metadata: &mut Object, map: &str, id: u8, names: &[(&str, &str)]) -> bool {
    let Some(at) = metadata.properties.iter().position(|(name, _)| name == map) else { return false };
    let (_, map) = metadata.properties.remove(at);
    let track = map.as_object().and_then(|map| map.get(&id.to_string())).and_then(Value::as_object);
    for (name, ours) in names {
        if let Some(value) = track.and_then(|track| track.get(name)) {
            metadata.insert(ours, value.clone());
            if *name == "channels" {
                metadata.insert("stereo", value.as_number() == Some(2.0));
            }
        }
    }
    true
}

/// What may be said of a track of video: there, and in onMetaData.
const VIDEO: [(&str, &str); 6] = [
    ("width", "width"),
    ("height", "height"),
    ("videocodecid", "videocodecid"),
    ("videodatarate", "videodatarate"),
    ("framerate", "framerate"),
    ("videoframerate", "framerate"),
];

/// What may be said of a track of audio. The specification's examples have shorter names than onMetaData.
const AUDIO: [(&str, &str); 8] = [
    ("audiocodecid", "audiocodecid"),
    ("audiodatarate", "audiodatarate"),
    ("audiosamplesize", "audiosamplesize"),
    ("samplerate", "audiosamplerate"),
    ("audiosamplerate", "audiosamplerate"),
    ("channels", "audiochannels"),
    ("audiochannels", "audiochannels"),
    ("stereo", "stereo"),
];

/// How the name stands there.
const NAME: &[u8] = b"\x02\0\x0aonMetaData";

/// Bytes that may stand before it: a publisher's `@setDataFrame`.
const MAX_PROLOGUE: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(set_data_frame: bool, map: Value) -> Vec<u8> {
        let properties =
            Object::default()
                .with("duration", 0.0)
                .with("width", 320.0)
                .with("videocodecid", 7.0)
                .with("videoTrackIdInfoMap", map)
                .with("audiocodecid", 10.0)
                .with("stereo", false)
                .with(
                    "audioTrackIdInfoMap",
                    Value::Object(Object::default().with(
                        "1",
                        Value::EcmaArray(Object::default().with("channels", 2.0).with("samplerate", 48_000.0)),
                    )),
                );
        let mut out = Vec::new();
        let values = [Value::from("@setDataFrame"), "onMetaData".into(), Value::EcmaArray(properties)];
        values.iter().skip(usize::from(!set_data_frame)).for_each(|value| amf0::encode(value, &mut out));
        out
    }

    fn tracks() -> Value {
        let one = Object::default().with("width", 1280.0).with("height", 720.0).with("videocodecid", 1_752_589_105.0);
        let evil = Object::default().with("duration", 9e9).with("keyframes", "x").with("framerate", 50.0);
        Value::Object(Object::default().with("1", Value::Object(one)).with("2", Value::Object(evil)))
    }

    fn chosen(payload: &[u8], video: Option<u8>, audio: Option<u8>) -> Option<Object> {
        let mut out = Vec::new();
        of_tracks(payload, video, audio, &mut out).then(|| {
            let values = amf0::decode_all(&out).unwrap();
            assert!(values.iter().any(|value| *value == "onMetaData".into()));
            values.last().unwrap().as_object().unwrap().clone()
        })
    }

    #[test]
    fn what_is_said_of_a_track_takes_the_place_of_what_is_said_of_the_first() {
        for set_data_frame in [false, true] {
            let payload = metadata(set_data_frame, tracks());
            let object = chosen(&payload, Some(1), Some(1)).unwrap();
            let names: Vec<&str> = object.properties.iter().map(|(name, _)| name.as_str()).collect();
            let behind = ["audiochannels", "height", "audiosamplerate"];
            assert!(behind.iter().all(|name| names.contains(name)), "{names:?}");
            assert!(!names.iter().any(|name| name.ends_with("InfoMap")), "{names:?}");
            let number = |name| object.get(name).and_then(Value::as_number);
            assert_eq!(
                (number("width"), number("height"), number("videocodecid")),
                (Some(1280.0), Some(720.0), Some(1_752_589_105.0))
            );
            assert_eq!((number("audiosamplerate"), number("audiocodecid")), (Some(48_000.0), Some(10.0)));
            assert_eq!(object.get("stereo").and_then(Value::as_bool), Some(true));
            // Only what is asked for is touched.
            let object = chosen(&payload, Some(0), None).unwrap();
            assert_eq!(
                (object.get("width").and_then(Value::as_number), object.get("videoTrackIdInfoMap")),
                (Some(320.0), None)
            );
            assert!(object.get("audioTrackIdInfoMap").is_some());
        }
    }

    #[test]
    fn nothing_else_comes_from_a_map() {
        let object = chosen(&metadata(false, tracks()), Some(2), None).unwrap();
        assert_eq!((object.get("duration"), object.get("keyframes")), (Some(&Value::Number(0.0)), None));
        assert_eq!(object.get("framerate"), Some(&Value::Number(50.0)));
        for odd in [Value::Null, Value::Number(1.0), Value::Object(Object::default().with("1", "x"))] {
            let object = chosen(&metadata(false, odd), Some(1), None).unwrap();
            assert_eq!(object.get("width"), Some(&Value::Number(320.0)));
        }
    }

    #[test]
    fn other_data_passes() {
        let payload = metadata(false, tracks());
        assert_eq!(chosen(&payload, None, None), None);
        let mut cue = Vec::new();
        amf0::encode(&"onCuePoint".into(), &mut cue);
        assert_eq!(chosen(&cue, Some(1), Some(1)), None);
        for cut in 0..payload.len() {
            // Arrays are read without their end, too, if nothing else is missing.
            let whole = chosen(&payload[..cut], Some(1), Some(1)).is_none_or(|object| object.properties.len() > 2);
            assert!(whole, "cut at {cut}");
        }
    }
}
