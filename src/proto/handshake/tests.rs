use super::hmac::hmac_sha256;
use super::types::*;
use super::*;
use crate::proto::diffie_hellman::KeyPair;
use crate::proto::{Layer, ProtocolError};

/// Distinct bytes for distinct seeds, without a source of randomness.
pub(super) fn random(seed: u32) -> Random {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    Random::from_bytes(&std::array::from_fn(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    }))
}

fn client(kind: Kind) -> (Client, Vec<u8>) {
    let mut client = Client::new(kind, 0x0102_0304, &random(1));
    let mut out = Vec::new();
    client.start(&mut out);
    (client, out)
}

/// Both ends in memory, `step` bytes at a time.
fn shake(kind: Kind, step: usize) -> (Client, Server) {
    let pieces = |bytes: &[u8]| bytes.chunks(step).map(<[u8]>::to_vec).collect();
    shake_with(kind, Server::new(5, &random(2)), pieces)
}

/// Both ends in memory, what either says being cut into pieces.
fn shake_with(kind: Kind, mut server: Server, pieces: impl Fn(&[u8]) -> Vec<Vec<u8>>) -> (Client, Server) {
    let (mut client, c0_c1) = client(kind);
    let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
    for piece in pieces(&c0_c1) {
        assert_eq!(server.feed(&piece, &mut to_client), Ok(piece.len()));
    }
    for piece in pieces(&to_client) {
        assert_eq!(client.feed(&piece, &mut to_server), Ok(piece.len()));
    }
    assert_eq!(client.state(), State::Done);
    assert!(!server.is_done());
    for piece in pieces(&to_server) {
        assert_eq!(server.feed(&piece, &mut to_client), Ok(piece.len()));
    }
    assert!(server.is_done());
    (client, server)
}

#[test]
fn a_cut_anywhere_changes_nothing() {
    for kind in [Kind::Plain, Kind::Digest] {
        for at in 0..=3073 {
            let cut = |bytes: &[u8]| match bytes.split_at_checked(at) {
                Some((before, behind)) => vec![before.to_vec(), behind.to_vec()],
                None => vec![bytes.to_vec()],
            };
            let (client, server) = shake_with(kind, Server::new(5, &random(2)), cut);
            assert_eq!((client.outcome().s2_matched, server.c2_matched()), (Some(true), Some(true)), "{kind:?} {at}");
        }
    }
}

#[test]
fn a_server_may_answer_with_other_types_of_rtmpe() {
    for version in [6, 8, 9] {
        let mut server = Server::new(5, &random(2));
        server.rtmpe_version = version;
        let (mut client, mut server) = shake_with(Kind::Rtmpe, server, |bytes| vec![bytes.to_vec()]);
        assert_eq!(client.outcome().version, version);
        assert_eq!((client.outcome().s2_matched, server.c2_matched()), (Some(true), Some(true)), "{version}");
        let mut bytes = *b"connect";
        client.take_ciphers().unwrap().outgoing.apply(&mut bytes);
        server.take_ciphers().unwrap().incoming.apply(&mut bytes);
        assert_eq!(&bytes, b"connect");
    }
}

#[test]
fn c0_and_c1_are_laid_out_as_specified() {
    let (_, out) = client(Kind::Plain);
    assert_eq!(out.len(), 1537);
    assert_eq!(out[..9], [3, 1, 2, 3, 4, 0, 0, 0, 0]);
    assert_eq!(out[9..], random(1).packet);
}

#[test]
fn every_random_byte_is_used_once() {
    let bytes: [u8; Random::BYTES] = std::array::from_fn(|i| (i % 251) as u8);
    let random = Random::from_bytes(&bytes);
    assert_eq!([&random.packet[..], &random.signed, &random.private_key].concat(), bytes);
}

#[test]
fn c2_echoes_s1_before_s2_is_there() {
    let (mut client, c1) = client(Kind::Plain);
    let s1: Vec<u8> = (0..1536u32).map(|i| (i % 251) as u8).collect();
    let mut out = Vec::new();
    assert_eq!(client.feed(&[&[3], &s1[..1535]].concat(), &mut out), Ok(1536));
    assert_eq!((client.state(), out.len()), (State::AwaitS1, 0));
    assert_eq!(client.feed(&s1[1535..], &mut out), Ok(1));
    assert_eq!(client.state(), State::AwaitS2);
    assert_eq!(out, s1);
    assert_eq!(client.outcome().server_version, [4, 5, 6, 7]);
    assert_eq!(client.outcome().swf_key, s1[1504..]);
    assert_eq!(client.outcome().s2_matched, None);
    // The chunk stream after S2 is not the handshake's.
    let s2 = [&c1[1..], b"chunks"].concat();
    assert_eq!(client.feed(&s2, &mut out), Ok(1536));
    assert_eq!(client.state(), State::Done);
    assert_eq!(client.outcome().s2_matched, Some(true));
    assert_eq!(client.feed(b"chunks", &mut out), Ok(0));
    assert_eq!(out.len(), 1536);
}

