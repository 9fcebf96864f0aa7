//! RTMPE: a key exchange inside the digest handshake (§5.2 knows nothing of it) and a cipher over all that follows.
//!
//! ```text
//! C1, S1   … 128 bytes public key … (placed as the handshake's scheme says)
//! key      first 16 bytes of HMAC-SHA256(secret, public key of the receiver)     one for each direction
//! stream   RC4, its first 1536 bytes skipped
//! ```
//!
//! Does not protect: peers are not authenticated, and both the group and RC4 are too weak for today. It is here because
//! servers ask for it. How types 8 and 9 hide their signatures is the handshake's.

use super::hmac::hmac_sha256;
use crate::proto::diffie_hellman::{KeyPair, Number};
use rc4::{KeyInit, Rc4, StreamCipher};
use std::fmt;

/// The cipher of one direction.
pub struct Cipher(Rc4);

impl Cipher {
    /// Enciphers or deciphers the next bytes of the stream, in place.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        self.0.apply_keystream(bytes);
    }

    fn new(secret: &Number, receiver: &Number) -> Self {
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

/// The ciphers that follow from the peer's public key. `None`: it is one that would make the secret known to all.
pub(super) fn ciphers(pair: &KeyPair, peer: &Number) -> Option<Ciphers> {
    let secret = pair.secret(peer)?;
    Some(Ciphers { outgoing: Cipher::new(&secret, peer), incoming: Cipher::new(&secret, pair.public()) })
}

/// Bytes of a key of the cipher.
const KEY_LENGTH: usize = 16;

/// Bytes of the key stream that are not used: as many as a packet of the handshake has.
const PASSED_OVER: usize = 1536;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::hex::encode as hex;

    #[test]
    fn both_ends_reach_the_same_keys() {
        let (a, b) = (KeyPair::new(&[0x5a; 128]), KeyPair::new(&[0xff; 128]));
        let mut of_a = ciphers(&a, b.public()).unwrap();
        let mut of_b = ciphers(&b, a.public()).unwrap();
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
    fn nothing_secret_is_shown() {
        let pair = KeyPair::new(&[3; 128]);
        assert_eq!(format!("{:?}", ciphers(&pair, pair.public()).unwrap().incoming), "Cipher");
        assert!(ciphers(&pair, &[0; 128]).is_none());
    }
}
