//! Spellings of a host's name or address.

/// Takes off an IPv6 literal's brackets and undoes the URL spelling of its zone (RFC 6874).
pub(super) fn normalise(host: &str) -> String {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if bare.contains(':') { bare.replacen("%25", "%", 1) } else { bare.to_owned() }
}

/// `host:port` as it stands in HTTP: IPv6 addresses in brackets and without zone.
pub(super) fn authority(host: &str, port: u16) -> String {
    let host = normalise(host);
    let host = host.split('%').next().unwrap_or_default();
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_zones_are_normalised() {
        assert_eq!(normalise("[fe80::1%25eth0]"), "fe80::1%eth0");
        assert_eq!(normalise("fe80::1%eth0"), "fe80::1%eth0");
        assert_eq!(normalise("example%25.org"), "example%25.org");
    }
}
