//! One stream that a client plays: its source, its pace, and what is sent when.

use std::io;
use std::time::{Duration, Instant};

use crate::proto::message::message_type::{AUDIO, VIDEO};
use crate::proto::server::{PlayRequest, ServerSession};

use super::source::Source;

/// One stream that a client plays.
pub(super) struct Stream {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) source: Source,
    /// Media time, on the client's line, that was due at `since`.
    base_ms: i64,
    since: Instant,
    /// Time of the tag that is next, or was sent last.
    at_ms: i64,
    /// Where it ends, on the client's line; `i64::MAX`: at the end of the source.
    end_ms: i64,
    begin_ms: i64,
    pub(super) paused: bool,
    /// All was sent; a seek restarts it.
    pub(super) ended: bool,
    pub(super) audio: bool,
    pub(super) video: bool,
    /// The client's buffer was filled, and the client was told.
    pub(super) full: bool,
    /// Nothing is sent before this: the client was told something that it may want to act on.
    pub(super) hold: Option<Instant>,
    pub(super) last_ms: i64,
    pub(super) bytes: u64,
    /// What plays after it (`play` without reset).
    pub(super) queue: Vec<PlayRequest>,
}

/// Result of [`Stream::pump`].
pub(super) enum Pumped {
    /// Nothing is due before.
    Until(Instant),
    /// As before, and what the client's buffer takes has been sent.
    Full(Instant),
    /// The batch is full.
    More,
    /// That was all.
    End,
}

impl Stream {
    /// A stream whose first tag, of `begin_ms`, is due now.
    pub(super) fn new(id: u32, name: String, source: Source, begin_ms: i64, end_ms: i64) -> Self {
        Self {
            id,
            name,
            source,
            base_ms: begin_ms,
            since: Instant::now(),
            at_ms: begin_ms,
            end_ms,
            begin_ms,
            paused: false,
            ended: false,
            audio: true,
            video: true,
            full: false,
            hold: None,
            last_ms: begin_ms,
            bytes: 0,
            queue: Vec::new(),
        }
    }

    /// Seconds between the first time and the last.
    pub(super) fn played_s(&self) -> f64 {
        (self.last_ms - self.begin_ms) as f64 / 1000.0
    }

    /// Goes to `to_ms` in a file. `false`: it is live.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn seek(&mut self, to_ms: f64) -> io::Result<bool> {
        let Source::File(file) = &mut self.source else { return Ok(false) };
        let base_ms = file.seek(to_ms.max(0.0) as u32)?;
        self.restart(base_ms);
        Ok(true)
    }

    /// Pauses or continues; `at_ms` is the client's time, `now_ms` that of the live stream.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn pause(&mut self, paused: bool, at_ms: f64, now_ms: u64) -> io::Result<()> {
        if self.paused && !paused {
            let base_ms = match &mut self.source {
                Source::File(file) => {
                    // §7.2.2.9: everything later than the client's time is sent, even if it was sent before.
                    let at_ms = at_ms.clamp(0.0, f64::from(u32::MAX)) as i64;
                    file.resume_after(at_ms)?;
                    at_ms
                }
                Source::Pattern(live) => {
                    live.skip_to(now_ms);
                    now_ms as i64
                }
            };
            self.restart(base_ms);
        }
        self.paused = paused;
        Ok(())
    }

    fn restart(&mut self, base_ms: i64) {
        self.base_ms = base_ms;
        self.at_ms = base_ms;
        self.since = Instant::now();
        self.full = false;
        self.ended = false;
        self.hold = None;
    }

    /// Queues what is due until `batch` bytes are queued. `ahead_ms` is what the client's buffer takes; bytes of media are added to `sent`.
    pub(super) fn pump(
        &mut self,
        session: &mut ServerSession,
        now: Instant,
        ahead_ms: i64,
        batch: usize,
        sent: &mut u64,
    ) -> Pumped {
        if self.paused || self.ended {
            return Pumped::Until(now + TICK);
        }
        if let Some(hold) = self.hold.filter(|hold| *hold > now) {
            return Pumped::Until(hold);
        }
        let elapsed_ms = now.saturating_duration_since(self.since).as_millis() as i64;
        self.catch_up(elapsed_ms);
        while session.output().len() < batch {
            let Some(time_ms) = self.source.next_time_ms().filter(|time| *time < self.end_ms) else {
                return Pumped::End;
            };
            self.follow(time_ms);
            let early_ms = (time_ms - self.base_ms) - (elapsed_ms + ahead_ms);
            if early_ms > 0 {
                let due = now + Duration::from_millis(early_ms as u64);
                return if ahead_ms > 0 { Pumped::Full(due) } else { Pumped::Until(due) };
            }
            let Some(tag) = self.source.next() else { return Pumped::End };
            let wanted = match tag.message_type_id {
                AUDIO => self.audio,
                VIDEO => self.video,
                _ => true,
            };
            if wanted {
                session.media(self.id, tag.message_type_id, wire_time(tag.time_ms), tag.payload);
                self.bytes += tag.payload.len() as u64;
                *sent += tag.payload.len() as u64;
            }
            self.last_ms = time_ms.max(self.last_ms);
        }
        Pumped::More
    }

    /// A client that is too slow for a live stream misses some of it, instead of falling further back.
    fn catch_up(&mut self, elapsed_ms: i64) {
        let Source::Pattern(live) = &mut self.source else { return };
        let due_ms = self.base_ms + elapsed_ms;
        if live.next_time_ms().is_some_and(|next_ms| due_ms - next_ms > MAX_LATE_MS) {
            live.skip_to(due_ms as u64);
        }
    }

    /// Where the clock of a file jumps, the pace jumps with it: a gap of an hour is no reason to send nothing for an hour.
    fn follow(&mut self, time_ms: i64) {
        let step_ms = time_ms - self.at_ms;
        if step_ms.abs() > MAX_STEP_MS && matches!(self.source, Source::File(_)) {
            self.base_ms += step_ms;
        }
        self.at_ms = time_ms;
    }
}

/// The timestamp on the wire: modulo 2³². After a start at a keyframe that gets time 0, a frame that follows it in the file may be
/// a little earlier: it gets 0 as well.
pub(super) fn wire_time(time_ms: i64) -> u32 {
    if (-MAX_INTERLEAVING_MS..0).contains(&time_ms) { 0 } else { time_ms as u32 }
}

/// Longest wait; after it there is a look at pauses, ends and the clock.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// How late a live client may get before it misses something.
const MAX_LATE_MS: i64 = 3000;

/// Longest step between two tags that is a pause in the media and not another clock.
const MAX_STEP_MS: i64 = 10_000;

/// How far the tracks of a file are apart at most where it is well made.
const MAX_INTERLEAVING_MS: i64 = 1000;
