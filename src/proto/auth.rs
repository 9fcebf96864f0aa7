//! Getting in: `authmod` on `connect` (Adobe's and Limelight's), and SecureToken.
//!
//! ```text
//! connect app                                       ─►
//!        ◄─ _error "… code=403 need auth; authmod=adobe …"
//! connect app?authmod=adobe&user=U                  ─►                                   (a new connection each time)
//!        ◄─ _error "… authmod=adobe … ?reason=needauth&user=U&salt=S&challenge=C&opaque=O"
//! connect app?authmod=adobe&user=U&challenge=D&response=R&opaque=O   ─►
//!        ◄─ _result
//!
//! adobe  R = Base64(MD5(Base64(MD5(U S password)) O D)); C stands for O where there is no O
//! llnw   R = hex(MD5(hex(MD5(U ":live:" password)) ":" nonce ":00000001:" cnonce ":auth:" hex(MD5("publish:/" app/instance))))
//! ```
//!
//! The specification knows nothing of it (§7.2.1.1). Does not connect, count the attempts ([`MAX_RETRIES`]) or draw the
//! random challenge: these are the caller's.

mod secure_token;

pub use secure_token::{secure_token_challenge, secure_token_response};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::util::hex;
use crate::util::percent::{self, AsciiSet, CONTROLS};

/// How often a refused `connect` is worth repeating with what [`next_step`] says: once to name the user, once to answer.
pub const MAX_RETRIES: u32 = 2;

/// The two ways of asking for a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Adobe Media Server's access manager; Wowza too.
    Adobe,
    /// Limelight Networks.
    Llnw,
}

/// User name and password. Neither is percent-encoded.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// Name of the user.
    pub user: &'a str,
    /// Password; it never goes over the wire.
    pub password: &'a str,
}

/// What a refused `connect` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It does not ask for a user and a password.
    NotAuth,
    /// Connect again, with this at the end of app and tcUrl (see [`with_query`]) in place of what the step before put there.
    Retry {
        /// A query that begins with `?`.
        query: String,
    },
    /// It asks, and there are no credentials.
    NoCredentials,
    /// Connecting again does not help.
    Failed {
        /// Why, and what can be done.
        reason: String,
    },
}

/// What to do about the `description` of connect's `_error`. `app` is the application as the user gave it; `challenge` is
/// random.
pub fn next_step(description: &str, app: &str, credentials: Option<Credentials<'_>>, challenge: u32) -> Step {
    let Some(named) = value_after(description, "authmod=") else { return Step::NotAuth };
    let Some(scheme) = Scheme::named(named) else {
        return failed(format!("the server wants authmod={}, which is not supported", shown(named)));
    };
    // Before the size is looked at, nothing of the description is kept or sent back.
    if description.len() > MAX_DESCRIPTION {
        return failed(format!("the server's demand for a password has {} bytes", description.len()));
    }
    let Some(credentials) = credentials else { return Step::NoCredentials };
    let user = encoded(credentials.user);
    let name = scheme.name();
    let Some(demand) = description.split_once("?reason=").map(|(_, demand)| Query(demand.trim_end())) else {
        return if description.contains("code=403 need auth") {
            Step::Retry { query: format!("?authmod={name}&user={user}") }
        } else {
            failed("the server refused the user and the password".to_owned())
        };
    };
    match demand.reason() {
        "needauth" => {}
        "nosuchuser" => return failed(format!("the server knows no user \"{}\"", credentials.user.escape_debug())),
        "authfailed" | "authfail" => return failed("the server refused the password".to_owned()),
        other => return failed(format!("the server refused the user and the password ({})", shown(other))),
    }
    let challenge = format!("{challenge:08x}");
    let query = match scheme {
        Scheme::Adobe => {
            let salt = demand.get("salt").unwrap_or_default();
            let opaque = demand.get("opaque");
            let asked = opaque.or_else(|| demand.get("challenge")).unwrap_or_default();
            let response = adobe_response(credentials, salt, asked, &challenge);
            let mut query = format!("?authmod={name}&user={user}&challenge={challenge}&response={response}");
            if let Some(opaque) = opaque {
                query.push_str("&opaque=");
                query.push_str(opaque);
            }
            query
        }
        Scheme::Llnw => {
            let nonce = demand.get("nonce").unwrap_or_default();
            let response = llnw_response(credentials, app, nonce, LLNW_COUNT, &challenge);
            format!("?authmod={name}&user={user}&nonce={nonce}&cnonce={challenge}&nc={LLNW_COUNT}&response={response}")
        }
    };
    Step::Retry { query }
}

