//! TLS errors as text: what failed, and what to do.

use jiff::Timestamp;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, Error};

use crate::util::hex;

/// Why either side refused the connection, or `None` when it broke. `received`: the first bytes of the peer's answer;
/// `established`: the handshake was complete.
pub(super) fn explain(error: &Error, received: &[u8], established: bool) -> Option<String> {
    match error {
        Error::InvalidCertificate(certificate) => Some(about_certificate(certificate)),
        // In TLS 1.3 a client finishes before the server has verified the client's certificate.
        Error::AlertReceived(alert) => about_alert(*alert)
            .map(str::to_owned)
            .or_else(|| (!established).then(|| format!("aborted by the server: {}", alert_words(*alert)))),
        _ if established => None,
        Error::InvalidMessage(_) => Some(about_bytes(received)),
        Error::PeerIncompatible(_) => {
            Some("the server supports neither TLS 1.2 nor 1.3 with a cipher of this client".to_owned())
        }
        other => Some(other.to_string()),
    }
}

/// The server's public key is not pinned.
#[derive(Debug, thiserror::Error)]
#[error("its public key is {found}, which is not pinned")]
pub(super) struct PinMismatch {
    /// The key's pin.
    pub(super) found: String,
}

fn about_certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    match error {
        E::ExpiredContext { not_after, .. } => format!("certificate expired on {} {CHECK_CLOCK}", date(*not_after)),
        E::Expired => format!("certificate expired {CHECK_CLOCK}"),
        E::NotValidYetContext { not_before, .. } => {
            format!("certificate not valid before {} {CHECK_CLOCK}", date(*not_before))
        }
        E::NotValidYet => format!("certificate not valid yet {CHECK_CLOCK}"),
        E::NotValidForNameContext { expected, presented } => about_name(expected, presented),
        E::NotValidForName => format!("certificate is for another name {OTHER_NAME}"),
        E::UnknownIssuer => UNTRUSTED.to_owned(),
        E::Revoked => "certificate revoked by its issuer".to_owned(),
        E::Other(other) => match other.0.downcast_ref::<PinMismatch>() {
            Some(PinMismatch { found }) => format!(
                "public key {found} is not pinned: the connection may be intercepted (if the server has a new key, give \
                 it to --pin)"
            ),
            // What webpki, which is not named in here, calls a self-signed certificate made as an authority's.
            None if other.0.to_string() == "CaUsedAsEndEntity" => UNTRUSTED.to_owned(),
            None => format!("certificate rejected: {other}"),
        },
        other => format!("certificate rejected: {other}"),
    }
}

fn about_name(expected: &ServerName<'_>, presented: &[String]) -> String {
    // As the certificate has them; only so many, and of a harmless kind, for it is not trusted at all.
    const SHOWN: usize = 5;
    let clean = |name: &String| name.chars().filter(|c| c.is_ascii_graphic()).take(100).collect::<String>();
    let mut names: Vec<String> = presented.iter().take(SHOWN).map(clean).collect();
    if presented.len() > SHOWN {
        names.push(format!("{} more", presented.len() - SHOWN));
    }
    let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
    format!("certificate is for {names}, not for {} {OTHER_NAME}", expected.to_str())
}

/// Alerts that say that the client, not the connection, is at fault, whenever they come.
fn about_alert(alert: AlertDescription) -> Option<&'static str> {
    match alert {
        AlertDescription::CertificateRequired => {
            Some("the server requires a client certificate (use --cert and --key)")
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => Some("the server rejected the client certificate (--cert, --key)"),
        AlertDescription::UnrecognisedName => Some("the server does not know this host name (alert unrecognized_name)"),
        _ => None,
    }
}

