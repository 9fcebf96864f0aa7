//! Going on with a file (`--resume`): which point to ask the server for, what of its answer is new, and what to do when it
//! began too late.
//!
//! Servers begin at the keyframe before the point asked for, or at the one behind it. So the point lies between two keyframes
//! of the file: either will do. A server that begins behind the file's end all the same is asked again for an earlier point,
//! at last for the beginning. The file is not touched before something was found that is new.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Phase};
use crate::flv::index::{is_ours, restore};
use crate::flv::output::Output;
use crate::flv::recorder::{Existing, Open, Progress, Recorder};
use crate::flv::script;
use crate::flv::splice::{Role, Splice, Step};
use crate::flv::tail::{Found, Tail, examine};
use crate::proto::message::{Message, message_type};

use super::plan::Plan;
use super::verdict::End;

/// A file that is gone on with, and the search for the place in the stream.
#[derive(Debug)]
pub struct Resume {
    path: PathBuf,
    /// Length of the file when it was examined, and of the part that stays.
    length: u64,
    end: u64,
    splice: Splice,
    /// Points to ask for, in milliseconds on the file's line; the last one comes first.
    points: Vec<u32>,
    /// Where the file's line begins on the stream's.
    zero_ms: u64,
    /// The stream was over before anything new came.
    within_the_file: bool,
}

/// Examines the file of a plan. `None`: there is nothing to be gone on with, the stream is to be saved from its beginning.
///
/// # Errors
/// Why the file cannot be gone on with, in words.
pub fn prepare(plan: &Plan) -> Result<Option<(Resume, Existing)>, String> {
    let (Some(skip), Some(path)) = (plan.resume, &plan.output) else { return Ok(None) };
    let failed = |reason: String| format!("{}: {reason}", path.display());
    // What is no file, a named pipe, cannot be looked at.
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
    }
    let mut file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let tail = match examine(&mut file, skip).map_err(|error| failed(error.to_string()))? {
        Found::Nothing => return Ok(None),
        Found::NotFlv => return Err(failed("this is no FLV file, it cannot be gone on with".to_owned())),
        Found::Tail(tail) => tail,
    };
    // What it says of the file is to stay true, also where --no-index would not have made one.
    let restored = match tail.metadata.as_ref().is_some_and(is_ours) {
        true => restore(&mut file, tail.end).map_err(|error| failed(error.to_string()))?,
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
        needs_mending: tail.end < tail.length || is_stale,
    };
    Ok(Some((Resume::new(plan, path, *tail), existing)))
}

impl Resume {
    fn new(plan: &Plan, path: &Path, tail: Tail) -> Self {
        let zero_ms = if plan.recorder.absolute { 0 } else { plan.start_ms };
        Self {
            path: path.to_owned(),
            length: tail.length,
            end: tail.end,
            points: points(&tail),
            splice: Splice::new(tail.head, &tail.tail, 0_u32.wrapping_sub(zero_ms as u32)),
            zero_ms,
            within_the_file: false,
        }
    }

    /// After a connection that has written something: the same search for the next one, in the file of a plan or by what is
    /// remembered. `None`: nobody knows what was written.
    ///
    /// # Errors
    /// Those of reading the file.
    pub fn again(plan: &Plan, recorder: &Recorder) -> io::Result<Option<Self>> {
        if let Some(tail) = recorder.remembered() {
            let name = plan.output.clone().unwrap_or_else(|| PathBuf::from("standard output"));
            return Ok(Some(Self::new(plan, &name, tail)));
        }
        let Some(path) = plan.output.as_ref().filter(|path| path.is_file()) else { return Ok(None) };
        match examine(&mut File::open(path)?, 0)? {
            Found::Tail(tail) => Ok(Some(Self::new(plan, path, *tail))),
            Found::Nothing | Found::NotFlv => Ok(None),
        }
    }

    /// Whether something new has been found since the search began.
    pub fn has_found(&self) -> bool {
        self.splice.is_found()
    }

    /// Opens the file behind what stays of it, once there is something to write.
    pub fn opener(&self) -> Open {
        let (path, length, end) = (self.path.clone(), self.length, self.end);
        Box::new(move || cut(&path, length, end).map(Output::File))
    }

