//! The bytes of an FLV file (Adobe Flash Video File Format Specification 10.1, annex E.2 to E.4.1).
//!
//! ```text
//! file header   'F' 'L' 'V' · version UI8 = 1 · flags UI8 (0x04 audio, 0x01 video) · data offset UI32 = 9
//! body          PreviousTagSize0 UI32 = 0 · ( tag · PreviousTagSize UI32 = 11 + size )*
//! tag           reserved UB2 · filter UB1 · type UB5 · size UI24 · timestamp UI24 · timestamp bits 31–24 UI8 · stream id UI24 = 0
//!               · payload, `size` bytes
//! ```
//!
//! This file does not look into payloads.

use std::io;

/// Length of the file header without PreviousTagSize0, in bytes: the data offset of a sound file.
pub const DATA_OFFSET_BYTES: usize = 9;
/// Length of a PreviousTagSize field, in bytes.
pub const PREVIOUS_TAG_SIZE_BYTES: usize = 4;
/// Length of what stands before the first tag: the file header and PreviousTagSize0.
pub const FILE_HEADER_BYTES: usize = DATA_OFFSET_BYTES + PREVIOUS_TAG_SIZE_BYTES;
/// Length of a tag header, in bytes.
pub const TAG_HEADER_BYTES: usize = 11;
/// Bytes of a tag that are not payload: its header and the PreviousTagSize behind it.
pub const TAG_OVERHEAD_BYTES: usize = TAG_HEADER_BYTES + PREVIOUS_TAG_SIZE_BYTES;
/// Largest payload of a tag: its size field has 24 bits.
pub const MAX_PAYLOAD_BYTES: usize = 0xff_ffff;

/// Tag types (E.4.1); equal to the message type IDs of RTMP.
pub mod tag_type {
    /// Audio (E.4.2).
    pub const AUDIO: u8 = 8;
    /// Video (E.4.3).
    pub const VIDEO: u8 = 9;
    /// Script data in AMF 3 (Enhanced RTMP v2).
    pub const SCRIPT_AMF3: u8 = 15;
    /// Script data in AMF 0 (E.4.4).
    pub const SCRIPT: u8 = 18;
}

/// The header of the file (E.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHeader {
    /// Version, 1.
    pub version: u8,
    /// The flags as they stand in the file: 0x04 audio, 0x01 video, the others reserved.
    pub flags: u8,
    /// Offset of PreviousTagSize0, 9.
    pub data_offset: u32,
}

impl FileHeader {
    /// Flag: audio tags are present.
    pub const AUDIO: u8 = 0x04;
    /// Flag: video tags are present.
    pub const VIDEO: u8 = 0x01;
    /// Where the flags stand in the file, for patching.
    pub const FLAGS_OFFSET: u64 = 4;

    /// A header of version 1 that announces these tracks.
    pub fn new(audio: bool, video: bool) -> Self {
        let flags = if audio { Self::AUDIO } else { 0 } | if video { Self::VIDEO } else { 0 };
        Self { version: 1, flags, data_offset: DATA_OFFSET_BYTES as u32 }
    }

    /// Whether audio tags are announced.
    pub fn audio(&self) -> bool {
        self.flags & Self::AUDIO != 0
    }

    /// Whether video tags are announced.
    pub fn video(&self) -> bool {
        self.flags & Self::VIDEO != 0
    }

    /// The header followed by PreviousTagSize0.
    pub fn encode(&self) -> [u8; FILE_HEADER_BYTES] {
        let [o0, o1, o2, o3] = self.data_offset.to_be_bytes();
        [b'F', b'L', b'V', self.version, self.flags, o0, o1, o2, o3, 0, 0, 0, 0]
    }

    /// The header from its nine bytes; `None` without the signature. Version, flags and offset are not judged.
    pub fn decode(bytes: &[u8; DATA_OFFSET_BYTES]) -> Option<Self> {
        let [b'F', b'L', b'V', version, flags, o0, o1, o2, o3] = *bytes else { return None };
        Some(Self { version, flags, data_offset: u32::from_be_bytes([o0, o1, o2, o3]) })
    }
}

/// The header of a tag (E.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagHeader {
    /// The first byte: two reserved bits, the filter bit, the type.
    pub first_byte: u8,
    /// Length of the payload, at most [`MAX_PAYLOAD_BYTES`].
    pub payload_bytes: u32,
    /// Timestamp in milliseconds, modulo 2³².
    pub timestamp_ms: u32,
    /// Stream ID, 24 bits, 0 in every sound file.
    pub stream_id: u32,
}

impl TagHeader {
    /// A header with nothing special: no filter, stream 0. `payload_bytes` is cut to 24 bits by [`TagHeader::encode`].
    pub fn new(tag_type: u8, timestamp_ms: u32, payload_bytes: u32) -> Self {
        Self { first_byte: tag_type & 0x1f, payload_bytes, timestamp_ms, stream_id: 0 }
    }

    /// The type, 0 to 31; see [`tag_type`].
    pub fn tag_type(&self) -> u8 {
        self.first_byte & 0x1f
    }

    /// Whether the filter bit is set: the payload begins with an encryption header (annex F).
    pub fn encrypted(&self) -> bool {
        self.first_byte & 0x20 != 0
    }

    /// The PreviousTagSize that belongs behind this tag.
    pub fn previous_tag_size(&self) -> u32 {
        TAG_HEADER_BYTES as u32 + self.payload_bytes
    }

    /// Bytes of the whole tag in the file, PreviousTagSize included.
    pub fn total_bytes(&self) -> usize {
        self.payload_bytes as usize + TAG_OVERHEAD_BYTES
    }

