//! Bytes of a server → session → recorder → writer: no allocation per message once a stream runs.

mod captured;

use allocation_counter::measure;
use captured::{Captured, Shape, feed};
use rtmpcat::flv::recorder::{Options, PushResult, Recorder};
use rtmpcat::flv::sink::Output;

/// How the bytes come: all there is room for, or as a live stream's trickle.
const PIECES: [usize; 2] = [usize::MAX, 1447];

#[test]
fn what_counts_counts() {
    let counted = measure(|| drop(std::hint::black_box(vec![1u8; 100]))).count_total;
    assert_eq!(counted, 1);
    let mut growing = std::hint::black_box(vec![1u8; 100]);
    assert_eq!(measure(|| growing.reserve_exact(100_000)).count_total, 1, "also where a buffer grows");
}

#[test]
fn small_messages() {
    for chunk_size in [128, 4096] {
        none_per_message(Shape { chunk_size, video_bytes: 0, audio_bytes: 60 }, Options::default());
        none_per_message(Shape { chunk_size, video_bytes: 90, audio_bytes: 60 }, Options::default());
    }
}

#[test]
fn large_messages() {
    for chunk_size in [128, 4096, 65536] {
        none_per_message(Shape { chunk_size, video_bytes: 20_000, audio_bytes: 200 }, Options::default());
        none_per_message(Shape { chunk_size, video_bytes: 300_000, audio_bytes: 400 }, Options::default());
    }
}

#[test]
fn live_streams_and_pipes() {
    for (live, pipe) in [(true, true), (true, false), (false, true)] {
        let options = Options { live, pipe, ..Options::default() };
        none_per_message(Shape { chunk_size: 4096, video_bytes: 20_000, audio_bytes: 200 }, options);
        none_per_message(Shape { chunk_size: 4096, video_bytes: 0, audio_bytes: 60 }, options);
    }
}

/// The list of keyframes grows, and is rewritten every few seconds: that is not per message.
#[test]
fn an_index_costs_by_the_second() {
    let captured = Captured::new(Shape { chunk_size: 4096, video_bytes: 2_000, audio_bytes: 60 }, 12 << 20);
    let file = tempfile::tempfile().unwrap();
    let mut output = file.try_clone().ok();
    let open = Box::new(move || Output::from_file(output.take().expect("opened once")));
    let options = Options { live: true, index: true, ..Options::default() };
    let counted = allocations(&captured, Recorder::new(options, open), usize::MAX);
    // The second half, of two messages every 40 ms.
    let seconds = captured.messages / 2 / 50;
    assert!(counted <= 10 * seconds, "{counted} in {seconds} s");
}

#[track_caller]
fn none_per_message(shape: Shape, options: Options) {
    let captured = Captured::new(shape, 12 << 20);
    for piece in PIECES {
        let recorder = Recorder::new(options, Box::new(|| Ok(Output::nothing())));
        let counted = allocations(&captured, recorder, piece);
        assert_eq!(counted, 0, "{shape:?}, {piece} bytes at a time");
    }
}

/// Allocations of the second half of a stream: in the first one buffers grow to what the stream needs.
fn allocations(captured: &Captured, mut recorder: Recorder, piece: usize) -> u64 {
    let mut now_ms = 0;
    let mut count = 0;
    let mut client = captured.client(|message| assert_eq!(recorder.push(message, 0).unwrap(), PushResult::Going));
    let (first, second) = captured.media.split_at(captured.media.len() / 2);
    let mut run = |bytes: &[u8], piece| {
        feed(&mut client, bytes, piece, |message| {
            now_ms = u64::from(message.header.timestamp);
            count += 1;
            recorder.push(message, now_ms).unwrap();
            recorder.tick(now_ms).unwrap();
        });
        recorder.flush().unwrap();
    };
    let (large_reads, small_reads) = first.split_at(first.len() / 2);
    run(large_reads, piece);
    // Each chunk stream has a message that lies across two reads, for which it needs a buffer once.
    run(small_reads, 97);
    let counted = measure(|| run(second, piece)).count_total;
    assert_eq!(count, captured.messages, "all came");
    assert!(recorder.finish().unwrap().bytes > captured.media.len() as u64 / 2);
    counted
}
