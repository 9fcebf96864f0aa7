//! What went wrong in TLS, and what can be done, in a sentence.

use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, Error};

/// Why the connection was refused by either side, or nothing when it simply broke. `received` is what the peer sent last;
/// `established` says that the handshake was over.
pub(super) fn explain(error: &Error, received: &[u8], established: bool) -> Option<String> {
    match error {
        Error::InvalidCertificate(certificate) => Some(about_certificate(certificate)),
        // TLS 1.3 lets a client finish before the server has judged the client's certificate.
        Error::AlertReceived(alert) => about_alert(*alert).map(str::to_owned).or_else(|| {
            (!established).then(|| format!("the server broke the TLS handshake off: {}", alert_name(*alert)))
        }),
        _ if established => None,
        Error::InvalidMessage(_) => Some(about_bytes(received)),
        Error::PeerIncompatible(reason) => {
            Some(format!("the server offers no TLS that this client accepts (1.2 or 1.3): {reason:?}"))
        }
        other => Some(other.to_string()),
    }
}

/// The server's key is none of the pinned ones.
#[derive(Debug, thiserror::Error)]
#[error("its public key is {found}, which is not pinned")]
pub(super) struct PinMismatch {
    /// The key's pin.
    pub(super) found: String,
}

fn about_certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    match error {
        E::ExpiredContext { not_after, .. } => {
            format!("the server's certificate expired on {}; {LOOK_AT_THE_CLOCK}", date(*not_after))
        }
        E::Expired => format!("the server's certificate has expired; {LOOK_AT_THE_CLOCK}"),
        E::NotValidYetContext { not_before, .. } => {
            format!("the server's certificate is not valid before {}; {LOOK_AT_THE_CLOCK}", date(*not_before))
        }
        E::NotValidYet => format!("the server's certificate is not valid yet; {LOOK_AT_THE_CLOCK}"),
        E::NotValidForNameContext { expected, presented } => about_name(expected, presented),
        E::NotValidForName => format!("the server's certificate is for another name; {ANOTHER_NAME}"),
        E::UnknownIssuer => UNTRUSTED.to_owned(),
        E::Revoked => "the server's certificate has been revoked by its issuer: do not trust this server".to_owned(),
        E::Other(other) => match other.0.downcast_ref::<PinMismatch>() {
            Some(PinMismatch { found }) => format!(
                "the server's public key is not the pinned one: it is {found}; either somebody is in between or the \
                 server has a new key (then give that to --pin)"
            ),
            // What webpki, which is not named in here, calls a self-signed certificate made as an authority's.
            None if other.0.to_string() == "CaUsedAsEndEntity" => UNTRUSTED.to_owned(),
            None => format!("the server's certificate was refused: {other}"),
        },
        other => format!("the server's certificate was refused: {other}"),
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
    let names = if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") };
    format!("the server's certificate is not for {} but for {names}; {ANOTHER_NAME}", expected.to_str())
}

/// Alerts that say that the client, not the connection, is at fault, whenever they come.
fn about_alert(alert: AlertDescription) -> Option<&'static str> {
    match alert {
        AlertDescription::CertificateRequired => {
            Some("the server wants a client certificate: give one with --cert and --key")
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => Some("the server does not accept the client certificate (--cert, --key)"),
        AlertDescription::UnrecognisedName => {
            Some("the server knows nothing of this host name (TLS: unrecognized_name)")
        }
        _ => None,
    }
}

fn alert_name(alert: AlertDescription) -> String {
    let name = format!("{alert:?}");
    match alert {
        AlertDescription::HandshakeFailure => {
            format!("{name}: it shares no cipher with this client, or wants a client certificate")
        }
        AlertDescription::ProtocolVersion => format!("{name}: it speaks neither TLS 1.2 nor 1.3"),
        _ => name,
    }
}

/// The answer was no TLS record.
fn about_bytes(received: &[u8]) -> String {
    if received.starts_with(b"HTTP/") {
        let line: String = received
            .iter()
            .take_while(|b| **b != b'\r' && **b != b'\n')
            .take(80)
            .map(|b| char::from(*b))
            .filter(|c| c.is_ascii_graphic() || *c == ' ')
            .collect();
        return format!("a plain HTTP server answered (\"{line}\"): there is no TLS on this port");
    }
    let shown: Vec<String> = received.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("the server's answer is not TLS (it begins {}): is this the port for TLS?", shown.join(" "))
}

/// The day of a moment, in UTC.
fn date(time: UnixTime) -> String {
    // Days to a civil date, with years that begin in March: Howard Hinnant's method.
    let days = (time.as_secs() / 86_400) as i64 + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

const LOOK_AT_THE_CLOCK: &str = "look at this machine's clock, or accept it all the same with --insecure";
const ANOTHER_NAME: &str = "use a name that it has, or accept it all the same with --insecure";
const UNTRUSTED: &str = "nobody trusted here has signed the server's certificate (it is self-signed, or a private \
                         authority's); name the certificate to trust with --cafile, or accept any with --insecure";

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
    fn a_broken_connection_is_no_refusal() {
        assert_eq!(explain(&Error::DecryptError, b"", true), None);
        assert_eq!(explain(&Error::AlertReceived(AlertDescription::InternalError), b"", true), None);
        assert!(explain(&Error::AlertReceived(AlertDescription::CertificateRequired), b"", true).is_some());
        assert!(explain(&Error::AlertReceived(AlertDescription::InternalError), b"", false).is_some());
    }
}