#[test]
fn an_s2_that_answers_nothing_is_put_up_with() {
    let (mut client, _) = client(Kind::Plain);
    let mut out = Vec::new();
    assert_eq!(client.feed(&[&[3][..], &[0; 3072]].concat(), &mut out), Ok(3073));
    assert_eq!(client.state(), State::Done);
    assert_eq!(client.outcome().s2_matched, Some(false));
}

#[test]
fn both_ends_agree_plainly() {
    for step in [1, 7, 1536, 1537, 4000] {
        let (client, mut server) = shake(Kind::Plain, step);
        assert_eq!(client.outcome().s2_matched, Some(true));
        assert_eq!(client.outcome().swf_key, server.swf_key());
        assert_eq!(client.outcome().server_version, [0; 4]);
        assert_eq!(server.c2_matched(), Some(true));
        assert_eq!(server.kind(), Some(Kind::Plain));
        assert!(server.take_ciphers().is_none());
    }
}

#[test]
fn every_truncation_waits() {
    let (mut client, c1) = client(Kind::Plain);
    let mut answer = Vec::new();
    Server::new(5, &random(2)).feed(&c1, &mut answer).unwrap();
    for length in 0..answer.len() {
        let mut out = Vec::new();
        let mut client = Client::new(Kind::Plain, 0, &random(1));
        assert_eq!(client.feed(&answer[..length], &mut out), Ok(length));
        assert_ne!(client.state(), State::Done);
        assert_eq!(out.len(), if length < 1537 { 0 } else { 1536 });
    }
    assert_eq!(client.feed(&answer, &mut Vec::new()), Ok(3073));
}

fn complaint(kind: Kind, answer: &[u8]) -> Option<String> {
    client(kind).0.feed(answer, &mut Vec::new()).err().map(|error| error.to_string())
}

#[test]
fn what_is_not_rtmp_is_named() {
    let says = |answer: &[u8], part: &str| {
        let complaint = complaint(Kind::Plain, answer).unwrap();
        assert!(complaint.starts_with("handshake at byte 0: "), "{complaint}");
        assert!(complaint.contains(part), "{complaint}");
    };
    says(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", "HTTP server: \"HTTP/1.1 400 Bad Request\"");
    says(&[b"HTTP/1.1 200 ".as_slice(), &[b'a'; 200]].concat(), "HTTP/1.1 200 aaaa");
    says(b"HTTP/1.1 \x1b[2J\r\n", "\"HTTP/1.1 \\x1b[2J\"");
    says(&[0x15, 3, 1, 0, 2, 2, 10], "TLS alert (0x15): a TLS server");
    says(&[0x16, 3, 3], "TLS handshake record");
    says(b"220 mail.example ready\r\n", "text: \"220 mail.example ready\"");
    says(b"SSH-2.0-Open\"SSH\r\n", "SSH-2.0-Open\\\"SSH");
    says(&[0], "0x00");
    says(&[0xff, 1], "0xff");
    says(b"a\x00\x01", "0x61 (\"a\")");
}

#[test]
fn a_status_line_is_waited_for_within_bounds() {
    let line = b"HTTP/1.1 404 Not Found\r\n";
    let (mut client, _) = client(Kind::Plain);
    for byte in &line[..line.len() - 2] {
        assert_eq!(client.feed(&[*byte], &mut Vec::new()), Ok(1));
    }
    let error = client.feed(b"\r", &mut Vec::new()).unwrap_err();
    assert!(error.got.contains("\"HTTP/1.1 404 Not Found\""), "{error}");
    assert_eq!(complaint(Kind::Plain, &[b"HTTP/".as_slice(), &[b'x'; 74]].concat()), None);
    let shown = complaint(Kind::Plain, &[b"HTTP/".as_slice(), &[b'x'; 75]].concat()).unwrap();
    assert!(shown.ends_with(&format!("\"HTTP/{}\"", "x".repeat(75))), "{shown}");
}

