//! Trying again: what is worth it, when, for how long; and the gaps that this leaves.
//!
//! | what happened | `--retry` | `--wait` |
//! |---|---|---|
//! | the connection broke, stalled, made no sense in mid-stream; `close` | tries again | – |
//! | no connection, no answer, no first media | tries again | waits, until media came for the first time |
//! | not found; over before any media came | – | waits, until media came for the first time |
//! | the publisher left | – | – |
//! | any other refusal, TLS and proxy errors, the output, a limit, a signal | – | – |
//!
//! An on-demand stream goes on where it was (`resume.rs`), in a pipe as well; one that ends before its duration broke.
//!
//! With both options the two lower dashes of `--wait` and its "first time" fall away: whatever is missing is waited for.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::cli::events::seconds;
use crate::error::{Error, Phase};
use crate::proto::status::StatusCode;
use crate::transport::Interrupt;

use super::record::Recording;
use super::verdict::{Code, End, describe, judge};

/// As many attempts as it takes.
pub const UNLIMITED: u32 = u32::MAX;

/// What the user wants.
#[derive(Debug, Clone, Copy)]
pub struct RetryOptions {
    /// Attempts in a row that may bring no media; `None`: no attempts.
    pub attempts: Option<u32>,
    /// Before the first one.
    pub delay: Duration,
    /// An outage may take no longer.
    pub max_time: Option<Duration>,
    /// How long to wait for a stream that is not there.
    pub wait: Option<Duration>,
}

impl RetryOptions {
    /// Whether anything is tried again that has begun well.
    pub fn retries(&self) -> bool {
        self.attempts.is_some()
    }
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self { attempts: None, delay: DEFAULT_DELAY, max_time: None, wait: None }
    }
}

/// Decides what comes after a connection's end.
#[derive(Debug)]
pub struct Retry {
    options: RetryOptions,
    outage: Option<Outage>,
}

/// From the end of one connection that brought media (or the beginning) to the next one that does.
#[derive(Debug)]
struct Outage {
    since: Instant,
    /// Media tags in the output then.
    tags: u64,
    attempts: u32,
    /// The publisher left: that is how the recording ends if nobody comes back.
    left: Option<String>,
}

impl Retry {
    /// At the beginning.
    pub fn new(options: RetryOptions) -> Self {
        Self { options, outage: None }
    }

    /// Waits for the time to try again.
    ///
    /// # Errors
    /// It is not to be tried again: how the recording ends.
    pub fn after(&mut self, end: End, recording: &mut Recording<'_>, interrupt: &Interrupt) -> Result<(), End> {
        recording.recorder.write_held(recording.now_ms()).map_err(End::Output)?;
        let tags = recording.media_tags();
        if self.outage.as_ref().is_some_and(|outage| outage.tags != tags) {
            self.outage = None;
        }
        let reason = reason(&end);
        let facts = recording.facts();
        let trouble = match recording.is_on_demand() || facts.on_demand {
            // All of it is there.
            true if facts.saved && judge(&end, &facts).0 == Code::Complete => Trouble::Final,
            on_demand => trouble(&end, facts.saved, on_demand),
        };
        let RetryOptions { attempts, delay, max_time, wait } = self.options;
        let outage = self.outage.get_or_insert_with(|| Outage { since: Instant::now(), tags, attempts: 0, left: None });
        if let (Trouble::Left, End::Notice(code)) = (trouble, &end) {
            outage.left.get_or_insert_with(|| code.clone());
        }
        let both = attempts.is_some() && wait.is_some();
        let waits = match trouble {
            Trouble::Absent | Trouble::NotFound => both || (wait.is_some() && tags == 0),
            Trouble::Left => both,
            Trouble::Broken | Trouble::Final => false,
        };
        let retries =
            matches!(trouble, Trouble::Absent | Trouble::Broken) && attempts.is_some_and(|n| outage.attempts < n);
        let limit = match (waits, retries) {
            (true, _) => wait,
            (false, true) => Some(max_time.unwrap_or(Duration::MAX)),
            (false, false) => None,
        };
        let gone = outage.since.elapsed();
        let end = outage.left.clone().filter(|_| trouble != Trouble::Final).map_or(end, End::Notice);
        let Some(left) = limit.and_then(|limit| limit.checked_sub(gone)).filter(|left| !left.is_zero()) else {
            return Err(end);
        };
        outage.attempts = outage.attempts.saturating_add(1);
        let longest = if waits { LONGEST_WAIT } else { LONGEST_DELAY };
        let pause = jittered(backed_off(delay, outage.attempts, longest)).min(left);
        let attempt = outage.attempts;
        self.tell(recording, &reason, attempt, pause, waits);
        recording.broke(reason)?;
        match sleep(pause, recording, interrupt) {
            Some(end) => Err(end),
            None => Ok(()),
        }
    }

