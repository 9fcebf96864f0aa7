//! Where the bytes of a stream pass, each room by itself and all together: MB/s, and what is allocated on the way
//! (`tests/allocations.rs` holds that it is nothing per message).
//!
//! ```text
//! cargo bench --bench hot_path [-- FILTER]
//! ```

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher, black_box};

use rtmpcat::flv::recorder::{Options, Recorder};
use rtmpcat::flv::sink::Output;
use rtmpcat::flv::tag::FileHeader;
use rtmpcat::flv::tag::tag_type::VIDEO;
use rtmpcat::flv::writer::Writer;
use rtmpcat::proto::amf0::{self, Object, Value};
use rtmpcat::proto::chunk::{ChunkDecoder, ChunkEncoder, Limits};
use rtmpcat::proto::message::{Message, MessageHeader, message_type};

#[allow(dead_code)]
#[path = "../tests/captured/mod.rs"]
mod captured;

use captured::{Captured, Shape, feed};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Bytes a chunk, and bytes a message.
const CHUNKS: [(usize, usize); 5] = [(128, 20_000), (4096, 20_000), (65536, 20_000), (128, 60), (4096, 60)];

/// Bytes of each round.
const ROUND: usize = 4 << 20;

/// Chunks → messages.
#[divan::bench(args = CHUNKS)]
fn chunk_decode(bencher: Bencher<'_, '_>, (chunk_size, message_bytes): (usize, usize)) {
    let mut encoder = ChunkEncoder::default();
    encoder.set_chunk_size(chunk_size);
    let payload = vec![0x55; message_bytes];
    let mut bytes = Vec::new();
    for time in 0.. {
        if bytes.len() >= ROUND {
            break;
        }
        encoder.encode(header(time * 20, message_bytes), &payload, &mut bytes);
    }
    let mut decoder = ChunkDecoder::new(Limits::default());
    decoder.set_chunk_size(chunk_size as u32).expect("a size");
    bencher.counter(BytesCount::new(bytes.len())).bench_local(move || {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (used, ready) = decoder.decode(rest).expect("valid chunks");
            if let Some(ready) = ready {
                black_box(decoder.message(&ready, rest));
            }
            rest = &rest[used..];
        }
    });
}

/// Messages → chunks: the other end.
#[divan::bench(args = CHUNKS)]
fn chunk_encode(bencher: Bencher<'_, '_>, (chunk_size, message_bytes): (usize, usize)) {
    let payload = vec![0x55; message_bytes];
    let count = (ROUND / message_bytes) as u32;
    let mut encoder = ChunkEncoder::default();
    encoder.set_chunk_size(chunk_size);
    let mut out = Vec::with_capacity(2 * ROUND);
    bencher.counter(BytesCount::new(count as usize * message_bytes)).bench_local(move || {
        out.clear();
        for time in 0..count {
            encoder.encode(header(time * 20, message_bytes), &payload, &mut out);
        }
        black_box(out.len())
    });
}

fn header(timestamp: u32, length: usize) -> MessageHeader {
    MessageHeader {
        chunk_stream_id: 6,
        message_type_id: message_type::VIDEO,
        timestamp,
        message_stream_id: 1,
        length: length as u32,
    }
}

/// AMF 0 values as they come.
#[derive(Debug, Clone, Copy)]
enum Amf {
    Connect,
    OnMetaData,
}

impl Amf {
    fn values(self) -> Vec<Value> {
        match self {
            Amf::Connect => {
                vec!["connect".into(), 1.0.into(), Value::Object(captured::config().connect.command_object())]
            }
            Amf::OnMetaData => {
                let mut properties = Object::default();
                for name in ["duration", "width", "height", "videodatarate", "framerate", "videocodecid"] {
                    properties.insert(name, 25.0);
                }
                for name in ["audiodatarate", "audiosamplerate", "audiosamplesize", "audiocodecid", "filesize"] {
                    properties.insert(name, 44100.0);
                }
                properties.insert("stereo", true);
                for name in ["major_brand", "minor_version", "compatible_brands", "encoder"] {
                    properties.insert(name, "isomiso2avc1mp41");
                }
                vec!["onMetaData".into(), Value::EcmaArray(properties)]
            }
        }
    }

