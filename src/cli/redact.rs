//! Secrets that no message may show: passwords, tokens, and values of a URL's query that let their bearer in.

use std::borrow::Cow;

/// What is to be hidden.
#[derive(Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Hides `secret` from now on, as it is and as a message would escape it.
    pub fn add(&mut self, secret: &str) {
        for form in [secret.to_owned(), super::log::printable(secret), percent_encoded(secret)] {
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
        let after_scheme = url.split_once("://").map_or("", |(_, rest)| rest);
        let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
        let userinfo = authority.rsplit_once('@').map_or("", |(userinfo, _)| userinfo);
        if let Some((_, password)) = userinfo.split_once(':') {
            self.add(password);
            self.add(&crate::target::percent_decode(password));
        }
        let query = url.split_once('?').map_or("", |(_, query)| query);
        for (name, value) in query.split(['&', '?', ';', '/']).filter_map(|part| part.split_once('=')) {
            if is_secret(name) {
                self.add(value);
                self.add(&crate::target::percent_decode(value));
            }
        }
    }

    /// `text` with all secrets replaced.
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0
            .iter()
            .filter(|secret| text.contains(secret.as_str()))
            .fold(Cow::Borrowed(text), |text, secret| Cow::Owned(text.replace(secret.as_str(), HIDDEN)))
    }

    /// All forms of all secrets.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

/// Whether the name of a query's value says that the value lets somebody in.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // Its value is the name of a scheme.
    name != "authmod"
        && (["sig", "st", "pw"].contains(&name.as_str())
            || name.ends_with("key")
            || ["token", "auth", "sign", "secret", "pass", "pwd", "hash", "hmac", "ticket", "session"]
                .iter()
                .any(|part| name.contains(part)))
}

fn percent_encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
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
        assert!(secrets.texts().any(|text| text == "hunter2"));
        assert!(!format!("{secrets:?}").contains("hunter"));
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
