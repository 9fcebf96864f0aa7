//! Certificates, key agreement and the keys that follow (RFC 7425 §4).
//!
//! ```text
//! certificate            options: 0a accepts ancillary data · 0e randomness · 15 VLU group · 1d VLU group, public key
//! endpoint discriminator options: 0a URI · 0f fingerprint (SHA-256 of a certificate)
//! session key component  options: 0d VLU group, public key · 0e randomness · 1d VLU group (use the certificate's key)
//!                                 1a UI8 flags, VLU length (HMAC) · 1e UI8 flags (sequence numbers)
//!                        flags: 04 will send · 02 will send on request · 01 requires
//! Z = shared secret without leading zeros, H = HMAC-SHA256, near and far = the components as carried
//! to send       H(Z, H(far, near))          to receive    H(Z, H(near, far))
//! cipher's key  its first 16 bytes          HMAC's key    H(Z, it)
//! ```
//!
//! Only group 2 (1024 bits) is used: every implementation has it, and some have no other. Does not verify signatures: this
//! profile has none.

use sha2::{Digest, Sha256};

use super::super::diffie_hellman::{KeyPair, Number};
use super::super::handshake::hmac_sha256;
use super::cipher::Protection;
use super::codec::{PacketReader, RawOption, options, put_option};
use super::types::Error;

/// Bytes of a certificate's fingerprint.
pub const FINGERPRINT: usize = 32;

/// An initiator's certificate: one static public key.
pub(super) fn initiator_certificate(pair: &KeyPair) -> Vec<u8> {
    let mut out = Vec::new();
    put_option(&mut out, STATIC_KEY, &with_group(pair));
    out
}

/// A responder's certificate: its keys are made for each session.
pub(super) fn responder_certificate(random: &[u8; 64]) -> Vec<u8> {
    let mut out = Vec::new();
    put_option(&mut out, ANCILLARY_DATA, &[]);
    put_option(&mut out, RANDOMNESS, random);
    put_option(&mut out, EPHEMERAL_GROUP, &[GROUP]);
    out
}

/// The fingerprint of a certificate: the SHA-256 of what stands before its first marker.
pub fn fingerprint(certificate: &[u8]) -> [u8; FINGERPRINT] {
    let mut cursor = PacketReader(certificate);
    let mut canonical = certificate;
    loop {
        let before = certificate.len() - cursor.0.len();
        match cursor.option() {
            Some(RawOption::Value(..)) => {}
            Some(RawOption::Marker) => canonical = certificate.get(..before).unwrap_or(certificate),
            None => return Sha256::digest(canonical).into(),
        }
        if canonical.len() < certificate.len() {
            return Sha256::digest(canonical).into();
        }
    }
}

/// An endpoint discriminator that names a URI, and the certificate's fingerprint if that is known.
pub(super) fn endpoint_discriminator(uri: &str, fingerprint: Option<&[u8; FINGERPRINT]>) -> Vec<u8> {
    let mut out = Vec::new();
    match fingerprint {
        // Servers that look at both look at this one only; those that read only URIs have no fixed certificate.
        Some(fingerprint) => put_option(&mut out, FINGERPRINT_OPTION, fingerprint),
        None => put_option(&mut out, ANCILLARY_DATA, uri.as_bytes()),
    }
    out
}

/// Whether an endpoint discriminator selects the responder with this certificate.
pub(super) fn is_selected(discriminator: &[u8], certificate: &[u8]) -> bool {
    let own = fingerprint(certificate);
    let mut wanted = options(discriminator).filter(|(kind, _)| *kind == u64::from(FINGERPRINT_OPTION));
    match wanted.next() {
        Some((_, wanted)) => wanted == own,
        None => options(discriminator).any(|(kind, _)| kind == u64::from(ANCILLARY_DATA)),
    }
}

/// What an end says about HMACs or sequence numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Feature {
    will_send: bool,
    sends_on_request: bool,
    requires: bool,
    /// Bytes of the HMACs that it sends.
    length: u64,
}

impl Feature {
    fn decode(value: &[u8]) -> Option<Self> {
        let mut cursor = PacketReader(value);
        let flags = cursor.u8()?;
        let [requires, sends_on_request, will_send] = [1, 2, 4].map(|flag| flags & flag != 0);
        Some(Self { will_send, sends_on_request, requires, length: cursor.vlu().unwrap_or(0) })
    }

    /// What a responder says to an initiator's `self`: it asks for what the initiator can do, and does it then as well.
    fn answer(&self) -> u8 {
        match (self.will_send || self.sends_on_request, self.requires) {
            (true, _) => 7,
            (false, true) => 6,
            (false, false) => 0,
        }
    }

