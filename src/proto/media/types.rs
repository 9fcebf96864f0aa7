//! Numbers of the tag headers (E.4.2.1, E.4.3.1; ExAudioTagHeader and ExVideoTagHeader of Enhanced RTMP v2).
//! Their layout is in the module above. Does not read anything.

/// Bit of the first byte of a video payload: the header is the enhanced one.
pub const EX_VIDEO: u8 = 0x80;
/// Sound format that says that the header of an audio payload is the enhanced one.
pub const EX_AUDIO: u8 = 9;
/// Sound format AAC, the only old one with a packet type.
pub const AAC: u8 = 10;

/// Frame types (E.4.3.1) that make a difference.
pub mod frame_type {
    pub const KEY: u8 = 1;
    pub const COMMAND: u8 = 5;
}

/// Packet types of enhanced video payloads.
pub mod video_packet {
    pub const SEQUENCE_START: u8 = 0;
    pub const CODED_FRAMES: u8 = 1;
    pub const SEQUENCE_END: u8 = 2;
    pub const CODED_FRAMES_X: u8 = 3;
    pub const METADATA: u8 = 4;
    pub const MPEG2_TS_SEQUENCE_START: u8 = 5;
    pub const MULTITRACK: u8 = 6;
}

/// Packet types of enhanced audio payloads.
pub mod audio_packet {
    pub const SEQUENCE_START: u8 = 0;
    pub const CODED_FRAMES: u8 = 1;
    pub const SEQUENCE_END: u8 = 2;
    pub const MULTICHANNEL_CONFIG: u8 = 4;
    pub const MULTITRACK: u8 = 5;
}

/// Packet types of AVC and AAC payloads of the old form.
pub mod old_packet {
    pub const SEQUENCE_HEADER: u8 = 0;
    pub const CODED: u8 = 1;
    /// End of sequence, AVC only.
    pub const END: u8 = 2;
}

/// Whether a packet type follows the first byte of a video payload of the old form: AVC, and the codecs that some servers
/// number as if they were AVC, HEVC (12) and AV1 (13).
#[inline]
pub fn has_packet_type(codec: u8) -> bool {
    matches!(codec, 7 | 12 | 13)
}
