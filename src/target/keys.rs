//! librtmp's URL strings: a URL and `key=value` words, spaces and backslashes written `\20` and `\5c`.

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

/// Takes a URL string apart. A word without `=` ends it.
///
/// # Errors
/// An unknown key, or a backslash without two hexadecimal digits behind it.
pub fn parse(text: &str) -> Result<KeyedUrl, String> {
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let url = words.next().unwrap_or_default().to_owned();
    let mut keys = Vec::new();
    for word in words {
        let Some((key, value)) = word.split_once('=') else { break };
        let key = KEYS
            .iter()
            .find(|known| known.eq_ignore_ascii_case(key))
            .ok_or_else(|| format!("Unknown option {key}. Known ones: {}", KEYS.join(", ")))?;
        // Without the value, which may be a secret.
        let value =
            unescape(value).ok_or_else(|| format!("{key}: a backslash needs two hexadecimal digits behind it"))?;
        keys.push((*key, value));
    }
    Ok(KeyedUrl { url, keys })
}

/// Whether a key's value means yes.
pub fn is_true(value: &str) -> bool {
    ["1", "on", "yes", "true"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

/// `None`: a backslash has no two hexadecimal digits behind it.
fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let hex = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
        match after {
            [high, low, behind @ ..] if hex(high).is_some() && hex(low).is_some() => {
                out.push(hex(high).unwrap_or(0) << 4 | hex(low).unwrap_or(0));
                rest = behind;
            }
            _ => return None,
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_any_case_and_escapes() {
        let got = parse("rtmp://h/a  PLAYPATH=a\\20b\\5Cc live=1 conn=S:x conn=B:1 word app=no").unwrap();
        assert_eq!(got.url, "rtmp://h/a");
        let expected = [("playpath", "a b\\c"), ("live", "1"), ("conn", "S:x"), ("conn", "B:1")];
        assert_eq!(got.keys, expected.map(|(k, v)| (k, v.to_owned())));
        assert!(is_true("YES") && is_true("1") && !is_true("2"));
    }

    #[test]
    fn what_is_refused() {
        assert!(parse("rtmp://h/a nokey=1").unwrap_err().contains("Unknown option nokey"));
        assert!(parse("rtmp://h/a app=x\\2").is_err());
        assert!(parse("rtmp://h/a app=x\\zz").is_err());
    }
}
