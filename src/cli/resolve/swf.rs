//! How SWF verification is to be answered.

use crate::connect::SwfProof;
use crate::proto::session::SwfVerification;
use crate::util::hex;

/// What the user says of the player's SWF file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Player {
    /// Where it is; what is found there goes before hash and size.
    pub url: Option<String>,
    /// Days for which a cached hash holds; 0 asks each time.
    pub age_days: Option<u32>,
    /// HMAC-SHA256 of the unpacked file, in hexadecimal digits.
    pub hash: Option<String>,
    /// Length of the unpacked file, in bytes.
    pub size: Option<u32>,
}

impl Player {
    /// How verification is answered. What makes no sense is ignored, with a warning.
    pub fn proof(self, warnings: &mut Vec<String>) -> SwfProof {
        let mut ignored = |reason: &str| {
            warnings.push(reason.to_owned());
            SwfProof::None
        };
        match (self.url, &self.hash, self.size) {
            (Some(url), ..) => SwfProof::File { url, age_days: self.age_days.unwrap_or(DEFAULT_AGE_DAYS) },
            (None, None, None) => SwfProof::None,
            (None, Some(hash), Some(size)) => match hex::decode(hash).and_then(|hash| hash.try_into().ok()) {
                Some(hash) => SwfProof::Known(SwfVerification { hash, size }),
                None => ignored("--swfhash takes 64 hexadecimal digits; ignoring it and --swfsize"),
            },
            _ => ignored("--swfhash and --swfsize belong together; ignoring the one that was given"),
        }
    }
}

/// rtmpdump's.
const DEFAULT_AGE_DAYS: u32 = 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn given(hash: Option<&str>, size: Option<u32>) -> (SwfProof, usize) {
        let mut warnings = Vec::new();
        let player = Player { hash: hash.map(str::to_owned), size, ..Player::default() };
        (player.proof(&mut warnings), warnings.len())
    }

    #[test]
    fn hash_and_size_count_together_and_when_they_are_valid() {
        let hash = "00ff".repeat(16);
        let wanted: [u8; 32] = std::array::from_fn(|i| if i % 2 == 0 { 0 } else { 0xff });
        let known = SwfProof::Known(SwfVerification { hash: wanted, size: 5 });
        assert_eq!(given(Some(&hash), Some(5)), (known.clone(), 0));
        assert_eq!(given(Some(&hash.to_uppercase()), Some(5)), (known, 0));
        assert_eq!(given(None, None), (SwfProof::None, 0));
        for (hash, size) in [
            (Some(&hash[..]), None),
            (None, Some(5)),
            (Some(&hash[1..]), Some(5)),
            (Some(&hash[2..]), Some(5)),
            (Some(&format!("{hash}00")[..]), Some(5)),
            (Some(&hash.replace('f', "g")[..]), Some(5)),
            (Some(""), Some(5)),
            (Some(&"ü".repeat(32)[..]), Some(5)),
        ] {
            assert_eq!(given(hash, size), (SwfProof::None, 1), "{hash:?} {size:?}");
        }
    }
}
