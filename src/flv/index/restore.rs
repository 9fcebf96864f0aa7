//! The index of a file that is resumed: read from the tags' headers, not from what it said when the file broke off.

use std::io::{self, Read, Seek, SeekFrom};

use crate::proto::amf0::{Object, Value};

use super::super::script;
use super::super::tag::{FILE_HEADER_BYTES, TAG_HEADER_BYTES, TagHeader, tag_type};
use super::super::timeline::unwrap_near;
use super::build::{ENTRY_BYTES, FILLER, Index, LATE_BYTES, OWN_BYTES, TAIL, encoded_bytes, server_properties};

/// Whether metadata was written by an [`Index`].
pub fn is_ours(metadata: &Object) -> bool {
    let is_filler =
        |(name, value): &(String, Value)| name.starts_with(FILLER) && matches!(value, Value::StrictArray(_));
    metadata.properties.last().is_some_and(is_filler)
}

/// The index of a file that begins with one, for its tags before `end`, and whether that is what stands there. `None` if it does
/// not begin with one, or a tag makes no sense. Of each tag the header and the first bytes are read.
///
/// # Errors
/// Those of reading.
pub fn restore(file: &mut (impl Read + Seek), end: u64) -> io::Result<Option<(Index, bool)>> {
    let first = FILE_HEADER_BYTES as u64;
    let mut bytes = [0; TAG_HEADER_BYTES + GLANCE_BYTES];
    let Some((header, _)) = glance(file, first, end, &mut bytes)? else { return Ok(None) };
    if header.tag_type() != tag_type::SCRIPT || header.payload_bytes as usize > MAX_OURS_BYTES {
        return Ok(None);
    }
    let mut payload = Vec::new();
    file.seek(SeekFrom::Start(first + TAG_HEADER_BYTES as u64))?;
    file.by_ref().take(header.payload_bytes.into()).read_to_end(&mut payload)?;
    let Some(mut index) = script::metadata(&payload).and_then(|metadata| Index::like(&metadata, payload.len())) else {
        return Ok(None);
    };
    let mut offset = first + header.total_bytes() as u64;
    let mut last = 0;
    while offset < end {
        let Some((header, payload)) = glance(file, offset, end, &mut bytes)? else { return Ok(None) };
        let time = unwrap_near(header.timestamp_ms, last).max(0);
        if matches!(header.tag_type(), tag_type::AUDIO | tag_type::VIDEO) {
            last = time;
        }
        index.observe_part(header.tag_type(), time as u64, payload, header.payload_bytes as usize, offset);
        offset += header.total_bytes() as u64;
    }
    let is_current = payload.starts_with(&index.patch(end));
    Ok(Some((index, is_current)))
}

impl Index {
    /// An index with nothing in it, of the size and with the server's properties of one in a file.
    fn like(metadata: &Object, payload_bytes: usize) -> Option<Self> {
        if !is_ours(metadata) {
            return None;
        }
        // Ours come first, the keyframes last of them; without any there is nothing yet but what has names of its own.
        let behind = metadata.properties.iter().position(|(name, _)| name == "keyframes").map_or(0, |at| at + 1);
        let server = Object { properties: metadata.properties.get(behind..)?.to_vec() };
        let server = server_properties(&server);
        let has_server = !server.properties.is_empty();
        let fixed = OWN_BYTES + encoded_bytes(&server);
        // Earlier versions left no room for late metadata in files that had some from the beginning.
        let late = if payload_bytes >= fixed + LATE_BYTES + 2 * ENTRY_BYTES { LATE_BYTES } else { 0 };
        let capacity = payload_bytes.checked_sub(fixed + late)? / ENTRY_BYTES;
        let mut index = Self::new(None, capacity);
        index.payload_bytes = payload_bytes;
        index.capacity = capacity.max(2);
        index.server = server;
        index.has_server = has_server;
        index.server_room = fixed - OWN_BYTES + late;
        // All of it may be something else than zeros.
        index.front_bytes = payload_bytes.checked_sub(TAIL.len())?;
        Some(index)
    }
}

