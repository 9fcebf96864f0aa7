//! The chunks that open a session (RFC 7016 §2.3.2 to §2.3.8).
//!
//! ```text
//! IHello         sized endpoint discriminator │ tag …
//! RHello         sized tag │ sized cookie │ responder's certificate …
//! Redirect       sized tag │ addresses …                              none: the packet's own source
//! Cookie Change  sized old cookie │ new cookie …
//! IIKeying       UI32 initiator's session ID │ sized cookie │ sized certificate │ sized component │ signature …
//! RIKeying       UI32 responder's session ID │ sized component │ signature …
//! ```
//!
//! `sized`: a VLU length, then so many bytes. Does not know what certificates and components hold: see `keying`.

use core::net::SocketAddr;

use super::codec::{PacketReader, put_address, put_sized};
use super::packet::{Mode, PacketHeader, chunk_type, put_chunk};

/// A chunk that opens a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartupChunk<'a> {
    /// Asks whether a responder is there.
    InitiatorHello {
        /// Which responder is wanted.
        discriminator: &'a [u8],
        /// Comes back in the answer.
        tag: &'a [u8],
    },
    /// It is.
    ResponderHello {
        /// That of the question.
        tag: &'a [u8],
        /// Comes back in the keying, so that the responder need not remember.
        cookie: &'a [u8],
        /// Who the responder is.
        certificate: &'a [u8],
    },
    /// It is elsewhere.
    Redirect {
        /// That of the question.
        tag: &'a [u8],
        /// Where; empty: where this chunk comes from.
        addresses: Vec<SocketAddr>,
    },
    /// The cookie is for another address.
    CookieChange {
        /// The one that was sent.
        old: &'a [u8],
        /// The one to send.
        new: &'a [u8],
    },
    /// The initiator's part of the key agreement.
    InitiatorKeying {
        /// The ID of the session at the initiator.
        session_id: u32,
        /// That of the responder's hello.
        cookie: &'a [u8],
        /// Who the initiator is.
        certificate: &'a [u8],
        /// Session key component.
        component: &'a [u8],
    },
    /// The responder's part of the key agreement.
    ResponderKeying {
        /// The ID of the session at the responder.
        session_id: u32,
        /// Session key component.
        component: &'a [u8],
    },
}

impl<'a> StartupChunk<'a> {
    /// Reads the payload of a chunk. `None`: it is of another type, or too short.
    pub fn decode(kind: u8, payload: &'a [u8]) -> Option<Self> {
        let mut cursor = PacketReader(payload);
        Some(match kind {
            chunk_type::INITIATOR_HELLO => Self::InitiatorHello { discriminator: cursor.sized()?, tag: cursor.0 },
            chunk_type::RESPONDER_HELLO => {
                Self::ResponderHello { tag: cursor.sized()?, cookie: cursor.sized()?, certificate: cursor.0 }
            }
            chunk_type::REDIRECT => {
                let tag = cursor.sized()?;
                let addresses = std::iter::from_fn(|| cursor.address()).take(MAX_ADDRESSES).collect();
                Self::Redirect { tag, addresses }
            }
            chunk_type::COOKIE_CHANGE => Self::CookieChange { old: cursor.sized()?, new: cursor.0 },
            chunk_type::INITIATOR_KEYING => Self::InitiatorKeying {
                session_id: cursor.u32()?,
                cookie: cursor.sized()?,
                certificate: cursor.sized()?,
                component: cursor.sized()?,
            },
            chunk_type::RESPONDER_KEYING => {
                Self::ResponderKeying { session_id: cursor.u32()?, component: cursor.sized()? }
            }
            _ => return None,
        })
    }

    /// A packet with this chunk, sent at `timestamp` (4 ms).
    pub fn packet(&self, timestamp: u16) -> Vec<u8> {
        let mut out = Vec::new();
        PacketHeader { mode: Mode::Startup, timestamp: Some(timestamp), echo: None }.encode(&mut out);
        put_chunk(&mut out, self.kind(), |out| self.encode(out));
        out
    }

