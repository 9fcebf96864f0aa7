//! An FLV file: everything that is wrong with it, with offsets, and what is in it.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::Serialize;

use crate::flv::reader::{Item, Reader, Tag};
use crate::flv::tag::{FILE_HEADER_BYTES, FileHeader, TAG_HEADER_BYTES, tag_type};
use crate::proto::amf0::{Object, Value};
use crate::proto::media;

use super::analyser::{Analyser, Report};
use super::finding::{Finding, Severity, flag};
use super::track::Kind;

/// A finding and where it was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// What it is.
    pub finding: Finding,
}

/// What there is to tell of a file.
#[derive(Debug)]
pub struct FileReport {
    /// Bytes of the file.
    pub bytes: u64,
    /// Flags of the header, if there is one.
    pub flags: Option<u8>,
    /// Tags.
    pub tags: Tags,
    /// What is in it.
    pub stream: Report,
    /// The last onMetaData.
    pub metadata: Option<Object>,
    /// The last colorInfo.
    pub color_info: Option<Object>,
    /// The first [`MAX_FINDINGS`] findings.
    pub findings: Vec<Located>,
    /// Errors, all of them.
    pub errors: u64,
    /// Warnings, all of them.
    pub warnings: u64,
    /// What is only good to know, all of it.
    pub infos: u64,
}

/// How many tags there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tags {
    /// Audio.
    pub audio: u64,
    /// Video.
    pub video: u64,
    /// Script data.
    pub script: u64,
    /// Types that are not known.
    pub other: u64,
}

/// Looks through an FLV file, from its first byte to its last. `each` is called for every whole tag. Memory does not grow with
/// the file.
///
/// ```
/// use rtmpcat::inspect::file::inspect;
///
/// // A header that announces video, and one tag whose last byte is missing.
/// let file = b"FLV\x01\x01\0\0\0\x09\0\0\0\0\x09\0\0\x06\0\0\0\0\0\0\0\x17\x01\0\0\0\x65\0\0\0";
/// let mut tags = 0;
/// let report = inspect(&file[..], |_| {
///     tags += 1;
///     Ok(())
/// })?;
/// assert_eq!((tags, report.bytes), (1, 33));
/// let codes: Vec<_> = report.findings.iter().map(|found| found.finding.code()).collect();
/// assert!(codes.contains(&"missing-trailer"), "{codes:?}");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Those of reading; `each`'s.
pub fn inspect(source: impl Read, mut each: impl FnMut(&Tag<'_>) -> io::Result<()>) -> io::Result<FileReport> {
    let mut bytes = 0;
    let mut reader = Reader::new(Counted { source, bytes: &mut bytes });
    let mut walk = Walk::default();
    while let Some(item) = reader.next_item()? {
        match item {
            Item::Fault(fault) => walk.add(fault.offset, Finding::Framing(fault.kind)),
            Item::Tag(tag) => {
                each(&tag)?;
                walk.tag(&tag);
            }
        }
    }
    let header = reader.header();
    drop(reader);
    Ok(walk.finish(header, bytes))
}

/// Counts what is read: in a torn tag the walk stays where it begins.
struct Counted<'a, R> {
    source: R,
    bytes: &'a mut u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        *self.bytes += count as u64;
        Ok(count)
    }
}

#[derive(Default)]
struct Walk {
    analyser: Analyser,
    tags: Tags,
    last_ms: Option<u32>,
    index: Option<IndexCheck>,
    metadata_at: Option<u64>,
    metadata: Option<Object>,
    findings: Vec<Located>,
    errors: u64,
    warnings: u64,
    infos: u64,
}

