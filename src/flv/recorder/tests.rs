use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::preroll::{MAX_HELD, MAX_HELD_BYTES};
use super::*;
use crate::flv::reader::{Item, Reader};
use crate::flv::sink::{Memory, Output};
use crate::flv::tag::TagHeader;
use crate::flv::tag::tag_type::{AUDIO, SCRIPT, SCRIPT_AMF3, VIDEO};
use crate::proto::amf0::{self, Value};
use crate::proto::message::MessageHeader;

const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 9];
const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 9];
const AVC_HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1, 0x64];
const AVC_END: &[u8] = &[0x17, 2, 0, 0, 0];
const AAC: &[u8] = &[0xaf, 1, 9];
const AAC_HEADER: &[u8] = &[0xaf, 0, 0x12, 0x10];

type Tags = Vec<(u8, u32, Vec<u8>)>;

struct Bench {
    recorder: Recorder,
    memory: Memory,
    opened: Arc<AtomicU32>,
}

impl Bench {
    fn new(options: Options) -> Self {
        let (mut output, memory) = if options.pipe { Output::memory_pipe() } else { Output::memory() };
        let opened = Arc::new(AtomicU32::new(0));
        let count = opened.clone();
        let open = Box::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(std::mem::replace(&mut output, Output::memory().0))
        });
        Self { recorder: Recorder::new(options, open), memory, opened }
    }

    fn push(&mut self, kind: u8, timestamp: u32, payload: &[u8], now_ms: u64) -> PushResult {
        let header = MessageHeader {
            chunk_stream_id: 4,
            message_type_id: kind,
            timestamp,
            message_stream_id: 1,
            length: payload.len() as u32,
        };
        self.recorder.push(&Message { header, payload }, now_ms).unwrap()
    }

    fn opened(&self) -> u32 {
        self.opened.load(Ordering::Relaxed)
    }

    fn finish(mut self) -> (Summary, FileHeader, Tags) {
        let summary = self.recorder.finish().unwrap();
        let (header, tags) = parse(&self.memory.bytes());
        assert_eq!(summary.bytes, self.memory.bytes().len() as u64);
        (summary, header, tags)
    }

    fn flags_and_tags(&mut self) -> (u8, usize) {
        self.recorder.flush().unwrap();
        let (header, tags) = parse(&self.memory.bytes());
        (header.flags, tags.len())
    }
}

fn parse(bytes: &[u8]) -> (FileHeader, Tags) {
    let mut reader = Reader::new(bytes);
    let mut tags = Tags::new();
    while let Some(tag) = reader.next_tag().expect("a sound file") {
        tags.push((tag.tag_type(), tag.timestamp_ms(), tag.payload.to_vec()));
    }
    (reader.header().unwrap(), tags)
}

fn metadata(object: Object) -> Vec<u8> {
    let mut bytes = script::ON_META_DATA.to_vec();
    amf0::encode(&Value::EcmaArray(object), &mut bytes);
    bytes
}

fn both() -> Object {
    Object::default().with("videocodecid", 7.0).with("audiocodecid", 10.0)
}

fn pipe() -> Options {
    Options { pipe: true, ..Options::default() }
}

#[test]
fn nothing_is_opened_before_there_is_media() {
    let mut bench = Bench::new(Options::default());
    bench.push(SCRIPT, 0, &metadata(both()), 0);
    bench.push(AUDIO, 0, &[], 0);
    bench.push(20, 0, b"command", 0);
    bench.recorder.tick(10_000).unwrap();
    let summary = bench.recorder.finish().unwrap();
    assert_eq!((bench.opened(), summary.opened, summary.bytes, summary.skipped), (0, false, 0, 1));
    assert_eq!(bench.memory.bytes(), b"");
    assert_eq!(bench.recorder.metadata(), Some(&both()));
}

