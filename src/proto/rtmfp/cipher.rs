//! How packets are enciphered and authenticated (RFC 7016 §2.2.3; RFC 7425 §4.7).
//!
//! ```text
//! datagram's rest   AES-128-CBC( [VLU sequence number] │ [UI16 checksum] │ packet │ ff … ) │ [HMAC]
//! checksum          Internet checksum (RFC 1071) of all that follows it, padding included; only where there is no HMAC
//! HMAC              first bytes of HMAC-SHA256 of the ciphertext
//! ```
//!
//! The initialisation vector is 0 for every packet. Does not know who agreed on what: see `keying`.

use aes::Aes128;
use aes::cipher::{Array, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};

use super::super::handshake::hmac_sha256;
use super::codec::{PacketReader, put_vlu};

/// How the packets of one direction are protected.
#[derive(Clone)]
pub struct Protection {
    /// Key of the cipher.
    pub key: [u8; 16],
    /// Key of the HMAC and the bytes of it that are sent, at most 32; without it there is a checksum.
    pub hmac: Option<([u8; 32], usize)>,
    /// Whether packets are numbered.
    pub is_numbered: bool,
}

impl Protection {
    /// That of packets before there is a session: a key that everyone knows.
    pub fn startup() -> Self {
        Self { key: *b"Adobe Systems 02", hmac: None, is_numbered: false }
    }
}

impl std::fmt::Debug for Protection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Keys do not belong in a log.
        write!(f, "Protection(hmac {:?}, numbered {})", self.hmac.map(|(_, length)| length), self.is_numbered)
    }
}

/// Enciphers packets.
#[derive(Debug)]
pub struct Sealer {
    protection: Protection,
    next: u64,
}

impl Sealer {
    /// Sequence numbers begin at 0.
    pub fn new(protection: Protection) -> Self {
        Self { protection, next: 0 }
    }

    /// The rest of the datagram that carries this packet.
    pub fn seal(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(packet.len() + 64);
        if self.protection.is_numbered {
            put_vlu(&mut bytes, self.next);
            self.next += 1;
        }
        let numbered = bytes.len();
        if self.protection.hmac.is_none() {
            bytes.extend_from_slice(&[0; 2]);
        }
        bytes.extend_from_slice(packet);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), PADDING);
        if self.protection.hmac.is_none() {
            let sum = checksum(bytes.get(numbered + 2..).unwrap_or_default()).to_be_bytes();
            bytes.iter_mut().skip(numbered).zip(sum).for_each(|(to, from)| *to = from);
        }
        let (blocks, _) = Array::slice_as_chunks_mut(&mut bytes);
        cbc::Encryptor::<Aes128>::new(&self.protection.key.into(), &[0; BLOCK].into()).encrypt_blocks(blocks);
        if let Some((key, length)) = &self.protection.hmac {
            let digest = hmac_sha256(key, &[&bytes]);
            bytes.extend(digest.iter().take(*length));
        }
        bytes
    }
}

/// Deciphers packets and checks them.
#[derive(Debug)]
pub struct Opener {
    protection: Protection,
    /// One more than the highest sequence number that was accepted.
    next: u64,
    /// Bit n: whether number `next - 1 - n` was accepted.
    seen: u32,
}

impl Opener {
    /// For packets from the first one on.
    pub fn new(protection: Protection) -> Self {
        Self { protection, next: 0, seen: 0 }
    }

    /// The packet in the rest of a datagram, with its padding. `None`: it was not made with these keys, was changed on the
    /// way, or is an old one sent again.
    pub fn open(&mut self, sealed: &[u8]) -> Option<Vec<u8>> {
        let ciphertext = self.authenticate(sealed)?;
        if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(BLOCK) {
            return None;
        }
        let mut bytes = ciphertext.to_vec();
        let (blocks, _) = Array::slice_as_chunks_mut(&mut bytes);
        cbc::Decryptor::<Aes128>::new(&self.protection.key.into(), &[0; BLOCK].into()).decrypt_blocks(blocks);
        let mut cursor = PacketReader(&bytes);
        let number = if self.protection.is_numbered { Some(cursor.vlu()?) } else { None };
        if self.protection.hmac.is_none() && cursor.u16()? != checksum(cursor.0) {
            return None;
        }
        if number.is_some_and(|number| !self.is_new(number)) {
            return None;
        }
        let begin = bytes.len() - cursor.0.len();
        bytes.drain(..begin);
        Some(bytes)
    }

    /// The ciphertext of an authentic packet.
    fn authenticate<'a>(&self, sealed: &'a [u8]) -> Option<&'a [u8]> {
        let Some((key, length)) = &self.protection.hmac else { return Some(sealed) };
        let (ciphertext, sent) = sealed.split_at_checked(sealed.len().checked_sub(*length)?)?;
        let digest = hmac_sha256(key, &[ciphertext]);
        // Looks at every byte, so that the time it takes tells nothing.
        let difference = digest.iter().zip(sent).fold(0, |all, (a, b)| all | (a ^ b));
        (difference == 0).then_some(ciphertext)
    }

    /// Whether a packet with this number was not accepted before; far below the highest one it counts as old.
    fn is_new(&mut self, number: u64) -> bool {
        if number >= self.next {
            let skipped = number - self.next;
            self.seen = if skipped < 31 { self.seen << (skipped + 1) | 1 } else { 1 };
            self.next = number.saturating_add(1);
            return true;
        }
        let age = self.next - 1 - number;
        let is_new = age < 32 && self.seen & 1 << age == 0;
        if is_new {
            self.seen |= 1 << age;
        }
        is_new
    }
}

