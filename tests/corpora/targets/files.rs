//! Bytes of files, and messages on their way into one.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rtmpcat::capture::connections::Connections;
use rtmpcat::capture::file::File;
use rtmpcat::capture::segment;
use rtmpcat::flv::reader::{Item, Reader};
use rtmpcat::flv::recorder::{Options, PushResult, Recorder};
use rtmpcat::flv::script;
use rtmpcat::flv::segmenter::{Rules, Segment, Segmenter};
use rtmpcat::flv::sink::{Memory, Output};
use rtmpcat::flv::timeline::Join;
use rtmpcat::proto::aggregate::parts;
use rtmpcat::proto::message::{Message, MessageHeader};

use super::pieces;

/// cut · a file. However it is read, it holds the same; the walk ends.
pub fn flv_reader(data: &[u8]) {
    let Some((&cut, file)) = data.split_first() else { return };
    let walk = |source: &mut dyn Read| {
        let mut reader = Reader::new(source);
        let mut items = Vec::new();
        let mut position = 0;
        while let Some(item) = reader.next_item().expect("memory can be read") {
            match item {
                Item::Tag(tag) => {
                    if let Some(script) = script::prepare(tag.tag_type(), tag.payload)
                        && let Some(metadata) = &script.metadata
                    {
                        let _ = (script::declared_tracks(metadata), script::duration(metadata));
                    }
                    assert!(parts(tag.timestamp_ms(), tag.payload).count() <= tag.payload.len());
                    items.push((tag.offset, tag.header.encode().to_vec(), tag.payload.to_vec()));
                }
                Item::Fault(fault) => items.push((fault.offset, fault.to_string().into_bytes(), Vec::new())),
            }
            assert!(reader.position() >= position && reader.position() <= file.len() as u64);
            position = reader.position();
            assert!(items.len() <= 2 * file.len() + 8, "the walk does not get on");
        }
        items
    };
    let whole = walk(&mut &*file);
    assert_eq!(whole, walk(&mut Trickle(file, usize::from(cut) + 1)));
}

/// Gives a few bytes at a time.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(buffer.len());
        self.0.read(&mut buffer[..count])
    }
}

/// options · records of op, time (3 bytes), length and payload: messages for a recorder. What it wrote are valid files.
pub fn recorder(data: &[u8]) {
    let Some((&options, mut rest)) = data.split_first() else { return };
    let files = Files::default();
    let opened = files.clone();
    let is_pipe = options & 1 != 0;
    let open = Box::new(move || {
        let (output, memory) = if is_pipe { Output::memory_pipe() } else { Output::memory() };
        opened.lock().unwrap().push(memory);
        Ok(output)
    });
    let mut recorder = Recorder::new(recording(options), open);
    let told = Arc::new(AtomicU64::new(0));
    if options & 64 != 0 {
        let count = told.clone();
        let ended = Box::new(move |segment: &Segment| {
            assert_eq!(count.fetch_add(1, Ordering::Relaxed) + 1, segment.number);
            Ok(())
        });
        let bytes = (options & 128 != 0).then_some(300);
        let rules = Rules { time_ms: Some(2_000), bytes, codec_change: options & 8 != 0 };
        recorder = recorder.in_segments(Segmenter::new(rules, ended));
    }
    let mut now_ms = 0;
    while let Some((&[op, t0, t1, t2, length], after)) = rest.split_first_chunk() {
        let (payload, after) = after.split_at_checked(usize::from(length)).unwrap_or((after, &[]));
        rest = after;
        now_ms += u64::from(t2);
        let message_type_id = match op & 15 {
            0 => {
                let join = if op & 16 == 0 { Join::Append } else { Join::WallClock };
                recorder.new_connection(join, now_ms).expect("memory takes all");
                continue;
            }
            1 => {
                recorder.set_on_demand();
                continue;
            }
            2 => {
                recorder.tick(now_ms + u64::from(length) * 100).expect("memory takes all");
                continue;
            }
            3..=6 => 9,
            7..=10 => 8,
            11 => 18,
            12 => 15,
            13 => 22,
            _ => op,
        };
        let header = MessageHeader {
            chunk_stream_id: 4,
            message_type_id,
            timestamp: u32::from_be_bytes([t0 & if op & 32 == 0 { 0 } else { 0xff }, t0, t1, t2]),
            message_stream_id: 1,
            length: payload.len() as u32,
        };
        if recorder.push(&Message { header, payload }, now_ms).expect("memory takes all") == PushResult::StopReached {
            break;
        }
    }
    let summary = recorder.finish().expect("memory takes all");
    let files = files.lock().unwrap();
    assert_eq!(files.is_empty(), !summary.opened);
    assert_eq!(files.iter().map(|file| file.bytes().len() as u64).sum::<u64>(), summary.bytes);
    let mut tags = 0;
    for file in files.iter() {
        let bytes = file.bytes();
        let mut reader = Reader::new(&*bytes);
        while reader.next_tag().expect("what was written is valid").is_some() {
            tags += 1;
        }
    }
    let counted = summary.audio_tags + summary.video_tags + summary.script_tags;
    if options & 64 == 0 {
        assert_eq!(tags, counted);
        assert!(files.len() <= 1);
    } else {
        // Metadata and headers are repeated in each file.
        assert!(tags >= counted);
        assert_eq!(told.load(Ordering::Relaxed), files.len() as u64);
    }
}

type Files = Arc<Mutex<Vec<Memory>>>;

fn recording(options: u8) -> Options {
    Options {
        queue_bytes: 0,
        keep_fingerprints: options & 1 != 0,
        live: options & 2 != 0,
        absolute: options & 4 != 0,
        start_ms: (options & 8 != 0).then_some(1_000),
        stop_ms: (options & 16 != 0).then_some(60_000),
        pipe: options & 1 != 0,
        // Of many files, each would have thousands of empty places.
        index: options & 96 == 32,
    }
}

/// A SWF file.
pub fn swf(data: &[u8]) {
    let _ = rtmpcat::swf::hash_of(data);
}

/// cut · a capture. However it is read, it holds the same.
pub fn capture(data: &[u8]) {
    let Some((&cut, bytes)) = data.split_first() else { return };
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let (mut file, mut connections, mut events) = (File::default(), Connections::default(), Vec::new());
        for piece in pieces {
            let fed = file.feed(piece, |packet| {
                if let Some(segment) = segment::parse(packet.link_type, packet.frame) {
                    connections.push(&segment, |number, event| events.push(format!("{number} {event:?}")));
                }
            });
            if let Err(error) = fed {
                events.push(error.to_string());
                break;
            }
            assert!(connections.held() <= bytes.len());
        }
        connections.finish(|number, event| events.push(format!("{number} {event:?}")));
        events
    };
    assert_eq!(read(&mut std::iter::once(bytes)), read(&mut pieces(bytes, cut)));
}
