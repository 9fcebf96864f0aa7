use proptest::prelude::*;

use super::*;
use crate::proto::message::MessageHeader;

type Owned = (u32, u8, u32, u32, Vec<u8>);

/// Decodes `bytes` given in pieces of the sizes in `cuts` (the rest at the end).
fn decode_cut(
    decoder: &mut ChunkDecoder,
    bytes: &[u8],
    cuts: &[usize],
) -> Result<Vec<Owned>, crate::proto::ProtocolError> {
    let mut out = Vec::new();
    let mut held: Vec<u8> = Vec::new();
    let mut rest = bytes;
    for cut in cuts.iter().copied().chain([usize::MAX]) {
        let (piece, after) = rest.split_at(cut.min(rest.len()));
        rest = after;
        held.extend_from_slice(piece);
        loop {
            let (used, ready) = decoder.decode(&held)?;
            if let Some(ready) = &ready {
                let m = decoder.message(ready, &held);
                let h = m.header;
                if h.message_type_id == 1 {
                    decoder.set_chunk_size(u32::from_be_bytes(m.payload.try_into().unwrap()))?;
                } else {
                    out.push((
                        h.chunk_stream_id,
                        h.message_type_id,
                        h.timestamp,
                        h.message_stream_id,
                        m.payload.to_vec(),
                    ));
                }
            }
            held.drain(..used);
            if ready.is_none() {
                break;
            }
        }
    }
    Ok(out)
}

fn decode(bytes: &[u8]) -> Result<Vec<Owned>, crate::proto::ProtocolError> {
    let whole = decode_cut(&mut ChunkDecoder::new(Limits::default()), bytes, &[]);
    if let Ok(whole) = &whole {
        let each: Vec<usize> = vec![1; bytes.len()];
        assert_eq!(
            &decode_cut(&mut ChunkDecoder::new(Limits::default()), bytes, &each).unwrap(),
            whole,
            "byte by byte"
        );
        for cut in 0..bytes.len() {
            let got = decode_cut(&mut ChunkDecoder::new(Limits::default()), bytes, &[cut]).unwrap();
            assert_eq!(&got, whole, "cut at {cut}");
        }
    }
    whole
}

fn header(csid: u32, kind: u8, timestamp: u32, msid: u32) -> MessageHeader {
    MessageHeader { chunk_stream_id: csid, message_type_id: kind, timestamp, message_stream_id: msid, length: 0 }
}

#[test]
fn specification_example_one() {
    // §5.3.2.1: four audio messages of 32 bytes at 1000, 1020, 1040, 1060 use fmt 0, 2, 3, 3.
    let mut encoder = ChunkEncoder::default();
    let mut bytes = Vec::new();
    for i in 0..4 {
        encoder.encode(header(3, 8, 1000 + 20 * i, 12345), &[i as u8; 32], &mut bytes);
    }
    assert_eq!(bytes.len(), 44 + 36 + 33 + 33);
    assert_eq!(&bytes[..12], &[3, 0, 0x03, 0xE8, 0, 0, 32, 8, 0x39, 0x30, 0, 0]);
    assert_eq!(&bytes[44..48], &[0x83, 0, 0, 20]);
    assert_eq!(bytes[80], 0xC3);
    let times: Vec<u32> = decode(&bytes).unwrap().iter().map(|m| m.2).collect();
    assert_eq!(times, [1000, 1020, 1040, 1060]);
}

#[test]
fn specification_example_two() {
    // §5.3.2.2: a video message of 307 bytes in chunks of 128, 128 and 51.
    let mut bytes = Vec::new();
    let payload: Vec<u8> = (0..307).map(|i| i as u8).collect();
    ChunkEncoder::default().encode(header(4, 9, 1000, 12346), &payload, &mut bytes);
    assert_eq!(bytes.len(), 140 + 129 + 52);
    assert_eq!((bytes[140], bytes[269]), (0xC4, 0xC4));
    assert_eq!(decode(&bytes).unwrap(), [(4, 9, 1000, 12346, payload)]);
}

