//! `-z`: the bytes of a connection, with the user's secrets taken out.

use crate::cli::log::{Level, Log};
use crate::client::Tap;

/// Writes what goes over the wire to the log.
#[derive(Debug)]
pub struct HexTap {
    log: Log,
    secrets: Vec<Vec<u8>>,
}

impl HexTap {
    /// A tap, if the log shows that much. It hides what the log hides.
    pub fn new(log: &Log) -> Option<Self> {
        let secrets = || log.secrets().texts().map(|text| text.as_bytes().to_vec()).collect();
        log.shows(Level::All).then(|| Self { log: log.clone(), secrets: secrets() })
    }

    fn show(&self, what: &str, bytes: &[u8]) {
        self.log.say(Level::All, &format!("{what} {} bytes", bytes.len()));
        let mut bytes = bytes.to_vec();
        self.secrets.iter().for_each(|secret| mask(&mut bytes, secret));
        self.log.hex(&bytes);
    }
}

impl Tap for HexTap {
    fn sending(&mut self, bytes: &[u8]) {
        self.show("Sending", bytes);
    }

    fn received(&mut self, bytes: &[u8]) {
        self.show("Received", bytes);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        mask(&mut bytes, b"secret");
        bytes
    }

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        assert_eq!(masked(b"a secret, secretsecret"), b"a ******, ************");
        assert_eq!(masked(b"sec\xc3ret"), b"***\xc3***");
        assert_eq!(masked(b"sec\xc0\x05ret"), b"***\xc0\x05***");
        assert_eq!(masked(b"s\xc8ecre\xc8t"), b"*\xc8****\xc8*");
        for other in [&b"secre"[..], b"sec ret", b"sec\xc3\xc3\xc3ret", b"", b"SECRET"] {
            assert_eq!(masked(other), other);
        }
    }
}
