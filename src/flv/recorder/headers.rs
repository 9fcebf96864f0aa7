//! The sequence headers in force, to know them again.

use crate::proto::enhanced;

use super::super::timeline::Track;

/// One header for each place that a stream has for them: a medium's legacy one, and in Enhanced RTMP one of each kind for
/// each track.
#[derive(Default)]
pub struct Headers {
    known: Vec<(Slot, Vec<u8>)>,
}

/// Medium, packet type, track.
type Slot = (Track, Option<(u8, u8)>);

/// What a header is to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The one that was there.
    Same,
    /// Another in the place of one.
    Changed,
    /// The first of its place.
    Added,
}

impl Headers {
    /// Notes a header.
    pub(super) fn set(&mut self, track: Track, payload: &[u8]) -> Seen {
        let slot = match track {
            Track::Audio => enhanced::audio_header_slot(payload),
            Track::Video => enhanced::video_header_slot(payload),
        };
        let slot = (track, slot);
        match self.known.iter_mut().find(|(known, _)| *known == slot) {
            Some((_, last)) if last == payload => Seen::Same,
            Some((_, last)) => {
                last.clear();
                last.extend_from_slice(payload);
                Seen::Changed
            }
            None => {
                if self.known.len() >= MAX_HEADERS {
                    self.known.remove(0);
                }
                self.known.push((slot, payload.to_vec()));
                Seen::Added
            }
        }
    }

    /// All of them, with the medium that each belongs to, in the order in which their places were first taken.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Track, &[u8])> {
        self.known.iter().map(|((track, _), payload)| (*track, payload.as_slice()))
    }
}

/// Headers that are remembered: those of more tracks than any stream has; a server that makes up more has them written anew.
const MAX_HEADERS: usize = 64;