#[test]
fn basic_headers_of_each_length() {
    for (csid, head) in [
        (2, &[0x02][..]),
        (63, &[0x3F]),
        (64, &[0x00, 0]),
        (319, &[0x00, 255]),
        (320, &[0x01, 0, 1]),
        (65599, &[0x01, 255, 255]),
    ] {
        let mut bytes = Vec::new();
        ChunkEncoder::default().encode(header(csid, 8, 7, 1), b"x", &mut bytes);
        assert!(bytes.starts_with(head), "{csid}: {bytes:?}");
        assert_eq!(decode(&bytes).unwrap(), [(csid, 8, 7, 1, b"x".to_vec())]);
    }
    // The three-byte form may also name small IDs.
    let bytes = [1, 10, 0, 0, 0, 5, 0, 0, 1, 8, 1, 0, 0, 0, b'x'];
    assert_eq!(decode(&bytes).unwrap(), [(74, 8, 5, 1, b"x".to_vec())]);
}

#[test]
fn interleaved_chunk_streams() {
    let mut bytes = vec![4, 0, 0, 10, 0, 0, 200, 9, 1, 0, 0, 0];
    bytes.extend([1; 128]);
    bytes.extend([5, 0, 0, 11, 0, 0, 130, 8, 1, 0, 0, 0]);
    bytes.extend([2; 128]);
    bytes.push(0xC4);
    bytes.extend([1; 72]);
    bytes.push(0xC5);
    bytes.extend([2; 2]);
    assert_eq!(decode(&bytes).unwrap(), [(4, 9, 10, 1, vec![1; 200]), (5, 8, 11, 1, vec![2; 130])]);
}

