//! Makes a sound and seekable FLV of a cut, damaged or foreign one.
//!
//! Two walks: the first finds what is whole, the second writes it to a new file beside the target, with true header flags and
//! an onMetaData that has an index of all keyframes, and puts that in the target's place in one step. Audio and video tags stay
//! byte for byte, in their order and with their times.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use crate::proto::amf0::Object;

use super::index::Index;
use super::reader::{Fault, Item, Reader, Tag};
use super::script;
use super::sink::Output;
use super::tag::{FileHeader, TAG_HEADER_BYTES, tag_type};
use super::timeline::unwrap_near;
use super::writer::Writer;
use crate::util::replace::Replacement;

/// What a repair found and did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// What was wrong with the framing, the first [`MAX_FAULTS_KEPT`].
    pub faults: Vec<Fault>,
    /// How much was wrong.
    pub fault_count: u64,
    /// The header's flags before, if there was a header, and after.
    pub flags: (Option<u8>, u8),
    /// Tags kept: audio.
    pub audio_tags: u64,
    /// Tags kept: video.
    pub video_tags: u64,
    /// Tags kept: script data other than the metadata that went into the new one.
    pub script_tags: u64,
    /// Keyframes, all of them in the index.
    pub keyframes: u64,
    /// Length in milliseconds.
    pub duration_ms: u64,
    /// Bytes of the file before and after.
    pub bytes: (u64, u64),
}

/// Looks through `input` for what [`repair`] would repair; nothing is changed. What the report says of the new file is zero.
///
/// # Errors
/// As [`repair`].
pub fn examine(input: &Path) -> io::Result<Report> {
    look_through(&mut File::open(input)?).map(|findings| findings.report)
}

/// Repairs `input`, in its own place or into `output`. The target appears or changes only once everything is on the disk.
///
/// # Errors
/// Those of the file system; `InvalidData` if there is no audio or video to be found in `input`, which then stays as it is.
pub fn repair(input: &Path, output: Option<&Path>) -> io::Result<Report> {
    let mut source = File::open(input)?;
    let mut findings = look_through(&mut source)?;
    let mut new = Replacement::new(output.unwrap_or(input))?;
    source.rewind()?;
    rewrite(&mut source, &mut findings, new.file().try_clone()?)?;
    new.commit(true)?;
    Ok(findings.report)
}

/// The first walk, which has to find audio or video.
fn look_through(source: &mut File) -> io::Result<Findings> {
    let bytes = source.metadata()?.len();
    let mut findings = survey(source)?;
    findings.report.bytes.0 = bytes;
    if findings.flags == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "there are no audio or video tags in this file"));
    }
    Ok(findings)
}

/// What the first walk found.
#[derive(Default)]
struct Findings {
    report: Report,
    /// Flags of the tracks that are there.
    flags: u8,
    /// Audio and video tags: all of them have to be in the new file.
    media_tags: (u64, u64),
    /// The first onMetaData, and the offset of its tag.
    metadata: Option<(u64, Object)>,
}

/// The first walk.
fn survey(source: impl Read) -> io::Result<Findings> {
    let mut findings = Findings::default();
    let mut counter = Index::new(None, COUNTER_CAPACITY);
    let mut reader = Reader::new(source);
    let mut clock = Clock::default();
    while let Some(item) = reader.next_item()? {
        match item {
            Item::Fault(fault) => {
                findings.report.fault_count += 1;
                if findings.report.faults.len() < MAX_FAULTS_KEPT {
                    findings.report.faults.push(fault);
                }
            }
            Item::Tag(tag) => {
                match tag.tag_type() {
                    tag_type::AUDIO => {
                        findings.flags |= FileHeader::AUDIO;
                        findings.media_tags.0 += 1;
                    }
                    tag_type::VIDEO => {
                        findings.flags |= FileHeader::VIDEO;
                        findings.media_tags.1 += 1;
                    }
                    _ => {}
                }
                if tag.tag_type() == tag_type::SCRIPT && findings.metadata.is_none() {
                    findings.metadata = script::metadata(tag.payload).map(|object| (tag.offset, object));
                }
                counter.observe(tag.tag_type(), clock.unwrap(&tag), visible(&tag), tag.offset);
            }
        }
    }
    let report = &mut findings.report;
    report.flags = (reader.header().map(|header| header.flags), findings.flags);
    report.keyframes = counter.keyframes();
    report.duration_ms = counter.duration_ms();
    Ok(findings)
}

