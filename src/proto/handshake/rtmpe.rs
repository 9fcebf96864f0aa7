//! RTMPE: a key exchange inside the digest handshake (§5.2 knows nothing of it) and a cipher over all that follows.
//!
//! ```text
//! C1, S1   … 128 bytes public key … (placed as the handshake's scheme says)      2^private mod p, p of RFC 2409 §6.2
//! key      first 16 bytes of HMAC-SHA256(secret, public key of the receiver)     one for each direction
//! stream   RC4, its first 1536 bytes skipped
//! ```
//!
//! Does not protect: peers are not authenticated, and both the group and RC4 are too weak for today. It is here because
//! servers ask for it. How types 8 and 9 hide their signatures is the handshake's.

use super::hmac::hmac_sha256;
use crypto_bigint::modular::{FixedMontyForm, FixedMontyParams};
use crypto_bigint::{Odd, U1024};
use rc4::{KeyInit, Rc4, StreamCipher};
use std::fmt;

/// The cipher of one direction.
pub struct Cipher(Rc4);

impl Cipher {
    /// Enciphers or deciphers the next bytes of the stream, in place.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        self.0.apply_keystream(bytes);
    }

    fn new(secret: &PublicKey, receiver: &PublicKey) -> Self {
        let digest = hmac_sha256(secret, &[receiver]);
        // RC4 repeats its key: 16 bytes twice over are the same key as 16 bytes, and the length that Rc4 takes.
        let mut key = [0; 32];
        key.iter_mut().zip(digest.iter().take(KEY_LENGTH).cycle()).for_each(|(to, from)| *to = *from);
        let mut cipher = Self(Rc4::new(&key.into()));
        cipher.apply(&mut [0; PASSED_OVER]);
        cipher
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher")
    }
}

/// The ciphers of a connection, seen from one end.
#[derive(Debug)]
pub struct Ciphers {
    /// For what this end sends.
    pub outgoing: Cipher,
    /// For what this end receives.
    pub incoming: Cipher,
}

/// One end's part of the key exchange.
pub(super) struct KeyPair {
    private: U1024,
    public: PublicKey,
}

/// A number modulo p, most significant byte first.
pub(super) type PublicKey = [u8; 128];

impl KeyPair {
    /// A key pair from 1024 random bits.
    pub(super) fn new(random: &[u8; 128]) -> Self {
        // Between 1 and 2¹⁰²², whatever the bits: below the order of the generator, so that no public key is 1.
        let mut bytes = *random;
        let [first, .., last] = &mut bytes;
        *first &= 0x3f;
        *last |= 1;
        let private = U1024::from_be_slice(&bytes);
        Self { private, public: power(&U1024::from_u8(GENERATOR), &private) }
    }

    /// The part that is sent to the peer.
    pub(super) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The ciphers that follow from the peer's public key. `None`: it is one that would make the secret known to all (0, 1,
    /// p − 1, or not below p).
    pub(super) fn ciphers(&self, peer: &PublicKey) -> Option<Ciphers> {
        let number = U1024::from_be_slice(peer);
        if number <= U1024::ONE || number >= MODULUS.wrapping_sub(&U1024::ONE) {
            return None;
        }
        let secret = power(&number, &self.private);
        Some(Ciphers { outgoing: Cipher::new(&secret, peer), incoming: Cipher::new(&secret, &self.public) })
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A private key does not belong in a log.
        f.write_str("KeyPair")
    }
}

/// `base` to the power of `exponent`, modulo p.
fn power(base: &U1024, exponent: &U1024) -> PublicKey {
    let bytes = FixedMontyForm::new(base, &PARAMS).pow(exponent).retrieve().to_be_bytes();
    let mut key = [0; 128];
    key.iter_mut().zip(bytes.as_ref()).for_each(|(to, from)| *to = *from);
    key
}

/// p: the prime of the Second Oakley Group (RFC 2409 §6.2).
const MODULUS: Odd<U1024> = Odd::<U1024>::from_be_hex(concat!(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74",
    "020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437",
    "4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed",
    "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff",
));

