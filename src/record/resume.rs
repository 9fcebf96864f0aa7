//! Appending to a file: which point to ask the server for, what of its answer is new, and what to do when it began too late.
//!
//! Servers begin at the keyframe before the point asked for, or at the one after it. So the point lies between two keyframes
//! of the file: either will do. A server that begins after the file's end all the same is asked again for an earlier point,
//! at last for the beginning. The file is not touched before something was found that is new.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::connect::{Error, Phase};
use crate::flv::index::{is_ours, restore};
use crate::flv::realign::{Realigner, Role, Step};
use crate::flv::recorder::{Existing, Open, Recorder};
use crate::flv::script;
use crate::flv::sink::reopen;
use crate::flv::tail::{Found, Tail, scan_end};
use crate::proto::message::{Message, message_type};
use crate::proto::session::PlayParams;

use super::end::{EndReason, Unmatched};
use super::error::Error as RecordError;
use super::options::{Options, Sink};

/// A file that is appended to, and the search for its end in the stream.
#[derive(Debug)]
pub(super) struct Resume {
    path: PathBuf,
    /// Length of the file when it was examined, and of the part that stays.
    length: u64,
    end: u64,
    realigner: Realigner,
    /// Points to ask for, in milliseconds on the file's timeline; the last one comes first.
    points: Vec<u32>,
    /// Where the file's timeline begins on the stream's.
    zero_ms: u64,
    first_ms: u32,
    /// The stream was over before anything new came.
    within_the_file: bool,
}

/// Examines the file to be appended to. `None`: there is nothing to append to, the stream is recorded from its beginning.
///
/// # Errors
/// Why the file cannot be resumed.
pub(super) fn prepare(sink: &Sink, options: &Options) -> Result<Option<(Resume, Existing)>, RecordError> {
    let (Some(skip), Some(path)) = (options.resume, sink.path()) else { return Ok(None) };
    let failed = |source| RecordError::Resume { path: path.to_owned(), source };
    // What is no file, a named pipe, cannot be looked at.
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    let mut file = File::open(path).map_err(failed)?;
    let tail = match scan_end(&mut file, skip).map_err(failed)? {
        Found::Nothing => return Ok(None),
        Found::NotFlv => return Err(RecordError::NotFlv(path.to_owned())),
        Found::Tail(tail) => tail,
    };
    // What it says of the file is to stay true, also where no index would have been made.
    let restored = match tail.metadata.as_ref().is_some_and(is_ours) {
        true => restore(&mut file, tail.end).map_err(failed)?,
        false => None,
    };
    let is_stale = restored.as_ref().is_some_and(|(_, is_current)| !is_current);
    let existing = Existing {
        bytes: tail.end,
        flags: tail.flags,
        first_ms: tail.first_ms(),
        latest_ms: tail.latest_ms(),
        metadata: tail.metadata.clone(),
        index: restored.map(|(index, _)| index),
        needs_repair: tail.end < tail.length || is_stale,
    };
    Ok(Some((Resume::new(path, options, *tail), existing)))
}

impl Resume {
    fn new(path: &Path, options: &Options, tail: Tail) -> Self {
        let zero_ms = if options.absolute_timestamps { 0 } else { options.start_ms };
        Self {
            path: path.to_owned(),
            length: tail.length,
            end: tail.end,
            points: points(&tail),
            first_ms: tail.first_ms(),
            realigner: Realigner::new(tail.head, &tail.tail, 0_u32.wrapping_sub(zero_ms as u32)),
            zero_ms,
            within_the_file: false,
        }
    }

    /// After a connection that has written something: the same search for the next one, in the file or by what the recorder
    /// remembers. `None`: it is not known what was written.
    ///
    /// # Errors
    /// Those of reading the file.
    pub(super) fn after_connection(sink: &Sink, options: &Options, recorder: &Recorder) -> io::Result<Option<Self>> {
        if let Some(tail) = recorder.fingerprints() {
            return Ok(Some(Self::new(sink.path().unwrap_or(Path::new("-")), options, tail)));
        }
        let Some(path) = sink.path().filter(|path| path.is_file()) else { return Ok(None) };
        match scan_end(&mut File::open(path)?, 0)? {
            Found::Tail(tail) => Ok(Some(Self::new(path, options, *tail))),
            Found::Nothing | Found::NotFlv => Ok(None),
        }
    }

    /// Time of the file's first frame, in milliseconds modulo 2³².
    pub(super) fn first_ms(&self) -> u32 {
        self.first_ms
    }

    /// Whether something new has been found since the search began.
    pub(super) fn has_found(&self) -> bool {
        self.realigner.is_found()
    }

    /// Opens the file at the end of what stays of it, once there is something to write.
    pub(super) fn opener(&self) -> Open {
        let (path, length, end) = (self.path.clone(), self.length, self.end);
        Box::new(move || {
            reopen(&path, length, end)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        })
    }

    /// Before each connection: has it ask for the present point.
    pub(super) fn begin(&mut self, play: &mut PlayParams) {
        let point = self.points.last().copied().unwrap_or(0);
        play.start_ms = self.zero_ms as f64 + f64::from(point);
        // Servers count lengths from where they begin; the end that the user asked for is found by the recorder.
        play.length_ms = None;
        self.realigner.begin(point);
    }

