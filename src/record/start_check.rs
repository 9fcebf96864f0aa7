//! Whether a stream that is asked for from some point on begins there, and can be decoded.
//!
//! ```text
//! server                       play 0 for a moment        what is done
//! sends no sequence headers    sends them                 they are put in front (nginx-rtmp does so for files with an index)
//! ignores the point            sends the same frames      what precedes the point is left out
//! ```
//!
//! The beginning is only asked for if something is missing, or the first time is one that a beginning has.

use std::hash::{DefaultHasher, Hasher};
use std::time::{Duration, Instant};

use crate::connect::{Connector, Failure};
use crate::proto::media::{AudioCodec, AudioTag, Class, FourCc, Kind, Track, VideoCodec, VideoTag};
use crate::proto::message::Message;
use crate::proto::session::Event;
use crate::transport::Interrupt;

use super::end::EndReason;
use super::reconnect::BufferedMessage;

/// Looks at the first frame of each track.
#[derive(Debug)]
pub(super) struct StartCheck {
    start_ms: u32,
    /// Of audio and video: the sequence header has come; the first frame was looked at.
    has_header: [bool; 2],
    is_checked: [bool; 2],
    beginning: Option<Beginning>,
    /// The server ignores the point asked for: frames before it are left out.
    is_ignored: bool,
    /// The first frame after it has come.
    has_begun: bool,
}

/// What the stream begins with.
#[derive(Debug, Default)]
struct Beginning {
    headers: Vec<BufferedMessage>,
    /// Hashes of the first audio and video frame.
    first: [Option<u64>; 2],
}

/// What to do with a message.
#[derive(Debug)]
pub(super) enum Check {
    /// It precedes the point asked for.
    Drop,
    /// It is recorded, after these.
    Take(Vec<BufferedMessage>),
}

impl StartCheck {
    /// For a stream that is asked for from `start_ms` on.
    pub(super) fn new(start_ms: u64) -> Self {
        Self {
            start_ms: u32::try_from(start_ms).unwrap_or(u32::MAX),
            has_header: [false; 2],
            is_checked: [false; 2],
            beginning: None,
            is_ignored: false,
            has_begun: false,
        }
    }

    /// Looks at a message before it is recorded. May connect once more, for a few seconds.
    ///
    /// # Errors
    /// [`EndReason::NoHeaders`].
    pub(super) fn look(
        &mut self,
        message: &Message<'_>,
        class: Class,
        connector: &Connector,
        interrupt: &Interrupt,
    ) -> Result<Check, EndReason> {
        let Some(track) = class.track else { return Ok(Check::Take(Vec::new())) };
        let (index, time) = (index_of(track), message.header.timestamp);
        if class.kind == Kind::Config {
            *set(&mut self.has_header, index) = true;
        }
        if !class.kind.is_coded() {
            return Ok(Check::Take(Vec::new()));
        }
        let mut headers = Vec::new();
        if !std::mem::replace(set(&mut self.is_checked, index), true) {
            headers = self.check_first(message, track, connector, interrupt)?;
        }
        if self.is_ignored && !self.has_begun {
            // With video a recording begins with a keyframe.
            let is_place = class.is_keyframe() || (track == Track::Audio && !self.is_checked[index_of(Track::Video)]);
            if time < self.start_ms || !is_place {
                return Ok(Check::Drop);
            }
            self.has_begun = true;
        }
        Ok(Check::Take(headers))
    }

    fn check_first(
        &mut self,
        message: &Message<'_>,
        track: Track,
        connector: &Connector,
        interrupt: &Interrupt,
    ) -> Result<Vec<BufferedMessage>, EndReason> {
        let index = index_of(track);
        let lacks_header = !self.has_header[index] && needs_header(track, message.payload);
        let time = message.header.timestamp;
        let may_be_ignored = time < self.start_ms && time <= LATEST_FIRST_MS && !self.is_ignored;
        if !lacks_header && !may_be_ignored {
            return Ok(Vec::new());
        }
        let beginning = self.beginning.get_or_insert_with(|| fetch(connector, interrupt).unwrap_or_default());
        self.is_ignored |= beginning.first[index] == Some(hash(message.payload));
        if !lacks_header {
            return Ok(Vec::new());
        }
        let is_of_track = |held: &BufferedMessage| held.class().track == Some(track);
        let at = beginning.headers.iter().position(is_of_track).ok_or(EndReason::NoHeaders)?;
        Ok(vec![beginning.headers.remove(at).at(time)])
    }
}

/// Plays the stream from its beginning until its headers and first frames are there.
fn fetch(connector: &Connector, interrupt: &Interrupt) -> Result<Beginning, Failure> {
    let mut connector = connector.replacement();
    if let Some(play) = connector.play_mut() {
        (play.start_ms, play.length_ms, play.ask_length) = (0.0, None, false);
    }
    let until = Instant::now() + LONGEST_FETCH;
    let interrupt = interrupt.until(Some(until));
    let mut client = connector.connect(&mut |_| {}, &interrupt)?;
    let mut beginning = Beginning::default();
    let mut messages = 0;
    let fetched = loop {
        if let Some(Event::Media(message, class)) = client.event() {
            beginning.note(&message, class);
            messages += 1;
        }
        if messages >= MOST_MESSAGES || beginning.first.iter().all(Option::is_some) {
            break Ok(beginning);
        }
        match client.poll() {
            Ok(true) => {}
            Ok(false) => {
                if let Err(error) = client.wait(until) {
                    // What has come by the end of the time is what there is.
                    break if messages > 0 { Ok(beginning) } else { Err(error.into()) };
                }
            }
            Err(error) => break Err(error.into()),
        }
    };
    client.close();
    fetched
}

impl Beginning {
    fn note(&mut self, message: &Message<'_>, class: Class) {
        match (class.track, class.kind) {
            (Some(_), Kind::Config) => self.headers.push(BufferedMessage::of(message)),
            (Some(track), kind) if kind.is_coded() => {
                self.first[index_of(track)].get_or_insert_with(|| hash(message.payload));
            }
            _ => {}
        }
    }
}

/// Whether a frame cannot be decoded without a sequence header.
fn needs_header(track: Track, payload: &[u8]) -> bool {
    match track {
        Track::Video => VideoTag::parse(payload).is_ok_and(|tag| {
            tag.tracks().any(|track| match track.codec {
                VideoCodec::Number(number) => matches!(number, 7 | 12),
                VideoCodec::FourCc(codec) => matches!(codec, FourCc::AVC | FourCc::HEVC | FourCc::VVC),
            })
        }),
        Track::Audio => AudioTag::parse(payload).is_ok_and(|tag| {
            tag.tracks().any(|track| match track.codec {
                AudioCodec::Format(format) => format == 10,
                AudioCodec::FourCc(codec) => codec == FourCc::AAC,
            })
        }),
    }
}

fn hash(payload: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(payload);
    hasher.finish()
}

fn index_of(track: Track) -> usize {
    match track {
        Track::Audio => 0,
        Track::Video => 1,
    }
}

fn set(flags: &mut [bool; 2], index: usize) -> &mut bool {
    let [audio, video] = flags;
    if index == 0 { audio } else { video }
}

/// A first time up to this, in milliseconds, may be that of the beginning.
const LATEST_FIRST_MS: u32 = 1_000;

/// The beginning is fetched for so long, and so many messages of it.
const LONGEST_FETCH: Duration = Duration::from_secs(5);
const MOST_MESSAGES: u32 = 500;
