//! The output once it is open: tags, and a header and an index that are kept true.

use std::io;

use crate::proto::amf0::Object;

use super::super::index::Index;
use super::super::sink::Output;
use super::super::tag::{FILE_HEADER_BYTES, FileHeader, TAG_HEADER_BYTES, tag_type};
use super::super::writer::Writer;

/// The output once it is open.
pub struct RecordedFile {
    pub(super) writer: Writer,
    pub(super) index: Option<Index>,
    /// It had a name at the beginning: losing it is losing the file.
    is_named: bool,
    /// Flags in the file header, and those that are true.
    written_flags: u8,
    seen: u8,
    /// Time of the recording at which the file's time is 0, and of the file's last frame.
    pub(super) origin_ms: u64,
    pub(super) last_ms: u64,
    /// The same after a failed write, where it is known how far the file goes.
    pub(super) saved_ms: Option<u64>,
    next_flush_ms: u64,
    next_patch_ms: u64,
}

impl RecordedFile {
    /// Writes the file header and, if there is to be one, the index; `metadata` is what it can take over, and
    /// for how many keyframes it has room.
    pub(super) fn begin(
        output: Output,
        flags: u8,
        metadata: Option<(Option<&Object>, usize)>,
        now_ms: u64,
    ) -> io::Result<Self> {
        let mut writer = Writer::new(output);
        writer.file_header(FileHeader { flags, ..FileHeader::new(false, false) })?;
        let mut index = metadata.map(|(server, entries)| Index::new(server, entries));
        if let Some(index) = &mut index {
            writer.tag(tag_type::SCRIPT, 0, &index.encode(0))?;
        }
        Ok(Self { seen: 0, ..Self::behind(writer, flags, index, now_ms) })
    }

    /// Goes on with a file in which there are tags of what `flags` says. Without the index that it begins with, its metadata
    /// stays as it is.
    pub(super) fn behind(mut writer: Writer, flags: u8, index: Option<Index>, now_ms: u64) -> Self {
        Self {
            is_named: writer.check_not_unlinked().is_ok(),
            writer,
            index,
            written_flags: flags,
            seen: flags,
            origin_ms: 0,
            last_ms: 0,
            saved_ms: None,
            next_flush_ms: now_ms.saturating_add(FLUSH_MS),
            next_patch_ms: now_ms.saturating_add(FIRST_PATCH_MS),
        }
    }

    /// Writes a tag at a time of the file.
    #[inline]
    pub(super) fn tag(&mut self, kind: u8, time: u64, payload: &[u8]) -> io::Result<()> {
        // Past 2³² ms the field wraps.
        let offset = self.writer.tag(kind, time as u32, payload)?;
        match kind {
            tag_type::AUDIO => self.seen |= FileHeader::AUDIO,
            tag_type::VIDEO => self.seen |= FileHeader::VIDEO,
            _ => {}
        }
        if let Some(index) = &mut self.index {
            index.observe(kind, time, payload, offset);
        }
        Ok(())
    }

    /// A pipe gets everything at once, because it is read as it is written. A file gets it once a second, and after it header
    /// and index are brought up to date, so that a crash loses little.
    pub(super) fn periodic_update(&mut self, now_ms: u64) -> io::Result<()> {
        if !self.writer.is_seekable() {
            return self.writer.flush();
        }
        if now_ms < self.next_flush_ms {
            return Ok(());
        }
        self.next_flush_ms = now_ms + FLUSH_MS;
        self.writer.flush()?;
        if now_ms >= self.next_patch_ms {
            self.next_patch_ms = now_ms + PATCH_MS;
            self.patch()?;
            if self.is_named {
                self.writer.check_not_unlinked()?;
            }
        }
        Ok(())
    }

    /// Brings the header's flags and the index up to what is in the file.
    pub(super) fn patch(&mut self) -> io::Result<()> {
        if !self.writer.is_seekable() {
            return Ok(());
        }
        if !self.writer.has_failed() {
            self.writer.flush()?;
        }
        if self.written_flags != self.seen {
            self.writer.patch(FileHeader::FLAGS_OFFSET, &[self.seen])?;
            self.written_flags = self.seen;
        }
        if let Some(index) = &mut self.index {
            let patch = index.patch(self.writer.written_bytes());
            self.writer.patch(INDEX_AT, &patch)?;
        }
        Ok(())
    }

    /// Everything is written, header and index say what is in the file.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let flushed = self.writer.flush();
        let flushed = self.writer.drain().and(flushed);
        if self.writer.has_failed() {
            self.rebuild_index_from_file();
        }
        let patched = self.patch();
        let named = if self.is_named { self.writer.check_not_unlinked() } else { Ok(()) };
        flushed.and(patched).and(named)
    }

    /// After a failed write: the index knows of tags that are not in the file, so it is rebuilt from those that are.
    fn rebuild_index_from_file(&mut self) {
        let Some(index) = &mut self.index else { return };
        match self.writer.read_index() {
            Some(restored) => {
                self.saved_ms = Some(self.origin_ms + restored.last_ms());
                *index = restored;
            }
            // What can be said without reading.
            None => index.forget_beyond(self.writer.written_bytes()),
        }
    }
}

/// Where the index's payload begins.
const INDEX_AT: u64 = (FILE_HEADER_BYTES + TAG_HEADER_BYTES) as u64;
/// A file gets what was gathered at least this often.
const FLUSH_MS: u64 = 1_000;
/// The index of a file is brought up to date this often, the first time a little sooner.
const PATCH_MS: u64 = 5_000;
const FIRST_PATCH_MS: u64 = 1_000;
