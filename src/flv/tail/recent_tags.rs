//! The same of an output that cannot be looked at, a pipe, or that is many files: noted while it is written.

use std::collections::VecDeque;

use super::super::realign::{Role, TagFingerprint};
use super::super::tag::tag_type;
use super::types::{HEAD_FRAMES, MAX_TAIL_TAGS, MIN_FRAMES, MIN_KEYFRAMES, Tail};

/// The beginning and the end, so far, of what is written.
#[derive(Debug, Clone, Default)]
pub struct RecentTags {
    head: Vec<TagFingerprint>,
    /// Frames in `head`.
    head_frames: usize,
    tail: VecDeque<TagFingerprint>,
    /// Keyframes in `tail`.
    keyframes: usize,
    /// There is a picture.
    pictures: bool,
}

impl RecentTags {
    /// Notes a tag that was written at `time_ms`.
    pub fn note(&mut self, kind: u8, time_ms: u32, payload: &[u8]) {
        let known = TagFingerprint::of(kind, time_ms, payload);
        if self.head_frames < HEAD_FRAMES {
            self.head_frames += usize::from(known.is_coded());
            self.head.push(known);
        }
        self.pictures |= kind == tag_type::VIDEO;
        self.keyframes += usize::from(known.role == Role::Keyframe);
        self.tail.push_back(known);
        let most = if self.pictures { MAX_TAIL_TAGS } else { MIN_FRAMES };
        while self.tail.len() > most || (self.keyframes > MIN_KEYFRAMES && self.tail.len() > MIN_FRAMES) {
            let gone = self.tail.pop_front();
            self.keyframes -= usize::from(gone.is_some_and(|gone| gone.role == Role::Keyframe));
        }
    }

    /// What to look for in a stream that is sent again. `None`: there is no frame yet.
    pub fn tail(&self) -> Option<Tail> {
        let tail: Vec<TagFingerprint> = self.tail.iter().copied().collect();
        let head = self.head.clone();
        tail.iter().any(TagFingerprint::is_coded).then_some(Tail {
            length: 0,
            end: 0,
            flags: 0,
            head,
            tail,
            metadata: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::scan_end;
    use super::super::types::Found;
    use super::*;
    use crate::flv::sink::Output;
    use crate::flv::tag::FileHeader;
    use crate::flv::writer::Writer;
    use std::io::Cursor;

    /// What is noted of tags, and what is found of them in a file.
    fn both(tags: &[(u8, u32, Vec<u8>)]) -> (Tail, Tail) {
        let (output, memory) = Output::memory();
        let mut writer = Writer::new(output);
        writer.file_header(FileHeader::new(true, true)).unwrap();
        let mut recent_tags = RecentTags::default();
        for (kind, time, payload) in tags {
            writer.tag(*kind, *time, payload).unwrap();
            recent_tags.note(*kind, *time, payload);
        }
        writer.finish().unwrap();
        let Found::Tail(found) = scan_end(&mut Cursor::new(memory.bytes()), 0).unwrap() else { panic!() };
        (recent_tags.tail().unwrap(), *found)
    }

    #[test]
    fn it_holds_what_would_be_read_of_a_file() {
        let mut tags = vec![(8, 0, vec![0xaf, 0, 0x12]), (9, 0, vec![0x17, 0, 0, 0, 0, 1])];
        for frame in 0..2000u32 {
            let key = if frame % 50 == 0 { 0x17 } else { 0x27 };
            tags.push((9, frame * 40, [&[key, 1, 0, 0, 0][..], &frame.to_be_bytes()].concat()));
            tags.push((8, frame * 40 + 3, [&[0xaf, 1][..], &frame.to_be_bytes()].concat()));
        }
        let (recent_tags, found) = both(&tags);
        assert_eq!(recent_tags.head, found.head);
        assert!(recent_tags.tail.len() >= found.tail.len() && recent_tags.tail.ends_with(&found.tail));
        let keyframes = recent_tags.tail.iter().filter(|known| known.role == Role::Keyframe).count();
        assert_eq!(keyframes, MIN_KEYFRAMES);
        let sound: Vec<_> = tags.into_iter().filter(|(kind, ..)| *kind == 8).collect();
        let (recent_tags, found) = both(&sound);
        assert_eq!((recent_tags.head, recent_tags.tail), (found.head, found.tail));
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        let mut recent_tags = RecentTags::default();
        assert!(recent_tags.tail().is_none());
        for frame in 0..200_000u32 {
            recent_tags.note(9, frame, &[0x27, 1, 0, 0, 0]);
        }
        assert_eq!((recent_tags.head.len(), recent_tags.tail.len()), (HEAD_FRAMES, MAX_TAIL_TAGS));
    }
}