    fn bytes(self) -> Vec<u8> {
        let mut out = Vec::new();
        self.values().iter().for_each(|value| amf0::encode(value, &mut out));
        out
    }
}

#[divan::bench(args = [Amf::Connect, Amf::OnMetaData])]
fn amf0_decode(bencher: Bencher<'_, '_>, what: Amf) {
    let bytes = what.bytes();
    bencher
        .counter(BytesCount::new(bytes.len()))
        .bench_local(move || amf0::decode_all(black_box(&bytes)).expect("valid values"));
}

#[divan::bench(args = [Amf::Connect, Amf::OnMetaData])]
fn amf0_encode(bencher: Bencher<'_, '_>, what: Amf) {
    let values = what.values();
    let mut out = what.bytes();
    bencher.counter(BytesCount::new(out.len())).bench_local(move || {
        out.clear();
        black_box(&values).iter().for_each(|value| amf0::encode(value, &mut out));
        black_box(out.len())
    });
}

/// Tags → bytes.
#[divan::bench(args = [60, 1_000, 20_000])]
fn flv_write(bencher: Bencher<'_, '_>, tag_bytes: usize) {
    let payload = vec![0x27; tag_bytes];
    let count = (ROUND / tag_bytes) as u32;
    let mut writer = Writer::new(Output::nothing());
    writer.file_header(FileHeader::new(false, true)).expect("written");
    bencher.counter(BytesCount::new(count as usize * tag_bytes)).bench_local(move || {
        for number in 0..count {
            writer.tag(VIDEO, number * 20, &payload).expect("written");
        }
        writer.flush().expect("written");
    });
}

/// Messages → a file in memory, or nowhere.
#[divan::bench(args = [(60, true), (60, false), (20_000, true), (20_000, false)])]
fn record(bencher: Bencher<'_, '_>, (message_bytes, into_memory): (usize, bool)) {
    let mut payload = vec![0x55; message_bytes];
    payload[..5].copy_from_slice(&[0x17, 1, 0, 0, 0]);
    let count = (ROUND / message_bytes) as u32;
    bencher
        .counter(BytesCount::new(count as usize * message_bytes))
        .with_inputs(|| recorder(into_memory))
        .bench_local_values(|mut recorder| {
            for number in 0..count {
                let header = header(number * 20, message_bytes);
                recorder.push(&Message { header, payload: &payload }, u64::from(number) * 20).expect("written");
            }
            recorder.finish().expect("written")
        });
}

fn recorder(into_memory: bool) -> Recorder {
    let open = move || Ok(if into_memory { Output::memory().0 } else { Output::nothing() });
    Recorder::new(Options::default(), Box::new(open))
}

/// Bytes of a server → events → recorder → nowhere; chunk size, bytes of a video frame (0: audio alone), bytes of an audio frame.
#[divan::bench(args = [(128, 20_000, 200), (4096, 20_000, 200), (65536, 20_000, 200), (4096, 0, 60)])]
fn session(bencher: Bencher<'_, '_>, (chunk_size, video_bytes, audio_bytes): (u32, usize, usize)) {
    let captured = Captured::new(Shape { chunk_size, video_bytes, audio_bytes }, 4 * ROUND);
    bencher
        .counter(BytesCount::new(captured.media.len()))
        .with_inputs(|| {
            let mut recorder = recorder(false);
            let client = captured.client(|message| {
                recorder.push(message, 0).expect("written");
            });
            (client, recorder)
        })
        .bench_local_values(|(mut client, mut recorder)| {
            feed(&mut client, &captured.media, usize::MAX, |message| {
                recorder.push(message, u64::from(message.header.timestamp)).expect("written");
            });
            recorder.finish().expect("written")
        });
}