/// The second walk.
fn rewrite(source: impl Read, findings: &mut Findings, target: File) -> io::Result<()> {
    let report = &mut findings.report;
    let mut writer = Writer::new(Output::from_file(target)?);
    writer.file_header(FileHeader { flags: findings.flags, ..FileHeader::new(false, false) })?;
    // Audio alone gets an entry every other second at the most.
    let entries =
        if findings.flags & FileHeader::VIDEO != 0 { report.keyframes } else { report.duration_ms / 2_000 + 2 };
    let capacity = usize::try_from(entries).unwrap_or(MAX_ENTRIES).min(MAX_ENTRIES);
    let mut index = Index::new(findings.metadata.as_ref().map(|(_, object)| object), capacity);
    let taken_over = findings.metadata.as_ref().filter(|_| index.has_server_metadata()).map(|(offset, _)| *offset);
    let index_at = writer.tag(tag_type::SCRIPT, 0, &index.encode(0))? + TAG_HEADER_BYTES as u64;
    let mut reader = Reader::new(source);
    let mut clock = Clock::default();
    while let Some(item) = reader.next_item()? {
        let Item::Tag(tag) = item else { continue };
        match tag.tag_type() {
            // The new onMetaData takes the place of one that cannot be read.
            tag_type::SCRIPT
                if tag.payload.starts_with(script::ON_META_DATA) && script::metadata(tag.payload).is_none() =>
            {
                continue;
            }
            tag_type::AUDIO => report.audio_tags += 1,
            tag_type::VIDEO => report.video_tags += 1,
            tag_type::SCRIPT | tag_type::SCRIPT_AMF3 if taken_over != Some(tag.offset) => report.script_tags += 1,
            _ => continue,
        }
        let mut header = tag.header;
        header.first_byte &= 0x3f;
        header.stream_id = 0;
        let offset = writer.tag_with(header, tag.payload)?;
        index.observe(tag.tag_type(), clock.unwrap(&tag), visible(&tag), offset);
    }
    if (report.audio_tags, report.video_tags) != findings.media_tags {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file changed while it was being repaired"));
    }
    writer.flush()?;
    report.bytes.1 = writer.position();
    let patch = index.patch(writer.position());
    writer.patch(index_at, &patch)?;
    writer.finish()
}

/// What can be read of a payload: nothing if it is encrypted.
fn visible<'a>(tag: &Tag<'a>) -> &'a [u8] {
    if tag.header.encrypted() { &[] } else { tag.payload }
}

/// Unwraps the times of a file whose recording passed the 32-bit mark.
#[derive(Default)]
struct Clock {
    last: i64,
}

impl Clock {
    fn unwrap(&mut self, tag: &Tag<'_>) -> u64 {
        let time = unwrap_near(tag.timestamp_ms(), self.last);
        // Script data may bear any time.
        if matches!(tag.tag_type(), tag_type::AUDIO | tag_type::VIDEO) {
            self.last = time.max(0);
        }
        time.max(0) as u64
    }
}

/// Faults that are listed one by one.
pub const MAX_FAULTS_KEPT: usize = 1000;
/// Keyframes in the index at the most, 72 bytes of memory each while it is written; beyond that it is thinned.
const MAX_ENTRIES: usize = 1 << 16;
/// The first walk only counts.
const COUNTER_CAPACITY: usize = 16;

#[cfg(test)]
mod tests;