    fn tell(&self, recording: &Recording<'_>, reason: &str, attempt: u32, pause: Duration, waits: bool) {
        let limit = self.options.attempts.filter(|limit| *limit != UNLIMITED && !waits);
        let shown = pause.as_secs_f64();
        match (waits, limit) {
            (true, _) if attempt > 1 => recording.log.debug(&format!("{reason}; waiting for {shown:.1} s")),
            (true, _) => recording.log.info(&format!("{reason}; waiting for the stream")),
            (false, None) => recording.log.warning(&format!("{reason}; trying again in {shown:.1} s")),
            (false, Some(limit)) => {
                recording.log.warning(&format!("{reason}; trying again in {shown:.1} s ({attempt} of {limit})"));
            }
        }
        let reason = recording.log.secrets().hide(reason).into_owned();
        recording.events.emit("retry", || {
            json!({"reason": reason, "attempt": attempt, "limit": limit, "delay": seconds(pause.as_millis() as u64)})
        });
    }
}

/// What an end means to somebody who would try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// Media flowed, and stopped for a bad reason.
    Broken,
    /// There is no connection, or nothing comes.
    Absent,
    /// The server knows no such stream, now.
    NotFound,
    /// The publisher of a live stream left.
    Left,
    /// It is over, or would be the same again.
    Final,
}

/// `saved`: there is media in the output. `on_demand`: the stream is certainly no live one.
fn trouble(end: &End, saved: bool, on_demand: bool) -> Trouble {
    match end {
        End::LimitReached | End::Signal | End::Output(_) | End::Unmatched(_) => Trouble::Final,
        End::Notice(_) if !saved => Trouble::NotFound,
        // Too early, or it would have been complete.
        End::Notice(_) if on_demand => Trouble::Broken,
        End::Notice(_) => Trouble::Left,
        End::CloseRequested => Trouble::Broken,
        End::Refused(status) => match status.code {
            StatusCode::PlayStreamNotFound => Trouble::NotFound,
            StatusCode::ConnectClosed | StatusCode::ConnectAppShutdown => Trouble::Broken,
            _ => Trouble::Final,
        },
        End::Broken(error) => match error {
            Error::Refused { phase: Phase::Resolve, .. } => Trouble::Absent,
            Error::Io { phase, .. }
            | Error::Timeout { phase, .. }
            | Error::WriteTimeout { phase, .. }
            | Error::Closed { phase } => {
                if *phase == Phase::Media {
                    Trouble::Broken
                } else {
                    Trouble::Absent
                }
            }
            Error::Protocol { phase: Phase::Media, .. } => Trouble::Broken,
            // What has let media through: its gateway has lost the server, or is another one by now.
            Error::Refused { phase: Phase::Tunnel, .. } if saved => Trouble::Broken,
            Error::Protocol { .. } if saved => Trouble::Absent,
            _ => Trouble::Final,
        },
    }
}

