//! What Flash Player 9 and later hide in the random bytes of the handshake (§5.2.3, §5.2.4 know nothing of it).
//!
//! ```text
//! C1, S1  scheme 0:  header │ 4 bytes that place the digest │ … 32 bytes digest … │ … 128 bytes key … │ 4 that place the key
//!         scheme 1:  header │ … 128 bytes key … │ 4 that place the key │ 4 that place the digest │ … 32 bytes digest …
//!         digest:    HMAC-SHA256 of the other 1504 bytes, under the first part of the sender's name
//! C2, S2  1504 bytes random │ HMAC-SHA256 of them, under HMAC-SHA256 of the peer's digest under the sender's whole name
//! ```
//!
//! Does not decide which scheme to use, nor what to do when there is no digest. The keys are known to everybody: this
//! proves nothing about the peer.

use super::hmac::hmac_sha256;
use super::rtmpe::{Ciphers, ciphers};
use super::signature_cipher::SignatureCipher;
use super::types::{KEY, PACKET, Packet, SIGNED, put};
use crate::proto::diffie_hellman::KeyPair;
use crate::proto::{Layer, ProtocolError};

/// A digest or a signature.
pub(super) type Digest = [u8; DIGEST];

/// The sender of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    Player,
    MediaServer,
}

impl Sender {
    /// The key of digests: the sender's name.
    fn name(self) -> &'static [u8] {
        match self {
            Sender::Player => b"Genuine Adobe Flash Player 001",
            Sender::MediaServer => b"Genuine Adobe Flash Media Server 001",
        }
    }

    /// The key of signatures: the name and 32 bytes more, on a peer's digest.
    fn signing_key(self, peer_digest: &Digest) -> Digest {
        hmac_sha256(&[self.name(), &SECRET].concat(), &[peer_digest])
    }
}

/// Writes the digest of `packet` into it, and returns it. Whatever else is to be in the packet must be there before.
pub(super) fn seal(packet: &mut Packet, scheme: u8, sender: Sender) -> Digest {
    let at = digest_offset(packet, scheme);
    let digest = digest_of(packet, at, sender);
    put(packet, at, &digest);
    digest
}

/// The scheme in which `packet` carries its sender's digest, and the digest. `likely` is tried first.
pub(super) fn find(packet: &Packet, sender: Sender, likely: u8) -> Option<(u8, Digest)> {
    [likely, 1 - likely.min(1)].into_iter().find_map(|scheme| {
        let at = digest_offset(packet, scheme);
        let digest = digest_of(packet, at, sender);
        (packet.get(at..at + DIGEST) == Some(&digest)).then_some((scheme, digest))
    })
}

/// C2 or S2: random bytes, signed for the peer whose packet had `peer_digest`.
pub(super) fn signed(random: &[u8; SIGNED], sender: Sender, peer_digest: &Digest, cipher: SignatureCipher) -> Packet {
    let mut packet = [0; PACKET];
    put(&mut packet, 0, random);
    put(&mut packet, SIGNED, &signature(random, sender, peer_digest, cipher));
    packet
}

/// Whether C2 or S2 is signed for the peer whose packet had `peer_digest`.
pub(super) fn is_signed(packet: &Packet, sender: Sender, peer_digest: &Digest, cipher: SignatureCipher) -> bool {
    let random = packet.get(..SIGNED).unwrap_or_default();
    packet.get(SIGNED..) == Some(&signature(random, sender, peer_digest, cipher))
}

fn signature(random: &[u8], sender: Sender, peer_digest: &Digest, cipher: SignatureCipher) -> Digest {
    let key = sender.signing_key(peer_digest);
    let mut signature = hmac_sha256(&key, &[random]);
    cipher.apply(&mut signature, &key);
    signature
}

