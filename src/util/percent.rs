//! Percent-encoding (RFC 3986 §2.1).

pub use percent_encoding::{AsciiSet, CONTROLS};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// All but the letters, digits and signs that need no encoding anywhere in a URL (RFC 3986 §2.3).
pub const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes what is in `set`, and everything that is not ASCII.
pub fn encode(text: impl AsRef<[u8]>, set: &'static AsciiSet) -> String {
    percent_encode(text.as_ref(), set).collect()
}

/// Decodes `%xx`; what is no such thing stays.
pub fn decode(text: &str) -> Vec<u8> {
    percent_decode_str(text).collect()
}

/// The same as text, with bytes that are not UTF-8 replaced.
pub fn decode_text(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_encoded() {
        assert_eq!(encode("a-._~0/ %é", RESERVED), "a-._~0%2F%20%25%C3%A9");
        assert_eq!(encode([0xe9], RESERVED), "%E9");
    }

    #[test]
    fn what_is_not_encoded_stays() {
        assert_eq!(decode_text("a%2Fb%2fc%zz%4%"), "a/b/c%zz%4%");
        assert_eq!(decode("%E9+"), b"\xe9+");
        assert_eq!(decode_text("%E9"), "\u{fffd}");
    }
}
