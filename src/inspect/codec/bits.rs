//! Bits of a parameter set, the highest first (H.264 §7.2, §9.1; H.265 §7.2, §9.2).

/// Reads bits; `None` at the end.
pub struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    /// From the first bit of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// A number of `count` bits, at most 32.
    pub fn read(&mut self, count: u64) -> Option<u64> {
        let mut number = 0;
        for _ in 0..count.min(32) {
            let byte = self.bytes.get(self.at / 8)?;
            number = number << 1 | u64::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(number)
    }

    /// Passes over `count` bits.
    pub fn skip(&mut self, count: u64) -> Option<()> {
        self.at = self.at.checked_add(usize::try_from(count).ok()?)?;
        (self.at <= self.bytes.len() * 8).then_some(())
    }

    /// An Exp-Golomb number, below 2³².
    pub fn exp_golomb(&mut self) -> Option<u64> {
        let mut zeros = 0;
        while self.read(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.read(zeros)?)
    }

    /// The same with a sign: 1, −1, 2, −2 … (H.264 §9.1.1).
    pub fn signed_exp_golomb(&mut self) -> Option<i64> {
        let number = self.exp_golomb()? as i64;
        Some(if number % 2 == 0 { -number / 2 } else { (number + 1) / 2 })
    }
}

/// A NAL unit without the 3 in each 0 0 3.
pub fn without_emulation_prevention(nal_unit: &[u8]) -> Vec<u8> {
    let mut zeros = 0;
    let mut bytes = Vec::with_capacity(nal_unit.len());
    for &byte in nal_unit {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        bytes.push(byte);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_their_end() {
        // 1 010 011 00100 0…: 0, 1, 2, 3, then nothing.
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0000]);
        assert_eq!([(); 4].map(|()| bits.exp_golomb()), [Some(0), Some(1), Some(2), Some(3)]);
        assert_eq!(bits.exp_golomb(), None);
        assert_eq!(Bits::new(&[0; 16]).exp_golomb(), None);
        let mut bits = Bits::new(&[0xa5, 0xff]);
        assert_eq!((bits.read(4), bits.skip(4), bits.read(8), bits.read(1)), (Some(10), Some(()), Some(255), None));
        assert_eq!(Bits::new(&[0]).skip(9), None);
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        assert_eq!([(); 5].map(|()| bits.signed_exp_golomb()), [Some(0), Some(1), Some(-1), Some(2), Some(-2)]);
    }

    #[test]
    fn emulation_prevention_goes() {
        assert_eq!(without_emulation_prevention(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3]), [0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(without_emulation_prevention(&[3, 0, 3, 0, 0]), [3, 0, 3, 0, 0]);
    }
}
