//! Looks for the last tags of a file.

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};

use crate::proto::amf0::Object;

use super::super::reader::{FaultKind, Item, Reader, Tag};
use super::super::realign::{Role, TagFingerprint, role_of};
use super::super::script;
use super::super::tag::{
    DATA_OFFSET_BYTES, FILE_HEADER_BYTES, FileHeader, MAX_PAYLOAD_BYTES, PREVIOUS_TAG_SIZE_BYTES, TAG_HEADER_BYTES,
    TAG_OVERHEAD_BYTES, TagHeader, tag_type,
};
use super::types::{
    Found, HEAD_FRAMES, MAX_HEAD_BYTES, MAX_TAIL_BYTES, MAX_TAIL_TAGS, MIN_FRAMES, MIN_KEYFRAMES, Tail,
};

/// Looks at a file. `skip`: so many keyframes (or, where there is no picture, frames) before the last one are to be gone on
/// from, rather than from the very end; what lies behind counts as not there.
///
/// # Errors
/// Those of reading.
pub fn scan_end(file: &mut (impl Read + Seek), skip: u32) -> io::Result<Found> {
    scan_end_within(file, skip, MAX_TORN_BYTES)
}

fn scan_end_within(file: &mut (impl Read + Seek), skip: u32, torn_bytes: u64) -> io::Result<Found> {
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let mut head = read_head(file)?;
    let Some(header) = head.header else {
        let begun = length < FILE_HEADER_BYTES as u64 && head.is_begun;
        return Ok(if begun { Found::Nothing } else { Found::NotFlv });
    };
    let skip = (skip as usize).min(MAX_TAIL_TAGS);
    let wanted = Wanted { keyframes: skip + MIN_KEYFRAMES, frames: skip + MIN_FRAMES, torn_bytes };
    let first = u64::from(header.data_offset).clamp(DATA_OFFSET_BYTES as u64, length) + PREVIOUS_TAG_SIZE_BYTES as u64;
    let (start, end) = match step_back(file, first, length, &wanted)? {
        Stretch::Found(start, end) => (start, end),
        Stretch::Nothing => return Ok(Found::Nothing),
        Stretch::Broken => match walk_through(file, length, &wanted)? {
            Some(stretch) => stretch,
            None => return Ok(Found::Nothing),
        },
    };
    let mut tail = read_tail(file, start, end)?;
    if skip > 0 {
        let keyframes = tail.iter().filter(|(_, known)| known.role == Role::Keyframe).map(|(end, _)| *end);
        let mut ends: Vec<u64> = keyframes.collect();
        if ends.is_empty() {
            ends = tail.iter().filter(|(_, known)| known.is_coded()).map(|(end, _)| *end).collect();
        }
        let last = ends.len().saturating_sub(skip + 1);
        tail.retain(|(end, _)| ends.get(last).is_none_or(|last| end <= last));
    }
    let end = tail.last().map_or(start, |(end, _)| *end);
    head.tags.retain(|(tag_end, _)| *tag_end <= end);
    let known = |tags: Vec<(u64, TagFingerprint)>| tags.into_iter().map(|(_, known)| known).collect::<Vec<_>>();
    let (head_tags, tail) = (known(head.tags), known(tail));
    if !tail.iter().any(TagFingerprint::is_coded) {
        return Ok(Found::Nothing);
    }
    let metadata = head.metadata;
    Ok(Found::Tail(Box::new(Tail { length, end, flags: header.flags, head: head_tags, tail, metadata })))
}

/// The beginning of a file.
#[derive(Default)]
struct Head {
    header: Option<FileHeader>,
    /// What is there can become a header.
    is_begun: bool,
    /// Tags, each with the offset behind it.
    tags: Vec<(u64, TagFingerprint)>,
    metadata: Option<Object>,
}

fn read_head(file: &mut impl Read) -> io::Result<Head> {
    let mut start = Vec::new();
    file.by_ref().take(FILE_HEADER_BYTES as u64).read_to_end(&mut start)?;
    let model = FileHeader::new(false, false).encode();
    let mut head = Head {
        is_begun: start.iter().zip(model).enumerate().all(|(at, (byte, model))| at == 4 || *byte == model),
        ..Head::default()
    };
    let mut reader = Reader::new(start.as_slice().chain(file.take(MAX_HEAD_BYTES)));
    let mut coded = 0;
    while coded < HEAD_FRAMES {
        match reader.next_item()? {
            Some(Item::Tag(tag)) => {
                let known = fingerprint(&tag);
                coded += usize::from(known.is_coded());
                if head.metadata.is_none() {
                    head.metadata = script::metadata(tag.payload);
                }
                head.tags.push((tag.end(), known));
            }
            Some(Item::Fault(fault)) if fault.kind == FaultKind::NotFlv => return Ok(head),
            // At the end of what is read here a tag is always torn.
            Some(Item::Fault(_)) => {}
            None => break,
        }
    }
    head.header = reader.header();
    Ok(head)
}