/// The public key in C1 or S1.
pub(super) fn public_key(packet: &Packet, scheme: u8) -> [u8; KEY] {
    let at = key_offset(packet, scheme);
    packet.get(at..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or([0; KEY])
}

/// Puts a public key into C1 or S1, which is to be sealed afterwards.
pub(super) fn put_public_key(packet: &mut Packet, scheme: u8, key: &[u8; KEY]) {
    let at = key_offset(packet, scheme);
    put(packet, at, key);
}

/// The ciphers that follow from the public key in the peer's packet.
pub(super) fn key_exchange(own: &KeyPair, packet: &Packet, scheme: Option<u8>) -> Result<Ciphers, ProtocolError> {
    let error = |expected, got| ProtocolError::new(Layer::Rtmpe, 1, expected, got);
    // Without a digest nothing says where the key is.
    let scheme = scheme.ok_or_else(|| error("a packet with a digest", "none"))?;
    ciphers(own, &public_key(packet, scheme))
        .ok_or_else(|| error("a public key of the group", "one that would give the secret away"))
}

/// Where the digest is: between 12 and 739, or between 776 and 1503.
fn digest_offset(packet: &Packet, scheme: u8) -> usize {
    if scheme == 0 { sum(packet, 8) % 728 + 12 } else { sum(packet, 772) % 728 + 776 }
}

/// Where the public key is: between 772 and 1403, or between 8 and 639.
fn key_offset(packet: &Packet, scheme: u8) -> usize {
    if scheme == 0 { sum(packet, 1532) % 632 + 772 } else { sum(packet, 768) % 632 + 8 }
}

/// The four bytes at `at`, added up.
fn sum(packet: &Packet, at: usize) -> usize {
    packet.iter().skip(at).take(4).map(|byte| usize::from(*byte)).sum()
}

fn digest_of(packet: &Packet, at: usize, sender: Sender) -> Digest {
    let before = packet.get(..at).unwrap_or_default();
    let behind = packet.get(at + DIGEST..).unwrap_or_default();
    hmac_sha256(sender.name(), &[before, behind])
}

/// Bytes of SHA-256.
const DIGEST: usize = 32;

/// What both names are followed by in the keys of signatures.
const SECRET: [u8; 32] = [
    0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57, 0x6e, 0xec, 0x5d,
    0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_lengths_of_the_reference() {
        assert_eq!(Sender::Player.name().len(), 30);
        assert_eq!(Sender::MediaServer.name().len(), 36);
    }

    #[test]
    fn offsets_stay_inside_whatever_the_bytes() {
        for fill in 0..=255 {
            let packet = [fill; PACKET];
            for (scheme, digest, key) in [(0, 12..=739, 772..=1403), (1, 776..=1503, 8..=639)] {
                assert!(digest.contains(&digest_offset(&packet, scheme)));
                assert!(key.contains(&key_offset(&packet, scheme)));
            }
        }
        // 4 × 255 = 1020: modulo 728 that is 292, modulo 632 it is 388.
        assert_eq!(digest_offset(&[255; PACKET], 0), 304);
        assert_eq!(digest_offset(&[255; PACKET], 1), 1068);
        assert_eq!(key_offset(&[255; PACKET], 0), 1160);
        assert_eq!(key_offset(&[255; PACKET], 1), 396);
    }

    #[test]
    fn a_sealed_packet_is_found_in_its_scheme_and_nowhere_else() {
        for scheme in [0, 1] {
            let mut packet: Packet = std::array::from_fn(|i| (i * 7 % 253) as u8);
            assert_eq!(find(&packet, Sender::Player, 0), None);
            put_public_key(&mut packet, scheme, &[9; KEY]);
            let digest = seal(&mut packet, scheme, Sender::Player);
            for likely in [0, 1] {
                assert_eq!(find(&packet, Sender::Player, likely), Some((scheme, digest)));
            }
            assert_eq!(find(&packet, Sender::MediaServer, scheme), None);
            assert_eq!(public_key(&packet, scheme), [9; KEY]);
            packet[1400] ^= 1;
            assert_eq!(find(&packet, Sender::Player, scheme), None);
        }
    }

    #[test]
    fn a_signature_is_for_one_digest_and_from_one_sender() {
        for cipher in [SignatureCipher::None, SignatureCipher::Xtea, SignatureCipher::Blowfish] {
            let mut packet = signed(&[5; SIGNED], Sender::MediaServer, &[1; DIGEST], cipher);
            assert!(is_signed(&packet, Sender::MediaServer, &[1; DIGEST], cipher));
            assert!(!is_signed(&packet, Sender::MediaServer, &[2; DIGEST], cipher));
            assert!(!is_signed(&packet, Sender::Player, &[1; DIGEST], cipher));
            packet[0] ^= 1;
            assert!(!is_signed(&packet, Sender::MediaServer, &[1; DIGEST], cipher));
        }
        let packet = signed(&[5; SIGNED], Sender::Player, &[1; DIGEST], SignatureCipher::Xtea);
        assert!(!is_signed(&packet, Sender::Player, &[1; DIGEST], SignatureCipher::None));
        assert!(!is_signed(&packet, Sender::Player, &[1; DIGEST], SignatureCipher::Blowfish));
    }
}