#[test]
fn headers_alone_are_saved_at_the_end() {
    let mut bench = Bench::new(Options::default());
    bench.push(SCRIPT, 7, &metadata(both()), 0);
    bench.push(VIDEO, 0, AVC_HEADER, 0);
    bench.recorder.tick(10_000).unwrap();
    assert_eq!(bench.opened(), 0);
    let (summary, header, tags) = bench.finish();
    assert_eq!((summary.opened, header.flags, tags.len()), (true, 1, 2));
}

#[test]
fn a_stream_is_written_tag_by_tag_from_zero() {
    let mut bench = Bench::new(Options::default());
    let data = metadata(both());
    bench.push(SCRIPT, 0, &[b"\x02\0\x0d@setDataFrame", data.as_slice()].concat(), 0);
    bench.push(SCRIPT, 0, b"\x02\0\x11|RtmpSampleAccess\x01\x01\x01\x01", 0);
    bench.push(VIDEO, 0, AVC_HEADER, 0);
    bench.push(AUDIO, 0, AAC_HEADER, 0);
    bench.push(VIDEO, 90_040, KEY, 0);
    bench.push(AUDIO, 90_000, AAC, 0);
    bench.push(SCRIPT_AMF3, 90_060, b"\0\x02\0\x01x", 0);
    bench.push(VIDEO, 90_080, INTER, 0);
    bench.push(VIDEO, 90_080, AVC_END, 0);
    let (summary, header, tags) = bench.finish();
    assert_eq!(header.flags, 5);
    assert_eq!(
        tags,
        [
            (SCRIPT, 0, data),
            (VIDEO, 0, AVC_HEADER.to_vec()),
            (AUDIO, 0, AAC_HEADER.to_vec()),
            (VIDEO, 40, KEY.to_vec()),
            (AUDIO, 0, AAC.to_vec()),
            (SCRIPT, 60, b"\x02\0\x01x".to_vec()),
            (VIDEO, 80, INTER.to_vec()),
            (VIDEO, 80, AVC_END.to_vec()),
        ]
    );
    assert_eq!((summary.audio_tags, summary.video_tags, summary.script_tags, summary.skipped), (2, 4, 2, 1));
    assert_eq!((summary.latest_ms, summary.duration_ms), (80, 120));
}

#[test]
fn a_pipe_waits_for_what_the_metadata_names_and_no_longer() {
    let mut both_named = Bench::new(pipe());
    both_named.push(SCRIPT, 0, &metadata(both()), 0);
    both_named.push(VIDEO, 0, KEY, 0);
    assert_eq!(both_named.opened(), 0);
    both_named.push(AUDIO, 0, AAC, 1);
    assert_eq!(both_named.flags_and_tags(), (5, 3));

    let mut video_only = Bench::new(pipe());
    video_only.push(SCRIPT, 0, &metadata(Object::default().with("videocodecid", 7.0)), 0);
    video_only.push(VIDEO, 0, KEY, 0);
    assert_eq!(video_only.flags_and_tags(), (1, 2));

    let mut silent = Bench::new(pipe());
    silent.push(SCRIPT, 0, &metadata(both()), 0);
    assert_eq!(silent.recorder.due_ms(), None);
    silent.push(VIDEO, 0, KEY, 100);
    silent.recorder.tick(159).unwrap();
    assert_eq!((silent.opened(), silent.recorder.due_ms()), (0, Some(160)));
    silent.recorder.tick(160).unwrap();
    assert_eq!(silent.recorder.due_ms(), None);
    assert_eq!(silent.flags_and_tags(), (5, 2), "the metadata is believed");
}

#[test]
fn metadata_is_not_believed_when_media_has_gone_on_without_the_track() {
    let mut bench = Bench::new(pipe());
    bench.push(SCRIPT, 0, &metadata(both()), 0);
    bench.push(AUDIO, 0, AAC_HEADER, 0);
    for i in 0..26 {
        bench.push(AUDIO, 7 + i * 40, AAC, 0);
    }
    assert_eq!(bench.flags_and_tags(), (4, 28));
}

