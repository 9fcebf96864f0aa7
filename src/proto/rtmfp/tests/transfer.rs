//! What is sent arrives: in order, once, whatever the path does.

use super::super::FlowEvent;
use super::ends::*;

/// Messages of many sizes.
fn sizes() -> Vec<usize> {
    vec![0, 1, 5, 1099, 1100, 1101, 2200, 40_000, 7, 300_000, 3, 60_000]
}

/// Sends messages on three flows to the client and on one to the server, and compares. How long it took.
fn transfer(path: Path, seed: u64) -> u64 {
    let mut pair = Pair::new(path, seed);
    let began_ms = pair.now_ms;
    let mut random = Seeded::new(seed);
    let mut sent = [Vec::new(), Vec::new(), Vec::new()];
    let request = pair.client.open_flow(b"TC\x04\0", None, false);
    pair.client.send(request, b"play");
    let answered = |pair: &Pair| messages(&pair.at_server).contains(&&b"play"[..]);
    assert!(pair.run_until(60_000, answered));
    for (index, sent) in sent.iter_mut().enumerate() {
        let flow = pair.server.open_flow(b"TC\x04\x01", Some(request), index > 0);
        for size in sizes() {
            let message: Vec<u8> = (0..size).map(|_| random.next() as u8).collect();
            pair.server.send(flow, &message);
            sent.push(message);
        }
    }
    let total: usize = sizes().len() * 3;
    assert!(pair.run_until(1_200_000, |pair| messages(&pair.at_client).len() == total), "{:?}", pair.sent);
    let duration_ms = pair.now_ms - began_ms;
    for (flow, sent) in (2u64..).zip(&sent) {
        let of_flow = pair.at_client.iter().filter_map(|event| match event {
            FlowEvent::Message { flow_id, message } if *flow_id == flow => Some(message),
            _ => None,
        });
        assert!(of_flow.eq(sent.iter()), "flow {flow}");
    }
    assert!(pair.run_until(60_000, |pair| pair.server.is_flushed() && pair.client.is_flushed()));
    assert_eq!(pair.server.queued(), 0);
    pair.server.finish_flows();
    let ended = |pair: &Pair| pair.at_client.iter().filter(|e| matches!(e, FlowEvent::FlowEnded { .. })).count();
    assert!(pair.run_until(60_000, |pair| ended(pair) == 3));
    duration_ms
}

#[test]
fn a_perfect_path() {
    let duration_ms = transfer(PERFECT, 1);
    assert!(duration_ms < 1_000, "{duration_ms}");
}

#[test]
fn a_path_that_loses() {
    for (loss, limit_ms) in [(1, 10_000), (5, 30_000), (20, 400_000)] {
        for seed in 0..2 {
            let duration_ms = transfer(Path { loss, duplication: 0, delay_ms: 10, jitter_ms: 0 }, seed);
            assert!(duration_ms < limit_ms, "{loss} %: {duration_ms} ms");
        }
    }
}

#[test]
fn a_path_that_swaps_and_repeats() {
    transfer(Path { loss: 0, duplication: 30, delay_ms: 10, jitter_ms: 30 }, 3);
    transfer(Path { loss: 5, duplication: 10, delay_ms: 100, jitter_ms: 50 }, 4);
}

#[test]
fn a_message_of_the_largest_size() {
    let mut pair = Pair::new(PERFECT, 9);
    let flow = pair.client.open_flow(b"TC\x04\0", None, false);
    let message = vec![0x5a; 0xFF_FFFF + 5];
    pair.client.send(flow, &message);
    assert!(pair.run_until(120_000, |pair| !messages(&pair.at_server).is_empty()));
    assert!(messages(&pair.at_server) == [&message[..]]);
}
