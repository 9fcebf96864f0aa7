//! Recordings cut into files in memory.

use std::sync::{Arc, Mutex};

use super::*;
use crate::flv::reader::Reader;
use crate::flv::recorder::{Options, Recorder};
use crate::flv::sink::{Memory, Output};
use crate::flv::tag::FileHeader;
use crate::flv::tag::tag_type::{AUDIO, SCRIPT, VIDEO};
use crate::proto::amf0;
use crate::proto::message::{Message, MessageHeader};

const AVC: &[u8] = &[0x17, 0, 0, 0, 0, 1, 0x64];
const AVC_2: &[u8] = &[0x17, 0, 0, 0, 0, 1, 0x42];
const AAC: &[u8] = &[0xaf, 0, 0x12, 0x10];
const AAC_2: &[u8] = &[0xaf, 0, 0x11, 0x90];

type Tag = (u8, u32, Vec<u8>);

struct Bench {
    recorder: Recorder,
    files: Arc<Mutex<Vec<Memory>>>,
    ended: Arc<Mutex<Vec<Segment>>>,
    now_ms: u64,
}

impl Bench {
    fn new(rules: Rules, options: Options) -> Self {
        let (files, ended) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (opened, told) = (files.clone(), ended.clone());
        let segmenter = Segmenter::new(
            rules,
            Box::new(move |segment| {
                told.lock().unwrap().push(*segment);
                Ok(())
            }),
        );
        let told = ended.clone();
        let open = Box::new(move || {
            let (output, memory) = Output::memory();
            let mut files = opened.lock().unwrap();
            assert_eq!(told.lock().unwrap().len(), files.len(), "one file at a time");
            files.push(memory);
            Ok(output)
        });
        Self { recorder: Recorder::new(options, open).in_segments(segmenter), files, ended, now_ms: 0 }
    }

    fn push(&mut self, kind: u8, timestamp: u32, payload: &[u8]) {
        let header = MessageHeader {
            chunk_stream_id: 4,
            message_type_id: kind,
            timestamp,
            message_stream_id: 1,
            length: payload.len() as u32,
        };
        self.now_ms += 5;
        self.recorder.push(&Message { header, payload }, self.now_ms).unwrap();
    }

    /// Pictures 40 ms apart, a keyframe each 400 ms, with sound 7 ms behind each, numbered.
    fn stream(&mut self, frames: std::ops::Range<u32>) {
        for frame in frames {
            self.push(VIDEO, frame * 40, &video(frame));
            self.push(AUDIO, frame * 40 + 7, &audio(frame));
        }
    }

    /// The files, and what was told of them.
    fn finish(mut self) -> (Vec<(FileHeader, Vec<Tag>)>, Vec<Segment>) {
        let summary = self.recorder.finish().unwrap();
        let files = self.files.lock().unwrap();
        let ended = self.ended.lock().unwrap().clone();
        assert_eq!(files.len(), ended.len());
        for (number, (file, segment)) in files.iter().zip(&ended).enumerate() {
            assert_eq!((segment.number, segment.bytes), (number as u64 + 1, file.bytes().len() as u64));
        }
        assert_eq!(summary.bytes, ended.iter().map(|segment| segment.bytes).sum::<u64>());
        (files.iter().map(|file| parse(&file.bytes())).collect(), ended)
    }
}

fn parse(bytes: &[u8]) -> (FileHeader, Vec<Tag>) {
    let mut reader = Reader::new(bytes);
    let mut tags = Vec::new();
    while let Some(tag) = reader.next_tag().expect("a sound file") {
        tags.push((tag.tag_type(), tag.timestamp_ms(), tag.payload.to_vec()));
    }
    (reader.header().unwrap(), tags)
}

fn video(frame: u32) -> Vec<u8> {
    let first = if frame.is_multiple_of(10) { 0x17 } else { 0x27 };
    [&[first, 1, 0, 0, 0][..], &frame.to_be_bytes(), &[0; 100]].concat()
}

fn audio(frame: u32) -> Vec<u8> {
    [&[0xaf, 1][..], &frame.to_be_bytes()].concat()
}

fn metadata() -> Vec<u8> {
    let mut bytes = crate::flv::script::ON_META_DATA.to_vec();
    amf0::encode(&amf0::Value::EcmaArray(amf0::Object::default().with("encoder", "x")), &mut bytes);
    bytes
}