#[test]
fn without_metadata_the_wait_has_an_end_by_clock_media_number_and_size() {
    let mut clock = Bench::new(pipe());
    clock.push(VIDEO, 0, KEY, 1000);
    clock.recorder.tick(1499).unwrap();
    assert_eq!(clock.opened(), 0);
    clock.recorder.tick(1500).unwrap();
    assert_eq!(clock.flags_and_tags(), (1, 1));

    let mut media = Bench::new(pipe());
    for i in 0..=25 {
        media.push(VIDEO, i * 40, KEY, 0);
    }
    assert_eq!(media.flags_and_tags(), (1, 26));

    let mut number = Bench::new(pipe());
    for _ in 0..256 {
        number.push(AUDIO, 0, AAC, 0);
    }
    assert_eq!(number.opened(), 0);
    number.push(AUDIO, 0, AAC, 0);
    assert_eq!(number.flags_and_tags(), (4, 257));

    let mut size = Bench::new(pipe());
    let mut large = vec![0; MAX_HELD_BYTES + 1];
    large[..6].copy_from_slice(KEY);
    size.push(VIDEO, 0, &large, 0);
    assert_eq!(size.flags_and_tags(), (1, 1));
}

#[test]
fn data_without_media_is_held_within_bounds() {
    let mut bench = Bench::new(Options::default());
    for i in 0..10_000u32 {
        bench.push(SCRIPT, i, &[2, 0, 1, b'x', 5, 5, 5, 5], 0);
    }
    assert!(bench.recorder.preroll.held.len() <= MAX_HELD);
    bench.push(SCRIPT, 0, &vec![2; MAX_HELD_BYTES * 2], 0);
    assert!(bench.recorder.preroll.bytes <= MAX_HELD_BYTES);
    assert_eq!(bench.opened(), 0);
}

#[test]
fn a_pipe_gets_the_headers_before_the_first_frame() {
    let mut bench = Bench::new(pipe());
    bench.push(SCRIPT, 0, &metadata(both()), 0);
    bench.push(VIDEO, 0, AVC_HEADER, 0);
    assert_eq!(bench.opened(), 0);
    bench.push(AUDIO, 0, AAC_HEADER, 0);
    assert_eq!((bench.flags_and_tags(), bench.recorder.is_open()), ((5, 3), false));
    // From the beginning on: nothing that comes later can move it.
    bench.push(VIDEO, 40, KEY, 0);
    assert_eq!((bench.flags_and_tags(), bench.recorder.is_open()), ((5, 4), true));
    bench.push(AUDIO, 23, AAC, 0);
    let (_, _, tags) = bench.finish();
    assert_eq!(tags.iter().map(|tag| tag.1).collect::<Vec<_>>(), [0, 0, 0, 40, 23]);

    let mut odd = Bench::new(pipe());
    odd.push(VIDEO, 7, AVC_HEADER, 0);
    odd.push(AUDIO, 0, AAC_HEADER, 0);
    assert_eq!(odd.opened(), 0, "what its time becomes depends on the frames");
}

#[test]
fn headers_that_went_ahead_change_nothing_else() {
    for (first, second, live) in [(5_000, 4_990, true), (5_000, 4_990, false), (60, 30, true), (60, 30, false)] {
        let [piped, filed] = [true, false].map(|pipe| {
            let mut bench = Bench::new(Options { pipe, live, ..Options::default() });
            bench.push(SCRIPT, 0, &metadata(both()), 0);
            bench.push(VIDEO, 0, AVC_HEADER, 0);
            bench.push(AUDIO, 0, AAC_HEADER, 0);
            bench.push(VIDEO, first, KEY, 0);
            bench.push(AUDIO, second, AAC, 20);
            let (summary, header, tags) = bench.finish();
            (summary.duration_ms, header.flags, tags)
        });
        assert_eq!(piped, filed);
    }
}