    fn kind(&self) -> u8 {
        match self {
            Self::InitiatorHello { .. } => chunk_type::INITIATOR_HELLO,
            Self::ResponderHello { .. } => chunk_type::RESPONDER_HELLO,
            Self::Redirect { .. } => chunk_type::REDIRECT,
            Self::CookieChange { .. } => chunk_type::COOKIE_CHANGE,
            Self::InitiatorKeying { .. } => chunk_type::INITIATOR_KEYING,
            Self::ResponderKeying { .. } => chunk_type::RESPONDER_KEYING,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::InitiatorHello { discriminator, tag } => {
                put_sized(out, discriminator);
                out.extend_from_slice(tag);
            }
            Self::ResponderHello { tag, cookie, certificate } => {
                put_sized(out, tag);
                put_sized(out, cookie);
                out.extend_from_slice(certificate);
            }
            Self::Redirect { tag, addresses } => {
                put_sized(out, tag);
                addresses.iter().for_each(|address| put_address(out, *address));
            }
            Self::CookieChange { old, new } => {
                put_sized(out, old);
                out.extend_from_slice(new);
            }
            Self::InitiatorKeying { session_id, cookie, certificate, component } => {
                out.extend_from_slice(&session_id.to_be_bytes());
                put_sized(out, cookie);
                put_sized(out, certificate);
                put_sized(out, component);
                out.push(SIGNATURE);
            }
            Self::ResponderKeying { session_id, component } => {
                out.extend_from_slice(&session_id.to_be_bytes());
                put_sized(out, component);
                out.push(SIGNATURE);
            }
        }
    }
}

/// Most addresses of a redirection that are looked at.
pub(super) const MAX_ADDRESSES: usize = 24;

/// What stands for a signature: it is not verified (RFC 7425 §4.5).
const SIGNATURE: u8 = b'X';

#[cfg(test)]
mod tests {
    use super::super::packet::chunks;
    use super::super::tests::{bytes, hex};
    use super::*;

    /// The chunk in a packet.
    fn decode(packet: &[u8]) -> Option<StartupChunk<'_>> {
        let mut cursor = PacketReader(packet);
        PacketHeader::decode(&mut cursor)?;
        let (kind, payload) = chunks(cursor).next()?;
        StartupChunk::decode(kind, payload)
    }

    #[test]
    fn a_hello_as_a_server_took_it() {
        let tag: Vec<u8> = (0..16).collect();
        let hello = StartupChunk::InitiatorHello { discriminator: b"\x17\x0artmfp://127.0.0.1/live", tag: &tag };
        let expected = concat!(
            "0b123430002918170a72746d66703a2f2f3132372e302e302e312f6c697665",
            "000102030405060708090a0b0c0d0e0f"
        );
        assert_eq!(hex(&hello.packet(0x1234)), expected);
        assert_eq!(decode(&bytes(expected)), Some(hello));
    }

    #[test]
    fn a_redirection_as_a_server_sent_it() {
        let chunk = bytes("10000102030405060708090a0b0c0d0e0f007f0000014baa");
        let Some(StartupChunk::Redirect { tag, addresses }) = StartupChunk::decode(chunk_type::REDIRECT, &chunk) else {
            panic!("no redirection");
        };
        assert_eq!((tag.len(), addresses), (16, vec!["127.0.0.1:19370".parse().unwrap()]));
        assert!(matches!(
            StartupChunk::decode(chunk_type::REDIRECT, &chunk[..17]),
            Some(StartupChunk::Redirect { addresses, .. }) if addresses.is_empty()
        ));
    }

    fn all() -> Vec<StartupChunk<'static>> {
        vec![
            StartupChunk::InitiatorHello { discriminator: b"\x02\x0ax", tag: b"tag" },
            StartupChunk::ResponderHello { tag: b"tag", cookie: b"cookie", certificate: b"certificate" },
            StartupChunk::Redirect { tag: b"tag", addresses: vec!["[::1]:7".parse().unwrap()] },
            StartupChunk::CookieChange { old: b"old", new: b"new" },
            StartupChunk::InitiatorKeying { session_id: 7, cookie: b"c", certificate: b"ert", component: b"skic" },
            StartupChunk::ResponderKeying { session_id: 8, component: b"skrc" },
        ]
    }

    #[test]
    fn round_trips_and_truncations() {
        for chunk in all() {
            let packet = chunk.packet(9);
            assert_eq!(decode(&packet).as_ref(), Some(&chunk));
            let payload = &packet[6..];
            for end in 0..payload.len() {
                let cut = StartupChunk::decode(chunk.kind(), &payload[..end]);
                // What has no length of its own is shorter, what has one is missed.
                assert!(cut.is_none() || cut != Some(chunk.clone()) || end + 1 == payload.len(), "{chunk:?} {end}");
            }
        }
        assert_eq!(StartupChunk::decode(chunk_type::USER_DATA, &[0; 50]), None);
    }

    #[test]
    fn keying_has_golden_bytes() {
        let keying = StartupChunk::InitiatorKeying {
            session_id: 0x0102_0304,
            cookie: b"co",
            certificate: b"ce",
            component: b"sk",
        };
        assert_eq!(hex(&keying.packet(0)), "0b00003800 0e01020304 02636f 026365 02736b 58".replace(' ', ""));
        let keying = StartupChunk::ResponderKeying { session_id: 1, component: b"sk" };
        assert_eq!(hex(&keying.packet(0)), "0b000078000800000001 02736b 58".replace(' ', ""));
    }
}