fn live() -> Options {
    Options { live: true, ..Options::default() }
}

fn begin(bench: &mut Bench, headers: [&[u8]; 2]) {
    bench.push(SCRIPT, 0, &metadata());
    bench.push(VIDEO, 0, headers[0]);
    bench.push(AUDIO, 0, headers[1]);
}

/// Frames of all files with their times in the recording: `starts` are the files' own.
fn union(files: &[(FileHeader, Vec<Tag>)], starts: impl IntoIterator<Item = u64>) -> Vec<Tag> {
    let frames = files.iter().zip(starts).flat_map(|((_, tags), start)| {
        let frames = tags.iter().filter(|(kind, _, payload)| *kind != SCRIPT && payload[1] == 1);
        frames.map(move |(kind, time, payload)| (*kind, time + start as u32, payload.clone()))
    });
    frames.collect()
}

fn source(frames: std::ops::Range<u32>) -> Vec<Tag> {
    frames.flat_map(|n| [(VIDEO, n * 40, video(n)), (AUDIO, n * 40 + 7, audio(n))]).collect()
}

#[test]
fn by_time_on_a_grid_that_does_not_drift() {
    let mut bench = Bench::new(Rules { time_ms: Some(1000), ..Rules::default() }, live());
    begin(&mut bench, [AVC, AAC]);
    bench.stream(0..100);
    let (files, ended) = bench.finish();
    // Keyframes each 400 ms: the first ones from 1000, 2000 and 3000 on.
    let starts: Vec<u64> = ended.iter().map(|segment| segment.at_ms).collect();
    assert_eq!(starts, [0, 1200, 2000, 3200]);
    assert_eq!(union(&files, starts), source(0..100));
    assert_eq!(
        ended.iter().map(|segment| segment.duration_ms).collect::<Vec<_>>(),
        [1200 + 7, 800 + 7, 1200 + 7, 800 + 7]
    );
    for (header, tags) in &files {
        assert_eq!(header.flags, 5);
        assert_eq!(tags[..3], [(SCRIPT, 0, metadata()), (VIDEO, 0, AVC.to_vec()), (AUDIO, 0, AAC.to_vec())]);
        assert_eq!(tags[3].1, 0);
        assert_eq!(tags[3].2[0], 0x17, "a keyframe");
    }
}

#[test]
fn by_size_at_the_next_keyframe() {
    let mut bench = Bench::new(Rules { bytes: Some(3000), ..Rules::default() }, live());
    begin(&mut bench, [AVC, AAC]);
    bench.stream(0..100);
    let (files, ended) = bench.finish();
    assert_eq!(union(&files, ended.iter().map(|segment| segment.at_ms)), source(0..100));
    assert!(ended[..ended.len() - 1].iter().all(|segment| (3000..4500).contains(&segment.bytes)), "{ended:?}");
    assert!(files.len() >= 4);
}

#[test]
fn sound_alone_is_cut_at_any_frame() {
    let mut bench = Bench::new(Rules { time_ms: Some(100), ..Rules::default() }, live());
    bench.push(AUDIO, 0, AAC);
    for frame in 0..100 {
        bench.push(AUDIO, frame * 20, &audio(frame));
    }
    let (files, ended) = bench.finish();
    assert_eq!(files.len(), 20);
    assert!(files.iter().all(|(header, tags)| header.flags == 4 && tags.len() == 6));
    assert_eq!(
        ended.iter().map(|segment| segment.at_ms).collect::<Vec<_>>(),
        (0..20).map(|n| n * 100).collect::<Vec<_>>()
    );
}

#[test]
fn sound_goes_on_being_cut_when_the_picture_has_stopped() {
    let mut bench = Bench::new(Rules { time_ms: Some(1000), ..Rules::default() }, live());
    begin(&mut bench, [AVC, AAC]);
    bench.stream(0..25);
    for time in (1000..20_000).step_by(20) {
        bench.push(AUDIO, time, &audio(time));
    }
    let (files, ended) = bench.finish();
    assert_eq!(ended[0].at_ms, 0);
    assert_eq!(ended[1].at_ms, 960 + VIDEO_PATIENCE_MS);
    assert_eq!(files.len(), 11);
}