#[test]
fn headers_that_went_ahead_are_not_repeated_by_a_new_connection() {
    let mut bench = Bench::new(pipe());
    for _ in 0..2 {
        bench.push(SCRIPT, 0, &metadata(both()), 0);
        bench.push(VIDEO, 0, AVC_HEADER, 0);
        bench.push(AUDIO, 0, AAC_HEADER, 0);
        assert_eq!(bench.flags_and_tags(), (5, 3));
        bench.recorder.new_connection(Join::Append, 10).unwrap();
    }
    bench.push(VIDEO, 9_000, KEY, 20);
    bench.push(AUDIO, 9_000, AAC, 20);
    let (summary, _, tags) = bench.finish();
    assert_eq!((tags.len(), tags[3].1, summary.discontinuity_count), (5, 0, 0));
    assert_eq!(summary.repeated, 3);
}

#[test]
fn the_flags_of_a_file_are_made_true_of_a_pipe_they_stay() {
    for options in [Options::default(), pipe()] {
        let mut bench = Bench::new(options);
        for i in 0..=30 {
            bench.push(VIDEO, i * 40, KEY, 0);
        }
        bench.push(AUDIO, 1300, AAC, 0);
        let (_, header, _) = bench.finish();
        assert_eq!(header.flags, if options.pipe { 1 } else { 5 });
    }
    let mut declared = Bench::new(Options::default());
    declared.push(SCRIPT, 0, &metadata(both()), 0);
    declared.push(VIDEO, 0, KEY, 0);
    assert_eq!(declared.finish().1.flags, 1, "declared, but it never came");
}

#[test]
fn stop_ends_both_tracks_at_the_same_time() {
    let mut bench = Bench::new(Options { stop_ms: Some(1_000), ..Options::default() });
    let mut last = PushResult::Going;
    let mut now = 0;
    'stream: for i in 0..100u32 {
        // The audio lags behind by three frames.
        for (kind, time, payload) in [(VIDEO, i * 40, KEY), (AUDIO, (i * 40).saturating_sub(120), AAC)] {
            last = bench.push(kind, 60_000 + time, payload, now);
            if last == PushResult::StopReached {
                break 'stream;
            }
        }
        now += 40;
    }
    assert_eq!(last, PushResult::StopReached);
    let (_, _, tags) = bench.finish();
    for kind in [AUDIO, VIDEO] {
        let last = tags.iter().filter(|tag| tag.0 == kind).map(|tag| tag.1).max();
        assert_eq!(last, Some(960), "type {kind}");
    }
}

#[test]
fn stop_does_not_wait_for_a_track_that_is_gone() {
    let mut bench = Bench::new(Options { stop_ms: Some(500), absolute: true, ..Options::default() });
    bench.push(AUDIO, 10_000, AAC, 0);
    let reached = (0..100).find(|i| bench.push(VIDEO, 10_000 + i * 40, KEY, 0) == PushResult::StopReached).unwrap();
    assert!((35..=40).contains(&reached), "{reached}");
    let (_, _, tags) = bench.finish();
    assert_eq!(tags.last().unwrap().1, 10_480);
}

#[test]
fn a_publisher_who_begins_anew_is_stitched_and_reported() {
    let mut bench = Bench::new(Options { live: true, ..Options::default() });
    for i in 0..50 {
        bench.push(VIDEO, 100_000 + i * 40, KEY, u64::from(i) * 40);
        bench.push(AUDIO, 100_000 + i * 40, AAC, u64::from(i) * 40);
    }
    bench.push(SCRIPT, 0, &metadata(both()), 2000);
    bench.push(VIDEO, 0, AVC_HEADER, 2000);
    bench.push(VIDEO, 0, KEY, 2000);
    let (summary, _, tags) = bench.finish();
    let times: Vec<u32> = tags.iter().skip(100).map(|tag| tag.1).collect();
    assert_eq!(times, [1960, 1960, 2000]);
    assert_eq!((summary.discontinuity_count, summary.discontinuities[0].at_ms), (1, 2000));
}