impl Walk {
    fn add(&mut self, offset: u64, finding: Finding) {
        match finding.severity() {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
            Severity::Info => self.infos += 1,
        }
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Located { offset, finding });
        }
    }

    fn tag(&mut self, tag: &Tag<'_>) {
        let time = tag.timestamp_ms();
        if self.last_ms.is_none() && time != 0 {
            self.add(tag.offset + TIMESTAMP_AT, Finding::FirstTimestamp(time));
        }
        let is_script = matches!(tag.tag_type(), tag_type::SCRIPT | tag_type::SCRIPT_AMF3);
        if let Some(last) = self.last_ms.filter(|_| is_script) {
            let step = time.wrapping_sub(last).cast_signed();
            if (-LOST_EXTENSION_MS..=-SCRIPT_SLACK_MS).contains(&step) {
                self.add(tag.offset + TIMESTAMP_AT, Finding::ScriptTimestamp { from_ms: last, to_ms: time });
            }
        }
        self.last_ms = Some(time);
        match tag.tag_type() {
            tag_type::AUDIO => self.tags.audio += 1,
            tag_type::VIDEO => self.tags.video += 1,
            _ if is_script => self.tags.script += 1,
            _ => self.tags.other += 1,
        }
        if let Some(index) = &mut self.index {
            index.meet(tag, self.tags.video == 0);
        }
        // What is encrypted has no header that could be read.
        if !tag.header.encrypted() {
            let findings = self.analyser.observe(tag.tag_type(), time, tag.payload, None).to_vec();
            for finding in findings {
                self.add(tag.offset + place(&finding), finding);
            }
        }
        if self.metadata_at.is_none() && is_script && self.analyser.metadata().is_some() {
            self.metadata_at = Some(tag.offset);
            self.metadata = self.analyser.metadata().cloned();
            self.begin_index(tag);
        }
    }

    /// The keyframe index is checked against the tags that follow.
    fn begin_index(&mut self, tag: &Tag<'_>) {
        let keyframes = self.metadata.as_ref().and_then(|object| object.get("keyframes")).and_then(Value::as_object);
        let Some(keyframes) = keyframes else { return };
        let list = |name| match keyframes.get(name) {
            Some(Value::StrictArray(values)) => values.iter().map(|value| value.as_number().unwrap_or(-1.0)).collect(),
            _ => Vec::new(),
        };
        let (positions, times): (Vec<f64>, Vec<f64>) = (list("filepositions"), list("times"));
        if positions.len() != times.len() {
            let finding = Finding::IndexUneven { times: times.len(), positions: positions.len() };
            self.add(tag.offset, finding);
        }
        let entries = positions.iter().enumerate().map(|(number, position)| (position.max(0.0) as u64, number));
        // Tags up to this one are not looked at again: an index that leads to them, the first entry of many, is believed.
        let ahead = entries.filter(|(position, _)| *position > tag.offset);
        self.index = Some(IndexCheck { at: tag.offset, open: ahead.map(|(p, n)| (p, (n, None))).collect() });
    }

    fn finish(mut self, header: Option<FileHeader>, bytes: u64) -> FileReport {
        let stream = self.analyser.report();
        if let Some(header) = header {
            self.check_header(header);
        }
        let Tags { audio, video, script, other } = self.tags;
        if header.is_some() && audio + video + script + other == 0 {
            self.add(FILE_HEADER_BYTES as u64, Finding::NoTags);
        }
        let keyframes: u64 = stream.tracks.iter().filter_map(|t| t.gop.as_ref()).map(|gop| gop.keyframes).sum();
        if stream.tracks.iter().any(|t| t.kind == Kind::Video && t.frames > 0) && keyframes == 0 {
            self.add(bytes, Finding::NoKeyframes);
        }
        let end = |kind| stream.tracks.iter().find(|t| t.kind == kind).and_then(|t| t.last_ms);
        if let (Some(v), Some(a)) = (end(Kind::Video), end(Kind::Audio))
            && (v - a).abs() >= ENDS_EARLY_MS
        {
            let kind = if v < a { Kind::Video } else { Kind::Audio };
            self.add(bytes, Finding::EndsEarly { kind, by_ms: (v - a).abs() });
        }
        if self.metadata_at.is_none() {
            self.add(bytes, Finding::NoMetadata);
        }
        self.check_metadata(&stream, bytes);
        self.check_index();
        self.findings.sort_by_key(|located| located.offset);
        FileReport {
            bytes,
            flags: header.map(|header| header.flags),
            tags: self.tags,
            metadata: self.analyser.metadata().cloned(),
            color_info: self.analyser.color_info().cloned(),
            stream,
            findings: self.findings,
            errors: self.errors,
            warnings: self.warnings,
            infos: self.infos,
        }
    }

    fn check_header(&mut self, header: FileHeader) {
        let at = FileHeader::FLAGS_OFFSET;
        if header.flags & (FileHeader::AUDIO | FileHeader::VIDEO) == 0 {
            self.add(at, Finding::NoTracksAnnounced);
        }
        for (kind, count) in [(Kind::Video, self.tags.video), (Kind::Audio, self.tags.audio)] {
            match (header.flags & flag(kind) != 0, count > 0) {
                (false, true) => self.add(at, Finding::NotAnnounced(kind)),
                (true, false) => self.add(at, Finding::OnlyAnnounced(kind)),
                _ => {}
            }
        }
    }

    fn check_metadata(&mut self, stream: &Report, bytes: u64) {
        let (Some(metadata), Some(at)) = (self.metadata.take(), self.metadata_at) else { return };
        let says = |name| metadata.get(name).and_then(Value::as_number);
        // 0 is what a live stream says, or a writer that could not go back.
        let told = |name| says(name).filter(|value| *value != 0.0);
        let mut wrong = Vec::new();
        let mut check = |name: &'static str, is: Option<f64>, slack: f64| {
            if let (Some(says), Some(is)) = (told(name), is)
                && (says - is).abs() > slack
            {
                wrong.push(Finding::MetadataWrong { name, says, is });
            }
        };
        // To the end of the last frame, whose length is not known; from 0 on, or from the first frame on: where that is not at
        // 0, writers and players mean the one or the other.
        let end = stream.tracks.iter().filter_map(|track| track.last_ms).max();
        let first = stream.tracks.iter().filter_map(|track| track.first_ms).min().unwrap_or(0);
        let ends = end.map(|end| [end, end - first].map(|ms| ms as f64 / 1000.0));
        let slack = |duration: f64| DURATION_SLACK_S.max(duration / 100.0);
        let is_right = |said: f64| ends.is_some_and(|ends| ends.iter().any(|end| (said - end).abs() <= slack(*end)));
        if !told("duration").is_some_and(is_right) {
            check("duration", ends.map(|[end, _]| end), slack(ends.map_or(0.0, |[end, _]| end)));
        }
        check("filesize", Some(bytes as f64), 0.0);
        // Not where they were filled in from the metadata themselves.
        let video = stream.tracks.iter().find(|track| track.kind == Kind::Video && track.sequence_header);
        check("width", video.and_then(|track| track.width).map(f64::from), 0.0);
        check("height", video.and_then(|track| track.height).map(f64::from), 0.0);
        for finding in wrong {
            self.add(at, finding);
        }
    }

    fn check_index(&mut self) {
        let Some(index) = self.index.take() else { return };
        let needs_key = self.tags.video > 0;
        for (position, (number, met)) in index.open {
            let right = match met {
                Some(Met::Keyframe) => true,
                Some(Met::Other { before_video }) => before_video || !needs_key,
                None => false,
            };
            if !right {
                self.add(index.at, Finding::IndexWrong { position, number });
            }
        }
    }
}