#[test]
fn absolute_times_stay() {
    let options = Options { absolute: true, index: true, ..live() };
    let mut bench = Bench::new(Rules { time_ms: Some(1000), ..Rules::default() }, options);
    begin(&mut bench, [AVC, AAC]);
    bench.stream(0..100);
    let (files, _) = bench.finish();
    assert_eq!(files.len(), 4);
    assert_eq!(union(&files, [0; 4]), source(0..100));
    // The index is of this file, and took the server's metadata over.
    for (_, tags) in &files {
        assert_eq!(tags.iter().filter(|(kind, ..)| *kind == SCRIPT).count(), 1);
        let metadata = crate::flv::script::metadata(&tags[0].2).unwrap();
        assert_eq!(metadata.get("encoder").and_then(amf0::Value::as_str), Some("x"));
        assert!(crate::flv::script::duration(&metadata).unwrap() < 1.3);
    }
}

#[test]
fn a_changed_configuration_begins_a_file_with_the_new_headers_only() {
    let rules = Rules { codec_change: true, ..Rules::default() };
    for headers_first in [[(VIDEO, AVC_2), (AUDIO, AAC_2)], [(AUDIO, AAC_2), (VIDEO, AVC_2)]] {
        let mut bench = Bench::new(rules, live());
        begin(&mut bench, [AVC, AAC]);
        bench.stream(0..30);
        // The same again is no change.
        begin(&mut bench, [AVC, AAC]);
        bench.stream(30..60);
        for (kind, header) in headers_first {
            bench.push(kind, 2400, header);
        }
        bench.stream(60..90);
        let (files, ended) = bench.finish();
        assert_eq!(ended.iter().map(|segment| segment.at_ms).collect::<Vec<_>>(), [0, 2400]);
        assert_eq!(union(&files, [0, 2400]), source(0..90));
        let headers = |file: usize| -> Vec<Vec<u8>> {
            let tags = files[file].1.iter().filter(|(kind, _, payload)| *kind != SCRIPT && payload[1] == 0);
            tags.map(|(_, _, payload)| payload.clone()).collect()
        };
        assert_eq!(headers(0), [AVC, AAC, AVC, AAC]);
        assert_eq!(headers(1), [AVC_2, AAC_2]);
    }
}

#[test]
fn changed_sound_waits_for_the_keyframe_in_the_old_file() {
    let mut bench = Bench::new(Rules { codec_change: true, ..Rules::default() }, live());
    begin(&mut bench, [AVC, AAC]);
    bench.stream(0..25);
    bench.push(AUDIO, 1000, AAC_2);
    bench.stream(25..50);
    let (files, ended) = bench.finish();
    assert_eq!(ended.iter().map(|segment| segment.at_ms).collect::<Vec<_>>(), [0, 1200]);
    assert_eq!(union(&files, [0, 1200]), source(0..50));
    let place = files[0].1.iter().position(|(_, _, payload)| payload == AAC_2).unwrap();
    assert_eq!(files[0].1[place + 1].2, audio(25), "right before the sound that needs it");
    assert_eq!(files[1].1[2].2, AAC_2);
}

#[test]
fn another_codec_is_a_change_without_headers_too() {
    let mut bench = Bench::new(Rules { codec_change: true, ..Rules::default() }, live());
    begin(&mut bench, [AVC, AAC]);
    bench.stream(0..10);
    // Sorenson has no headers.
    bench.push(VIDEO, 400, &[0x12, 1]);
    bench.push(VIDEO, 440, &[0x22, 1]);
    let (files, _) = bench.finish();
    assert_eq!(files.len(), 2);
    let kinds: Vec<&[u8]> = files[1].1.iter().skip(1).map(|(_, _, payload)| payload.as_slice()).collect();
    assert_eq!(kinds, [AAC, &[0x12, 1], &[0x22, 1]], "no header of the codec before");
}

#[test]
fn headers_at_the_very_end_are_not_lost() {
    let mut bench = Bench::new(Rules { codec_change: true, ..Rules::default() }, live());
    begin(&mut bench, [AVC, AAC]);
    bench.stream(0..10);
    bench.push(VIDEO, 400, AVC_2);
    bench.push(AUDIO, 400, AAC_2);
    let (files, _) = bench.finish();
    assert_eq!(files.len(), 1);
    let last: Vec<&[u8]> = files[0].1.iter().rev().take(2).map(|(_, _, payload)| payload.as_slice()).collect();
    assert_eq!(last, [AAC_2, AVC_2]);
}

