//! Bits, most significant first, as H.264 (§7.2, §9.1) and AAC write them.

#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are not written yet.
    free: u32,
}

impl BitWriter {
    /// Appends the lowest `count` bits of `value`, at most 32.
    pub(super) fn put(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            self.free -= 1;
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> bit & 1) as u8) << self.free;
            }
        }
    }

    /// Appends an Exp-Golomb code, ue(v); se(v) of 0 is the same as ue(v) of 0.
    pub(super) fn put_ue(&mut self, value: u32) {
        let code = value.saturating_add(1);
        let bits = 32 - code.leading_zeros();
        self.put(0, bits - 1);
        self.put(code, bits);
    }

    /// Fills the last byte with bits 0.
    pub(super) fn align(&mut self) {
        self.free = 0;
    }

    /// Appends whole bytes; the last byte has to be full.
    pub(super) fn put_bytes(&mut self, bytes: &[u8]) {
        self.align();
        self.bytes.extend_from_slice(bytes);
    }

    /// The bytes, the last one filled with bits 0.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
