//! SWF verification: the server asks (user control event 26), the client proves that it knows the player's file (event 27).
//! §7.1.7 names neither.
//!
//! ```text
//! request    event 26, at times followed by the type that is asked for
//! response   event 27 │ 1 byte 1 │ 1 byte type 1 │ 4 bytes size │ 4 bytes size │ 32 bytes proof         (42 bytes of data)
//! hash       HMAC-SHA256 of the decompressed SWF file (signature FWS), under "Genuine Adobe Flash Player 001"
//! proof      HMAC-SHA256 of the hash, under the last 32 bytes of S1
//! ```
//!
//! Does not fetch or decompress the file. How types above 1 prove is not public: a request for one is answered by type 1,
//! which a server may take or refuse.

use super::handshake::hmac_sha256;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of a response, after the event's number.
pub const RESPONSE: usize = 42;

/// The hash of a SWF file, from pieces of any size.
#[derive(Clone)]
pub struct Hasher(Hmac<Sha256>);

impl Hasher {
    /// Nothing hashed yet.
    pub fn new() -> Self {
        let mut key = [0; 64];
        key.iter_mut().zip(PLAYER).for_each(|(to, from)| *to = *from);
        Self(Hmac::new(&key.into()))
    }

    /// Takes the next bytes of the decompressed file, which begins with `FWS`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all that was taken.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into_bytes().into()
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hasher")
    }
}

/// The client's answer. `hash` and `size` (in bytes) are those of the decompressed file, `swf_key` the last 32 bytes of S1.
pub fn response(hash: &[u8; 32], size: u32, swf_key: &[u8; 32]) -> [u8; RESPONSE] {
    let size = size.to_be_bytes();
    let proof = hmac_sha256(swf_key, &[hash]);
    let mut response = [0; RESPONSE];
    let parts = [&[1, 1][..], &size, &size, &proof].into_iter().flatten();
    response.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
    response
}

/// What a server finds in a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The client knows the file.
    Genuine,
    /// It has a file of another size, or claims two sizes.
    WrongSize,
    /// It has another file, or proves for another connection.
    WrongHash,
    /// It is no response of type 1.
    Malformed,
}

/// The server's check of an answer: the data after the number of event 27.
pub fn verify(data: &[u8], hash: &[u8; 32], size: u32, swf_key: &[u8; 32]) -> Verdict {
    let expected = response(hash, size, swf_key);
    let (Some((head, proof)), Some((expected_head, expected_proof))) =
        (data.split_first_chunk::<10>(), expected.split_first_chunk::<10>())
    else {
        return Verdict::Malformed;
    };
    if data.len() != RESPONSE || head.first_chunk::<2>() != Some(&[1, 1]) {
        Verdict::Malformed
    } else if head != expected_head {
        Verdict::WrongSize
    } else if proof != expected_proof {
        Verdict::WrongHash
    } else {
        Verdict::Genuine
    }
}

/// The key of the hash.
const PLAYER: &[u8] = b"Genuine Adobe Flash Player 001";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::hex::encode as hex;

    fn hash(bytes: &[u8]) -> [u8; 32] {
        let mut hasher = Hasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    #[test]
    fn the_hash_is_that_of_another_implementation() {
        // Python's hmac.
        assert_eq!(
            hex(&hash(b"FWS\x09\x10\0\0\0 a player")),
            "dd1dd4e878a5883a5c6700d0c9d35281ece23cc883152ab4163f1a000a14c752"
        );
        assert_eq!(hash(b""), hmac_sha256(PLAYER, &[]));
    }

    #[test]
    fn pieces_hash_as_the_whole() {
        let bytes: Vec<u8> = (0..1000u32).map(|i| (i % 251) as u8).collect();
        for step in [1, 63, 64, 65, 999] {
            let mut hasher = Hasher::new();
            bytes.chunks(step).for_each(|piece| hasher.update(piece));
            assert_eq!(hasher.finish(), hash(&bytes));
        }
    }

    #[test]
    fn a_response_is_laid_out_as_known() {
        let response = response(&[0x11; 32], 0x0102_0304, &[0x22; 32]);
        assert_eq!(hex(&response[..10]), "01010102030401020304");
        assert_eq!(hex(&response[10..]), "f0926e6c10f7df4255267f188f709515131b530a341cde14415129209b7ef42a");
    }

    #[test]
    fn a_response_is_for_one_file_and_one_connection() {
        let (file, key) = ([0x11; 32], [0x22; 32]);
        let good = response(&file, 100, &key);
        assert_eq!(verify(&good, &file, 100, &key), Verdict::Genuine);
        assert_eq!(verify(&good, &file, 101, &key), Verdict::WrongSize);
        assert_eq!(verify(&good, &[0x12; 32], 100, &key), Verdict::WrongHash);
        assert_eq!(verify(&good, &file, 100, &[0x23; 32]), Verdict::WrongHash);
        for at in 0..RESPONSE {
            let mut bad = good;
            bad[at] ^= 1;
            let expected = match at {
                0 | 1 => Verdict::Malformed,
                2..10 => Verdict::WrongSize,
                _ => Verdict::WrongHash,
            };
            assert_eq!(verify(&bad, &file, 100, &key), expected, "{at}");
        }
    }

    #[test]
    fn no_other_length_is_a_response() {
        let good = response(&[0x11; 32], 100, &[0x22; 32]);
        for length in 0..RESPONSE {
            assert_eq!(verify(&good[..length], &[0x11; 32], 100, &[0x22; 32]), Verdict::Malformed);
        }
        assert_eq!(verify(&[&good[..], &[0]].concat(), &[0x11; 32], 100, &[0x22; 32]), Verdict::Malformed);
    }
}