#[test]
fn a_new_connection_repeats_nothing_and_begins_at_a_keyframe() {
    let mut bench = Bench::new(Options { live: true, ..Options::default() });
    let data = metadata(both());
    for (kind, time, payload) in [
        (SCRIPT, 0, data.as_slice()),
        (VIDEO, 0, AVC_HEADER),
        (AUDIO, 0, AAC_HEADER),
        (VIDEO, 5_000, KEY),
        (AUDIO, 5_010, AAC),
        (VIDEO, 5_040, INTER),
    ] {
        bench.push(kind, time, payload, 40);
    }
    bench.recorder.new_connection(Join::Append, 3000).unwrap();
    let changed = [0xaf, 0, 0x13, 0x90];
    for (kind, time, payload) in [
        (SCRIPT, 0, data.as_slice()),
        (VIDEO, 0, AVC_HEADER),
        (AUDIO, 0, changed.as_slice()),
        (AUDIO, 970, AAC),
        (VIDEO, 960, INTER),
        (VIDEO, 1_000, KEY),
        (AUDIO, 1_010, AAC),
        (VIDEO, 1_000, AVC_HEADER),
    ] {
        bench.push(kind, time, payload, 9_000);
    }
    let (summary, _, tags) = bench.finish();
    let rest: Vec<_> = tags[6..].iter().map(|tag| (tag.0, tag.1, tag.2.as_slice())).collect();
    assert_eq!(
        rest,
        [(AUDIO, 40, changed.as_slice()), (VIDEO, 80, KEY), (AUDIO, 90, AAC), (VIDEO, 80, AVC_HEADER)],
        "later on, repetitions are the publisher's affair"
    );
    assert_eq!((summary.repeated, summary.discontinuity_count), (4, 1));
}

#[test]
fn a_new_connection_without_keyframes_goes_on_all_the_same() {
    let mut bench = Bench::new(Options { live: true, ..Options::default() });
    bench.push(VIDEO, 0, KEY, 0);
    bench.push(AUDIO, 0, AAC, 0);
    bench.recorder.new_connection(Join::WallClock, 3000).unwrap();
    bench.push(VIDEO, 0, INTER, 1_000);
    bench.push(VIDEO, 9_960, INTER, 10_960);
    bench.push(VIDEO, 10_000, INTER, 11_000);
    let (_, _, tags) = bench.finish();
    assert_eq!(tags.iter().map(|tag| tag.1).collect::<Vec<_>>(), [0, 0, 11_000]);
}

#[test]
fn the_index_takes_the_metadata_over_and_points_at_keyframes() {
    let mut bench = Bench::new(Options { index: true, ..Options::default() });
    let server = both().with("width", 320.0).with("duration", 4.0);
    bench.push(SCRIPT, 0, &metadata(server), 0);
    bench.push(VIDEO, 0, AVC_HEADER, 0);
    for i in 0..100 {
        bench.push(VIDEO, i * 40, if i % 25 == 0 { KEY } else { INTER }, 0);
        bench.push(AUDIO, i * 40 + 3, AAC, 0);
    }
    let memory = bench.memory.clone();
    let (summary, header, tags) = bench.finish();
    assert_eq!((header.flags, summary.script_tags, tags.len()), (5, 1, 202));
    let bytes = memory.bytes();
    let object = script::metadata(&tags[0].2).unwrap();
    assert_eq!(object.get("filesize"), Some(&Value::Number(bytes.len() as f64)));
    assert_eq!(object.get("duration"), Some(&Value::Number(4.003)));
    assert_eq!(object.get("width"), Some(&Value::Number(320.0)));
    let keyframes = object.get("keyframes").and_then(Value::as_object).unwrap();
    let (Some(Value::StrictArray(at)), Some(Value::StrictArray(times))) =
        (keyframes.get("filepositions"), keyframes.get("times"))
    else {
        panic!("{keyframes:?}")
    };
    assert_eq!(times.iter().map(|time| time.as_number().unwrap()).collect::<Vec<_>>(), [0.0, 1.0, 2.0, 3.0]);
    for (offset, time) in at.iter().zip(times) {
        let at = offset.as_number().unwrap() as usize;
        let head = TagHeader::decode_from(&bytes[at..]).unwrap();
        assert_eq!((head.tag_type(), f64::from(head.timestamp_ms) / 1000.0), (VIDEO, time.as_number().unwrap()));
        assert_eq!(&bytes[at + 11..at + 17], KEY);
    }
}