#[test]
fn sound_from_before_the_keyframe_is_at_the_beginning_of_its_file() {
    let mut bench = Bench::new(Rules { time_ms: Some(1000), ..Rules::default() }, live());
    begin(&mut bench, [AVC, AAC]);
    bench.stream(0..30);
    bench.push(VIDEO, 1200, &video(30));
    bench.push(AUDIO, 1190, &audio(30));
    bench.push(AUDIO, 1213, &audio(31));
    let (files, _) = bench.finish();
    let times: Vec<u32> = files[1].1.iter().rev().take(2).map(|(_, time, _)| *time).collect();
    assert_eq!(times, [13, 0]);
}

#[test]
fn a_wild_clock_or_configuration_makes_few_files() {
    for rules in [Rules { time_ms: Some(5_000), ..Rules::default() }, Rules { codec_change: true, ..Rules::default() }]
    {
        let mut bench = Bench::new(rules, Options { index: true, ..live() });
        begin(&mut bench, [AVC, AAC]);
        for i in 0..1_000 {
            bench.push(VIDEO, i * 9_000, if i % 2 == 0 { AVC_2 } else { AVC });
            bench.push(VIDEO, i * 9_000, &video(0));
        }
        let seconds = bench.now_ms / 1_000;
        let bytes: usize = bench.files.lock().unwrap().iter().map(|file| file.bytes().len()).sum();
        let (files, _) = bench.finish();
        assert!((5..=66 + seconds as usize).contains(&files.len()), "{} files in {seconds} s", files.len());
        assert!(bytes < 8 << 20, "{bytes} bytes");
    }
}

#[test]
fn the_index_has_room_by_the_length_of_the_files() {
    let entries = |time_ms, bytes| {
        Segmenter::new(Rules { time_ms, bytes, codec_change: false }, Box::new(|_| Ok(()))).index_entries()
    };
    assert_eq!((entries(None, None), entries(Some(86_400_000), None)), (RESERVED_KEYFRAMES, RESERVED_KEYFRAMES));
    assert_eq!((entries(Some(60_000), None), entries(Some(1_000), None)), (120, LEAST_ENTRIES));
    assert_eq!(entries(Some(3_600_000), Some(64 << 20)), 1024);
}

#[test]
fn no_rules_are_one_file() {
    let mut bench = Bench::new(Rules::default(), live());
    begin(&mut bench, [AVC, AAC]);
    bench.stream(0..100);
    assert_eq!(bench.finish().0.len(), 1);
}

#[test]
fn a_full_disk_ends_the_recording_and_not_the_file() {
    let ended = Arc::new(Mutex::new(0));
    let count = ended.clone();
    let segmenter = Segmenter::new(
        Rules { time_ms: Some(1000), ..Rules::default() },
        Box::new(move |_| {
            *count.lock().unwrap() += 1;
            Ok(())
        }),
    );
    let memories = Arc::new(Mutex::new(Vec::new()));
    let opened = memories.clone();
    let open = Box::new(move || {
        let mut memories = opened.lock().unwrap();
        let (output, memory) = if memories.is_empty() { Output::memory() } else { Output::memory_with_capacity(1000) };
        memories.push(memory);
        Ok(output)
    });
    let mut recorder = Recorder::new(live(), open).in_segments(segmenter);
    let mut failed = None;
    for frame in 0..100u32 {
        let payload = video(frame);
        let header = MessageHeader {
            chunk_stream_id: 4,
            message_type_id: VIDEO,
            timestamp: frame * 40,
            message_stream_id: 1,
            length: payload.len() as u32,
        };
        let now_ms = u64::from(frame) * 40;
        let pushed = recorder.push(&Message { header, payload: &payload }, now_ms).and_then(|_| recorder.flush());
        if let Err(error) = pushed {
            failed = Some((frame, error.kind()));
            break;
        }
    }
    assert!(matches!(failed, Some((31..50, io::ErrorKind::StorageFull))), "{failed:?}");
    let _ = recorder.finish();
    assert_eq!(*ended.lock().unwrap(), 1, "the second one is not complete");
    let (_, tags) = parse(&memories.lock().unwrap()[1].bytes());
    assert!(tags.len() >= 5, "but whole");
}
