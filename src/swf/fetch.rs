//! Fetching a SWF file over HTTP.

use super::cache::Validators;
use super::{MAX_FILE, SwfError};
use std::io::Read;
use std::time::Duration;

/// What a web server answers.
pub(super) enum Answer {
    /// The file, or more than is taken of it, and what to ask with the next time.
    File { bytes: Vec<u8>, validators: Validators },
    /// It is as it was.
    Unchanged,
}

/// Gets `url`; with `validators`, only if it has changed since. `timeout` bounds all of it.
pub(super) fn fetch(url: &str, validators: Option<&Validators>, timeout: Duration) -> Result<Answer, SwfError> {
    let failed = |reason: String| SwfError::Fetch { url: shown(url), reason };
    let (scheme, host) = origin(url).ok_or_else(|| failed("only http: and https: are fetched".to_owned()))?;
    let mut config = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(MAX_REDIRECTS)
        .http_status_as_error(false)
        .user_agent(USER_AGENT);
    if is_loopback(host) {
        // No proxy reaches what is on this machine.
        config = config.proxy(None);
    }
    // Some servers give their player only to their own pages.
    let mut request = config.build().new_agent().get(url).header("Referer", format!("{scheme}://{host}/"));
    for (name, value) in validators.into_iter().flat_map(Validators::headers) {
        request = request.header(name, value);
    }
    let mut response = request.call().map_err(|error| failed(error.to_string()))?;
    match response.status().as_u16() {
        200 => {}
        304 => return Ok(Answer::Unchanged),
        status => return Err(SwfError::Status { url: shown(url), status }),
    }
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let validators = Validators::new(header("Last-Modified"), header("ETag"));
    let mut bytes = Vec::new();
    // A byte more than is taken, so that it is seen to be too much.
    let body = response.body_mut().as_reader().take(MAX_FILE + 1).read_to_end(&mut bytes);
    body.map_err(|error| failed(error.to_string()))?;
    Ok(Answer::File { bytes, validators })
}

/// `url` without user, password and query, which may be secrets.
pub(super) fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let shown = match (origin(url), url.split_once("://")) {
        (Some((scheme, host)), Some((_, rest))) => {
            let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        _ => url.to_owned(),
    };
    shown.chars().flat_map(char::escape_debug).collect()
}

/// Scheme and host (with its port, without user and password) of a web address.
fn origin(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    Some((scheme, authority.rsplit_once('@').map_or(authority, |(_, host)| host)))
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(literal) => literal.split(']').next(),
        None => host.split(':').next(),
    };
    let name = name.unwrap_or_default();
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// How often a server may send on to another address.
const MAX_REDIRECTS: u32 = 10;

/// Web servers are known to turn away what is not a browser.
const USER_AGENT: &str = concat!("Mozilla/5.0 (compatible; rtmpcat/", env!("CARGO_PKG_VERSION"), ")");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(shown("http://user:pw@host:81/a/p.swf?token=x#y"), "http://host:81/a/p.swf");
        assert_eq!(shown("https://host"), "https://host");
        assert_eq!(shown("http://host/\x1b[2J"), "http://host/\\u{1b}[2J");
        assert_eq!(shown("ftp://host/p.swf?x"), "ftp://host/p.swf");
    }

    #[test]
    fn loopback_is_known() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1", "127.9.9.9:8080", "[::1]", "[::1]:80"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "example.com", "127.0.0.1.example.com", "10.0.0.1:80", "[::2]:80", "["] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