#[test]
fn the_server_names_strangers_too() {
    let mut server = Server::new(0, &random(2));
    let error = server.feed(b"GET / HTTP/1.1\r\n", &mut Vec::new()).unwrap_err();
    assert!(error.got.contains("GET / HTTP/1.1"), "{error}");
    let mut server = Server::new(0, &random(2));
    let error = server.feed(&[0x16, 3, 1], &mut Vec::new()).unwrap_err();
    assert!(error.got.contains("a TLS client"), "{error}");
}

#[test]
fn both_ends_agree_on_digests() {
    for step in [1, 1536, 5000] {
        let (client, server) = shake(Kind::Digest, step);
        assert_eq!(client.outcome().s2_matched, Some(true));
        assert_eq!(client.outcome().scheme, Some(0));
        assert_eq!(client.outcome().server_version, [3, 5, 1, 1]);
        assert_eq!(client.outcome().swf_key, server.swf_key());
        assert_eq!((server.kind(), server.c2_matched()), (Some(Kind::Digest), Some(true)));
    }
}

#[test]
fn the_digest_of_c1_is_where_scheme_0_has_it() {
    let (_, out) = client(Kind::Digest);
    let c1 = &out[1..];
    assert_eq!((out[0], &c1[4..8]), (3, &[10, 0, 45, 2][..]));
    let at = c1[8..12].iter().map(|byte| usize::from(*byte)).sum::<usize>() % 728 + 12;
    let others = [&c1[..at], &c1[at + 32..]];
    assert_eq!(c1[at..at + 32], hmac_sha256(b"Genuine Adobe Flash Player 001", &others));
}

#[test]
fn a_server_without_digests_gets_its_echo() {
    let (mut client, c1) = client(Kind::Digest);
    let mut out = Vec::new();
    let s1 = first_packet(9, [0; 4], &random(2));
    client.feed(&[&[3], &s1[..]].concat(), &mut out).unwrap();
    assert_eq!(out, s1);
    assert_eq!(client.outcome().scheme, None);
    assert_eq!(client.feed(&c1[1..], &mut out), Ok(1536));
    assert_eq!(client.outcome().s2_matched, Some(true));
}

#[test]
fn the_digest_of_s1_is_found_in_either_scheme() {
    for scheme in [0, 1] {
        let (mut client, _) = client(Kind::Digest);
        let mut s1 = first_packet(9, [4, 5, 0, 0], &random(2));
        let s1_digest = digest::seal(&mut s1, scheme, digest::Sender::MediaServer);
        let mut c2 = Vec::new();
        client.feed(&[&[3], &s1[..]].concat(), &mut c2).unwrap();
        assert_eq!(client.outcome().scheme, Some(scheme));
        let c2: Packet = c2.try_into().unwrap();
        assert!(digest::is_signed(&c2, digest::Sender::Player, &s1_digest, signature_cipher::SignatureCipher::None));
        // An S2 signed for somebody else is noticed, and put up with.
        let s2 = digest::signed(
            &[1; SIGNED],
            digest::Sender::MediaServer,
            &[0; 32],
            signature_cipher::SignatureCipher::None,
        );
        assert_eq!(client.feed(&s2, &mut Vec::new()), Ok(1536));
        assert_eq!((client.state(), client.outcome().s2_matched), (State::Done, Some(false)));
    }
}

#[test]
fn the_server_answers_in_the_scheme_of_the_client() {
    for scheme in [0, 1] {
        let mut c1 = first_packet(9, [10, 0, 45, 2], &random(3));
        let c1_digest = digest::seal(&mut c1, scheme, digest::Sender::Player);
        let mut server = Server::new(5, &random(2));
        let mut out = Vec::new();
        server.feed(&[&[3], &c1[..]].concat(), &mut out).unwrap();
        let s1: &Packet = out[1..].first_chunk().unwrap();
        assert_eq!(digest::find(s1, digest::Sender::MediaServer, 1 - scheme).unwrap().0, scheme);
        assert!(digest::is_signed(
            out.last_chunk().unwrap(),
            digest::Sender::MediaServer,
            &c1_digest,
            signature_cipher::SignatureCipher::None
        ));
    }
}

