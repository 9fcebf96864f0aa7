//! FLV on disk (Video File Format Specification 10.1, annex E): file header and tags.
//!
//! ```text
//! file    "FLV" 01 · flags UI8 (04 audio, 01 video) · 00000009 · PreviousTagSize0 = 0 · tags
//! tag     type UI8 · data size UI24 · timestamp UI24 · timestamp bits 31–24 UI8 · stream id UI24 = 0 · data
//!         PreviousTagSize UI32 = 11 + data size
//! ```

/// Tag types: message type IDs that occur in files.
pub mod tag_type {
    /// Audio.
    pub const AUDIO: u8 = 8;
    /// Video.
    pub const VIDEO: u8 = 9;
    /// Script data in AMF 3 (Enhanced RTMP v2).
    pub const SCRIPT_AMF3: u8 = 15;
    /// Script data.
    pub const SCRIPT: u8 = 18;
}

/// Flag of the file header: there are audio tags.
pub const HAS_AUDIO: u8 = 4;

/// Flag of the file header: there are video tags.
pub const HAS_VIDEO: u8 = 1;

/// File header and PreviousTagSize0, in bytes.
pub const FILE_HEADER_BYTES: usize = 13;

/// Tag header, in bytes.
pub const TAG_HEADER_BYTES: usize = 11;

/// What a tag takes besides its data: header and PreviousTagSize, in bytes.
pub const TAG_OVERHEAD_BYTES: usize = TAG_HEADER_BYTES + 4;

/// Offset of the flags in the file.
pub const FLAGS_OFFSET: u64 = 4;

/// The file header with its flags, and PreviousTagSize0.
pub fn file_header(flags: u8) -> [u8; FILE_HEADER_BYTES] {
    [b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0]
}

/// The header of a tag. `size` is that of its data, at most 0xFFFFFF bytes.
pub fn tag_header(tag_type: u8, timestamp_ms: u32, size: usize) -> [u8; TAG_HEADER_BYTES] {
    let [_, s0, s1, s2] = (size as u32).to_be_bytes();
    let [t3, t0, t1, t2] = timestamp_ms.to_be_bytes();
    [tag_type, s0, s1, s2, t0, t1, t2, t3, 0, 0, 0]
}

/// PreviousTagSize behind a tag whose data has `size` bytes.
pub fn previous_tag_size(size: usize) -> [u8; 4] {
    ((TAG_HEADER_BYTES + size) as u32).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        assert_eq!(file_header(HAS_AUDIO | HAS_VIDEO), *b"FLV\x01\x05\0\0\0\x09\0\0\0\0");
        assert_eq!(tag_header(9, 0x0102_0304, 0x0A0B0C), [9, 0x0A, 0x0B, 0x0C, 2, 3, 4, 1, 0, 0, 0]);
        assert_eq!(previous_tag_size(5), [0, 0, 0, 16]);
    }
}