    /// Before each connection: has the plan ask for the present point.
    pub fn begin(&mut self, plan: &mut Plan) {
        let point = self.points.last().copied().unwrap_or(0);
        if let Some(play) = &mut plan.session.play {
            play.start_ms = self.zero_ms as f64 + f64::from(point);
            // Servers count lengths from where they begin; the end that the user asked for is kept here.
            play.length_ms = None;
        }
        self.splice.begin(point);
    }

    /// Hands on what is new.
    ///
    /// # Errors
    /// The recorder's, and [`End::Unmatched`] when the server began too late.
    pub fn push(&mut self, recorder: &mut Recorder, message: &Message<'_>, now_ms: u64) -> Result<Progress, End> {
        let mut message = *message;
        let header = &mut message.header;
        let step = match header.message_type_id {
            _ if message.payload.is_empty() => Step::Drop,
            kind @ (message_type::AUDIO | message_type::VIDEO) => {
                self.splice.push(kind, header.timestamp, message.payload)
            }
            kind @ (message_type::DATA_AMF0 | message_type::DATA_AMF3) => {
                match script::prepare(kind, message.payload) {
                    Some(script) => {
                        let step = self.splice.push(script.kind, header.timestamp, &script.payload);
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
            Step::Drop => Ok(Progress::Going),
            Step::Keep(time_ms) => {
                header.timestamp = time_ms;
                recorder.push(&message, now_ms).map_err(End::Output)
            }
            Step::TooLate => Err(End::Unmatched(self.reason())),
        }
    }

    /// After each connection: another point is to be asked for, which is said in words, or this is the end.
    ///
    /// # Errors
    /// The end.
    pub fn after(&mut self, end: End) -> Result<String, End> {
        let is_unmatched = match &end {
            End::Unmatched(_) => true,
            _ if self.splice.is_found() => false,
            End::Notice(_) => {
                self.within_the_file = self.splice.reached_end() || self.splice.is_near_end();
                !self.within_the_file
            }
            // Some servers end a stream like that.
            End::CloseRequested | End::Broken(Error::Closed { phase: Phase::Media } | Error::Timeout { .. }) => {
                self.within_the_file = self.splice.reached_end();
                !self.splice.is_known() && !matches!(end, End::Broken(Error::Timeout { .. }))
            }
            _ => false,
        };
        if !is_unmatched {
            return Err(end);
        }
        self.points.pop();
        match self.points.last() {
            Some(point) => {
                let seconds = f64::from(*point) / 1000.0;
                Ok(format!(
                    "The server did not send the end of the file again; asking for an earlier point, {seconds:.3} sec"
                ))
            }
            None => Err(End::Unmatched(self.reason())),
        }
    }

    /// Whether the server has sent something of the file again.
    pub fn is_known(&self) -> bool {
        self.splice.is_known()
    }

    /// Whether the stream was over before anything new came.
    pub fn has_ended_within_the_file(&self) -> bool {
        self.within_the_file
    }

    /// Whether the file has turned out to be complete.
    pub fn is_complete(&self) -> bool {
        self.within_the_file && self.splice.reached_end()
    }

    fn reason(&self) -> String {
        let what = if self.splice.is_known() {
            "the server sends some of it, but not its end"
        } else {
            "nothing of it is in what the server sends"
        };
        format!("{} cannot be gone on with: {what}", self.path.display())
    }
}

/// Opens a file and cuts it behind what stays.
fn cut(path: &Path, length: u64, end: u64) -> io::Result<File> {
    let mut file = File::options().read(true).write(true).open(path)?;
    if file.metadata()?.len() != length {
        return Err(io::Error::other(format!("{}: something else has written to it", path.display())));
    }
    file.set_len(end)?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(end))?;
    Ok(file)
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
    use crate::flv::splice::Known;

    fn tail(keyframes: &[u32], end: u32) -> Tail {
        let head = vec![Known::of(9, 0, &[0x17, 1, 0, 0, 0])];
        let mut tail: Vec<_> = keyframes.iter().map(|time| Known::of(9, *time, &[0x17, 1, 0, 0, 0])).collect();
        tail.push(Known::of(8, end, &[0xaf, 1]));
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