/// Why it ended, in words.
pub fn reason(end: &End) -> String {
    match end {
        End::LimitReached => "the limit was reached".to_owned(),
        End::Notice(code) => format!("the server ended the stream ({code})"),
        End::Refused(status) => describe(status),
        End::CloseRequested => "the server asked to close the connection".to_owned(),
        End::Broken(error) => error.to_string(),
        End::Output(error) => error.to_string(),
        End::Unmatched(reason) => reason.clone(),
        End::Signal => "interrupted".to_owned(),
    }
}

/// The pause before an attempt, from 1.
fn backed_off(first: Duration, attempt: u32, longest: Duration) -> Duration {
    let doubled = first.saturating_mul(1 << (attempt - 1).min(20));
    // Whoever wants no pause at first is still not to knock on a closed door all the time.
    let least = if attempt > 1 { LEAST_DELAY } else { Duration::ZERO };
    doubled.clamp(least, longest.max(first))
}

/// Between half of it and all of it: clients that lost the same server do not come back all at once.
fn jittered(pause: Duration) -> Duration {
    let mut random = [0; 4];
    // Without randomness they do.
    let _ = getrandom::fill(&mut random);
    let share = f64::from(u32::from_ne_bytes(random)) / f64::from(u32::MAX);
    pause.mul_f64(1.0 - share / 2.0)
}

/// Waits. An end that comes meanwhile is returned.
fn sleep(pause: Duration, recording: &mut Recording<'_>, interrupt: &Interrupt) -> Option<End> {
    let until = Instant::now().checked_add(pause);
    loop {
        if interrupt.is_set() {
            return Some(End::Signal);
        }
        if let Err(end) = recording.between_connections() {
            return Some(end);
        }
        let left = until.map_or(TICK, |until| until.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return None;
        }
        std::thread::sleep(left.min(TICK));
    }
}

/// A stretch in which media was missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Gap {
    /// Time in the output at which it goes on, in milliseconds.
    pub at_ms: u64,
    /// From the last media before to the first one after, in milliseconds on the wall.
    pub lost_ms: u64,
    /// Attempts until it was over.
    pub attempts: u32,
    /// Why.
    pub reason: String,
}

/// All gaps of a recording.
#[derive(Debug, Default)]
pub struct Gaps {
    kept: Vec<Gap>,
    count: u64,
    lost_ms: u64,
    open: Option<OpenGap>,
}

#[derive(Debug)]
struct OpenGap {
    since_ms: u64,
    attempts: u32,
    reason: String,
}

impl Gaps {
    /// Media stopped, the last of it at `since_ms`. Further attempts in vain are part of the same gap.
    pub fn begin(&mut self, since_ms: u64, reason: String) {
        let open = self.open.get_or_insert(OpenGap { since_ms, attempts: 0, reason });
        open.attempts += 1;
    }

    /// Whether media is missing at present.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Media is there again.
    pub fn end(&mut self, now_ms: u64, at_ms: u64) -> Option<Gap> {
        let OpenGap { since_ms, attempts, reason } = self.open.take()?;
        let gap = Gap { at_ms, lost_ms: now_ms.saturating_sub(since_ms), attempts, reason };
        self.count += 1;
        self.lost_ms += gap.lost_ms;
        if self.kept.len() < MAX_GAPS_KEPT {
            self.kept.push(gap.clone());
        }
        Some(gap)
    }

    /// How many there were, and how much time they took in all, in milliseconds.
    pub fn total(&self) -> (u64, u64) {
        (self.count, self.lost_ms)
    }

    /// The gaps in words, for the end.
    pub fn words(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.kept.iter().map(Gap::words).collect();
        if self.count > self.kept.len() as u64 {
            lines.push(format!("… and {} gaps more", self.count - self.kept.len() as u64));
        }
        if self.count > 1 {
            lines.push(format!("{} gaps, {:.1} s without media in all", self.count, self.lost_ms as f64 / 1000.0));
        }
        lines
    }
}

