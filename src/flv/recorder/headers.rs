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

impl Headers {
    /// Notes a header. `true`: it is the one that was there.
    pub(super) fn set(&mut self, track: Track, payload: &[u8]) -> bool {
        let slot = match track {
            Track::Audio => enhanced::audio_header_slot(payload),
            Track::Video => enhanced::video_header_slot(payload),
        };
        let slot = (track, slot);
        match self.known.iter_mut().find(|(known, _)| *known == slot) {
            Some((_, last)) if last == payload => true,
            Some((_, last)) => {
                last.clear();
                last.extend_from_slice(payload);
                false
            }
            None => {
                if self.known.len() >= MAX_HEADERS {
                    self.known.remove(0);
                }
                self.known.push((slot, payload.to_vec()));
                false
            }
        }
    }
}

/// Headers that are remembered: those of more tracks than any stream has; a server that makes up more has them written anew.
const MAX_HEADERS: usize = 64;
