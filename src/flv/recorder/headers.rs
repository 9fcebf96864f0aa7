//! The sequence headers in force, to know them again.

use crate::proto::media;

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
            Track::Audio => media::audio_header_slot(payload),
            Track::Video => media::video_header_slot(payload),
        };
        let slot = (track, slot);
        if payload.len() > MAX_HEADER_BYTES {
            let before = self.known.len();
            self.known.retain(|(known, _)| *known != slot);
            return if self.known.len() < before { Seen::Changed } else { Seen::Added };
        }
        match self.known.iter_mut().find(|(known, _)| *known == slot) {
            Some((_, last)) if last == payload => Seen::Same,
            Some((_, last)) => {
                *last = payload.to_vec();
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

/// Headers that are kept: those of more tracks than any stream has; a server that makes up more has them written again.
const MAX_HEADERS: usize = 64;

/// A longer header is written and not kept: real ones have some hundred bytes, and all of them together are to stay
/// within a few megabytes whatever a server sends.
const MAX_HEADER_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn header(track: u8, bytes: usize, fill: u8) -> Vec<u8> {
        [&[0x96, 0x00, b'a', b'v', b'c', b'1', track][..], &vec![fill; bytes]].concat()
    }

    #[test]
    fn each_place_has_its_header() {
        let mut headers = Headers::default();
        assert_eq!(headers.set(Track::Video, &header(0, 9, 1)), Seen::Added);
        assert_eq!(headers.set(Track::Video, &header(1, 9, 1)), Seen::Added);
        assert_eq!(headers.set(Track::Video, &header(0, 9, 1)), Seen::Same);
        assert_eq!(headers.set(Track::Video, &header(0, 9, 2)), Seen::Changed);
        assert_eq!(headers.set(Track::Video, &header(0, 9, 2)), Seen::Same);
        assert_eq!(headers.iter().count(), 2);
    }

    #[test]
    fn what_a_server_makes_up_is_bounded() {
        let mut headers = Headers::default();
        for round in 0..3 {
            for track in 0..=255 {
                headers.set(Track::Video, &header(track, MAX_HEADER_BYTES - 7, round));
                headers.set(Track::Video, &header(track, 1 << 20, round));
                headers.set(Track::Video, &header(track, MAX_HEADER_BYTES - 7, round + 1));
            }
        }
        let held: usize = headers.known.iter().map(|(_, payload)| payload.capacity()).sum();
        assert!(held <= MAX_HEADERS * MAX_HEADER_BYTES, "{held}");
        let mut headers = Headers::default();
        headers.set(Track::Video, &header(0, 9, 1));
        assert_eq!(headers.set(Track::Video, &header(0, 1 << 20, 1)), Seen::Changed);
        assert_eq!(headers.set(Track::Video, &header(0, 9, 1)), Seen::Added, "not the one in force");
    }
}
