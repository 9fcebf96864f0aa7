//! librtmp's URL strings: a URL and `key=value` words, spaces and backslashes written `\20` and `\5c`.
//!
//! ```text
//! rtmp://host/app/name live=1 playpath=a\20name conn=S:x conn=B:1 …
//! ```
//!
//! Does not say what the keys mean.

use crate::proto::raw_text;
use crate::util::hex;

/// A URL string taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedUrl {
    /// The URL itself.
    pub url: String,
    /// Keys in lower case as [`KEYS`] has them, with decoded values, in order.
    pub keys: Vec<(&'static str, String)>,
}

/// All keys, as librtmp spells them.
pub const KEYS: [&str; 22] = [
    "socks",
    "app",
    "tcUrl",
    "pageUrl",
    "swfUrl",
    "flashver",
    "conn",
    "playpath",
    "playlist",
    "live",
    "subscribe",
    "token",
    "swfVfy",
    "swfAge",
    "start",
    "stop",
    "buffer",
    "timeout",
    "pubUser",
    "pubPasswd",
    "jtv",
    "auth",
];

/// Takes a URL string apart. Words without `=` at its end are ignored.
///
/// # Errors
/// An unknown key, or a backslash without two hexadecimal digits after it.
pub fn parse(text: &str) -> Result<KeyedUrl, String> {
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let url = words.next().unwrap_or_default().to_owned();
    let mut keys = Vec::new();
    while let Some(word) = words.next() {
        let (key, value) = match word.split_once('=') {
            Some(key_and_value) => key_and_value,
            None if words.clone().any(|word| word.contains('=')) => (word, ""),
            None => break,
        };
        let key = KEYS
            .iter()
            .find(|known| known.eq_ignore_ascii_case(key))
            .ok_or_else(|| format!("Unknown option {key}. Known ones: {}", KEYS.join(", ")))?;
        keys.push((*key, unescape(key, value)?));
    }
    Ok(KeyedUrl { url, keys })
}

/// Takes a URL string apart that may have keys, as `-r` and the positional argument do: words at its end that are keys are
/// keys; everything before belongs to the URL, spaces included.
///
/// # Errors
/// A backslash in a value without two hexadecimal digits after it.
pub fn parse_trailing(text: &str) -> Result<KeyedUrl, String> {
    let mut url = text.trim_end_matches(' ');
    let mut keys = Vec::new();
    while let Some((before, word)) = url.rsplit_once(' ') {
        let Some((key, value)) = word.split_once('=') else { break };
        let Some(key) = KEYS.iter().find(|known| known.eq_ignore_ascii_case(key)) else { break };
        keys.push((*key, unescape(key, value)?));
        url = before.trim_end_matches(' ');
    }
    keys.reverse();
    let url = if keys.is_empty() { text } else { url };
    Ok(KeyedUrl { url: url.to_owned(), keys })
}

/// Whether a key's value means yes.
pub fn is_true(value: &str) -> bool {
    ["1", "on", "yes", "true"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

fn unescape(key: &str, text: &str) -> Result<String, String> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        // Without the value, which may be a secret.
        let unescaped = match after {
            [high, low, ..] => hex::byte(*high, *low),
            _ => None,
        };
        out.push(unescaped.ok_or_else(|| format!("{key}: a backslash needs two hexadecimal digits after it"))?);
        rest = after.get(2..).unwrap_or_default();
    }
    Ok(raw_text::from_bytes(&out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_any_case_and_escapes() {
        let got = parse("rtmp://h/a  PLAYPATH=a\\20b\\5Cc live=1 conn=S:x conn=B:1 word").unwrap();
        assert_eq!(got.url, "rtmp://h/a");
        let expected = [("playpath", "a b\\c"), ("live", "1"), ("conn", "S:x"), ("conn", "B:1")];
        assert_eq!(got.keys, expected.map(|(k, v)| (k, v.to_owned())));
        assert!(is_true("YES") && is_true("1") && !is_true("2"));
    }

    #[test]
    fn without_i_only_keys_at_the_end_are_keys() {
        for (text, url, keys) in [
            ("rtmp://h/a/s live=1 playpath=x\\20y", "rtmp://h/a/s", vec![("live", "1"), ("playpath", "x y")]),
            ("rtmp://h/a/My Show", "rtmp://h/a/My Show", vec![]),
            ("rtmp://h/a/My Show  LIVE=1 ", "rtmp://h/a/My Show", vec![("live", "1")]),
            ("rtmp://h/a/s foo=1", "rtmp://h/a/s foo=1", vec![]),
            ("rtmp://h/a/s live=1 foo=1", "rtmp://h/a/s live=1 foo=1", vec![]),
            ("rtmp://h/a/s?app=1", "rtmp://h/a/s?app=1", vec![]),
        ] {
            let keys = keys.into_iter().map(|(key, value)| (key, value.to_owned())).collect();
            assert_eq!(parse_trailing(text), Ok(KeyedUrl { url: url.to_owned(), keys }), "{text}");
        }
        assert!(parse_trailing("rtmp://h/a/s app=\\2").is_err());
    }

    #[test]
    fn what_is_refused() {
        assert!(parse("rtmp://h/a nokey=1").unwrap_err().contains("Unknown option nokey"));
        assert!(parse("rtmp://h/a word app=x").unwrap_err().contains("Unknown option word"));
        assert!(parse("rtmp://h/a app=x\\2").is_err());
        assert!(parse("rtmp://h/a app=x\\zz").is_err());
    }
}