/// An app or a tcUrl with a [`Step::Retry`]'s query at its end.
pub fn with_query(address: &str, query: &str) -> String {
    // A second question mark would belong to the value before it.
    match (address.contains('?'), query.strip_prefix('?')) {
        (true, Some(more)) => format!("{address}&{more}"),
        _ => format!("{address}{query}"),
    }
}

/// The server's end: accepts one user with one password. Each nonce (Adobe's opaque and challenge, Limelight's nonce) is valid for
/// one answer, so that a recorded `connect` cannot be replayed.
pub struct Guard {
    scheme: Scheme,
    user: String,
    password: String,
    /// Adobe's salt.
    salt: String,
    secret: [u8; 8],
    nonces: Mutex<Nonces>,
}

/// The nonces that were issued and not answered yet, oldest first.
#[derive(Default)]
struct Nonces {
    issued: u64,
    open: VecDeque<String>,
}

impl Guard {
    /// A guard that asks by `scheme`. `random` makes salt and nonces unpredictable.
    pub fn new(scheme: Scheme, credentials: Credentials<'_>, random: &[u8; 16]) -> Self {
        let [salt @ .., s0, s1, s2, s3, s4, s5, s6, s7] = random;
        Self {
            scheme,
            user: credentials.user.to_owned(),
            password: credentials.password.to_owned(),
            salt: BASE64.encode(salt),
            secret: [*s0, *s1, *s2, *s3, *s4, *s5, *s6, *s7],
            nonces: Mutex::default(),
        }
    }

    /// Looks at the app of a `connect`.
    ///
    /// # Errors
    /// The description of the `_error` (`NetConnection.Connect.Rejected`) to answer with.
    pub fn check(&self, app: &str) -> Result<(), String> {
        let name = self.scheme.name();
        let query = Query(app.split_once('?').map_or("", |(_, query)| query));
        let refused = |why: &str| Err(format!("[ AccessManager.Reject ] : [ authmod={name} ] : ?reason={why}"));
        let (Some(_), Some(user)) = (query.get("authmod").filter(|asked| *asked == name), query.get("user")) else {
            return Err(format!("[ AccessManager.Reject ] : [ code=403 need auth; authmod={name} ] : "));
        };
        if percent::decode(user) != self.user.as_bytes() {
            return refused("nosuchuser");
        }
        let nonce = query.get(if self.scheme == Scheme::Adobe { "opaque" } else { "nonce" }).unwrap_or_default();
        let Some(response) = query.get("response") else {
            let nonce = self.issue();
            return refused(&match self.scheme {
                Scheme::Adobe => {
                    format!("needauth&user={user}&salt={}&challenge={nonce}&opaque={nonce}", self.salt)
                }
                Scheme::Llnw => format!("needauth&user={user}&nonce={nonce}"),
            });
        };
        let credentials = Credentials { user: &self.user, password: &self.password };
        let expected = match self.scheme {
            Scheme::Adobe => adobe_response(credentials, &self.salt, nonce, query.get("challenge").unwrap_or_default()),
            Scheme::Llnw => {
                let (count, cnonce) = (query.get("nc").unwrap_or_default(), query.get("cnonce").unwrap_or_default());
                llnw_response(credentials, app, nonce, count, cnonce)
            }
        };
        if self.redeem(nonce) && response == expected { Ok(()) } else { refused("authfailed") }
    }