#[test]
fn a_killed_recording_has_an_index_up_to_the_last_patch() {
    let mut bench = Bench::new(Options { index: true, ..Options::default() });
    for i in 0..1000u32 {
        let now = u64::from(i) * 40;
        bench.push(VIDEO, i * 40, if i % 25 == 0 { KEY } else { INTER }, now);
        bench.push(AUDIO, i * 40, AAC, now);
        bench.recorder.tick(now).unwrap();
    }
    let (header, tags) = parse(&bench.memory.bytes());
    assert_eq!(header.flags, 5);
    let object = script::metadata(&tags[0].2).unwrap();
    let duration = object.get("duration").and_then(Value::as_number).unwrap();
    assert!((34.0..40.0).contains(&duration), "{duration}");
    assert!(tags.len() > 2 * 970, "the bytes themselves follow every second: {}", tags.len());
}

#[test]
fn a_pipe_gets_no_index_and_repeated_metadata_stays_a_tag() {
    let mut bench = Bench::new(Options { index: true, ..pipe() });
    bench.push(SCRIPT, 0, &metadata(both()), 0);
    bench.push(VIDEO, 0, KEY, 0);
    bench.push(AUDIO, 0, AAC, 0);
    bench.push(SCRIPT, 0, &metadata(both()), 0);
    let (_, _, tags) = bench.finish();
    assert_eq!(tags.iter().map(|tag| tag.0).collect::<Vec<_>>(), [SCRIPT, VIDEO, AUDIO, SCRIPT]);
    assert_eq!(tags[0].2, metadata(both()));
}

#[test]
fn a_full_disk_leaves_a_file_that_tells_the_truth() {
    for capacity in [90_000, 200_000, 200_007] {
        let (output, memory) = Output::memory_with_capacity(capacity);
        let mut output = Some(output);
        let open = Box::new(move || Ok(output.take().unwrap()));
        let mut recorder = Recorder::new(Options { index: true, ..Options::default() }, open);
        let mut large = vec![7; 3000];
        large[..6].copy_from_slice(KEY);
        let error = (0..1000u32).find_map(|i| {
            let (kind, payload) = if i % 2 == 0 { (VIDEO, large.as_slice()) } else { (AUDIO, AAC) };
            let header = MessageHeader {
                chunk_stream_id: 4,
                message_type_id: kind,
                timestamp: i * 20,
                message_stream_id: 1,
                length: payload.len() as u32,
            };
            recorder.push(&Message { header, payload }, 0).err()
        });
        assert_eq!(error.unwrap().kind(), io::ErrorKind::StorageFull);
        let summary = recorder.finish().unwrap();
        let bytes = memory.bytes();
        let (header, tags) = parse(&bytes);
        assert_eq!((summary.bytes, header.flags), (bytes.len() as u64, 5));
        let object = script::metadata(&tags[0].2).unwrap();
        assert_eq!(object.get("filesize"), Some(&Value::Number(bytes.len() as f64)));
        let last = object.get("lastkeyframelocation").and_then(Value::as_number).unwrap();
        assert!(last < bytes.len() as f64 && bytes.len() > capacity - 16_000, "{last} {}", bytes.len());
    }
}

