//! Reading bytes: the one cursor of this room, and the 24-bit numbers of chunks, tags and aggregates.
//!
//! ```text
//! ┌───────────────┬───────────────────────┐
//! │ read: offset  │ rest                  │   big-endian, as everything in RTMP but two fields of the chunk header
//! └───────────────┴───────────────────────┘
//! ```
//!
//! Does not read bits, and does not know what is read: errors carry what the caller expected.

use std::borrow::Cow;

use byteorder::{BigEndian, ByteOrder};

use super::{Layer, ProtocolError};

/// A place in some bytes. Reading past the end is an error with the byte offset and changes nothing.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    layer: Layer,
    bytes: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// At the beginning of `bytes`; errors name `layer`.
    pub fn new(layer: Layer, bytes: &'a [u8]) -> Self {
        Self { layer, bytes, rest: bytes }
    }

    /// How many bytes have been read.
    pub fn offset(&self) -> usize {
        self.bytes.len() - self.rest.len()
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything has been read.
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// UI8.
    ///
    /// # Errors
    /// The end, as of all readers here.
    pub fn u8(&mut self, expected: &'static str) -> Result<u8, ProtocolError> {
        let [byte] = self.array(expected)?;
        Ok(byte)
    }

    /// UI16.
    ///
    /// # Errors
    /// The end.
    pub fn u16(&mut self, expected: &'static str) -> Result<u16, ProtocolError> {
        self.array(expected).map(|bytes: [u8; 2]| BigEndian::read_u16(&bytes))
    }

    /// UI24.
    ///
    /// # Errors
    /// The end.
    pub fn u24(&mut self, expected: &'static str) -> Result<u32, ProtocolError> {
        self.array(expected).map(u24)
    }

    /// SI24.
    ///
    /// # Errors
    /// The end.
    pub fn i24(&mut self, expected: &'static str) -> Result<i32, ProtocolError> {
        self.array(expected).map(|bytes: [u8; 3]| BigEndian::read_i24(&bytes))
    }

    /// UI32.
    ///
    /// # Errors
    /// The end.
    pub fn u32(&mut self, expected: &'static str) -> Result<u32, ProtocolError> {
        self.array(expected).map(|bytes: [u8; 4]| BigEndian::read_u32(&bytes))
    }

    /// A double (IEEE 754, 64 bits).
    ///
    /// # Errors
    /// The end.
    pub fn f64(&mut self, expected: &'static str) -> Result<f64, ProtocolError> {
        self.array(expected).map(|bytes: [u8; 8]| BigEndian::read_f64(&bytes))
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// The end.
    pub fn array<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N], ProtocolError> {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else { return Err(self.short(expected)) };
        self.rest = rest;
        Ok(*bytes)
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// The end.
    pub fn take(&mut self, count: usize, expected: &'static str) -> Result<&'a [u8], ProtocolError> {
        let Some((bytes, rest)) = self.rest.split_at_checked(count) else { return Err(self.short(expected)) };
        self.rest = rest;
        Ok(bytes)
    }

    /// Passes over `count` bytes, or as many as there are.
    pub fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// Continues at `rest`, a later part of the same bytes.
    pub fn continue_at(&mut self, rest: &'a [u8]) {
        self.rest = rest;
    }

    /// The same, `count` bytes ago.
    pub fn before(&self, count: usize) -> Self {
        let rest = self.bytes.get(self.offset().saturating_sub(count)..).unwrap_or_default();
        Self { rest, ..self.clone() }
    }

    /// The bytes end where `expected` should be.
    pub fn short(&self, expected: &'static str) -> ProtocolError {
        self.error(expected, format!("the end after {} bytes", self.rest.len()))
    }

    /// There is something else here than what was expected.
    pub fn error(&self, expected: impl Into<Cow<'static, str>>, got: impl Into<Cow<'static, str>>) -> ProtocolError {
        ProtocolError::new(self.layer, self.offset() as u64, expected, got)
    }
}

/// UI24 of three bytes.
#[inline]
pub fn u24(bytes: [u8; 3]) -> u32 {
    BigEndian::read_u24(&bytes)
}

/// The three bytes of a UI24; bits 24 to 31 of `value` are left out.
#[inline]
pub fn u24_bytes(value: u32) -> [u8; 3] {
    let mut bytes = [0; 3];
    BigEndian::write_u24(&mut bytes, value & 0xFF_FFFF);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_big_endian() {
        let bytes = [1, 0, 2, 0, 0, 3, 0xFF, 0xFF, 0xDF, 0, 0, 0, 4, 0x40, 0x29, 0, 0, 0, 0, 0, 0];
        let mut cursor = Cursor::new(Layer::Media, &bytes);
        assert_eq!((cursor.u8("a"), cursor.u16("b"), cursor.u24("c")), (Ok(1), Ok(2), Ok(3)));
        assert_eq!((cursor.i24("d"), cursor.u32("e"), cursor.f64("f")), (Ok(-33), Ok(4), Ok(12.5)));
        assert!(cursor.is_at_end());
        assert_eq!((u24([1, 2, 3]), u24_bytes(0xFF01_0203)), (0x01_0203, [1, 2, 3]));
    }

    #[test]
    fn the_end_is_an_error_with_its_place_and_changes_nothing() {
        let mut cursor = Cursor::new(Layer::Amf0, &[1, 2, 3]);
        assert_eq!(cursor.u8("a byte"), Ok(1));
        let error = cursor.u32("a number").unwrap_err().to_string();
        assert_eq!(error, "AMF0 at byte 1: expected a number, got the end after 2 bytes");
        assert_eq!((cursor.offset(), cursor.rest()), (1, &[2, 3][..]));
        assert!(cursor.take(usize::MAX, "much").is_err());
        assert_eq!(cursor.before(5).offset(), 0);
    }
}