    /// Where a message belongs in the file: its time there, in milliseconds modulo 2³². `None`: the file has it already, or
    /// it is not known yet.
    ///
    /// # Errors
    /// [`EndReason::Unmatched`]: the server began too late.
    pub(super) fn place(&mut self, recorder: &mut Recorder, message: &Message<'_>) -> Result<Option<u32>, EndReason> {
        let timestamp = message.header.timestamp;
        let step = match message.header.message_type_id {
            _ if message.payload.is_empty() => Step::Drop,
            kind @ (message_type::AUDIO | message_type::VIDEO) => self.realigner.push(kind, timestamp, message.payload),
            kind @ (message_type::DATA_AMF0 | message_type::DATA_AMF3) => {
                match script::prepare(kind, message.payload) {
                    Some(script) => {
                        let step = self.realigner.push(script.kind, timestamp, &script.payload);
                        if let (Step::Drop, Some(metadata)) = (step, script.metadata) {
                            recorder.note_metadata(metadata);
                        }
                        step
                    }
                    None => Step::Drop,
                }
            }
            _ => Step::Drop,
        };
        match step {
            Step::Drop => Ok(None),
            Step::Keep(time_ms) => Ok(Some(time_ms)),
            Step::TooLate => Err(EndReason::Unmatched(self.unmatched())),
        }
    }

    /// After each connection: the earlier point that is to be asked for next, in milliseconds, or the end.
    ///
    /// # Errors
    /// The end.
    pub(super) fn after(&mut self, end: EndReason) -> Result<u32, EndReason> {
        let is_unmatched = match &end {
            EndReason::Unmatched(_) => true,
            _ if self.realigner.is_found() => false,
            EndReason::Notice(_) => {
                self.within_the_file = self.realigner.reached_end() || self.realigner.is_near_end();
                !self.within_the_file
            }
            // Some servers end a stream like that.
            EndReason::CloseRequested
            | EndReason::Broken(Error::Closed { phase: Phase::Media } | Error::Timeout { .. }) => {
                self.within_the_file = self.realigner.reached_end();
                !self.realigner.is_known() && !matches!(end, EndReason::Broken(Error::Timeout { .. }))
            }
            _ => false,
        };
        if !is_unmatched {
            return Err(end);
        }
        self.points.pop();
        self.points.last().copied().ok_or(EndReason::Unmatched(self.unmatched()))
    }

    /// Whether the server has sent something of the file again.
    pub(super) fn is_known(&self) -> bool {
        self.realigner.is_known()
    }

    /// Whether the stream was over before anything new came.
    pub(super) fn has_ended_within_the_file(&self) -> bool {
        self.within_the_file
    }

    /// Whether the file has turned out to be complete.
    pub(super) fn is_complete(&self) -> bool {
        self.within_the_file && self.realigner.reached_end()
    }

    fn unmatched(&self) -> Unmatched {
        if self.realigner.is_known() { Unmatched::EndMissing } else { Unmatched::Unknown }
    }
}

/// Points to ask for one after the other, the first one last: in the middle before a keyframe near the end, then further and
/// further back.
fn points(tail: &Tail) -> Vec<u32> {
    let end = tail.latest_ms();
    let keyframes: Vec<u32> =
        tail.tail.iter().filter(|known| known.role == Role::Keyframe).map(|known| known.time_ms).collect();
    let with_overlap = |time: &u32| end.saturating_sub(*time) >= OVERLAP_MS;
    let first = match keyframes.iter().rposition(with_overlap) {
        None if keyframes.is_empty() => end.saturating_sub(SOUND_OVERLAP_MS),
        None | Some(0) => keyframes.first().copied().unwrap_or(0).saturating_sub(OVERLAP_MS),
        Some(at) => match keyframes.get(at - 1..=at) {
            Some([before, at]) => before.saturating_add(at.saturating_sub(*before) / 2),
            _ => 0,
        },
    };
    let beginning = tail.first_ms();
    let mut points = vec![first];
    let mut back = u64::from(end.saturating_sub(first));
    while points.len() < MAX_POINTS - 1 {
        back = (back * BACK_FACTOR).max(MIN_BACK_MS);
        points.push(end.saturating_sub(u32::try_from(back).unwrap_or(u32::MAX)));
    }
    points.push(0);
    points.iter_mut().filter(|point| **point <= beginning).for_each(|point| *point = 0);
    points.dedup();
    points.reverse();
    points
}

/// The keyframe that the file is to be found by has at least so much of it behind it, in milliseconds.
const OVERLAP_MS: u32 = 500;
/// Where there is no picture, the file is found by so much sound.
const SOUND_OVERLAP_MS: u32 = 3_000;
/// Every further attempt goes back so many times as far as the one before,
const BACK_FACTOR: u64 = 4;
/// the first one not less than this, in milliseconds,
const MIN_BACK_MS: u64 = 20_000;
/// and there are so many in all, the last from the beginning.
const MAX_POINTS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flv::realign::TagFingerprint;

    fn tail(keyframes: &[u32], end: u32) -> Tail {
        let head = vec![TagFingerprint::of(9, 0, &[0x17, 1, 0, 0, 0])];
        let mut tail: Vec<_> = keyframes.iter().map(|time| TagFingerprint::of(9, *time, &[0x17, 1, 0, 0, 0])).collect();
        tail.push(TagFingerprint::of(8, end, &[0xaf, 1]));
        Tail { length: 0, end: 0, flags: 5, head, tail, metadata: None }
    }

    #[test]
    fn points_lie_between_keyframes_and_go_back() {
        assert_eq!(points(&tail(&[100_000, 102_000, 104_000], 105_000)), [0, 25_000, 85_000, 103_000]);
        // The last keyframe has too little behind it to be sure of.
        assert_eq!(points(&tail(&[100_000, 102_000, 104_000], 104_400)), [0, 24_400, 84_400, 101_000]);
        assert_eq!(points(&tail(&[0, 2_000, 4_000], 5_000)), [0, 3_000]);
        assert_eq!(points(&tail(&[0], 100)), [0]);
        assert_eq!(points(&tail(&[], 60_000)), [0, 40_000, 57_000]);
    }
}
