//! What connect says about Enhanced RTMP (v2, "Enhancing NetConnection connect Command"): properties of its command object.
//!
//! ```text
//! videoFunction      Number: bits of things that a player does with video
//! fourCcList         Strict Array of FourCCs that can be received, "*" being any (v1)
//! audio-, videoFourCcInfoMap   Object, FourCC or "*" → Number: 1 can decode, 2 can encode, 4 can forward
//! capsEx             Number: bits of extensions that are understood
//! ```
//!
//! The answers of servers are not looked at: whatever comes is saved as it is.

use crate::proto::amf0::{Object, Value};
use crate::proto::media::FourCc;

/// The properties that a client announces which saves whatever codec comes, for
/// [`ConnectParams::extra_properties`](super::ConnectParams::extra_properties).
pub fn enhanced_capabilities() -> Vec<(String, Value)> {
    // Some servers compare each string and know no "*".
    let codecs = FourCc::VIDEO.iter().chain(&FourCc::AUDIO).map(ToString::to_string);
    let list = std::iter::once(ANY.to_owned()).chain(codecs).map(Value::from).collect();
    let any = || Value::Object(Object::default().with(ANY, CAN_FORWARD));
    [
        ("videoFunction", Value::from(VIDEO_CLIENT_SEEK + VIDEO_HDR + VIDEO_METADATA)),
        ("fourCcList", Value::StrictArray(list)),
        ("audioFourCcInfoMap", any()),
        ("videoFourCcInfoMap", any()),
        ("capsEx", Value::from(MULTITRACK + MOD_EX + TIMESTAMP_NANO_OFFSET)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// In place of a FourCC: every codec.
const ANY: &str = "*";

/// In the info maps: it can be passed on, which is all that saving is.
const CAN_FORWARD: f64 = 4.0;

/// In `videoFunction`: seeking to any frame. Flash Player says so, and rtmpdump.
const VIDEO_CLIENT_SEEK: f64 = 1.0;
/// In `videoFunction`: video with a high dynamic range.
const VIDEO_HDR: f64 = 2.0;
/// In `videoFunction`: video packets of type Metadata.
const VIDEO_METADATA: f64 = 4.0;

/// In `capsEx`: payloads of several tracks.
const MULTITRACK: f64 = 2.0;
/// In `capsEx`: packets of type ModEx.
const MOD_EX: f64 = 4.0;
/// In `capsEx`: nanoseconds in a ModEx.
const TIMESTAMP_NANO_OFFSET: f64 = 8.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::amf0;

    #[test]
    fn what_is_announced_to_the_byte() {
        let mut bytes = Vec::new();
        amf0::encode(&Value::Object(Object { properties: enhanced_capabilities() }), &mut bytes);
        let mut expected =
            b"\x03\0\x0dvideoFunction\0\x40\x1c\0\0\0\0\0\0\0\x0afourCcList\x0a\0\0\0\x0d\x02\0\x01*".to_vec();
        for codec in "avc1 hvc1 vvc1 av01 vp08 vp09 mp4a Opus fLaC ac-3 ec-3 .mp3".split(' ') {
            expected.extend([&[2, 0, 4], codec.as_bytes()].concat());
        }
        for map in ["audioFourCcInfoMap", "videoFourCcInfoMap"] {
            expected.extend([&[0, 18], map.as_bytes(), b"\x03\0\x01*\0\x40\x10\0\0\0\0\0\0\0\0\x09"].concat());
        }
        expected.extend(b"\0\x06capsEx\0\x40\x2c\0\0\0\0\0\0\0\0\x09");
        assert_eq!(bytes, expected);
    }
}