    /// Whether an end that says `self` sends it to a peer that says `peer`.
    ///
    /// # Errors
    /// The peer requires what this end will not do.
    fn is_sent_to(&self, peer: &Self) -> Result<bool, Error> {
        if peer.requires && !(self.will_send || self.sends_on_request) {
            return Err(Error::Requirement);
        }
        Ok(self.will_send || peer.requires)
    }
}

/// A session key component, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Component<'a> {
    key: Option<&'a [u8]>,
    hmac: Feature,
    numbers: Feature,
}

impl<'a> Component<'a> {
    fn decode(bytes: &'a [u8]) -> Self {
        let mut component = Self::default();
        for (kind, value) in options(bytes) {
            match u8::try_from(kind) {
                Ok(EPHEMERAL_KEY) => component.key = component.key.or(of_group(value)),
                Ok(HMAC) => component.hmac = Feature::decode(value).unwrap_or_default(),
                Ok(NUMBERS) => component.numbers = Feature::decode(value).unwrap_or_default(),
                _ => {}
            }
        }
        component
    }

    /// The public key of the component's sender: one for this session, or the one in its certificate. Servers with a
    /// certificate of static keys do not say which of them they use; it is the one of the group that is agreed on.
    fn public_key(&self, certificate: &'a [u8]) -> Option<&'a [u8]> {
        let static_keys = || options(certificate).filter(|(kind, _)| *kind == u64::from(STATIC_KEY));
        self.key.or_else(|| static_keys().find_map(|(_, value)| of_group(value)))
    }
}

/// An initiator's component: its certificate's key, HMACs of ten bytes and sequence numbers on request. Some responders
/// read only this form.
pub(super) fn initiator_component(random: &[u8; 64]) -> Vec<u8> {
    let mut out = Vec::new();
    put_option(&mut out, STATIC_KEY, &[GROUP]);
    put_option(&mut out, RANDOMNESS, random);
    put_option(&mut out, HMAC, &[2, 10]);
    put_option(&mut out, NUMBERS, &[2]);
    out
}

/// A responder's component in answer to an initiator's.
pub(super) fn responder_component(initiator: &[u8], pair: &KeyPair) -> Vec<u8> {
    let initiator = Component::decode(initiator);
    let mut out = Vec::new();
    put_option(&mut out, NUMBERS, &[initiator.numbers.answer()]);
    put_option(&mut out, HMAC, &[initiator.hmac.answer(), 16]);
    put_option(&mut out, EPHEMERAL_KEY, &with_group(pair));
    out
}

/// The protection of both directions, seen from one end.
#[derive(Debug, Clone)]
pub struct SessionKeys {
    /// For what this end sends.
    pub outgoing: Protection,
    /// For what this end receives.
    pub incoming: Protection,
}

/// What two ends agreed on: `near` and `far` are the components of this end and of the peer.
///
/// # Errors
/// The peer's key is missing or weak, or an end requires what the other will not do.
pub(super) fn agree(pair: &KeyPair, near: &[u8], far: &[u8], far_certificate: &[u8]) -> Result<SessionKeys, Error> {
    let [near_says, far_says] = [near, far].map(Component::decode);
    let key = far_says.public_key(far_certificate).ok_or(Error::NoKey)?;
    let secret = shared_secret(pair, key).ok_or(Error::WeakKey)?;
    let materials = Materials::derive(&secret, near, far);
    let hmac_length = |sender: &Feature| match usize::try_from(sender.length) {
        Ok(length @ 4..=32) => Ok(length),
        _ => Err(Error::Requirement),
    };
    let protect = |from: &Component<'_>, to: &Component<'_>, material: &[u8; 32]| {
        let has_hmac = from.hmac.is_sent_to(&to.hmac)?;
        let hmac = if has_hmac { Some((hmac_sha256(&secret, &[material]), hmac_length(&from.hmac)?)) } else { None };
        let mut key = [0; 16];
        key.iter_mut().zip(material).for_each(|(to, from)| *to = *from);
        Ok(Protection { key, hmac, is_numbered: from.numbers.is_sent_to(&to.numbers)? })
    };
    Ok(SessionKeys {
        outgoing: protect(&near_says, &far_says, &materials.outgoing)?,
        incoming: protect(&far_says, &near_says, &materials.incoming)?,
    })
}

/// What keys are cut from.
#[derive(PartialEq, Eq)]
struct Materials {
    outgoing: [u8; 32],
    incoming: [u8; 32],
}

impl Materials {
    fn derive(secret: &[u8], near: &[u8], far: &[u8]) -> Self {
        Self {
            outgoing: hmac_sha256(secret, &[&hmac_sha256(far, &[near])]),
            incoming: hmac_sha256(secret, &[&hmac_sha256(near, &[far])]),
        }
    }
}

/// The secret shared with the holder of a public key, without leading zeros. `None`: the key is weak or no number of the group.
fn shared_secret(pair: &KeyPair, key: &[u8]) -> Option<Vec<u8>> {
    let key = without_zeros(key);
    let mut padded: Number = [0; 128];
    let padding = padded.len().checked_sub(key.len())?;
    padded.iter_mut().skip(padding).zip(key).for_each(|(to, from)| *to = *from);
    let ones: u32 = key.iter().map(|byte| byte.count_ones()).sum();
    let leading = key.first().map_or(0, |byte| byte.leading_zeros());
    let zeros = key.len() as u32 * 8 - ones - leading;
    // RFC 7425 §4.4: not near 0 or p, and neither mostly ones nor mostly zeros.
    if key.len() < 4 || ones < LEAST_BITS || zeros < LEAST_BITS {
        return None;
    }
    pair.secret(&padded).map(|secret| without_zeros(&secret).to_vec())
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// A public key as options carry it.
fn with_group(pair: &KeyPair) -> Vec<u8> {
    [&[GROUP], without_zeros(pair.public())].concat()
}

/// The public key in an option, if it is one of the group.
fn of_group(value: &[u8]) -> Option<&[u8]> {
    let mut cursor = PacketReader(value);
    (cursor.vlu()? == u64::from(GROUP)).then_some(cursor.0)
}

const ANCILLARY_DATA: u8 = 0x0a;
const EPHEMERAL_KEY: u8 = 0x0d;
const RANDOMNESS: u8 = 0x0e;
const FINGERPRINT_OPTION: u8 = 0x0f;
const EPHEMERAL_GROUP: u8 = 0x15;
const HMAC: u8 = 0x1a;
const STATIC_KEY: u8 = 0x1d;
const NUMBERS: u8 = 0x1e;

/// The number that IKE gave the group of 1024 bits.
const GROUP: u8 = 2;

/// Ones, and zeros, that a public key must at least have.
const LEAST_BITS: u32 = 16;

#[cfg(test)]
mod tests {
    use super::super::tests::{bytes, hex};
    use super::*;

    fn near() -> Vec<u8> {
        initiator_component(&std::array::from_fn(|n| n as u8))
    }

    fn far() -> Vec<u8> {
        [&bytes("021e07031a071081020d02")[..], &[0x5a; 128]].concat()
    }

    #[test]
    fn keys_are_those_that_servers_derive() {
        let secret: Vec<u8> = (1..=128).collect();
        let materials = Materials::derive(&secret, &near(), &far());
        assert_eq!(hex(&materials.outgoing), "7450ea464b6adcbf4a71dd60b876547074eb77986f49e0f543d93323a78be77c");
        assert_eq!(hex(&materials.incoming), "ca06afb27430ef9a6781b13aba71ecc90e6f52e752d1e941b2eb0560ad2f2c75");
        let hmac_key = |material: &[u8; 32]| hex(&hmac_sha256(&secret, &[material]));
        assert_eq!(hmac_key(&materials.outgoing), "dbbf723bee804cade82abb3d723ad6987a747be520b59b94767115be724bc293");
        assert_eq!(hmac_key(&materials.incoming), "405bf5c2aa9bf2c060fbc14b66e5d0ff84e423e262c0a780537503b12ab6202f");
    }

    #[test]
    fn an_initiator_says_what_flash_player_says() {
        let component = near();
        assert_eq!(component.len(), 76);
        assert_eq!(hex(&component[..6]), "021d02410e00");
        assert_eq!(hex(&component[69..]), "031a020a021e02");
        let pair = KeyPair::new(&[7; 128]).with_full_size();
        let certificate = initiator_certificate(&pair);
        assert_eq!((certificate.len(), hex(&certificate[..4])), (132, "81021d02".into()));
        assert_eq!(hex(&endpoint_discriminator("rtmfp://h/a", None)), format!("0c0a{}", hex(b"rtmfp://h/a")));
        assert_eq!(endpoint_discriminator("", Some(&[1; 32]))[..3], [0x21, 0x0f, 1]);
    }

    #[test]
    fn both_ends_agree_whatever_each_asks_for() {
        let initiator = KeyPair::new(&[7; 128]).with_full_size();
        let responder = KeyPair::new(&[9; 128]);
        let certificate = initiator_certificate(&initiator);
        for (hmac, numbers, protected) in [(2, 2, true), (4, 4, true), (7, 7, true), (1, 1, false), (0, 0, false)] {
            let mut skic = near();
            skic[71] = hmac;
            skic[75] = numbers;
            let skrc = responder_component(&skic, &responder);
            if hmac == 1 {
                // Requires what it will not do itself: the answer is one-sided.
                let keys = agree(&initiator, &skic, &skrc, &[]).unwrap();
                assert!(keys.outgoing.hmac.is_none() && keys.incoming.hmac.is_some() && keys.incoming.is_numbered);
                continue;
            }
            let a = agree(&initiator, &skic, &skrc, &[]).unwrap();
            let b = agree(&responder, &skrc, &skic, &certificate).unwrap();
            assert_eq!((a.outgoing.key, a.incoming.key), (b.incoming.key, b.outgoing.key));
            assert_eq!((a.outgoing.hmac, a.incoming.hmac), (b.incoming.hmac, b.outgoing.hmac));
            assert_eq!(a.outgoing.hmac.map(|(_, length)| length), protected.then_some(10));
            assert_eq!(a.incoming.hmac.map(|(_, length)| length), protected.then_some(16));
            assert_eq!((a.outgoing.is_numbered, a.incoming.is_numbered), (protected, protected));
        }
    }

    #[test]
    fn a_requirement_that_is_not_met_ends_it() {
        let pair = KeyPair::new(&[9; 128]);
        let skrc = responder_component(&near(), &pair);
        let refusing = [&bytes("021d02")[..], &bytes("031a000a021e00")].concat();
        assert_eq!(agree(&pair, &refusing, &skrc, &[]).unwrap_err(), Error::Requirement);
        // HMACs of lengths that are none.
        for length in [0, 3, 33, 127] {
            let mut odd = skrc.clone();
            odd[6] = length;
            assert_eq!(agree(&pair, &near(), &odd, &[]).unwrap_err(), Error::Requirement, "{length}");
        }
    }

    #[test]
    fn a_secret_with_a_leading_zero_is_used_without_it() {
        // Counts up to an exponent whose secret is one byte short: a reader that keeps the zero gets other keys.
        let fixed = KeyPair::new(&[0x5a; 128]);
        let short = (0..=u8::MAX).flat_map(|a| (0..=u8::MAX).map(move |b| (a, b))).find_map(|(a, b)| {
            let mut random = [3; 128];
            (random[120], random[121]) = (a, b);
            let pair = KeyPair::new(&random);
            let secret = shared_secret(&pair, fixed.public())?;
            (secret.len() < 128).then_some((pair, secret))
        });
        let (pair, secret) = short.unwrap();
        assert_eq!(shared_secret(&fixed, pair.public()), Some(secret.clone()));
        assert_ne!(secret[0], 0);
    }

    #[test]
    fn weak_keys_are_refused() {
        let pair = KeyPair::new(&[9; 128]);
        for weak in [&[][..], &[1], &[0; 128], &[0xff; 128], &[0xff; 129], &[0x80, 0, 0, 0, 0, 0], &[0xff; 5]] {
            assert_eq!(shared_secret(&pair, weak), None, "{weak:?}");
        }
        assert!(shared_secret(&pair, &[0x5a; 128]).is_some());
        // Leading zeros are no part of a number.
        assert_eq!(shared_secret(&pair, &[&[0; 8][..], &[0x5a; 128]].concat()), shared_secret(&pair, &[0x5a; 128]));
        assert_eq!(agree(&pair, &near(), &bytes("021e07"), &[]).unwrap_err(), Error::NoKey);
        // A server with a certificate of static keys says nothing about its key.
        let certificate = [&bytes("041d0eabcd")[..], &initiator_certificate(&KeyPair::new(&[7; 128]))].concat();
        assert!(agree(&pair, &near(), &bytes("021e07031a0710"), &certificate).is_ok());
    }

    #[test]
    fn every_truncation_of_a_component_is_read_or_refused() {
        let pair = KeyPair::new(&[9; 128]);
        let skrc = responder_component(&near(), &pair);
        for end in 0..skrc.len() {
            assert!(agree(&pair, &near(), &skrc[..end], &[]).is_err(), "{end}");
        }
        let certificate = initiator_certificate(&pair);
        for end in 0..certificate.len() {
            assert_eq!(agree(&pair, &skrc, &near(), &certificate[..end]).unwrap_err(), Error::NoKey, "{end}");
        }
    }

    #[test]
    fn fingerprints_end_at_the_marker() {
        let certificate = responder_certificate(&[8; 64]);
        assert_eq!(certificate.len(), 71);
        let own: [u8; 32] = Sha256::digest(&certificate).into();
        assert_eq!(fingerprint(&certificate), own);
        assert_eq!(fingerprint(&[&certificate[..], b"\0tail"].concat()), own);
        assert!(is_selected(&endpoint_discriminator("rtmfp://h/a", None), &certificate));
        assert!(is_selected(&endpoint_discriminator("", Some(&own)), &certificate));
        assert!(!is_selected(&endpoint_discriminator("", Some(&[1; 32])), &certificate));
        assert!(!is_selected(&[], &certificate));
    }
}
