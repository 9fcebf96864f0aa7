//! What connect says about Enhanced RTMP (v2, "Enhancing NetConnection connect Command"): properties of its command object.
//!
//! ```text
//! videoFunction      Number: bits of things that a player does with video
//! capsEx             Number: bits of extensions that are understood
//! fourCcList         Strict Array of FourCCs that can be received, "*" being any (v1)
//! audio-, videoFourCcInfoMap   Object, FourCC or "*" → Number: 1 can decode, 2 can encode, 4 can forward
//! ```
//!
//! Does not look at the answers of servers: whatever comes is saved as it is.

use crate::proto::amf0::{Object, Value};
use crate::proto::media::FourCc;

/// How much of Enhanced RTMP a client announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Announcement {
    /// Nothing: what Flash Player sent.
    Nothing,
    /// `videoFunction` and `capsEx`, which are Numbers like the other capabilities: every AMF 0 parser reads them.
    ///
    /// Old servers close, refuse, fall silent or crash at the Strict Array of `fourCcList` and at Objects within connect's
    /// object; no codec is held back by most servers where these are missing (ffmpeg announces nothing as a player).
    #[default]
    Numbers,
    /// All of it, for servers that send H.265, AV1, Opus and other new codecs only to players that name them: MediaMTX wants
    /// each FourCC in a `fourCcList` that is a Strict Array, moq-rtmp that or "can decode" in the info maps.
    Full,
}

/// The properties that a client announces which saves whatever codec comes, for
/// [`ConnectParams::extra_properties`](super::ConnectParams::extra_properties).
pub fn enhanced_capabilities(announcement: Announcement) -> Vec<(String, Value)> {
    let video_function = Value::from(VIDEO_CLIENT_SEEK + VIDEO_HDR + VIDEO_METADATA);
    let caps_ex = Value::from(MULTITRACK + MOD_EX + TIMESTAMP_NANO_OFFSET);
    let properties = match announcement {
        Announcement::Nothing => vec![],
        Announcement::Numbers => vec![("videoFunction", video_function), (CAPS_EX, caps_ex)],
        Announcement::Full => vec![
            ("videoFunction", video_function),
            (FOUR_CC_LIST, codecs()),
            ("audioFourCcInfoMap", any_codec()),
            ("videoFourCcInfoMap", any_codec()),
            (CAPS_EX, caps_ex),
        ],
    };
    properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The list of FourCCs. Some servers compare each string and know no "*".
fn codecs() -> Value {
    let codecs = FourCc::VIDEO.iter().chain(&FourCc::AUDIO).map(ToString::to_string);
    Value::StrictArray(std::iter::once(ANY.to_owned()).chain(codecs).map(Value::from).collect())
}

/// An info map for every codec. Saving is forwarding, but some servers look for "can decode" alone.
fn any_codec() -> Value {
    Value::Object(Object::default().with(ANY, CAN_DECODE + CAN_FORWARD))
}

/// Name of the bits of extensions.
pub(super) const CAPS_EX: &str = "capsEx";

/// Name of the list of FourCCs.
const FOUR_CC_LIST: &str = "fourCcList";

/// In place of a FourCC: every codec.
const ANY: &str = "*";

/// In the info maps: it can be decoded.
const CAN_DECODE: f64 = 1.0;
/// In the info maps: it can be passed on.
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

    fn encoded(announcement: Announcement) -> Vec<u8> {
        let mut bytes = Vec::new();
        amf0::encode(&Value::Object(Object { properties: enhanced_capabilities(announcement) }), &mut bytes);
        bytes
    }

    #[test]
    fn the_full_announcement_to_the_byte() {
        let mut expected =
            b"\x03\0\x0dvideoFunction\0\x40\x1c\0\0\0\0\0\0\0\x0afourCcList\x0a\0\0\0\x0d\x02\0\x01*".to_vec();
        for codec in "avc1 hvc1 vvc1 av01 vp08 vp09 mp4a Opus fLaC ac-3 ec-3 .mp3".split(' ') {
            expected.extend([&[2, 0, 4], codec.as_bytes()].concat());
        }
        for map in ["audioFourCcInfoMap", "videoFourCcInfoMap"] {
            expected.extend([&[0, 18], map.as_bytes(), b"\x03\0\x01*\0\x40\x14\0\0\0\0\0\0\0\0\x09"].concat());
        }
        expected.extend(b"\0\x06capsEx\0\x40\x2c\0\0\0\0\0\0\0\0\x09");
        assert_eq!(encoded(Announcement::Full), expected);
    }

    #[test]
    fn by_default_there_are_numbers_and_nothing_else() {
        let numbers = b"\x03\0\x0dvideoFunction\0\x40\x1c\0\0\0\0\0\0\0\x06capsEx\0\x40\x2c\0\0\0\0\0\0\0\0\x09";
        assert_eq!(encoded(Announcement::default()), numbers);
        assert_eq!(encoded(Announcement::Nothing), b"\x03\0\0\x09");
    }
}