/// The header of the tag at `offset`, which is to be whole before `end`, and the first bytes of its payload, in one read.
fn glance<'a>(
    file: &mut (impl Read + Seek),
    offset: u64,
    end: u64,
    into: &'a mut [u8; TAG_HEADER_BYTES + GLANCE_BYTES],
) -> io::Result<Option<(TagHeader, &'a [u8])>> {
    let there = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX).min(into.len());
    let Some(into) = into.get_mut(..there) else { return Ok(None) };
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(into)?;
    let Some((header, payload)) = into.split_first_chunk() else { return Ok(None) };
    let header = TagHeader::decode(header);
    if !header.is_plausible() || offset + header.total_bytes() as u64 > end {
        return Ok(None);
    }
    let payload = payload.get(..header.payload_bytes as usize).unwrap_or(payload);
    Ok(Some((header, payload)))
}

/// Bytes of a payload that tell what it is.
const GLANCE_BYTES: usize = 64;

/// Metadata larger than this is not ours.
const MAX_OURS_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flv::index::RESERVED_KEYFRAMES;
    use crate::flv::sink::Output;
    use crate::flv::tag::FileHeader;
    use crate::flv::writer::Writer;
    use std::io::Cursor;

    /// A file of `frames` frames that begins with an index, and what the index writes of it.
    fn file(server: Option<&Object>, frames: u32, audio: bool, video: bool) -> (Vec<u8>, Vec<u8>) {
        let (output, memory) = Output::memory();
        let mut writer = Writer::new(output);
        writer.file_header(FileHeader::new(audio, video)).unwrap();
        let mut index = Index::new(server, RESERVED_KEYFRAMES);
        let at = writer.tag(tag_type::SCRIPT, 0, &index.encode(0)).unwrap() + TAG_HEADER_BYTES as u64;
        let mut put = |kind: u8, time: u32, payload: &[u8]| {
            let offset = writer.tag(kind, time, payload).unwrap();
            index.observe(kind, time.into(), payload, offset);
        };
        put(tag_type::SCRIPT, 0, b"\x02\0\x01x\x05");
        for frame in 0..frames {
            let key: &[u8] = if frame % 10 == 0 { &[0x17, 1, 0, 0, 0, 9] } else { &[0x27, 1, 0, 0, 0] };
            if video {
                put(tag_type::VIDEO, frame * 40, &[key, &[7; 90]].concat());
            }
            if audio {
                put(tag_type::AUDIO, frame * 40 + 3, &[0xaf, 1, 9]);
            }
        }
        writer.flush().unwrap();
        let patch = index.patch(writer.position());
        let stale = memory.bytes();
        writer.patch(at, &patch).unwrap();
        (stale, memory.bytes())
    }

    #[test]
    fn what_was_written_comes_back_from_the_tags() {
        let server = Object::default()
            .with("duration", 99.0)
            .with("width", 640.0)
            .with("framerate", 0.0)
            .with("videocodecid", 7.0)
            .with("encoder", "x");
        for (audio, video) in [(true, true), (true, false), (false, true)] {
            for server in [None, Some(&server)] {
                let (stale, whole) = file(server, 100, audio, video);
                // From what was there when it broke off, and from what it said at its end.
                for bytes in [&stale, &whole] {
                    let restored = restore(&mut Cursor::new(bytes), bytes.len() as u64).unwrap();
                    let (mut index, is_current) = restored.unwrap();
                    assert_eq!(is_current, bytes == &whole);
                    let mut mended = bytes.clone();
                    let at = FILE_HEADER_BYTES + TAG_HEADER_BYTES;
                    let patch = index.patch(bytes.len() as u64);
                    mended[at..at + patch.len()].copy_from_slice(&patch);
                    assert!(mended == whole, "{audio} {video} {}", server.is_some());
                }
            }
        }
    }

    #[test]
    fn other_files_have_none() {
        let (bytes, _) = file(None, 10, true, true);
        for end in [0, 13, 40, bytes.len() as u64 - 3] {
            assert!(restore(&mut Cursor::new(&bytes), end).unwrap().is_none(), "{end}");
        }
        let mut broken = bytes.clone();
        let at = broken.len() - 18;
        broken[at] = 0xff;
        assert!(restore(&mut Cursor::new(&broken), broken.len() as u64).unwrap().is_none());
        let mut foreign = bytes.clone();
        let filler = foreign.windows(6).position(|window| window == b"filler").unwrap();
        foreign[filler] = b'F';
        assert!(restore(&mut Cursor::new(&foreign), foreign.len() as u64).unwrap().is_none());
    }
}
