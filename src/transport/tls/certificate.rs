//! Subject, issuer and validity of a server's certificate (RFC 5280 §4.1), for display only: the verifier decides whether to
//! trust it.
//!
//! ```text
//! SEQUENCE { SEQUENCE { [0] version? · serial · algorithm · issuer · SEQUENCE { notBefore · notAfter } · subject · … } · … }
//! ```
//!
//! Keys, extensions (other names among them) and signatures are skipped.

use yasna::models::{ObjectIdentifier, TaggedDerValue};
use yasna::tags::{TAG_BMPSTRING, TAG_UTCTIME};
use yasna::{ASN1Result, BERReader, Tag};

/// Subject, issuer and validity of a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Subject, e.g. `CN=example.org, O=Example`; as sent by the server. May be empty.
    pub subject: String,
    /// Issuer, in the same form.
    pub issuer: String,
    /// Start of validity (notBefore), in seconds since 1970-01-01 UTC.
    pub not_before: i64,
    /// End of validity (notAfter), in seconds since 1970-01-01 UTC.
    pub not_after: i64,
}

/// Reads a certificate in DER; `None` if it cannot be parsed.
pub(super) fn read(der: &[u8]) -> Option<Certificate> {
    if der.len() > MAX_BYTES {
        return None;
    }
    let whole = yasna::parse_der(der, |reader| {
        reader.read_sequence(|outer| {
            let certificate = outer.next().read_sequence(|inner| {
                inner.read_optional(|version| version.read_tagged(Tag::context(0), |version| version.read_der()))?;
                inner.next().read_der()?;
                inner.next().read_der()?;
                let issuer = name(inner.next())?;
                let (not_before, not_after) =
                    inner.next().read_sequence(|validity| Ok((time(validity.next())?, time(validity.next())?)))?;
                let subject = name(inner.next())?;
                while inner.read_optional(|rest| rest.read_der())?.is_some() {}
                Ok(Certificate { subject, issuer, not_before, not_after })
            })?;
            outer.next().read_der()?;
            outer.next().read_der()?;
            Ok(certificate)
        })
    });
    whole.ok()
}

/// A UTCTime or, from 2050 on, a GeneralizedTime.
fn time(reader: BERReader<'_, '_>) -> ASN1Result<i64> {
    if reader.lookahead_tag()? == TAG_UTCTIME {
        Ok(reader.read_utctime()?.datetime().unix_timestamp())
    } else {
        Ok(reader.read_generalized_time()?.datetime().unix_timestamp())
    }
}

/// The parts of a name that have one, in the order in which they are written.
fn name(reader: BERReader<'_, '_>) -> ASN1Result<String> {
    let mut parts = Vec::new();
    reader.read_sequence_of(|set| {
        set.read_set_of(|part| {
            part.read_sequence(|part| {
                let kind = part.next().read_oid()?;
                let value = part.next().read_tagged_der()?;
                parts.push(format!("{}={}", short(&kind), text(&value)));
                Ok(())
            })
        })
    })?;
    Ok(parts.join(", "))
}

/// The short name of an attribute type (RFC 4514 §3), or its OID.
fn short(kind: &ObjectIdentifier) -> String {
    match kind.components().as_slice() {
        [2, 5, 4, 3] => "CN".to_owned(),
        [2, 5, 4, 6] => "C".to_owned(),
        [2, 5, 4, 7] => "L".to_owned(),
        [2, 5, 4, 8] => "ST".to_owned(),
        [2, 5, 4, 10] => "O".to_owned(),
        [2, 5, 4, 11] => "OU".to_owned(),
        [0, 9, 2342, 19200300, 100, 1, 25] => "DC".to_owned(),
        _ => kind.to_string(),
    }
}

fn text(value: &TaggedDerValue) -> String {
    let bytes = value.value();
    match value.tag() {
        TAG_BMPSTRING => {
            let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
            String::from_utf16_lossy(&units)
        }
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Certificates have a few KiB; TLS would allow 16 MiB.
const MAX_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn made(change: impl FnOnce(&mut rcgen::CertificateParams)) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(vec!["example.org".to_owned()]).unwrap();
        change(&mut params);
        let key = rcgen::KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn whose_and_how_long() {
        let der = made(|params| {
            params.not_before = rcgen::date_time_ymd(2024, 2, 29);
            params.not_after = rcgen::date_time_ymd(2060, 1, 1);
            let name = &mut params.distinguished_name;
            *name = rcgen::DistinguishedName::new();
            name.push(rcgen::DnType::CommonName, "höst\u{1b}[31m");
            name.push(
                rcgen::DnType::OrganizationName,
                rcgen::string::BmpString::try_from("Ünit").map(rcgen::DnValue::BmpString).unwrap(),
            );
            name.push(rcgen::DnType::CustomDnType(vec![1, 2, 3]), "x");
        });
        let certificate = read(&der).unwrap();
        assert_eq!(certificate.subject, "CN=höst\u{1b}[31m, O=Ünit, 1.2.3=x");
        assert_eq!(certificate.issuer, certificate.subject);
        // `date -u -d 2024-02-29 +%s`, `date -u -d 2060-01-01 +%s`
        assert_eq!((certificate.not_before, certificate.not_after), (1_709_164_800, 2_840_140_800));
    }

    #[test]
    fn nothing_is_made_of_what_is_none() {
        let der = made(|_| {});
        assert!(read(&der).is_some());
        for cut in 0..der.len() {
            assert_eq!(read(&der[..cut]), None, "cut at {cut}");
        }
        let mut changed = der.clone();
        for at in 0..der.len() {
            for change in [0xff, 0x80, 0x01] {
                changed[at] ^= change;
                let _ = read(&changed);
                changed[at] ^= change;
            }
        }
        // Sequences within sequences, and a length that is not there.
        assert_eq!(read(&[0x30, 0x80].repeat(20_000)), None);
        assert_eq!(read(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(read(&vec![0; MAX_BYTES + 1]), None);
    }
}