/// Reads the tags of a sound stretch, each with the offset behind it.
fn read_tail(file: &mut (impl Read + Seek), start: u64, end: u64) -> io::Result<Vec<(u64, TagFingerprint)>> {
    file.seek(SeekFrom::Start(start))?;
    let mut reader = Reader::at_tag(file.take(end.saturating_sub(start)), start);
    let mut tags = Vec::new();
    while let Some(item) = reader.next_item()? {
        if let Item::Tag(tag) = item {
            tags.push((tag.end(), fingerprint(&tag)));
        }
    }
    Ok(tags)
}

fn fingerprint(tag: &Tag<'_>) -> TagFingerprint {
    TagFingerprint::of(tag.tag_type(), tag.timestamp_ms(), tag.payload)
}

/// How much of the end is wanted.
struct Wanted {
    keyframes: usize,
    /// Where there is no picture.
    frames: usize,
    /// Length of the longest torn tag that is looked behind.
    torn_bytes: u64,
}

/// What has been gathered of the end, counted backwards or forwards.
#[derive(Default)]
struct Count {
    keyframes: usize,
    video: usize,
    audio: usize,
    tags: usize,
}

impl Count {
    fn add(&mut self, header: TagHeader, payload: &[u8]) {
        self.tags += 1;
        match role_of(header.tag_type(), payload) {
            Role::Keyframe => self.keyframes += 1,
            Role::Frame if header.tag_type() == tag_type::AUDIO => self.audio += 1,
            Role::Frame => self.video += 1,
            Role::Header | Role::Other => {}
        }
    }

    fn is_enough(&self, wanted: &Wanted, bytes: u64) -> bool {
        let some = self.keyframes > wanted.keyframes - MIN_KEYFRAMES;
        (self.keyframes >= wanted.keyframes && self.video + self.audio >= MIN_FRAMES)
            || (self.keyframes + self.video == 0 && self.audio >= wanted.frames)
            || (some && (bytes >= MAX_TAIL_BYTES || self.tags >= MAX_TAIL_TAGS / 8))
            || self.tags >= MAX_TAIL_TAGS
    }
}

/// The last tags of a file.
enum Stretch {
    /// Where they begin and end.
    Found(u64, u64),
    /// There is none.
    Nothing,
    /// PreviousTagSizes do not lead to them.
    Broken,
}

fn step_back(file: &mut (impl Read + Seek), first: u64, length: u64, wanted: &Wanted) -> io::Result<Stretch> {
    let end = match last_whole(file, first, length, wanted.torn_bytes)? {
        LastWhole::EndsAt(end) => end,
        LastWhole::Missing if length.saturating_sub(first) <= wanted.torn_bytes => return Ok(Stretch::Nothing),
        LastWhole::Missing | LastWhole::Unclear => return Ok(Stretch::Broken),
    };
    let mut count = Count::default();
    let mut start = end;
    while start > first && !count.is_enough(wanted, end - start) {
        let Some((before, header)) = tag_before(file, first, start)? else { break };
        let mut payload = [0; GLANCE_BYTES];
        let glance = (header.payload_bytes as usize).min(GLANCE_BYTES);
        let glance = payload.get_mut(..glance).unwrap_or(&mut []);
        file.seek(SeekFrom::Start(before + TAG_HEADER_BYTES as u64))?;
        file.read_exact(glance)?;
        count.add(header, glance);
        start = before;
    }
    let useful = start <= first || count.keyframes > 0 || count.is_enough(wanted, end - start);
    Ok(if useful { Stretch::Found(start, end) } else { Stretch::Broken })
}

/// The tag that ends at `end`, by its PreviousTagSize: its offset and header, if they make sense.
fn tag_before(file: &mut (impl Read + Seek), first: u64, end: u64) -> io::Result<Option<(u64, TagHeader)>> {
    let Some(at) = end.checked_sub(PREVIOUS_TAG_SIZE_BYTES as u64) else { return Ok(None) };
    let mut size = [0; PREVIOUS_TAG_SIZE_BYTES];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut size)?;
    let size = u32::from_be_bytes(size);
    if size < TAG_HEADER_BYTES as u32 || size as usize > TAG_HEADER_BYTES + MAX_PAYLOAD_BYTES {
        return Ok(None);
    }
    let Some(start) = at.checked_sub(u64::from(size)).filter(|start| *start >= first) else { return Ok(None) };
    let mut header = [0; TAG_HEADER_BYTES];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut header)?;
    let header = TagHeader::decode(&header);
    Ok((header.is_plausible() && header.previous_tag_size() == size).then_some((start, header)))
}