    /// A new nonce. Beyond [`MAX_NONCES`] the oldest one that was not answered becomes invalid.
    fn issue(&self) -> String {
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        nonces.issued += 1;
        let digest: [u8; 16] =
            Md5::new().chain_update(self.secret).chain_update(nonces.issued.to_be_bytes()).finalize().into();
        let nonce = hex::encode(&digest);
        if nonces.open.len() >= MAX_NONCES {
            nonces.open.pop_front();
        }
        nonces.open.push_back(nonce.clone());
        nonce
    }

    /// Whether `nonce` was issued and not answered before; from now on it is invalid.
    fn redeem(&self, nonce: &str) -> bool {
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        let place = nonces.open.iter().position(|open| open == nonce);
        place.is_some_and(|place| nonces.open.remove(place).is_some())
    }
}

/// Nonces that wait for an answer: clients that log in at the same time. Each has 32 bytes.
const MAX_NONCES: usize = 1024;

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A password does not belong in a log.
        f.debug_struct("Guard").field("scheme", &self.scheme).field("user", &self.user).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Scheme {
    /// Its name as the value of `authmod`.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Adobe => "adobe",
            Scheme::Llnw => "llnw",
        }
    }

    /// The scheme of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Scheme::Adobe, Scheme::Llnw].into_iter().find(|scheme| scheme.name() == name)
    }
}

/// Longest description that is answered, in bytes: its parts go back to the server in app and tcUrl. Real ones have less
/// than 300.
const MAX_DESCRIPTION: usize = 4096;

/// Limelight's count of the uses of a nonce.
const LLNW_COUNT: &str = "00000001";

/// `a=b&c=d`, or what `?reason=` is followed by.
#[derive(Clone, Copy)]
struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// The first part, which has lost its name.
    fn reason(self) -> &'a str {
        self.0.split('&').next().unwrap_or_default()
    }

    fn get(self, name: &str) -> Option<&'a str> {
        // Values are Base64 at times, with its `=` at the end.
        self.0.split('&').filter_map(|part| part.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

fn adobe_response(credentials: Credentials<'_>, salt: &str, asked: &str, challenge: &str) -> String {
    let secret = BASE64.encode(md5_of(&[credentials.user, salt, credentials.password]));
    BASE64.encode(md5_of(&[&secret, asked, challenge]))
}

fn llnw_response(credentials: Credentials<'_>, app: &str, nonce: &str, count: &str, cnonce: &str) -> String {
    let app = app.split('?').next().unwrap_or_default();
    let instance = if app.contains('/') { "" } else { "/_definst_" };
    let secret = hex::encode(&md5_of(&[credentials.user, ":live:", credentials.password]));
    let place = hex::encode(&md5_of(&["publish:/", app, instance]));
    hex::encode(&md5_of(&[&secret, ":", nonce, ":", count, ":", cnonce, ":auth:", &place]))
}

/// MD5 of the parts, one after the other.
fn md5_of(parts: &[&str]) -> [u8; 16] {
    let mut md5 = Md5::new();
    parts.iter().for_each(|part| md5.update(part));
    md5.finalize().into()
}

/// Encodes what would end the value or the query; the rest is sent unchanged, as servers expect it.
fn encoded(value: &str) -> String {
    const SPECIAL: &AsciiSet =
        &CONTROLS.add(b' ').add(b'&').add(b'=').add(b'#').add(b'%').add(b'?').add(b'+').add(b'"');
    percent::encode(value, SPECIAL)
}

/// What follows `name` in a description, up to the end of the word.
fn value_after<'a>(description: &'a str, name: &str) -> Option<&'a str> {
    let (_, behind) = description.split_once(name)?;
    behind.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').next()
}

/// A server's word, short and harmless.
fn shown(word: &str) -> String {
    word.chars().take(40).flat_map(char::escape_debug).collect()
}

fn failed(reason: String) -> Step {
    Step::Failed { reason }
}

#[cfg(test)]
mod tests;
