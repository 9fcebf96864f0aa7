//! What a peer that means harm can send once a session is open.

use super::super::codec::put_vlu;
use super::super::packet::{FragmentChunk, chunk_type, put_chunk};
use super::super::{FlowEvent, Session};
use super::ends::*;

/// The client's end of a session.
fn client() -> Session {
    Pair::new(PERFECT, 6).client
}

/// A packet of the server with chunks that `write` appends.
fn packet(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut packet = vec![2];
    write(&mut packet);
    packet
}

/// User data of one byte on a flow, with these flags and this number.
fn data(out: &mut Vec<u8>, flags: u8, flow_id: u64, sequence: u64) {
    put_chunk(out, chunk_type::USER_DATA, |out| {
        out.push(flags | 0x80);
        put_vlu(out, flow_id);
        put_vlu(out, sequence);
        out.push(1);
        out.extend_from_slice(b"\x05\0TC\x04\0\0x");
    });
}

fn events(session: &mut Session) -> Vec<FlowEvent> {
    std::iter::from_fn(|| session.poll()).collect()
}

#[test]
fn flows_without_end_are_not_taken() {
    let mut session = client();
    for flow in 0..10_000 {
        session.receive_packet(&packet(|out| data(out, 0, flow, 1)), 5);
    }
    let opened = events(&mut session).iter().filter(|e| matches!(e, FlowEvent::FlowOpened { .. })).count();
    assert_eq!(opened, 128);
    // What has ended makes room.
    session.receive_packet(&packet(|out| data(out, 1, 7, 2)), 6);
    session.receive_packet(&packet(|out| data(out, 0, 20_000, 1)), 7);
    assert!(events(&mut session).iter().any(|e| matches!(e, FlowEvent::FlowOpened { flow_id: 20_000, .. })));
    let mut bytes = 0;
    while let Some(datagram) = session.transmit(8) {
        bytes += datagram.len();
    }
    assert!(bytes < 20_000, "{bytes}");
}

#[test]
fn fragments_that_never_end_stay_within_the_buffer() {
    let mut session = client();
    let mut sequence = 0;
    // Beginnings and middles on many flows, more than may be held.
    for round in 0..700u64 {
        for flow in 0..64 {
            sequence = round + 1;
            let flags = if round == 0 { 0x90 } else { 0x30 };
            let packet = packet(|out| {
                put_chunk(out, chunk_type::USER_DATA, |out| {
                    out.push(flags);
                    put_vlu(out, flow);
                    put_vlu(out, sequence);
                    put_vlu(out, sequence);
                    if round == 0 {
                        out.extend_from_slice(b"\x05\0TC\x04\0\0");
                    }
                    out.extend_from_slice(&[0; 1024]);
                });
            });
            session.receive_packet(&packet, round);
        }
    }
    assert!(sequence > 0 && events(&mut session).iter().all(|e| matches!(e, FlowEvent::FlowOpened { .. })));
    // The window that is advertised is never closed.
    assert!(session.transmit(1000).is_some());
}

#[test]
fn acknowledgements_of_what_was_never_sent_change_nothing() {
    let mut session = client();
    let flow = session.open_flow(b"TC\x04\0", None, false);
    for end in [0, 1, 5, u64::MAX] {
        let packet = packet(|out| {
            for kind in [chunk_type::ACK_RANGES, chunk_type::ACK_BITMAP] {
                put_chunk(out, kind, |out| {
                    [flow, u64::MAX, end, u64::MAX, u64::MAX].iter().for_each(|number| put_vlu(out, *number));
                });
            }
        });
        session.receive_packet(&packet, 1);
        session.send(flow, b"message");
        assert!(session.transmit(1).is_some(), "{end}");
    }
}

#[test]
fn every_kind_of_chunk_may_be_cut_off_anywhere() {
    let mut session = client();
    for kind in 0..=u8::MAX {
        if session.is_closed() {
            session = client();
        }
        session.open_flow(b"TC\x04\0", None, false);
        for length in 0..40 {
            let filler: Vec<u8> = (0..length).map(|n: u8| n.wrapping_mul(37) ^ kind).collect();
            session.receive_packet(&packet(|out| put_chunk(out, kind, |out| out.extend_from_slice(&filler))), 9);
            let whole = packet(|out| put_chunk(out, kind, |out| out.extend_from_slice(&filler)));
            session.receive_packet(&whole[..whole.len() - usize::from(length > 0)], 9);
        }
        events(&mut session);
        assert!(std::iter::from_fn(|| session.transmit(10)).count() < 20, "{kind:x}");
    }
}

#[test]
fn a_packet_in_fragments_is_read_and_one_within_itself_is_not() {
    let mut session = client();
    let inside = packet(|out| data(out, 0, 9, 1));
    let (a, b) = inside.split_at(5);
    for (number, bytes) in [(1, b), (0, a)] {
        let part = FragmentChunk { more: number == 0, packet_id: 3, number, bytes };
        session.receive_packet(&packet(|out| put_chunk(out, chunk_type::FRAGMENT, |out| part.encode(out))), 9);
    }
    assert_eq!(messages(&events(&mut session)), [b"x"]);
    // Fragments inside of fragments end after two levels.
    let mut nested = packet(|out| data(out, 0, 9, 2));
    for packet_id in 0..50 {
        let part = FragmentChunk { more: false, packet_id, number: 0, bytes: &nested.clone() };
        nested = packet(|out| put_chunk(out, chunk_type::FRAGMENT, |out| part.encode(out)));
    }
    session.receive_packet(&nested, 10);
    assert_eq!(events(&mut session), []);
}

#[test]
fn packets_of_others_are_ignored() {
    let mut pair = Pair::new(PERFECT, 6);
    let flow = pair.server.open_flow(b"TC\x04\0", None, false);
    pair.server.send(flow, b"message");
    let datagram = pair.server.transmit(5).unwrap();
    pair.client.receive(&datagram[4..], client_address(), 5);
    assert_eq!(events(&mut pair.client), [], "from another address");
    // Those of the wrong mode, too: what the client itself sent.
    let mut own = packet(|out| data(out, 0, 9, 1));
    own[0] = 1;
    pair.client.receive_packet(&own, 5);
    assert_eq!(events(&mut pair.client), []);
    pair.client.receive(&datagram[4..], server_address(), 5);
    assert_eq!(messages(&events(&mut pair.client)), [b"message"]);
}
