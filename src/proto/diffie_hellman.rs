//! The key exchange of Diffie and Hellman in the Second Oakley Group (RFC 2409 §6.2), for RTMPE and RTMFP.
//!
//! ```text
//! public key      2^private mod p                 128 bytes, most significant first
//! shared secret   (peer's public key)^private mod p
//! ```
//!
//! Does not authenticate: whoever can change what the two ends send can take part.

use crypto_bigint::modular::{FixedMontyForm, FixedMontyParams};
use crypto_bigint::{Odd, U1024};
use std::fmt;

/// A number modulo p, most significant byte first.
pub(super) type Number = [u8; 128];

/// One end's part of the exchange.
#[derive(Clone)]
pub(super) struct KeyPair {
    private: U1024,
    public: Number,
}

impl KeyPair {
    /// A key pair from 1024 random bits.
    pub(super) fn new(random: &Number) -> Self {
        // Between 1 and 2¹⁰²², whatever the bits: below the order of the generator, so that no public key is 1.
        let mut bytes = *random;
        let [first, .., last] = &mut bytes;
        *first &= 0x3f;
        *last |= 1;
        Self::of(U1024::from_be_slice(&bytes))
    }

    /// The next key pair after this one whose public key has no leading zero byte: readers exist that expect 128 bytes.
    pub(super) fn with_full_size(self) -> Self {
        let mut pair = self;
        while pair.public.first() == Some(&0) {
            pair = Self::of(pair.private.wrapping_add(&U1024::ONE));
        }
        pair
    }

    /// What is told to the peer.
    pub(super) fn public(&self) -> &Number {
        &self.public
    }

    /// The secret that follows from the peer's public key. `None`: it is one that would make the secret known to all (0, 1,
    /// p − 1, or not below p).
    pub(super) fn secret(&self, peer: &Number) -> Option<Number> {
        let number = U1024::from_be_slice(peer);
        let is_weak = number <= U1024::ONE || number >= MODULUS.wrapping_sub(&U1024::ONE);
        (!is_weak).then(|| power(&number, &self.private))
    }

    fn of(private: U1024) -> Self {
        Self { private, public: power(&U1024::from_u8(GENERATOR), &private) }
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A private key does not belong in a log.
        f.write_str("KeyPair")
    }
}

/// `base` to the power of `exponent`, modulo p.
fn power(base: &U1024, exponent: &U1024) -> Number {
    let bytes = FixedMontyForm::new(base, &PARAMS).pow(exponent).retrieve().to_be_bytes();
    let mut number = [0; 128];
    number.iter_mut().zip(bytes.as_ref()).for_each(|(to, from)| *to = *from);
    number
}

/// p.
const MODULUS: Odd<U1024> = Odd::<U1024>::from_be_hex(concat!(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74",
    "020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437",
    "4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed",
    "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff",
));

const PARAMS: FixedMontyParams<{ U1024::LIMBS }> = FixedMontyParams::new_vartime(MODULUS);

/// The generator of the group.
const GENERATOR: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: &U1024) -> Number {
        value.to_be_bytes().as_ref().try_into().unwrap()
    }

    #[test]
    fn powers_are_those_of_arithmetic() {
        assert_eq!(power(&U1024::from_u8(2), &U1024::from_u8(10)), number(&U1024::from_u32(1024)));
        // Fermat: p is prime, and 2¹⁰²⁴ wraps round it.
        assert_eq!(power(&U1024::from_u8(2), &MODULUS.wrapping_sub(&U1024::ONE)), number(&U1024::ONE));
        let wrapped = U1024::ZERO.wrapping_sub(&MODULUS);
        assert_eq!(power(&U1024::from_u8(2), &U1024::from_u32(1024)), number(&wrapped));
    }

    #[test]
    fn both_ends_reach_the_same_secret() {
        let (a, b) = (KeyPair::new(&[0x5a; 128]), KeyPair::new(&[0xff; 128]));
        assert_eq!(a.secret(b.public()), b.secret(a.public()));
        assert_ne!(a.secret(b.public()), a.secret(a.public()));
    }

    #[test]
    fn keys_that_give_the_secret_away_are_refused() {
        let pair = KeyPair::new(&[3; 128]);
        let less = |by: u8| MODULUS.wrapping_sub(&U1024::from_u8(by));
        for weak in [U1024::ZERO, U1024::ONE, less(1), MODULUS.get(), U1024::MAX] {
            assert!(pair.secret(&number(&weak)).is_none(), "{weak}");
        }
        for strong in [U1024::from_u8(2), less(2)] {
            assert!(pair.secret(&number(&strong)).is_some(), "{strong}");
        }
    }

    #[test]
    fn no_random_bytes_make_a_weak_pair() {
        assert_eq!(KeyPair::new(&[0; 128]).public(), &number(&U1024::from_u8(2)));
        let all_ones = KeyPair::new(&[255; 128]);
        assert!(KeyPair::new(&[0; 128]).secret(all_ones.public()).is_some());
    }

    #[test]
    fn a_full_size_key_has_no_leading_zero() {
        let pair = KeyPair::new(&[0; 128]).with_full_size();
        assert_ne!(pair.public()[0], 0);
        let other = KeyPair::new(&[9; 128]);
        assert_eq!(pair.secret(other.public()), other.secret(pair.public()));
    }

    #[test]
    fn the_private_key_is_not_shown() {
        assert_eq!(format!("{:?}", KeyPair::new(&[3; 128])), "KeyPair");
    }
}