#[test]
fn an_output_that_cannot_be_opened_is_an_error_each_time() {
    let open = Box::new(|| Err(io::ErrorKind::PermissionDenied.into()));
    let mut recorder = Recorder::new(Options::default(), open);
    let header =
        MessageHeader { chunk_stream_id: 4, message_type_id: VIDEO, timestamp: 0, message_stream_id: 1, length: 6 };
    recorder.push(&Message { header, payload: KEY }, 0).unwrap();
    assert_eq!(recorder.tick(600).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    assert!(!recorder.finish().unwrap().opened);
}

#[test]
fn the_whole_walk_of_a_reader_agrees() {
    let mut bench = Bench::new(Options { index: true, ..Options::default() });
    for i in 0..200 {
        bench.push(if i % 3 == 0 { VIDEO } else { AUDIO }, i * 10, KEY, 0);
    }
    bench.recorder.finish().unwrap();
    let bytes = bench.memory.bytes();
    let mut reader = Reader::new(bytes.as_slice());
    let mut end = 13;
    while let Some(item) = reader.next_item().unwrap() {
        let Item::Tag(tag) = item else { panic!("{item:?}") };
        assert_eq!(tag.offset, end);
        end = tag.end();
    }
    assert_eq!(end, bytes.len() as u64);
}

/// An onMetaData message with these properties.
fn metadata_of(object: Object) -> Vec<u8> {
    let mut bytes = script::ON_META_DATA.to_vec();
    amf0::encode(&Value::EcmaArray(object), &mut bytes);
    bytes
}

#[test]
fn later_metadata_goes_into_the_index_and_not_into_a_tag() {
    for early in [true, false] {
        let mut bench = Bench::new(Options { index: true, live: true, ..Options::default() });
        let first = metadata_of(Object::default().with("width", 320.0));
        if early {
            bench.push(SCRIPT, 0, &first, 0);
        }
        bench.push(VIDEO, 0, AVC_HEADER, 0);
        bench.push(VIDEO, 0, KEY, 0);
        bench.push(AUDIO, 0, AAC, 0);
        if !early {
            bench.push(SCRIPT, 40, &first, 40);
        }
        bench.push(SCRIPT, 1000, &metadata_of(Object::default().with("width", 640.0).with("title", "x")), 1000);
        bench.push(VIDEO, 1000, KEY, 1000);
        let (summary, _, tags) = bench.finish();
        let scripts: Vec<_> = tags.iter().filter(|(kind, ..)| *kind == SCRIPT).collect();
        assert_eq!((scripts.len(), summary.script_tags), (1, 1), "{early}");
        let object = script::metadata(&scripts[0].2).unwrap();
        assert_eq!(object.get("width"), Some(&Value::Number(320.0)));
        assert_eq!(object.get("title").and_then(Value::as_str), Some("x"));
        assert_eq!(object.get("duration"), Some(&Value::Number(2.0)));
    }
}

#[test]
fn only_what_can_be_shown_or_heard_is_progress() {
    let mut bench = Bench::new(Options { live: true, ..Options::default() });
    bench.push(SCRIPT, 0, b"\x02\0\x04text", 0);
    bench.push(VIDEO, 0, AVC_HEADER, 0);
    assert_eq!((bench.recorder.frames(), bench.recorder.held_data()), (0, 1));
    bench.push(VIDEO, 0, KEY, 0);
    assert_eq!(bench.recorder.frames(), 1, "while it is held, too");
    bench.push(AUDIO, 0, AAC, 0);
    for i in 0..10 {
        bench.push(VIDEO, i, &[], u64::from(i));
        bench.push(AUDIO, i, &[], u64::from(i));
        bench.push(message_type::AGGREGATE, i, &[1, 2], u64::from(i));
        bench.push(VIDEO, i, AVC_HEADER, u64::from(i));
        bench.push(AUDIO, i, AAC_HEADER, u64::from(i));
    }
    assert_eq!((bench.recorder.frames(), bench.recorder.held_data()), (2, 0));
    bench.push(VIDEO, 40, INTER, 40);
    assert_eq!((bench.recorder.frames(), bench.recorder.reached_ms()), (3, 40));
}