#[test]
fn chunk_size_changes_inside_a_message() {
    let mut bytes = vec![4, 0, 0, 10, 0, 0, 200, 9, 1, 0, 0, 0];
    bytes.extend([1; 128]);
    bytes.extend([2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    for _ in 0..72 {
        bytes.extend([0xC4, 1]);
    }
    assert_eq!(decode(&bytes).unwrap(), [(4, 9, 10, 1, vec![1; 200])]);
}

#[test]
fn chunk_size_zero_is_refused_and_the_top_bit_ignored() {
    let mut decoder = ChunkDecoder::new(Limits::default());
    assert!(decoder.set_chunk_size(0).is_err());
    assert!(decoder.set_chunk_size(0x8000_0000).is_err());
    decoder.set_chunk_size(0x8000_0005).unwrap();
    assert_eq!(decoder.chunk_size(), 5);
    decoder.set_chunk_size(0x7FFF_FFFF).unwrap();
    assert_eq!(decoder.chunk_size(), MAX_CHUNK_SIZE);
}

#[test]
fn abort_forgets_the_partial_message() {
    let mut decoder = ChunkDecoder::new(Limits::default());
    let mut bytes = vec![4, 0, 0, 10, 0, 0, 200, 9, 1, 0, 0, 0];
    bytes.extend([1; 128]);
    assert_eq!(decode_cut(&mut decoder, &bytes, &[]).unwrap(), []);
    assert!(decoder.in_message());
    decoder.abort(4);
    decoder.abort(99);
    assert!(!decoder.in_message());
    assert_eq!(
        decode_cut(&mut decoder, &[0x44, 0, 0, 5, 0, 0, 1, 9, b'x'], &[]).unwrap(),
        [(4, 9, 15, 1, b"x".to_vec())]
    );
}

#[test]
fn a_new_message_in_place_of_the_rest_of_one_drops_it() {
    let mut decoder = ChunkDecoder::new(Limits::default());
    let mut bytes = vec![4, 0, 0, 10, 0, 0, 200, 9, 1, 0, 0, 0];
    bytes.extend([1; 128]);
    bytes.extend([4, 0, 0, 20, 0, 0, 1, 9, 1, 0, 0, 0, b'x']);
    assert_eq!(decode_cut(&mut decoder, &bytes, &[]).unwrap(), [(4, 9, 20, 1, b"x".to_vec())]);
    assert_eq!(decoder.dropped_partials(), 1);
}

#[test]
fn zero_length_messages() {
    let bytes = [4, 0, 0, 10, 0, 0, 0, 8, 1, 0, 0, 0, 0x84, 0, 0, 3, 0xC4];
    assert_eq!(decode(&bytes).unwrap(), [(4, 8, 10, 1, vec![]), (4, 8, 13, 1, vec![]), (4, 8, 16, 1, vec![])]);
}

#[test]
fn extended_timestamp_absolute_and_as_delta() {
    let mut bytes = vec![4, 0xFF, 0xFF, 0xFF, 0, 0, 1, 9, 1, 0, 0, 0, 0x01, 0, 0, 0, b'a'];
    bytes.extend([0x84, 0xFF, 0xFF, 0xFF, 0x02, 0, 0, 0, b'b']);
    bytes.extend([0xC4, 0x02, 0, 0, 0, b'c']);
    let times: Vec<(u32, Vec<u8>)> = decode(&bytes).unwrap().into_iter().map(|m| (m.2, m.4)).collect();
    assert_eq!(times, [(0x0100_0000, b"a".to_vec()), (0x0300_0000, b"b".to_vec()), (0x0500_0000, b"c".to_vec())]);
}

/// A long message at 0x01020304 ms in chunks of 128, the extended timestamp repeated or not.
fn long_extended(repeated: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![4, 0xFF, 0xFF, 0xFF, 0, 0, payload.len() as u8, 9, 1, 0, 0, 0, 1, 2, 3, 4];
    for (i, chunk) in payload.chunks(128).enumerate() {
        if i > 0 {
            bytes.push(0xC4);
            if repeated {
                bytes.extend([1, 2, 3, 4]);
            }
        }
        bytes.extend(chunk);
    }
    bytes
}

#[test]
fn extended_timestamp_repeated_or_not_on_fmt_3() {
    for length in [129_usize, 130, 131, 132, 133, 200, 255] {
        let payload: Vec<u8> = (0..length).map(|i| 100 + (i % 100) as u8).collect();
        for repeated in [true, false] {
            let mut bytes = long_extended(repeated, &payload);
            bytes.extend(long_extended(repeated, &payload));
            let expected = (4, 9, 0x0102_0304, 1, payload.clone());
            assert_eq!(decode(&bytes).unwrap(), [expected.clone(), expected], "{length} {repeated}");
        }
    }
}

#[test]
fn a_payload_that_looks_like_the_extended_timestamp_is_payload_once_the_habit_is_known() {
    let plain: Vec<u8> = vec![7; 200];
    let mut like: Vec<u8> = vec![7; 200];
    like[128..132].copy_from_slice(&[1, 2, 3, 4]);
    let mut bytes = long_extended(false, &plain);
    bytes.extend(long_extended(false, &like));
    let got: Vec<Vec<u8>> = decode(&bytes).unwrap().into_iter().map(|m| m.4).collect();
    assert_eq!(got, [plain, like]);
}

#[test]
fn fmt_3_after_fmt_0_repeats_the_timestamp_as_delta_unless_absurd() {
    let two = |time: [u8; 3]| {
        let mut bytes = vec![4, time[0], time[1], time[2], 0, 0, 1, 8, 1, 0, 0, 0, b'a'];
        bytes.extend([0xC4, b'b']);
        decode(&bytes).unwrap()[1].2
    };
    assert_eq!(two([0, 0x03, 0xE8]), 2000);
    assert_eq!(two([0x01, 0x86, 0xA0]), 100_000);
}

#[test]
fn timestamps_wrap() {
    let mut bytes = vec![4, 0xFF, 0xFF, 0xFF, 0, 0, 1, 8, 1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFE, b'a'];
    bytes.extend([0x84, 0, 0, 5, b'b']);
    let times: Vec<u32> = decode(&bytes).unwrap().iter().map(|m| m.2).collect();
    assert_eq!(times, [0xFFFF_FFFE, 3]);
}

#[test]
fn headers_without_a_past() {
    assert!(decode(&[0xC4, 1, 2, 3]).is_err());
    assert!(decode(&[0x84, 0, 0, 1, 5]).is_err());
    // librtmp-like peers begin a chunk stream with fmt 1.
    assert_eq!(decode(&[0x42, 0, 0, 9, 0, 0, 1, 4, 5]).unwrap(), [(2, 4, 9, 0, vec![5])]);
}

#[test]
fn limits_hold() {
    let limits = Limits { message_bytes: 1000, chunk_streams: 3, held_bytes: 600 };
    let message = |csid: u8, length: u16, data: usize| {
        let [high, low] = length.to_be_bytes();
        let mut bytes = vec![csid, 0, 0, 0, 0, high, low, 9, 1, 0, 0, 0];
        bytes.extend(vec![0; data]);
        bytes
    };
    let run = |bytes: &[u8]| {
        decode_cut(&mut ChunkDecoder::new(limits), bytes, &[]).map(|m| m.len()).map_err(|e| e.to_string())
    };
    assert_eq!(
        run(&message(4, 1001, 0)),
        Err("chunk stream at byte 12: expected a message of at most 1000 bytes, got 1001".into())
    );
    let many: Vec<u8> = (4..8).flat_map(|csid| message(csid, 1, 1)).collect();
    assert!(run(&many).unwrap_err().contains("at most 3 chunk streams"));
    let mut decoder = ChunkDecoder::new(limits);
    decoder.set_chunk_size(1000).unwrap();
    let held: Vec<u8> = (4..7).flat_map(|csid| message(csid, 1000, 0)).collect();
    assert!(decode_cut(&mut decoder, &held, &[]).is_ok(), "announced bytes cost nothing");
    let mut decoder = ChunkDecoder::new(limits);
    let partial: Vec<u8> = message(4, 1000, 128).into_iter().chain([[0xC4; 129]; 6].concat()).collect();
    assert!(decode_cut(&mut decoder, &partial, &[]).unwrap_err().to_string().contains("unfinished messages"));
}

#[test]
fn every_truncation_waits_for_more() {
    let mut bytes = Vec::new();
    ChunkEncoder::default().encode(header(400, 9, 0x0200_0000, 1), &[9; 300], &mut bytes);
    for end in 0..bytes.len() {
        let mut decoder = ChunkDecoder::new(Limits::default());
        assert_eq!(decode_cut(&mut decoder, &bytes[..end], &[]).unwrap(), [], "{end}");
    }
    assert_eq!(decode(&bytes).unwrap().len(), 1);
}

#[derive(Debug, Clone)]
struct Sent {
    header: MessageHeader,
    payload: Vec<u8>,
}

fn any_message() -> impl Strategy<Value = Sent> {
    let csid = prop_oneof![Just(3_u32), Just(4), Just(6), Just(64), Just(400)];
    let time = prop_oneof![0_u32..5000, 0xFF_FFF0_u32..0x100_0010, any::<u32>()];
    (csid, prop_oneof![Just(8_u8), Just(9), Just(18)], time, 0_u32..3, prop::collection::vec(any::<u8>(), 0..600))
        .prop_map(|(csid, kind, time, msid, payload)| Sent { header: header(csid, kind, time, msid), payload })
}

/// Interleaves the chunks of messages on different chunk streams, as a real sender may.
fn interleave(messages: &[Sent], chunk_size: usize, order: &[usize]) -> Vec<u8> {
    let mut encoder = ChunkEncoder::default();
    encoder.set_chunk_size(chunk_size);
    let mut queues: Vec<(u32, Vec<Vec<u8>>)> = Vec::new();
    for message in messages {
        let mut bytes = Vec::new();
        encoder.encode(message.header, &message.payload, &mut bytes);
        // Cut the encoding at chunk borders: the head is what is left over after the whole chunks that follow it.
        let csid_len = match message.header.chunk_stream_id {
            0..64 => 1,
            64..320 => 2,
            _ => 3,
        };
        let pieces = message.payload.len().div_ceil(chunk_size).max(1);
        let mut borders = Vec::new();
        let mut end = bytes.len();
        for i in (1..pieces).rev() {
            let data = (message.payload.len() - i * chunk_size).min(chunk_size);
            let head_plain = csid_len + data;
            let with_extended = bytes.get(end - head_plain - 4).is_some_and(|_| {
                let first = bytes[0] >> 6;
                let field_at = csid_len;
                first < 3 && bytes[field_at..field_at + 3] == [0xFF; 3]
            });
            end -= head_plain + if with_extended { 4 } else { 0 };
            borders.push(end);
        }
        borders.reverse();
        let mut chunks = Vec::new();
        let mut from = 0;
        for border in borders.into_iter().chain([bytes.len()]) {
            chunks.push(bytes[from..border].to_vec());
            from = border;
        }
        match queues.iter_mut().find(|q| q.0 == message.header.chunk_stream_id) {
            Some(queue) => queue.1.extend(chunks),
            None => queues.push((message.header.chunk_stream_id, chunks)),
        }
    }
    let mut out = Vec::new();
    let mut turn = 0;
    while !queues.is_empty() {
        let pick = order[turn % order.len()] % queues.len();
        turn += 1;
        out.extend(queues[pick].1.remove(0));
        if queues[pick].1.is_empty() {
            queues.remove(pick);
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_messages_any_chunk_size_any_cut(
        messages in prop::collection::vec(any_message(), 1..8),
        chunk_size in 1_usize..700,
        cuts in prop::collection::vec(1_usize..300, 0..20),
    ) {
        let mut encoder = ChunkEncoder::default();
        encoder.set_chunk_size(chunk_size);
        let mut bytes = Vec::new();
        for m in &messages {
            encoder.encode(m.header, &m.payload, &mut bytes);
        }
        let mut decoder = ChunkDecoder::new(Limits::default());
        decoder.set_chunk_size(chunk_size as u32).unwrap();
        let got = decode_cut(&mut decoder, &bytes, &cuts).unwrap();
        let sent: Vec<Owned> = messages
            .into_iter()
            .map(|m| (m.header.chunk_stream_id, m.header.message_type_id, m.header.timestamp, m.header.message_stream_id, m.payload))
            .collect();
        prop_assert_eq!(got, sent);
    }

    #[test]
    fn any_interleaving_gives_each_stream_its_messages(
        mut messages in prop::collection::vec(any_message(), 1..10),
        chunk_size in 1_usize..300,
        order in prop::collection::vec(0_usize..8, 1..16),
        cuts in prop::collection::vec(1_usize..300, 0..20),
    ) {
        for m in &mut messages {
            // fmt 3 at the start of a message hides whether its time is extended from the cutter above.
            m.header.timestamp &= 0x7F_FFFF;
        }
        let bytes = interleave(&messages, chunk_size, &order);
        let mut decoder = ChunkDecoder::new(Limits::default());
        decoder.set_chunk_size(chunk_size as u32).unwrap();
        let got = decode_cut(&mut decoder, &bytes, &cuts).unwrap();
        for csid in [3_u32, 4, 6, 64, 400] {
            let sent: Vec<&[u8]> = messages.iter().filter(|m| m.header.chunk_stream_id == csid).map(|m| m.payload.as_slice()).collect();
            let got: Vec<&[u8]> = got.iter().filter(|m| m.0 == csid).map(|m| m.4.as_slice()).collect();
            prop_assert_eq!(got, sent);
        }
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..2000), cuts in prop::collection::vec(1_usize..100, 0..20)) {
        let _ = decode_cut(&mut ChunkDecoder::new(Limits::default()), &bytes, &cuts);
    }
}
