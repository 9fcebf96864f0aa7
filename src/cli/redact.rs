//! Secrets that no message may show: passwords, tokens, and values of a URL's query that let their bearer in.

use std::borrow::Cow;

use crate::util::percent::{self, RESERVED};
use crate::util::text::printable;

/// What is to be hidden.
#[derive(Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Hides `secret` from now on, as it is and as a message would escape it.
    pub fn add(&mut self, secret: &str) {
        for form in [secret.to_owned(), printable(secret), percent::encode(secret, RESERVED)] {
            if form.len() >= SHORTEST && !self.0.contains(&form) {
                self.0.push(form);
            }
        }
        // Where one secret holds another, the longer one goes first.
        self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// Hides what in a URL, an application or a playpath is secret: the password, and values of the query whose names say
    /// that they let somebody in.
    pub fn add_url(&mut self, url: &str) {
        crate::url::secrets(url).iter().for_each(|secret| self.add(secret));
    }

    /// `text` with all secrets replaced.
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0
            .iter()
            .filter(|secret| text.contains(secret.as_str()))
            .fold(Cow::Borrowed(text), |text, secret| Cow::Owned(text.replace(secret.as_str(), HIDDEN)))
    }

    /// The same in bytes that are to be dumped: each byte of a secret becomes `*`, so that all else keeps its place.
    pub fn hide_bytes(&self, bytes: &mut [u8]) {
        self.0.iter().for_each(|secret| mask(bytes, secret.as_bytes()));
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

/// Puts asterisks over a secret wherever it stands, also where a chunk ends inside it and the header of a continuation
/// (§5.3.1.2.4, one to three bytes) stands between its bytes.
fn mask(bytes: &mut [u8], secret: &[u8]) {
    for start in 0..bytes.len() {
        if let Some(places) = places(bytes.get(start..).unwrap_or_default(), secret) {
            for place in places {
                if let Some(byte) = bytes.get_mut(start + place) {
                    *byte = b'*';
                }
            }
        }
    }
}

/// Where the bytes of a secret stand that begins here.
fn places(bytes: &[u8], secret: &[u8]) -> Option<Vec<usize>> {
    if bytes.first() != secret.first() {
        return None;
    }
    let mut places = Vec::with_capacity(secret.len());
    let mut at = 0;
    for wanted in secret {
        if bytes.get(at)? != wanted {
            at += match bytes.get(at)? {
                0xc0 => 2,
                0xc1 => 3,
                0xc2.. => 1,
                _ => return None,
            };
        }
        if bytes.get(at)? != wanted {
            return None;
        }
        places.push(at);
        at += 1;
    }
    Some(places)
}

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// Shorter ones occur in ordinary words, whose gaps would tell what they are.
const SHORTEST: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced_wherever_they_stand() {
        let mut secrets = Secrets::default();
        secrets.add("hunter2");
        secrets.add("hunter2-and-more");
        secrets.add("a\x1bb c");
        secrets.add("abc");
        assert_eq!(secrets.hide("hunter2, hunter2-and-more."), "***, ***.");
        assert_eq!(secrets.hide("x a\\u{1b}b c a%1Bb%20c abc"), "x *** *** abc");
        let mut bytes = b"\0\x07hunter2\xff".to_vec();
        secrets.hide_bytes(&mut bytes);
        assert_eq!(bytes, b"\0\x07*******\xff");
        assert!(!format!("{secrets:?}").contains("hunter"));
    }

    #[test]
    fn chunk_headers_between_its_bytes_do_not_save_a_secret() {
        let mut secrets = Secrets::default();
        secrets.add("secret");
        let masked = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            secrets.hide_bytes(&mut bytes);
            bytes
        };
        assert_eq!(masked(b"a secret, secretsecret"), b"a ******, ************");
        assert_eq!(masked(b"sec\xc3ret"), b"***\xc3***");
        assert_eq!(masked(b"sec\xc0\x05ret"), b"***\xc0\x05***");
        assert_eq!(masked(b"s\xc8ecre\xc8t"), b"*\xc8****\xc8*");
        for other in [&b"secre"[..], b"sec ret", b"sec\xc3\xc3\xc3ret", b"", b"SECRET"] {
            assert_eq!(masked(other), other);
        }
    }

    #[test]
    fn urls_give_their_secrets_away() {
        let mut secrets = Secrets::default();
        secrets.add_url("rtmp://user:pa%20ss@host/app?authToken=t0ken&id=1234&authmod=adobe/name?sig=abcd");
        let shown = secrets.hide("user pa ss pa%20ss t0ken 1234 adobe abcd");
        assert_eq!(shown, "user *** *** *** 1234 adobe ***");
        secrets.add_url("name?Policy=pppp&Signature=ssss");
        assert_eq!(secrets.hide("pppp ssss"), "pppp ***");
    }
}
