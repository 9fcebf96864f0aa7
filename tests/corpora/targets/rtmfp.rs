//! RTMFP: datagrams, packets and chunks, the opening of sessions, and what comes in one that is open.

use rtmpcat::proto::rtmfp::cipher::{Opener, Protection, Sealer};
use rtmpcat::proto::rtmfp::codec::PacketReader;
use rtmpcat::proto::rtmfp::flow::{Acknowledgement, UserData};
use rtmpcat::proto::rtmfp::keying::{SessionKeys, fingerprint};
use rtmpcat::proto::rtmfp::packet::{Assembler, FragmentChunk, PacketHeader, chunk_type, chunks, unscramble};
use rtmpcat::proto::rtmfp::startup::StartupChunk;
use rtmpcat::proto::rtmfp::{FlowEvent, Initiator, Opened, Random, Responder, Session};

/// A packet, deciphered or not. What is read is written as it was.
pub fn rtmfp_packet(data: &[u8]) {
    if let Some((_, sealed)) = unscramble(data) {
        for is_numbered in [false, true] {
            let hmac = is_numbered.then_some(([7; 32], 10));
            let _ = Opener::new(Protection { key: [7; 16], hmac, is_numbered }).open(sealed);
        }
    }
    let sealed = Sealer::new(Protection::startup()).seal(data);
    assert!(Opener::new(Protection::startup()).open(&sealed).is_some_and(|packet| packet.starts_with(data)));
    let mut cursor = PacketReader(data);
    let Some(header) = PacketHeader::decode(&mut cursor) else { return };
    let mut again = Vec::new();
    header.encode(&mut again);
    assert_eq!(PacketHeader::decode(&mut PacketReader(&again)), Some(header));
    let mut assembler = Assembler::default();
    for (kind, payload) in chunks(cursor) {
        let mut again = Vec::new();
        match kind {
            chunk_type::USER_DATA => {
                let Some(chunk) = UserData::decode(payload) else { continue };
                let _ = chunk.decode_next(payload);
                chunk.encode(&mut again);
                // Unknown options are not kept, nor is an empty list of them.
                if !chunk.options.has_unknown && chunk.options.metadata.is_none_or(|metadata| metadata.len() < 1000) {
                    assert_eq!(UserData::decode(&again), Some(chunk));
                }
            }
            chunk_type::FRAGMENT => {
                let Some(part) = FragmentChunk::decode(payload) else { continue };
                part.encode(&mut again);
                assert_eq!(FragmentChunk::decode(&again), Some(part));
                let _ = assembler.push(&part);
            }
            chunk_type::ACK_RANGES => {
                let Some(ack) = Acknowledgement::decode_ranges(payload) else { continue };
                Acknowledgement::encode(ack.flow_id, ack.window, &ack.seen, payload.len() + 64, &mut again);
                let read = Acknowledgement::decode_ranges(&again).expect("what was written");
                assert_eq!((read.flow_id, read.seen), (ack.flow_id, ack.seen));
            }
            chunk_type::ACK_BITMAP => drop(Acknowledgement::decode_bitmap(payload)),
            _ => {
                let Some(chunk) = StartupChunk::decode(kind, payload) else { continue };
                let packet = chunk.packet(3);
                let mut cursor = PacketReader(&packet);
                assert!(PacketHeader::decode(&mut cursor).is_some());
                let (kind, payload) = chunks(cursor).next().expect("the chunk");
                assert_eq!(StartupChunk::decode(kind, payload), Some(chunk));
            }
        }
    }
}

/// Records of flags, length (16 bits) and a packet: what comes before there is a session, to both ends.
pub fn rtmfp_keying(data: &[u8]) {
    let random = Random::from_bytes(&[7; Random::BYTES]);
    let address = "192.0.2.1:1935".parse().expect("an address");
    let mut initiator = Initiator::new("rtmfp://h/a", None, &[address], &random, 0);
    let mut responder = Responder::new(&[9; Responder::RANDOM_BYTES]);
    let _ = fingerprint(data);
    let mut sent = 0;
    for (now_ms, (flags, packet)) in (0..).zip(records(data)) {
        let session_id = if flags & 1 == 0 { 0 } else { u32::from_be_bytes([7; 4]) };
        let _ = initiator.receive_packet(packet, session_id, address, now_ms);
        let answer = responder.receive_packet(packet, address, now_ms, &mut || [5; Responder::SESSION_RANDOM_BYTES]);
        if let Some(answer) = answer {
            assert!(answer.datagram.len() <= packet.len() + 700);
            if let Some(opened) = answer.opened.filter(|_| flags & 2 != 0) {
                responder.forget(opened.session_id);
            }
        }
        while initiator.transmit(now_ms).is_some() {
            sent += 1;
        }
        assert!(sent <= 25 + 2 * now_ms, "{sent} datagrams sent");
    }
}

/// Records of flags, length (16 bits) and a packet: what comes in an open session.
pub fn rtmfp_flow(data: &[u8]) {
    let protection = Protection { key: [7; 16], hmac: None, is_numbered: false };
    let keys = SessionKeys { outgoing: protection.clone(), incoming: protection };
    let peer = "192.0.2.1:1935".parse().expect("an address");
    let opened = Opened { is_initiator: true, session_id: 1, peer_session_id: 2, peer, keys, early: Vec::new() };
    let mut session = Session::new(opened, 0);
    let control = session.open_flow(b"TC\x04\0", None, false);
    session.send(control, &[1; 3000]);
    let (mut now_ms, mut bytes) = (0, 0);
    for (flags, packet) in records(data) {
        now_ms += u64::from(flags >> 2) * 30;
        session.receive_packet(packet, now_ms);
        bytes += packet.len();
        while let Some(event) = session.poll() {
            match event {
                FlowEvent::FlowOpened { flow_id, .. } if flags & 1 != 0 => session.reject(flow_id),
                FlowEvent::Message { message, .. } => assert!(message.len() <= bytes),
                _ => {}
            }
        }
        let mut sent = 0;
        while session.transmit(now_ms).is_some() {
            sent += 1;
            assert!(sent <= 64, "an answer without end");
        }
        assert!(session.wake_at_ms().is_none_or(|at| at > now_ms) || session.is_closed(), "it would spin");
    }
}

/// Flags and a packet, each.
fn records(mut data: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (&[flags, high, low], rest) = data.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (packet, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        data = rest;
        Some((flags, packet))
    })
}
