//! How sessions are opened, closed, kept and given up.

use super::super::cipher::{Opener, Protection, Sealer};
use super::super::codec::PacketReader;
use super::super::packet::{Mode, PacketHeader, chunks};
use super::super::packet::{chunk_type, put_chunk, scramble, unscramble};
use super::super::startup::StartupChunk;
use super::super::{Error, FlowEvent, Initiator, Random, Responder};
use super::ends::*;

/// A startup datagram with this chunk for this session ID.
fn startup(session_id: u32, chunk: &StartupChunk<'_>) -> Vec<u8> {
    scramble(session_id, &Sealer::new(Protection::startup()).seal(&chunk.packet(7)))
}

/// The packet in a startup datagram, with the session ID.
fn packet(datagram: &[u8]) -> (u32, Vec<u8>) {
    let (session_id, sealed) = unscramble(datagram).unwrap();
    (session_id, Opener::new(Protection::startup()).open(sealed).unwrap())
}

/// Looks at the chunk of a startup packet.
fn with_chunk<T>(packet: &[u8], look: impl FnOnce(StartupChunk<'_>) -> T) -> T {
    let mut cursor = PacketReader(packet);
    PacketHeader::decode(&mut cursor).unwrap();
    let (kind, payload) = chunks(cursor).next().unwrap();
    look(StartupChunk::decode(kind, payload).unwrap())
}

#[test]
fn four_datagrams_open_a_session() {
    let mut wire = Wire::new(PERFECT, 1);
    let (client, server, now_ms) = open(&mut wire, 1);
    assert_eq!(now_ms, 4);
    assert_eq!((client.session_id, client.peer_session_id), (server.peer_session_id, server.session_id));
    assert_eq!((client.peer, server.peer), (server_address(), client_address()));
    assert!(client.is_initiator && !server.is_initiator);
}

#[test]
fn a_session_is_opened_on_a_bad_path() {
    let bad = Path { loss: 20, duplication: 20, delay_ms: 40, jitter_ms: 200 };
    for seed in 0..12 {
        let (_, _, now_ms) = open(&mut Wire::new(bad, seed), seed);
        assert!(now_ms < 60_000, "{now_ms}");
    }
}

#[test]
fn hellos_go_to_all_addresses_at_growing_distances() {
    let addresses = [server_address(), "[2001:db8::1]:1935".parse().unwrap(), "0.0.0.0:1".parse().unwrap()];
    let mut client = Initiator::new("rtmfp://h/a", None, &addresses, &Random::from_bytes(&[7; Random::BYTES]), 1000);
    let mut times = Vec::new();
    let mut now_ms = 1000;
    while !client.is_over(now_ms) {
        let mut to = Vec::new();
        while let Some((address, _)) = client.transmit(now_ms) {
            to.push(address);
        }
        if !to.is_empty() {
            assert_eq!(to, addresses[..2], "an unspecified address is no address");
            times.push(now_ms);
        }
        now_ms = client.wake_at_ms();
    }
    assert_eq!(times[..4], [1000, 2000, 4500, 8500]);
    assert_eq!((now_ms, client.delay()), (96_000, Error::NoHello));
}

#[test]
fn a_redirection_is_followed() {
    let mut client = initiator(3);
    let (_, hello) = client.transmit(0).unwrap();
    let (_, hello) = packet(&hello);
    let tag = with_chunk(&hello, |chunk| match chunk {
        StartupChunk::InitiatorHello { tag, .. } => tag.to_vec(),
        other => panic!("{other:?}"),
    });
    let elsewhere = "192.0.2.7:1936".parse().unwrap();
    let addresses = vec!["0.0.0.0:1935".parse().unwrap(), elsewhere];
    let wrong = StartupChunk::Redirect { tag: b"another tag......", addresses: addresses.clone() };
    client.receive(&startup(0, &wrong), server_address(), 5).unwrap();
    assert!(client.transmit(5).is_none());
    client.receive(&startup(0, &StartupChunk::Redirect { tag: &tag, addresses }), server_address(), 5).unwrap();
    assert_eq!(client.transmit(5).unwrap().0, elsewhere);
    // Without addresses it is its sender that is meant.
    let implied = "192.0.2.9:1935".parse().unwrap();
    client.receive(&startup(0, &StartupChunk::Redirect { tag: &tag, addresses: Vec::new() }), implied, 6).unwrap();
    assert_eq!(client.transmit(6).unwrap().0, implied);
    // However many come, only so many are tried.
    let many = (1..200).map(|port| ([192, 0, 2, 50], port).into()).collect();
    client.receive(&startup(0, &StartupChunk::Redirect { tag: &tag, addresses: many }), implied, 7).unwrap();
    assert_eq!(std::iter::from_fn(|| client.transmit(7)).count(), 21);
}

#[test]
fn a_cookie_is_changed_once_and_keying_is_repeated_as_it_was() {
    let mut client = initiator(4);
    let server = Responder::new(&[5; Responder::RANDOM_BYTES]);
    let mut server_at_other = server;
    let (_, hello) = client.transmit(0).unwrap();
    let other = "198.51.100.1:1".parse().unwrap();
    let answer = server_at_other.receive(&hello[4..], other, 0, &mut || [1; 132]).unwrap();
    client.receive(&answer.datagram, server_address(), 0).unwrap();
    // The cookie was made for another address than the one that the keying comes from.
    let (_, keying) = client.transmit(0).unwrap();
    let changed = server_at_other.receive(&keying[4..], client_address(), 10, &mut || [1; 132]).unwrap();
    assert!(changed.opened.is_none());
    client.receive(&changed.datagram, server_address(), 20).unwrap();
    let (_, keying) = client.transmit(20).unwrap();
    client.receive(&changed.datagram, server_address(), 21).unwrap();
    assert!(client.transmit(21).is_none(), "once");
    let (_, again) = client.transmit(1020).unwrap();
    assert_eq!(packet(&keying).1[3..], packet(&again).1[3..]);
    let first = server_at_other.receive(&keying[4..], client_address(), 30, &mut || [1; 132]).unwrap();
    let second = server_at_other.receive(&again[4..], client_address(), 1030, &mut || [2; 132]).unwrap();
    assert!(first.opened.is_some() && second.opened.is_none());
    assert_eq!(packet(&first.datagram).1[3..], packet(&second.datagram).1[3..]);
    assert!(client.receive(&second.datagram, "192.0.2.66:1".parse().unwrap(), 1040).unwrap().is_none(), "elsewhere");
    assert!(client.receive(&second.datagram, server_address(), 1040).unwrap().is_some());
}

#[test]
fn old_and_forged_cookies_are_ignored() {
    let mut client = initiator(4);
    let mut server = Responder::new(&[5; Responder::RANDOM_BYTES]);
    let (_, hello) = client.transmit(1000).unwrap();
    let answer = server.receive(&hello[4..], client_address(), 1000, &mut || [1; 132]).unwrap();
    client.receive(&answer.datagram, server_address(), 1000).unwrap();
    let (_, keying) = client.transmit(1000).unwrap();
    let mut other = Responder::new(&[6; Responder::RANDOM_BYTES]);
    assert!(other.receive(&keying[4..], client_address(), 1000, &mut || [1; 132]).is_none());
    assert!(server.receive(&keying[4..], client_address(), 96_000, &mut || [1; 132]).is_none());
    assert!(server.receive(&keying[4..], client_address(), 999, &mut || [1; 132]).is_none());
    assert!(server.receive(&keying[4..], client_address(), 95_999, &mut || [1; 132]).is_some());
}

#[test]
fn a_fingerprint_selects_the_server() {
    let mut server = Responder::new(&[5; Responder::RANDOM_BYTES]);
    for (fingerprint, answers) in [(server.fingerprint(), true), ([9; 32], false)] {
        let random = Random::from_bytes(&[7; Random::BYTES]);
        let mut client = Initiator::new("rtmfp://h/a", Some(fingerprint), &[server_address()], &random, 0);
        let (_, hello) = client.transmit(0).unwrap();
        let answer = server.receive(&hello[4..], client_address(), 0, &mut || [1; 132]);
        assert_eq!(answer.is_some(), answers);
        assert_eq!(client.delay(), Error::NoHelloForFingerprint);
    }
    // A server that answers for another's fingerprint is not believed.
    let random = Random::from_bytes(&[7; Random::BYTES]);
    let mut client = Initiator::new("rtmfp://h/a", Some([9; 32]), &[server_address()], &random, 0);
    let (_, hello) = client.transmit(0).unwrap();
    let chunk = with_chunk(&packet(&hello).1, |chunk| match chunk {
        StartupChunk::InitiatorHello { tag, .. } => {
            startup(0, &StartupChunk::ResponderHello { tag, cookie: b"c", certificate: b"\x02\x15\x02" })
        }
        other => panic!("{other:?}"),
    });
    client.receive(&chunk, server_address(), 1).unwrap();
    assert!(client.transmit(1).is_none());
}

#[test]
fn data_that_overtakes_the_keys_is_not_lost() {
    let mut wire = Wire::new(PERFECT, 8);
    let mut client = initiator(8);
    let mut server = Responder::new(&Seeded::new(9).bytes());
    let mut keying = None;
    while keying.is_none() {
        let (_, datagram) = client.transmit(0).unwrap();
        let answer = server.receive(&datagram[4..], client_address(), 0, &mut || [3; 132]).unwrap();
        match answer.opened {
            None => drop(client.receive(&answer.datagram, server_address(), 0).unwrap()),
            Some(opened) => keying = Some((answer.datagram, super::super::Session::new(opened, 0))),
        }
    }
    let (keying, mut at_server) = keying.unwrap();
    let flow = at_server.open_flow(b"TC\x04\0", None, false);
    for number in 0..40u8 {
        at_server.send(flow, &[number; 1000]);
    }
    while let Some(datagram) = at_server.transmit(0) {
        assert!(client.receive(&datagram, server_address(), 0).unwrap().is_none());
    }
    let opened = client.receive(&keying, server_address(), 1).unwrap().unwrap();
    let mut at_client = super::super::Session::new(opened, 1);
    let events: Vec<_> = std::iter::from_fn(|| at_client.poll()).collect();
    assert!(messages(&events).len() >= 3);
    assert!(wire.receive(0).is_none());
}

#[test]
fn either_end_closes() {
    for client_closes in [true, false] {
        let mut pair = Pair::new(Path { loss: 30, ..PERFECT }, 5);
        let now_ms = pair.now_ms;
        if client_closes {
            pair.client.close(now_ms)
        } else {
            pair.server.close(now_ms)
        }
        assert!(pair.run_until(90_000, |pair| pair.client.is_closed() && pair.server.is_closed()));
        assert_eq!((pair.client.error(), pair.server.error()), (None, None));
        pair.run(20_000);
        let sent = pair.sent;
        pair.run(100_000);
        assert_eq!(pair.sent, sent, "silence");
    }
}

#[test]
fn an_idle_session_is_kept_and_one_without_answers_is_given_up() {
    let mut pair = Pair::new(PERFECT, 6);
    pair.run(600_000);
    assert!(!pair.client.is_closed() && !pair.server.is_closed());
    assert!((50..400).contains(&pair.sent[0]) && (50..400).contains(&pair.sent[1]), "{:?}", pair.sent);
    pair.wire = Wire::new(Path { loss: 100, ..PERFECT }, 6);
    assert!(pair.run_until(200_000, |pair| pair.client.is_closed() && pair.server.is_closed()));
    assert_eq!((pair.client.error(), pair.server.error()), (Some(Error::Idle), Some(Error::Idle)));
    assert!(pair.now_ms <= 600_000 + 121_000);
}

#[test]
fn data_that_nobody_acknowledges_ends_the_session() {
    let mut pair = Pair::new(Path { loss: 100, ..PERFECT }, 6);
    let flow = pair.client.open_flow(b"TC\x04\0", None, false);
    pair.client.send(flow, b"lost");
    assert!(pair.run_until(40_000, |pair| pair.client.is_closed()));
    assert_eq!(pair.client.error(), Some(Error::Unacknowledged));
    assert!((30_000..31_000).contains(&pair.now_ms) && pair.sent[0] < 20 && pair.sent[1] < 20, "{:?}", pair.sent);
    assert_eq!(Error::Unacknowledged.to_string(), "nothing was acknowledged for 30 s");
}

#[test]
fn pings_are_answered_with_the_same_bytes() {
    let mut pair = Pair::new(PERFECT, 6);
    let mut packet = vec![0x0a, 0, 0];
    put_chunk(&mut packet, chunk_type::PING, |out| out.extend_from_slice(b"are you there"));
    pair.client.receive_packet(&packet, pair.now_ms);
    let reply = pair.client.transmit(pair.now_ms).unwrap();
    pair.server.receive(&reply[4..], client_address(), pair.now_ms);
    // A flood of them is not.
    (0..100).for_each(|_| pair.client.receive_packet(&packet, pair.now_ms));
    assert!(std::iter::from_fn(|| pair.client.transmit(pair.now_ms)).count() <= 8);
    assert_eq!(Mode::Startup, Mode::Startup);
}

#[test]
fn a_flow_that_is_refused_is_told() {
    let mut pair = Pair::new(PERFECT, 6);
    let flow = pair.client.open_flow(b"unknown", None, false);
    pair.client.send(flow, b"hello");
    assert!(pair.run_until(100, |pair| !pair.at_server.is_empty()));
    pair.server.reject(flow);
    pair.client.send(flow, b"again");
    assert!(pair.run_until(1000, |pair| pair.at_client.contains(&FlowEvent::FlowRejected { flow_id: flow })));
    // So is one that answers a flow that does not exist.
    let flow = pair.client.open_flow(b"TC\x04\0", Some(77), false);
    pair.client.send(flow, b"hello");
    assert!(pair.run_until(1000, |pair| pair.at_client.contains(&FlowEvent::FlowRejected { flow_id: flow })));
}
