//! What of a URL no message may show: one rule for every output.
//!
//! ```text
//! rtmp://user:PASSWORD@host/app?token=VALUE&id=1/name?sig=VALUE playpath=x token=VALUE
//! ```
//!
//! Works on the text, so that URLs that cannot be parsed, applications, playpaths and librtmp's keys are covered as well.
//! Rather hides too much than too little.

use std::ops::Range;

use crate::util::percent;

/// `text` with every secret replaced by `***`, for messages.
///
/// ```
/// use rtmpcat::url::without_secrets;
///
/// assert_eq!(without_secrets("rtmp://me:a/b@host/app/s?jwt=a.b&id=1"), "rtmp://me:***@host/app/s?jwt=***&id=1");
/// ```
pub fn without_secrets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for secret in secret_ranges(text) {
        out.push_str(text.get(at..secret.start).unwrap_or_default());
        out.push_str(HIDDEN);
        at = secret.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// The secrets in a URL, an application, a playpath or a string with librtmp's keys, in every form in which an output may
/// show them: as written, decoded, and cut at a slash, where the application may end.
pub fn secrets(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for secret in secret_ranges(text).into_iter().filter_map(|range| text.get(range)) {
        let (first, rest) = secret.split_once('/').unwrap_or((secret, ""));
        // After a slash there may be the stream's name, which is an ordinary word.
        let rest = Some(rest).filter(|rest| rest.len() >= TOKEN_LENGTH || rest.contains(['=', '+', '/']));
        for form in [Some(secret), Some(first), rest].into_iter().flatten() {
            found.extend([form.to_owned(), percent::decode_text(form)]);
        }
    }
    found.retain(|secret| !secret.is_empty());
    found.dedup();
    found
}

/// Where the secrets stand, in order and apart from one another.
fn secret_ranges(text: &str) -> Vec<Range<usize>> {
    let mut ranges: Vec<_> = password(text).into_iter().collect();
    let mut at = ranges.first().map_or(0, |range| range.end);
    while let Some(start) = text.get(at..).and_then(|rest| rest.find('=')).map(|equals| at + equals + 1) {
        let name = text.get(at..start - 1).unwrap_or_default();
        let name = name.rsplit(BEFORE_NAME).next().unwrap_or_default();
        at = start;
        if is_secret(&percent::decode_text(name)) {
            let value = text.get(start..).unwrap_or_default();
            let end = start + value.find(AFTER_VALUE).unwrap_or(value.len());
            if end > start {
                ranges.push(start..end);
            }
            at = end;
        }
    }
    ranges
}

/// The password of a URL: after the first colon of its user information. A `/`, `?` or `#` in it is not the end of the
/// authority as long as an `@` follows, unless what stands before is a port.
fn password(text: &str) -> Option<Range<usize>> {
    let start = ["://", ":/", "//"].iter().find_map(|mark| Some(text.find(mark)? + mark.len()))?;
    let rest = text.get(start..)?;
    let rest = rest.split(char::is_whitespace).next().unwrap_or(rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let colon = authority.find(':')?;
    let is_port = authority.get(colon + 1..)?.bytes().all(|byte| byte.is_ascii_digit());
    let at = match authority.rfind('@') {
        Some(at) => at,
        None if is_port || authority.starts_with('[') => return None,
        None => rest.rfind('@')?,
    };
    (at > colon).then(|| start + colon + 1..start + at)
}

/// Whether a value of this name lets its bearer in.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // Its value is the name of a scheme.
    name != "authmod"
        && (["sig", "st", "pw", "jtv"].contains(&name.as_str())
            || name.ends_with("key")
            || [
                "token", "auth", "sign", "secret", "pass", "pwd", "hash", "hmac", "ticket", "session", "jwt", "cred",
                "bearer", "hdnts", "hdnea", "hdntl",
            ]
            .iter()
            .any(|part| name.contains(part)))
}

/// What precedes the name of a value.
const BEFORE_NAME: &[char] = &['?', '&', ';', '/', '#', ' ', '\t', '='];

/// What ends a value. A slash does not: Base64 has slashes.
const AFTER_VALUE: &[char] = &['&', ';', '#', '?', ' ', '\t', '"', '\''];

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// A part of a value that is at least so long is taken for one by itself.
const TOKEN_LENGTH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_stand_in_a_url() {
        for (text, shown) in [
            ("rtmp://h/app/s", "rtmp://h/app/s"),
            ("rtmp://h:1935/live/me@x?id=1", "rtmp://h:1935/live/me@x?id=1"),
            ("rtmp://[::1]:1935/live/me@x", "rtmp://[::1]:1935/live/me@x"),
            ("rtmp://u:p@h/app", "rtmp://u:***@h/app"),
            ("rtmp://u:p@w@h/app", "rtmp://u:***@h/app"),
            ("rtmp://u:1234@h:1935/app", "rtmp://u:***@h:1935/app"),
            ("rtmp://u:a/b?c#d@h/app", "rtmp://u:***@h/app"),
            ("socks5://u:a/b@proxy:1080", "socks5://u:***@proxy:1080"),
            ("https://u:pw@h/p.swf", "https://u:***@h/p.swf"),
            ("rtmp:/u:pw@h/app?token=x", "rtmp:/u:***@h/app?token=***"),
            ("h/app?jwt=a.b-c_d", "h/app?jwt=***"),
            ("s?token=a/b+c==&id=1", "s?token=***&id=1"),
            ("s?token=a%2Fb&id=1", "s?token=***&id=1"),
            ("app?key=v/name", "app?key=***"),
            ("rtmp://h/a?authmod=adobe/name?sig=abcd", "rtmp://h/a?authmod=adobe/name?sig=***"),
            ("s?id=1#access_token=x", "s?id=1#access_token=***"),
            ("rtmp://h/a/s token=xx pubPasswd=yy live=1", "rtmp://h/a/s token=*** pubPasswd=*** live=1"),
            ("s?token=", "s?token="),
            ("http://x?url=rtmp://h?wsSecret=1", "http://x?url=rtmp://h?wsSecret=***"),
            ("", ""),
        ] {
            assert_eq!(without_secrets(text), shown, "{text}");
        }
    }

    #[test]
    fn each_form_of_a_secret_is_known() {
        let of = |text: &str| secrets(text).join(" ");
        assert_eq!(of("rtmp://u:pa%20ss@h/app?id=1"), "pa%20ss pa ss pa%20ss pa ss");
        assert_eq!(of("s?token=abcd/efg=="), "abcd/efg== abcd efg==");
        assert_eq!(of("app?token=abcd/stream"), "abcd/stream abcd");
        assert_eq!(of("rtmp://h/app/s?id=1"), "");
    }
}