    /// Whether these can be the first bytes of a tag: reserved bits and stream ID clear, a type that exists.
    pub fn is_plausible(&self) -> bool {
        self.first_byte & 0xc0 == 0 && self.stream_id == 0 && is_known_type(self.tag_type())
    }

    /// The eleven bytes.
    pub fn encode(&self) -> [u8; TAG_HEADER_BYTES] {
        let [_, s0, s1, s2] = self.payload_bytes.to_be_bytes();
        let [t3, t0, t1, t2] = self.timestamp_ms.to_be_bytes();
        let [_, i0, i1, i2] = self.stream_id.to_be_bytes();
        [self.first_byte, s0, s1, s2, t0, t1, t2, t3, i0, i1, i2]
    }

    /// From the eleven bytes.
    pub fn decode(bytes: &[u8; TAG_HEADER_BYTES]) -> Self {
        let [first_byte, s0, s1, s2, t0, t1, t2, t3, i0, i1, i2] = *bytes;
        Self {
            first_byte,
            payload_bytes: u32::from_be_bytes([0, s0, s1, s2]),
            timestamp_ms: u32::from_be_bytes([t3, t0, t1, t2]),
            stream_id: u32::from_be_bytes([0, i0, i1, i2]),
        }
    }

    /// From the beginning of `bytes`; `None` when there are fewer than eleven.
    pub fn decode_from(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().map(Self::decode)
    }
}

/// The header of a file with these flags, PreviousTagSize0 included.
pub fn file_header(flags: u8) -> [u8; FILE_HEADER_BYTES] {
    FileHeader { flags, ..FileHeader::new(false, false) }.encode()
}

/// The header of a tag whose payload has `size` bytes, at most [`MAX_PAYLOAD_BYTES`].
pub fn tag_header(tag_type: u8, timestamp_ms: u32, size: usize) -> [u8; TAG_HEADER_BYTES] {
    TagHeader::new(tag_type, timestamp_ms, size as u32).encode()
}

/// PreviousTagSize behind a tag whose payload has `size` bytes.
pub fn previous_tag_size(size: usize) -> [u8; PREVIOUS_TAG_SIZE_BYTES] {
    ((TAG_HEADER_BYTES + size) as u32).to_be_bytes()
}

/// Length of the whole tags within the first `length` bytes of `tags`, which begin with the file header if `starts_file`.
pub fn whole_tags(tags: &[u8], length: usize, starts_file: bool) -> usize {
    let mut end = if starts_file { FILE_HEADER_BYTES.min(tags.len()) } else { 0 };
    if end > length {
        return 0;
    }
    while let Some(header) = tags.get(end..).and_then(TagHeader::decode_from) {
        let next = end + header.total_bytes();
        if next > length {
            break;
        }
        end = next;
    }
    end
}

/// Whether `tag_type` is one that FLV defines.
pub fn is_known_type(tag_type: u8) -> bool {
    matches!(tag_type, tag_type::AUDIO | tag_type::VIDEO | tag_type::SCRIPT | tag_type::SCRIPT_AMF3)
}

/// The length of a payload as the size field holds it; `InvalidInput` above [`MAX_PAYLOAD_BYTES`].
pub fn payload_size(payload: &[u8]) -> io::Result<u32> {
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(too_large());
    }
    Ok(payload.len() as u32)
}

/// The error for a payload above [`MAX_PAYLOAD_BYTES`].
fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "an FLV tag holds at most 16777215 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_header_golden_bytes() {
        let golden = [b'F', b'L', b'V', 1, 5, 0, 0, 0, 9, 0, 0, 0, 0];
        assert_eq!(FileHeader::new(true, true).encode(), golden);
        assert_eq!(FileHeader::new(true, false).encode()[4], 4);
        assert_eq!(FileHeader::new(false, true).encode()[4], 1);
        let decoded = FileHeader::decode(golden.first_chunk().unwrap()).unwrap();
        assert_eq!(decoded, FileHeader::new(true, true));
        assert!(decoded.audio() && decoded.video());
        assert_eq!(FileHeader::decode(b"FLW\x01\x05\0\0\0\x09"), None);
    }

    #[test]
    fn tag_header_golden_bytes() {
        // 0x01020304 ms: the top byte stands behind the lower three.
        let header = TagHeader::new(tag_type::VIDEO, 0x0102_0304, 0x0a0b0c);
        let golden = [9, 0x0a, 0x0b, 0x0c, 2, 3, 4, 1, 0, 0, 0];
        assert_eq!(header.encode(), golden);
        assert_eq!(TagHeader::decode(&golden), header);
        assert_eq!(header.previous_tag_size(), 0x0a0b0c + 11);
        assert_eq!(TagHeader::decode_from(&golden[..10]), None);
    }

    #[test]
    fn filter_reserved_bits_and_stream_id_survive() {
        let bytes = [0xe9, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3];
        let header = TagHeader::decode(&bytes);
        assert_eq!((header.tag_type(), header.encrypted(), header.stream_id), (9, true, 0x010203));
        assert!(!header.is_plausible());
        assert_eq!(header.encode(), bytes);
        assert!(TagHeader::decode(&[0x29, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]).is_plausible());
        assert!(TagHeader::new(tag_type::SCRIPT_AMF3, 0, 0).is_plausible());
        assert!(!TagHeader::new(22, 0, 0).is_plausible());
    }

    #[test]
    fn payloads_above_24_bits_are_refused() {
        assert_eq!(payload_size(&vec![0; MAX_PAYLOAD_BYTES]).unwrap(), 0xff_ffff);
        assert_eq!(payload_size(&vec![0; MAX_PAYLOAD_BYTES + 1]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