const PARAMS: FixedMontyParams<{ U1024::LIMBS }> = FixedMontyParams::new_vartime(MODULUS);

/// The generator of the group.
const GENERATOR: u8 = 2;

/// Bytes of a key of the cipher.
const KEY_LENGTH: usize = 16;

/// Bytes of the key stream that are not used: as many as a packet of the handshake has.
const PASSED_OVER: usize = 1536;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::hex::encode as hex;

    fn key(number: &U1024) -> PublicKey {
        number.to_be_bytes().as_ref().try_into().unwrap()
    }

    #[test]
    fn powers_are_those_of_arithmetic() {
        assert_eq!(power(&U1024::from_u8(2), &U1024::from_u8(10)), key(&U1024::from_u32(1024)));
        // Fermat: p is prime, and 2¹⁰²⁴ wraps round it.
        assert_eq!(power(&U1024::from_u8(2), &MODULUS.wrapping_sub(&U1024::ONE)), key(&U1024::ONE));
        let wrapped = U1024::ZERO.wrapping_sub(&MODULUS);
        assert_eq!(power(&U1024::from_u8(2), &U1024::from_u32(1024)), key(&wrapped));
    }

    #[test]
    fn both_ends_reach_the_same_keys() {
        let (a, b) = (KeyPair::new(&[0x5a; 128]), KeyPair::new(&[0xff; 128]));
        let mut of_a = a.ciphers(b.public()).unwrap();
        let mut of_b = b.ciphers(a.public()).unwrap();
        let mut bytes = *b"from a to b";
        of_a.outgoing.apply(&mut bytes);
        assert_ne!(bytes, *b"from a to b");
        of_b.incoming.apply(&mut bytes);
        assert_eq!(bytes, *b"from a to b");
        of_b.outgoing.apply(&mut bytes);
        let once = bytes;
        of_a.incoming.apply(&mut bytes);
        assert_eq!(bytes, *b"from a to b");
        assert_ne!(once, bytes);
    }

    #[test]
    fn the_key_stream_is_that_of_another_implementation() {
        // Python's hmac and ten lines of RC4.
        let mut bytes = [0; 16];
        Cipher::new(&[1; 128], &[2; 128]).apply(&mut bytes);
        assert_eq!(hex(&bytes), "9a11ff60abaa478fab9652b7191c1390");
    }

    #[test]
    fn a_cipher_goes_on_where_it_stopped() {
        let mut whole = [7; 100];
        Cipher::new(&[1; 128], &[2; 128]).apply(&mut whole);
        let mut pieces = [7; 100];
        let mut cipher = Cipher::new(&[1; 128], &[2; 128]);
        pieces.chunks_mut(9).for_each(|piece| cipher.apply(piece));
        assert_eq!(hex(&whole), hex(&pieces));
    }

    #[test]
    fn keys_that_give_the_secret_away_are_refused() {
        let pair = KeyPair::new(&[3; 128]);
        let less = |by: u8| MODULUS.wrapping_sub(&U1024::from_u8(by));
        for weak in [U1024::ZERO, U1024::ONE, less(1), MODULUS.get(), U1024::MAX] {
            assert!(pair.ciphers(&key(&weak)).is_none(), "{weak}");
        }
        for sound in [U1024::from_u8(2), less(2)] {
            assert!(pair.ciphers(&key(&sound)).is_some(), "{sound}");
        }
    }

    #[test]
    fn no_random_bytes_make_a_weak_pair() {
        assert_eq!(KeyPair::new(&[0; 128]).public(), &key(&U1024::from_u8(2)));
        let all_ones = KeyPair::new(&[255; 128]);
        assert!(KeyPair::new(&[0; 128]).ciphers(all_ones.public()).is_some());
    }

    #[test]
    fn nothing_secret_is_shown() {
        let pair = KeyPair::new(&[3; 128]);
        assert_eq!(format!("{pair:?} {:?}", pair.ciphers(pair.public()).unwrap().incoming), "KeyPair Cipher");
    }
}