impl Gap {
    /// When, how long, why.
    pub fn words(&self) -> String {
        let Self { at_ms, lost_ms, reason, .. } = self;
        let (hours, minutes, seconds) = (at_ms / 3_600_000, at_ms / 60_000 % 60, (at_ms % 60_000) as f64 / 1000.0);
        format!("Gap at {hours}:{minutes:02}:{seconds:06.3}: {:.1} s without media: {reason}", *lost_ms as f64 / 1000.0)
    }
}

/// Before the first attempt.
const DEFAULT_DELAY: Duration = Duration::from_secs(1);

/// Pauses grow up to this.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// The same where a stream is waited for: as much of its beginning may be missed.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Before all attempts but the first.
const LEAST_DELAY: Duration = Duration::from_millis(10);

/// How soon an interrupt ends a pause.
const TICK: Duration = Duration::from_millis(20);

/// Gaps that are listed one by one.
const MAX_GAPS_KEPT: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::command::NetStatus;

    #[test]
    fn what_is_worth_another_attempt() {
        let closed = |phase| End::Broken(Error::Closed { phase });
        let refused = |code: &str| End::Refused(NetStatus { code: code.into(), ..NetStatus::default() });
        let tls = || End::Broken(Error::Refused { phase: Phase::Tls, reason: "expired".into() });
        let tunnel = || End::Broken(Error::Refused { phase: Phase::Tunnel, reason: "HTTP 502 Bad Gateway".into() });
        let notice = || End::Notice("NetStream.Play.UnpublishNotify".into());
        for (end, saved, expected) in [
            (closed(Phase::Media), true, Trouble::Broken),
            (closed(Phase::Connect), true, Trouble::Absent),
            (closed(Phase::FirstMedia), false, Trouble::Absent),
            (End::CloseRequested, true, Trouble::Broken),
            (refused("NetStream.Play.StreamNotFound"), false, Trouble::NotFound),
            (refused("NetConnection.Connect.Rejected"), false, Trouble::Final),
            (refused("NetConnection.Connect.AppShutdown"), true, Trouble::Broken),
            (tls(), false, Trouble::Final),
            (tls(), true, Trouble::Final),
            (tunnel(), false, Trouble::Final),
            (tunnel(), true, Trouble::Broken),
            (notice(), false, Trouble::NotFound),
            (notice(), true, Trouble::Left),
            (End::LimitReached, true, Trouble::Final),
            (End::Signal, true, Trouble::Final),
        ] {
            assert_eq!(trouble(&end, saved, false), expected, "{end:?}");
        }
        assert_eq!(trouble(&notice(), true, true), Trouble::Broken, "an on-demand stream that ends too early");
    }

    #[test]
    fn pauses_double_up_to_a_limit() {
        let second = Duration::from_secs(1);
        let pauses: Vec<u64> = (1..8).map(|n| backed_off(second, n, 30 * second).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(backed_off(60 * second, 3, 30 * second), 60 * second, "longer where that is wished");
        assert_eq!(backed_off(Duration::ZERO, 1, second), Duration::ZERO);
        assert_eq!(backed_off(Duration::ZERO, u32::MAX, second), LEAST_DELAY);
        for _ in 0..100 {
            let pause = jittered(second);
            assert!(pause >= second / 2 && pause <= second, "{pause:?}");
        }
    }

    #[test]
    fn gaps_in_words() {
        let mut gaps = Gaps::default();
        assert!(gaps.end(5, 5).is_none());
        gaps.begin(1_000, "the server closed".into());
        gaps.begin(2_000, "no connection".into());
        assert!(gaps.is_open());
        let gap = gaps.end(3_500, 3_723_040).unwrap();
        assert_eq!((gap.lost_ms, gap.attempts), (2_500, 2));
        assert_eq!(gaps.words(), ["Gap at 1:02:03.040: 2.5 s without media: the server closed"]);
        gaps.begin(10_000, "again".into());
        gaps.end(11_000, 4_000_000);
        assert_eq!(gaps.words().last().unwrap(), "2 gaps, 3.5 s without media in all");
    }
}
