//! Whether a connection brings more than the one before: a server that sends the same few frames and closes, again and again,
//! brings nothing new.

use std::hash::{DefaultHasher, Hasher};

use crate::proto::message::Message;

/// Compares connections by their first frame and the number of frames.
#[derive(Debug, Default)]
pub(super) struct Novelty {
    present: Option<Frames>,
    before: Option<Frames>,
}

#[derive(Debug, Clone, Copy)]
struct Frames {
    /// Timestamp and hash of the first one.
    first: (u32, u64),
    count: u64,
}

impl Novelty {
    /// Another connection begins.
    pub(super) fn begin_connection(&mut self) {
        let Some(present) = self.present.take() else { return };
        let is_less = |before: Frames| before.first == present.first && before.count > present.count;
        self.before = self.before.filter(|before| is_less(*before)).or(Some(present));
    }

    /// A frame came.
    #[inline]
    pub(super) fn note(&mut self, message: &Message<'_>) {
        match &mut self.present {
            Some(frames) => frames.count += 1,
            None => self.present = Some(Frames { first: fingerprint(message), count: 1 }),
        }
    }

    /// Whether the present connection has brought something that the one before had not.
    pub(super) fn is_new(&self) -> bool {
        match (self.present, self.before) {
            (Some(present), Some(before)) if present.first == before.first => present.count > before.count,
            (present, _) => present.is_some(),
        }
    }
}

fn fingerprint(message: &Message<'_>) -> (u32, u64) {
    let mut hasher = DefaultHasher::new();
    hasher.write(message.payload);
    (message.header.timestamp, hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::message::{MessageHeader, message_type};

    fn connection(novelty: &mut Novelty, frames: impl IntoIterator<Item = (u32, &'static [u8])>) -> bool {
        novelty.begin_connection();
        for (timestamp, payload) in frames {
            let header = MessageHeader {
                chunk_stream_id: 4,
                message_type_id: message_type::VIDEO,
                timestamp,
                message_stream_id: 1,
                length: payload.len() as u32,
            };
            novelty.note(&Message { header, payload });
        }
        novelty.is_new()
    }

    #[test]
    fn the_same_few_frames_are_nothing_new() {
        let start = |count: u32| (0..count).map(|frame| (frame * 40, &b"\x17\x01key"[..]));
        let mut novelty = Novelty::default();
        assert!(connection(&mut novelty, start(3)));
        assert!(!connection(&mut novelty, start(3)) && !connection(&mut novelty, start(2)));
        assert!(!connection(&mut novelty, start(3)), "fewer in between do not make it new");
        assert!(connection(&mut novelty, start(4)), "more of it");
        assert!(!connection(&mut novelty, []));
        assert!(connection(&mut novelty, [(0, &b"\x17\x01other"[..])]), "another picture");
        assert!(connection(&mut novelty, [(40, &b"\x17\x01other"[..])]), "another time");
    }
}