/// Entries of a keyframe index, and what stands there.
struct IndexCheck {
    at: u64,
    open: BTreeMap<u64, (usize, Option<Met>)>,
}

#[derive(Clone, Copy)]
enum Met {
    Keyframe,
    /// No video tag has come yet: playing can begin at any audio tag.
    Other {
        before_video: bool,
    },
}

impl IndexCheck {
    fn meet(&mut self, tag: &Tag<'_>, before_video: bool) {
        if let Some((_, met)) = self.open.get_mut(&tag.offset) {
            // ffmpeg counts the sequence header of a codec that has frame type 1 as well.
            let key = tag.tag_type() == tag_type::VIDEO
                && (tag.header.encrypted()
                    || media::is_video_keyframe(tag.payload)
                    || media::is_video_sequence_header(tag.payload));
            *met = Some(if key { Met::Keyframe } else { Met::Other { before_video } });
        }
    }
}

/// Where in a tag a finding is made.
fn place(finding: &Finding) -> u64 {
    match finding {
        Finding::TimestampDecrease { .. }
        | Finding::TimestampJump { .. }
        | Finding::LostExtension(_)
        | Finding::Desync(_)
        | Finding::MetadataTime(_) => TIMESTAMP_AT,
        Finding::EmptyVideo | Finding::EmptyScript => 1,
        Finding::MetadataLate | Finding::MetadataAgain => 0,
        _ => TAG_HEADER_BYTES as u64,
    }
}

/// Findings that are kept one by one; a damaged file can have one for each tag.
pub const MAX_FINDINGS: usize = 1000;

/// Where the timestamp stands in a tag.
const TIMESTAMP_AT: u64 = 4;

/// Script data may be this much older than the tag before it.
const SCRIPT_SLACK_MS: i32 = 1000;

/// A step back from here on is an overflow.
const LOST_EXTENSION_MS: i32 = 0xf0_0000;

/// A track that ends so much earlier ends early.
const ENDS_EARLY_MS: i64 = 1000;

/// Durations are often rounded to seconds, and count the time of presentation.
const DURATION_SLACK_S: f64 = 1.0;
