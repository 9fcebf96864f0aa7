//! SecureToken: Wowza's question in connect's `_result`, answered by `secureTokenResponse`.
//!
//! ```text
//! challenge   hexadecimal digits of XXTEA(text, key)
//! text        little-endian words of 32 bits, filled up with zeros to whole words; the answer has these zeros as well
//! key         the first 16 bytes of the token, filled up with zeros, as four little-endian words
//! ```
//!
//! Does not protect: an eavesdropper sees challenge and response.

use crate::util::hex;

/// The answer to a `secureToken`: its text, with the zeros that fill it up, as players answer. With a wrong `token` the result
/// is not text; what of it is text is sent, for the server to refuse. `None` if the challenge is not one: not hexadecimal, or less than 8 bytes.
pub fn secure_token_response(challenge: &str, token: &str) -> Option<String> {
    let mut words = words_of(&hex::decode(challenge)?);
    if words.len() < 2 {
        return None;
    }
    decipher(&mut words, &key_of(token));
    let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The `secureToken` of a server that wants `text` to be the answer; filled up to 8 bytes if it has less.
pub fn secure_token_challenge(text: &str, token: &str) -> String {
    let mut words = words_of(text.as_bytes());
    words.resize(words.len().max(2), 0);
    encipher(&mut words, &key_of(token));
    hex::encode(&words.into_iter().flat_map(u32::to_le_bytes).collect::<Vec<_>>())
}

type Key = [u32; 4];

const DELTA: u32 = 0x9e37_79b9;

fn key_of(token: &str) -> Key {
    let mut key = [0; 4];
    key.iter_mut().zip(words_of(token.as_bytes())).for_each(|(to, word)| *to = word);
    key
}

/// How often the words are gone through.
fn rounds(words: &[u32]) -> u32 {
    u32::try_from(6 + 52 / words.len().max(1)).unwrap_or(6)
}

fn mix(sum: u32, index: usize, before: u32, after: u32, key: &Key) -> u32 {
    let part = key.get((index ^ (sum >> 2) as usize) & 3).copied().unwrap_or_default();
    let shifts = ((before >> 5) ^ (after << 2)).wrapping_add((after >> 3) ^ (before << 4));
    shifts ^ (sum ^ after).wrapping_add(part ^ before)
}

/// The words beside the word at `index`, in the ring that they form.
fn neighbours(words: &[u32], index: usize) -> (u32, u32) {
    let last = words.len().saturating_sub(1);
    let at = |index: usize| words.get(index).copied().unwrap_or_default();
    (at(index.checked_sub(1).unwrap_or(last)), at(if index == last { 0 } else { index + 1 }))
}

fn encipher(words: &mut [u32], key: &Key) {
    let mut sum = 0u32;
    for _ in 0..rounds(words) {
        sum = sum.wrapping_add(DELTA);
        for index in 0..words.len() {
            let (before, after) = neighbours(words, index);
            let change = mix(sum, index, before, after, key);
            words.iter_mut().skip(index).take(1).for_each(|word| *word = word.wrapping_add(change));
        }
    }
}

fn decipher(words: &mut [u32], key: &Key) {
    let rounds = rounds(words);
    let mut sum = rounds.wrapping_mul(DELTA);
    for _ in 0..rounds {
        for index in (0..words.len()).rev() {
            let (before, after) = neighbours(words, index);
            let change = mix(sum, index, before, after, key);
            words.iter_mut().skip(index).take(1).for_each(|word| *word = word.wrapping_sub(change));
        }
        sum = sum.wrapping_sub(DELTA);
    }
}

fn words_of(bytes: &[u8]) -> Vec<u32> {
    let word = |chunk: &[u8]| chunk.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
    bytes.chunks(4).map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of XXTEA that its implementations share: key, plain, enciphered, all in bytes.
    const VECTORS: [(&str, &str, &str); 6] = [
        ("00000000000000000000000000000000", "0000000000000000", "ab043705808c5d57"),
        ("0102040810204080fffefcf8f0e0c080", "0000000000000000", "d1e78be2c746728a"),
        ("9e3779b99b9773e9b979379e6b695156", "ffffffffffffffff", "67ed0ea8e8973fc5"),
        ("0102040810204080fffefcf8f0e0c080", "fffefcf8f0e0c080", "8c3707c01c7fccc4"),
        ("ffffffffffffffffffffffffffffffff", "157c13a850ba5e57306d7791", "b2601cefb078b772abccba6a"),
        ("9e3779b99b9773e9b979379e6b695156", "157c13a850ba5e57306d7791", "579016d143ed6247ac6710dd"),
    ];

    #[test]
    fn the_cipher_is_xxtea() {
        for (key, plain, secret) in VECTORS {
            let key: Key = words_of(&hex::decode(key).unwrap()).try_into().unwrap();
            let (plain, secret) = (words_of(&hex::decode(plain).unwrap()), words_of(&hex::decode(secret).unwrap()));
            let mut words = plain.clone();
            encipher(&mut words, &key);
            assert_eq!(words, secret);
            decipher(&mut words, &key);
            assert_eq!(words, plain);
        }
    }

    #[test]
    fn the_answer_is_the_text_of_the_question() {
        for token in ["", "short", "sixteen bytes...", "#ed%h0#w@1 and more than sixteen"] {
            for text in ["12345678", "1", "123456789", "a longer text, of several words, üöä", &"x".repeat(500)] {
                let challenge = secure_token_challenge(text, token);
                assert_eq!(challenge.len() % 8, 0);
                let filled = format!("{text}{}", "\0".repeat(challenge.len() / 2 - text.len()));
                assert!(filled.len() < text.len().max(5) + 4);
                assert_eq!(secure_token_response(&challenge, token), Some(filled.clone()));
                assert_eq!(secure_token_response(&challenge.to_uppercase(), token), Some(filled));
            }
        }
    }

    #[test]
    fn only_sixteen_bytes_of_the_token_count() {
        let challenge = secure_token_challenge("8 bytes.", "0123456789abcdef");
        assert_eq!(secure_token_response(&challenge, "0123456789abcdefGHI").unwrap(), "8 bytes.");
        assert_ne!(secure_token_response(&challenge, "0123456789abcdeF").unwrap(), "8 bytes.");
    }

    #[test]
    fn what_is_no_challenge_has_no_answer() {
        for challenge in
            ["", "00", "ab0437", "ab043705", "ab043705808c5d5", "ab043705808c5d5g", "ab043705 08c5d57", "äöüß"]
        {
            assert_eq!(secure_token_response(challenge, "key"), None, "{challenge}");
        }
        // Not whole words: filled up.
        assert!(secure_token_response("ab0437058", "key").is_none());
        assert!(secure_token_response("ab04370580", "key").is_some());
    }
}
