//! Long connections: the counters of bytes, where 32 bits with a sign and without one end.

use super::*;

const VIDEO: MessageHeader =
    MessageHeader { chunk_stream_id: 6, message_type_id: 9, timestamp: 0, message_stream_id: 1, length: 0 };

/// Two ends that have exchanged `bytes` already, of which the last ones were acknowledged.
struct Pair {
    client: ChunkLink,
    server: ChunkLink,
}

impl Pair {
    fn after(bytes: u64) -> Self {
        let mut pair = Self { client: ChunkLink::new(Limits::default()), server: ChunkLink::new(Limits::default()) };
        pair.client.received = bytes;
        pair.client.acknowledged = bytes;
        pair.server.sent = bytes;
        pair.server.peer_acknowledged = bytes as u32;
        pair
    }

    /// Carries what the server has queued over, in pieces, and back what the client has to say. The totals that were
    /// acknowledged.
    fn carry(&mut self, piece: usize) -> Vec<u32> {
        let bytes = self.server.output().to_vec();
        self.server.sent(bytes.len());
        let mut totals = Vec::new();
        for piece in bytes.chunks(piece) {
            put(&mut self.client, piece);
            while self.client.poll().unwrap() {}
            let answer = self.client.output().to_vec();
            self.client.sent(answer.len());
            if !answer.is_empty() {
                put(&mut self.server, &answer);
                assert!(!self.server.poll().unwrap());
                totals.push(self.server.peer_acknowledged());
            }
        }
        totals
    }
}

fn put(link: &mut ChunkLink, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let buffer = link.read_buffer();
        let count = buffer.len().min(rest.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        link.bytes_read(count);
        rest = &rest[count..];
    }
}

#[test]
fn acknowledgements_go_on_beyond_2_and_4_gib() {
    for border in [1_u64 << 31, 1 << 32, 1 << 33, 3 << 40] {
        for (window, piece) in [(2800_u32, 700), (4096, 1), (100_000, 5000)] {
            let before = border - 3 * u64::from(window);
            let mut pair = Pair::after(before);
            pair.server.send_control(message_type::WINDOW_ACKNOWLEDGEMENT_SIZE, &window.to_be_bytes());
            pair.carry(piece);
            let mut totals = Vec::new();
            while pair.client.received() < border + 3 * u64::from(window) {
                pair.server.send(VIDEO, &[0x27; 900]);
                totals.extend(pair.carry(piece));
                // What is on its way, as the server counts it: never as much as would make it stop.
                let on_its_way = (pair.server.bytes_sent() as u32).wrapping_sub(pair.server.peer_acknowledged());
                assert!(on_its_way < window, "{on_its_way} of {window} at {}", pair.client.received());
            }
            let past = |total: &&u32| total.wrapping_sub(border as u32) < 1 << 31;
            let (behind, ahead) = (totals.iter().filter(past).count(), totals.iter().filter(|t| !past(t)).count());
            assert!(behind >= 4 && ahead >= 4, "{behind} and {ahead} acknowledgements around {border}");
            let steps = totals.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
            let longest = window / 2 + piece as u32 + 1;
            assert!(steps.clone().all(|step| step >= window / 2 && step <= longest), "{:?}", steps.collect::<Vec<_>>());
        }
    }
}

#[test]
fn totals_are_those_of_the_bytes_received() {
    let mut pair = Pair::after((1 << 32) - 1500);
    pair.server.send_control(message_type::WINDOW_ACKNOWLEDGEMENT_SIZE, &2000_u32.to_be_bytes());
    pair.server.send_chunk_size(4096);
    pair.server.send(VIDEO, &[0x27; 3000]);
    let length = pair.server.output().len() as u64;
    assert_eq!(pair.carry(usize::MAX), [(length - 1500) as u32]);
    assert_eq!(pair.client.received(), (1 << 32) - 1500 + length);
    assert_eq!(pair.server.bytes_sent(), pair.client.received());
}