/// The last whole tag before a torn one.
enum LastWhole {
    /// Offset of the byte after it.
    EndsAt(u64),
    /// There is none within the length of a torn tag.
    Missing,
    /// There are too many places to look at.
    Unclear,
}

/// Where the last whole tag is: at the end of the file, unless its last tag is torn.
fn last_whole(file: &mut (impl Read + Seek), first: u64, length: u64, torn_bytes: u64) -> io::Result<LastWhole> {
    if is_sound_end(file, first, length)? {
        return Ok(LastWhole::EndsAt(length));
    }
    let mut checks = 0;
    let lowest = length.saturating_sub(torn_bytes).max(first);
    let mut block = Vec::new();
    let mut top = length;
    while top > lowest {
        // Each block reaches a little into the one before it, so that no PreviousTagSize is cut in two.
        let bottom = top.saturating_sub(BLOCK_BYTES).max(lowest);
        block.clear();
        file.seek(SeekFrom::Start(bottom - PREVIOUS_TAG_SIZE_BYTES as u64))?;
        file.by_ref().take(top - bottom + PREVIOUS_TAG_SIZE_BYTES as u64).read_to_end(&mut block)?;
        for (at, size) in block.windows(PREVIOUS_TAG_SIZE_BYTES).enumerate().rev() {
            // Cheap doubts first: a size has 24 bits, and room for it before.
            let end = bottom + at as u64;
            let size = size.first_chunk().map_or(0, |size| u32::from_be_bytes(*size)) as usize;
            let is_size = (TAG_HEADER_BYTES..=TAG_HEADER_BYTES + MAX_PAYLOAD_BYTES).contains(&size);
            if !is_size || end >= length || end <= first {
                continue;
            }
            checks += 1;
            if checks > MAX_CHECKS {
                return Ok(LastWhole::Unclear);
            }
            if is_sound_end(file, first, end)? {
                return Ok(LastWhole::EndsAt(end));
            }
        }
        top = bottom;
    }
    Ok(LastWhole::Missing)
}

/// Whether whole tags end at `end`: several in a row, or all there are.
fn is_sound_end(file: &mut (impl Read + Seek), first: u64, end: u64) -> io::Result<bool> {
    let mut end = end;
    for _ in 0..SOUND_TAGS {
        match tag_before(file, first, end)? {
            Some((start, _)) if start == first => return Ok(true),
            Some((start, _)) => end = start,
            None => return Ok(false),
        }
    }
    Ok(true)
}

/// Where the last tags begin and end, found by a walk through all of a damaged file.
fn walk_through(file: &mut (impl Read + Seek), length: u64, wanted: &Wanted) -> io::Result<Option<(u64, u64)>> {
    file.rewind()?;
    let mut reader = Reader::new(file);
    // Offsets only, and whether it is a keyframe.
    let mut tags: VecDeque<(u64, bool)> = VecDeque::new();
    let (mut end, mut keyframes, mut pictures, mut behind_damage) = (0, 0, false, false);
    while let Some(item) = reader.next_item()? {
        match item {
            Item::Tag(tag) if tag.end() <= length => {
                if std::mem::take(&mut behind_damage) {
                    tags.clear();
                    keyframes = 0;
                }
                let role = role_of(tag.tag_type(), tag.payload);
                tags.push_back((tag.offset, role == Role::Keyframe));
                end = tag.end();
                keyframes += usize::from(role == Role::Keyframe);
                pictures |= tag.tag_type() == tag_type::VIDEO;
                let most = if pictures { MAX_TAIL_TAGS } else { wanted.frames };
                while tags.len() > most || (keyframes > wanted.keyframes && tags.len() > MIN_FRAMES) {
                    keyframes -= usize::from(tags.pop_front().is_some_and(|(_, keyframe)| keyframe));
                }
            }
            Item::Tag(_) => {}
            Item::Fault(fault) => {
                behind_damage |= matches!(fault.kind, FaultKind::Garbage { .. } | FaultKind::SecondHeader);
            }
        }
    }
    Ok(tags.front().map(|(start, _)| (*start, end)))
}

/// Bytes of a payload that tell what it is.
const GLANCE_BYTES: usize = 64;
/// A torn tag is no longer than this.
const MAX_TORN_BYTES: u64 = (MAX_PAYLOAD_BYTES + TAG_OVERHEAD_BYTES) as u64;
/// How much is looked through at once for the end of the last whole tag.
const BLOCK_BYTES: u64 = 64 << 10;
/// Sizes that are followed to the tag before them: each costs some reads. With more of them the whole file is read instead.
const MAX_CHECKS: u32 = 20_000;
/// So many tags in a row are no coincidence.
const SOUND_TAGS: u32 = 4;

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