#[test]
fn a_version_without_a_digest_is_answered_plainly() {
    let c1 = first_packet(9, [10, 0, 45, 2], &random(3));
    let mut server = Server::new(5, &random(2));
    let mut out = Vec::new();
    server.feed(&[&[3], &c1[..]].concat(), &mut out).unwrap();
    assert_eq!(server.kind(), Some(Kind::Plain));
    assert_eq!(out[5..9], [0; 4]);
    assert_eq!(out[1537..], c1);
    assert_eq!(server.feed(&[0; 1536], &mut out), Ok(1536));
    assert_eq!((server.is_done(), server.c2_matched()), (true, Some(false)));
}

#[test]
fn both_ends_agree_on_keys() {
    for step in [1, 1537, 5000] {
        let (mut client, mut server) = shake(Kind::Rtmpe, step);
        assert_eq!(client.outcome().s2_matched, Some(true));
        assert_eq!(client.outcome().scheme, Some(1));
        assert_eq!((server.kind(), server.c2_matched()), (Some(Kind::Rtmpe), Some(true)));
        let (mut at_client, mut at_server) = (client.take_ciphers().unwrap(), server.take_ciphers().unwrap());
        assert!(client.take_ciphers().is_none() && server.take_ciphers().is_none());
        let mut bytes = *b"connect";
        at_client.outgoing.apply(&mut bytes);
        at_server.incoming.apply(&mut bytes);
        assert_eq!(&bytes, b"connect");
        at_server.outgoing.apply(&mut bytes);
        at_client.incoming.apply(&mut bytes);
        assert_eq!(&bytes, b"connect");
    }
}

#[test]
fn the_key_may_be_in_either_scheme() {
    let pair = KeyPair::new(&[77; 128]);
    for scheme in [0, 1] {
        let mut c1 = first_packet(9, [128, 0, 3, 2], &random(3));
        digest::put_public_key(&mut c1, scheme, pair.public());
        digest::seal(&mut c1, scheme, digest::Sender::Player);
        let mut server = Server::new(5, &random(2));
        let mut out = Vec::new();
        server.feed(&[&[6], &c1[..]].concat(), &mut out).unwrap();
        assert_eq!(out[0], 6);
        let mut own = digest::key_exchange(&pair, out[1..].first_chunk().unwrap(), Some(scheme)).unwrap();
        let mut bytes = [0; 20];
        own.outgoing.apply(&mut bytes);
        server.take_ciphers().unwrap().incoming.apply(&mut bytes);
        assert_eq!(bytes, [0; 20]);
    }
}

#[test]
fn a_server_without_rtmpe_is_named() {
    let says = |first: u8| complaint(Kind::Rtmpe, &[first]).unwrap();
    assert_eq!(says(3), "RTMPE at byte 0: expected RTMPE (version 6, 8 or 9), got the server answered with plain RTMP");
    assert!(says(7).starts_with("handshake at byte 0"));
    assert!(complaint(Kind::Rtmpe, b"HTTP/1.0 400 No\r\n").unwrap().contains("HTTP server"));
    for version in [6, 8, 9] {
        assert_eq!(complaint(Kind::Rtmpe, &[version]), None);
        assert!(complaint(Kind::Digest, &[version]).is_some());
    }
    assert!(complaint(Kind::Plain, &[6]).unwrap().contains("0x06"));
}

#[test]
fn an_exchange_without_digest_or_with_a_weak_key_is_refused() {
    let bare = first_packet(9, [3, 5, 1, 1], &random(2));
    let complains = |error: ProtocolError, part: &str| {
        assert_eq!(error.layer, Layer::Rtmpe);
        assert!(error.to_string().contains(part), "{error}");
    };
    let answer = |packet: &Packet| client(Kind::Rtmpe).0.feed(&[&[6], &packet[..]].concat(), &mut Vec::new());
    let call = |packet: &Packet| Server::new(5, &random(2)).feed(&[&[6], &packet[..]].concat(), &mut Vec::new());
    complains(answer(&bare).unwrap_err(), "digest");
    complains(call(&bare).unwrap_err(), "digest");
    for key in [[0; 128], [255; 128]] {
        let mut weak = bare;
        digest::put_public_key(&mut weak, 1, &key);
        digest::seal(&mut weak, 1, digest::Sender::MediaServer);
        complains(answer(&weak).unwrap_err(), "public key");
        digest::seal(&mut weak, 1, digest::Sender::Player);
        complains(call(&weak).unwrap_err(), "public key");
    }
}

#[test]
fn nothing_secret_is_shown() {
    let (client, _) = client(Kind::Rtmpe);
    assert!(format!("{client:?}").contains("KeyPair"));
    assert!(format!("{:?}", Server::new(0, &random(2))).contains("random: Random"));
}