/// The alert's name as RFC 8446 §6 has it, and what it means where that is not plain.
fn alert_words(alert: AlertDescription) -> String {
    let mut name = String::new();
    let mut was_lowercase = false;
    for letter in format!("{alert:?}").chars() {
        if letter.is_ascii_uppercase() && was_lowercase {
            name.push('_');
        }
        was_lowercase = letter.is_ascii_lowercase();
        name.push(letter.to_ascii_lowercase());
    }
    match alert {
        AlertDescription::HandshakeFailure => format!("{name} (no common cipher, or a client certificate is required)"),
        AlertDescription::ProtocolVersion => format!("{name} (it supports neither TLS 1.2 nor 1.3)"),
        _ => name,
    }
}

/// The answer was not a TLS record.
fn about_bytes(received: &[u8]) -> String {
    if received.starts_with(b"HTTP/") {
        let line: String = received
            .iter()
            .take_while(|b| **b != b'\r' && **b != b'\n')
            .take(80)
            .map(|b| char::from(*b))
            .filter(|c| c.is_ascii_graphic() || *c == ' ')
            .collect();
        return format!("the answer is plain HTTP (\"{line}\"): no TLS on this port");
    }
    let shown: Vec<String> = received.iter().take(8).map(|byte| hex::encode(&[*byte])).collect();
    format!("the answer is not TLS (it begins {}): no TLS on this port", shown.join(" "))
}

/// The day of a moment, in UTC.
fn date(time: UnixTime) -> String {
    match i64::try_from(time.as_secs()).map(Timestamp::from_second) {
        Ok(Ok(time)) => time.strftime("%Y-%m-%d").to_string(),
        _ => "a day after the year 9999".to_owned(),
    }
}

const CHECK_CLOCK: &str = "(check the system clock, or use --insecure)";
const OTHER_NAME: &str = "(use a name of the certificate, or --insecure)";
const UNTRUSTED: &str = "certificate not signed by a trusted CA, or self-signed (use --cafile FILE, or --insecure)";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates() {
        for (secs, want) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_709_164_799, "2024-02-28"),
            (1_709_164_800, "2024-02-29"),
            (1_735_689_599, "2024-12-31"),
            (67_090_118_400, "4096-01-01"),
            (253_402_207_199, "9999-12-30"),
            (u64::MAX, "a day after the year 9999"),
        ] {
            assert_eq!(date(UnixTime::since_unix_epoch(Duration::from_secs(secs))), want);
        }
    }

    #[test]
    fn what_is_not_tls_is_shown() {
        assert!(about_bytes(b"HTTP/1.1 400 Bad Request\r\nx").contains("\"HTTP/1.1 400 Bad Request\""));
        assert!(about_bytes(&[3, 0, 0, 1]).contains("03 00 00 01"));
        assert!(about_bytes(b"").contains("not TLS"));
    }

    #[test]
    fn names_of_a_stranger_are_made_harmless() {
        let names: Vec<String> = (0..9).map(|i| format!("\x1b[31m{i}{}", "x".repeat(500))).collect();
        let text = about_name(&ServerName::try_from("example.org").unwrap(), &names);
        assert!(text.len() < 1000 && !text.contains('\x1b') && text.contains("4 more"), "{text}");
    }

    #[test]
    fn alerts_have_the_names_of_the_specification() {
        assert_eq!(alert_words(AlertDescription::InternalError), "internal_error");
        assert_eq!(alert_words(AlertDescription::UnknownCA), "unknown_ca");
        assert!(alert_words(AlertDescription::HandshakeFailure).starts_with("handshake_failure ("));
    }

    #[test]
    fn a_broken_connection_is_no_refusal() {
        assert_eq!(explain(&Error::DecryptError, b"", true), None);
        assert_eq!(explain(&Error::AlertReceived(AlertDescription::InternalError), b"", true), None);
        assert!(explain(&Error::AlertReceived(AlertDescription::CertificateRequired), b"", true).is_some());
        assert!(explain(&Error::AlertReceived(AlertDescription::InternalError), b"", false).is_some());
    }
}