/// The Internet checksum. An odd last byte counts as the low one of its word, as all implementations have it.
fn checksum(bytes: &[u8]) -> u16 {
    let (words, odd) = bytes.as_chunks::<2>();
    let mut sum: u64 = words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum();
    sum += odd.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Bytes of a block of the cipher.
const BLOCK: usize = 16;

/// A packet's rest up to a whole block.
const PADDING: u8 = 0xff;

#[cfg(test)]
mod tests {
    use super::super::packet::{scramble, unscramble};
    use super::super::tests::{bytes, hex};
    use super::*;

    /// The protection of the known session packets.
    fn session(hmac: bool) -> Protection {
        let key = bytes("7450ea464b6adcbf4a71dd60b8765470").try_into().unwrap();
        let hmac_key = bytes("dbbf723bee804cade82abb3d723ad6987a747be520b59b94767115be724bc293");
        Protection { key, hmac: hmac.then(|| (hmac_key.try_into().unwrap(), 10)), is_numbered: hmac }
    }

    #[test]
    fn a_startup_packet_as_a_server_took_it() {
        let packet = bytes(concat!(
            "0b123430002918170a72746d66703a2f2f3132372e302e302e312f6c697665",
            "000102030405060708090a0b0c0d0e0f"
        ));
        let datagram = scramble(0, &Sealer::new(Protection::startup()).seal(&packet));
        assert_eq!(
            hex(&datagram),
            concat!(
                "dbaac01cfca1018c270bc190845400349bb57e0234ae6c716251f54c00e51526",
                "6043d3387dc835e5adbe5201c828d04e9e1a2fd96e51c0ccb2da72160965fcdfa80d6aae"
            )
        );
        let (session_id, sealed) = unscramble(&datagram).unwrap();
        assert_eq!(session_id, 0);
        let opened = Opener::new(Protection::startup()).open(sealed).unwrap();
        assert_eq!(opened, [&packet[..], &[PADDING; 15]].concat());
    }

    #[test]
    fn session_packets_as_a_server_took_them() {
        let packet = bytes("0d12345678010000");
        for (hmac, expected) in [
            (true, "76dc28ea471f330f20e128a189e92f96e310e0d6f5228760e2e9e59a2c06"),
            (false, "379f3a8cf93ac701df87cec9e2d892985a1114c1"),
        ] {
            let datagram = scramble(0x1122_3344, &Sealer::new(session(hmac)).seal(&packet));
            assert_eq!(hex(&datagram), expected);
            let (session_id, sealed) = unscramble(&datagram).unwrap();
            assert_eq!(session_id, 0x1122_3344);
            assert!(Opener::new(session(hmac)).open(sealed).unwrap().starts_with(&packet));
        }
    }

    #[test]
    fn what_was_changed_or_cut_is_refused() {
        for protection in [session(true), session(false), Protection::startup()] {
            let sealed = Sealer::new(protection.clone()).seal(b"\x0d\x12\x34\x56\x78\x01\0\0 and more than a block");
            for end in 0..sealed.len() {
                assert_eq!(Opener::new(protection.clone()).open(&sealed[..end]), None, "{end}");
            }
            for at in 0..sealed.len() {
                let mut changed = sealed.clone();
                changed[at] ^= 0x40;
                assert_eq!(Opener::new(protection.clone()).open(&changed), None, "{at}");
            }
        }
    }

    #[test]
    fn a_packet_is_accepted_once_and_late_ones_only_within_the_window() {
        let mut sealer = Sealer::new(session(true));
        let sealed: Vec<_> = (0..300u16).map(|n| sealer.seal(&n.to_be_bytes())).collect();
        let mut opener = Opener::new(session(true));
        for n in [0, 2, 1, 40, 9, 10, 39, 299, 267, 298] {
            assert_eq!(opener.open(&sealed[n]).is_some(), n != 267, "{n}");
            assert!(opener.open(&sealed[n]).is_none(), "{n} again");
        }
        assert!(opener.open(&sealed[0]).is_none());
        assert!(opener.open(&sealed[268]).is_some());
    }

    #[test]
    fn numbers_and_a_checksum_together() {
        // From 128 on the number takes two bytes, and what the checksum is over has another parity.
        let protection = Protection { is_numbered: true, ..session(false) };
        let (mut sealer, mut opener) = (Sealer::new(protection.clone()), Opener::new(protection));
        for n in 0..300u16 {
            let opened = opener.open(&sealer.seal(&n.to_be_bytes())).unwrap();
            assert!(opened.starts_with(&n.to_be_bytes()));
        }
    }

    #[test]
    fn sequence_numbers_at_the_end_do_not_overflow() {
        let mut opener = Opener::new(session(true));
        assert!(opener.is_new(u64::MAX));
        assert!(!opener.is_new(0));
        assert!(opener.is_new(u64::MAX) || opener.next == u64::MAX);
    }

    #[test]
    fn checksums() {
        assert_eq!(checksum(&[]), 0xffff);
        assert_eq!(checksum(&[0x12, 0x34, 0xed, 0xcb]), 0);
        assert_eq!(checksum(&[0x12, 0x34, 0x56]), !(0x1234 + 0x56));
    }

    #[test]
    fn keys_are_not_shown() {
        assert_eq!(format!("{:?}", session(true)), "Protection(hmac Some(10), numbered true)");
    }
}
