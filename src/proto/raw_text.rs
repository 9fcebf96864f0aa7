//! Bytes that are not UTF-8, carried in a `String`: names of streams and applications are bytes on the wire (AMF 0 strings,
//! AMF 0 §2.8), and servers know names that are written in other encodings.
//!
//! ```text
//! byte 80–FF that is no UTF-8   ◄──►   U+10FF80–U+10FFFF, the end of a private plane
//! ```
//!
//! Does not guess the encoding of such bytes, and changes no text that is UTF-8.

use std::borrow::Cow;

/// Text of any bytes; [`to_bytes`] gives the same bytes again.
///
/// ```
/// use rtmpcat::proto::raw_text;
///
/// let name = raw_text::from_bytes(b"caf\xe9");
/// assert_eq!(raw_text::to_bytes(&name).as_ref(), b"caf\xe9");
/// ```
pub fn from_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(BASE + u32::from(*byte))));
    }
    text
}

/// The bytes of a text as they are sent: UTF-8, and those that [`from_bytes`] could not read as such.
pub fn to_bytes(text: &str) -> Cow<'_, [u8]> {
    if !text.as_bytes().contains(&FIRST_BYTE) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u32::from(c).checked_sub(BASE) {
            Some(byte @ 0x80..=0xFF) => bytes.push(byte as u8),
            _ => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// What is added to a byte.
const BASE: u32 = 0x10_FF00;

/// The UTF-8 of characters that stand for bytes begins with it.
const FIRST_BYTE: u8 = 0xF4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_come_back() {
        let all: Vec<u8> = (0..=255).collect();
        for bytes in [&b"caf\xe9"[..], "café 😀 \u{10FF00}".as_bytes(), b"\xff\xfe\xf4\x8f", b"", &all] {
            assert_eq!(to_bytes(&from_bytes(bytes)).as_ref(), bytes);
        }
        assert_eq!(from_bytes("café".as_bytes()), "café");
    }
}
