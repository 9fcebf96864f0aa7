//! When to connect again, and how long to wait before.
//!
//! | what happened | `attempts` | `wait` |
//! |---|---|---|
//! | the connection broke, stalled, made no sense in mid-stream; `close` | connects again | – |
//! | no connection, no answer, no first media | connects again | waits, until media came for the first time |
//! | not found; over before any media came | – | waits, until media came for the first time |
//! | the publisher left | – | – |
//! | any other refusal, TLS and proxy errors, the output, a limit, a signal | – | – |
//!
//! An on-demand stream continues where it was (`resume.rs`), in a pipe as well; one that ends before its duration broke.
//!
//! With both options the two lower dashes of `wait` and its "first time" do not hold: whatever is missing is waited for.

use std::time::{Duration, Instant};

use crate::connect::{Error, Phase};

use super::end::EndReason;

/// When to connect again. The default never does.
#[derive(Debug, Clone, Copy)]
pub struct RetryOptions {
    /// Attempts in a row that may bring no new media; `None`: none is made, [`UNLIMITED`]: as many as it takes.
    pub attempts: Option<u32>,
    /// Before the first one; doubled before each that follows.
    pub delay: Duration,
    /// An outage may take no longer.
    pub max_time: Option<Duration>,
    /// How long to wait for a stream that is not there.
    pub wait: Option<Duration>,
}

/// As many attempts as it takes.
pub const UNLIMITED: u32 = u32::MAX;

impl RetryOptions {
    /// Whether a stream that has begun is connected to again when it breaks.
    pub fn retries(&self) -> bool {
        self.attempts.is_some()
    }
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self { attempts: None, delay: DEFAULT_DELAY, max_time: None, wait: None }
    }
}

/// Decides what follows the end of a connection.
#[derive(Debug)]
pub(super) struct Retry {
    options: RetryOptions,
    outage: Option<Outage>,
}

/// From the end of one connection that brought new media (or the beginning) to the end of the next one that does.
#[derive(Debug)]
struct Outage {
    since: Instant,
    /// Media tags in the output then.
    tags: u64,
    attempts: u32,
    /// The publisher left: that is how the recording ends if none returns.
    left: Option<EndReason>,
}

/// What is known of a recording when a connection has ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// Audio and video tags in the output.
    pub tags: u64,
    /// The last connection brought media that the one before had not brought.
    pub has_new_media: bool,
    /// There is media in it.
    pub saved: bool,
    /// The stream is certainly an on-demand one.
    pub on_demand: bool,
    /// All of an on-demand stream is there.
    pub is_complete: bool,
}

/// The pause before another connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pause {
    /// How long.
    pub delay: Duration,
    /// Which attempt follows it, from 1.
    pub attempt: u32,
    /// How many there may be.
    pub limit: Option<u32>,
    /// The stream is waited for, not an outage repaired.
    pub is_waiting: bool,
}

impl Retry {
    /// At the beginning.
    pub(super) fn new(options: RetryOptions) -> Self {
        Self { options, outage: None }
    }

    /// Whether there is to be another connection, and after which pause.
    /// If there is not, `end` becomes how the recording ended.
    pub(super) fn decide(&mut self, end: &mut EndReason, standing: Standing) -> Option<Pause> {
        let tags = standing.tags;
        // A server that sends the same few frames and closes, each time, is not one that works again.
        if standing.has_new_media && self.outage.as_ref().is_some_and(|outage| tags != outage.tags) {
            self.outage = None;
        }
        let class = match standing.on_demand && standing.saved && standing.is_complete {
            true => FailureClass::Final,
            false => FailureClass::of(end, standing.saved, standing.on_demand),
        };
        let RetryOptions { attempts, delay, max_time, wait } = self.options;
        let outage = self.outage.get_or_insert_with(|| Outage { since: Instant::now(), tags, attempts: 0, left: None });
        let both = attempts.is_some() && wait.is_some();
        let is_waiting = match class {
            FailureClass::Absent | FailureClass::NotFound => both || (wait.is_some() && tags == 0),
            FailureClass::Left => both,
            FailureClass::Broken | FailureClass::Final => false,
        };
        let is_retrying = matches!(class, FailureClass::Absent | FailureClass::Broken)
            && attempts.is_some_and(|attempts| outage.attempts < attempts);
        let limit = match (is_waiting, is_retrying) {
            (true, _) => wait,
            (false, true) => Some(max_time.unwrap_or(Duration::MAX)),
            (false, false) => None,
        };
        let left = limit.and_then(|limit| limit.checked_sub(outage.since.elapsed())).filter(|left| !left.is_zero());
        let Some(left) = left else {
            if class != FailureClass::Final
                && let Some(publisher_left) = outage.left.take()
            {
                *end = publisher_left;
            }
            return None;
        };
        if let (FailureClass::Left, EndReason::Notice(notice)) = (class, &*end) {
            outage.left.get_or_insert_with(|| EndReason::Notice(notice.clone()));
        }
        outage.attempts = outage.attempts.saturating_add(1);
        let longest = if is_waiting { LONGEST_WAIT } else { LONGEST_DELAY };
        Some(Pause {
            delay: jittered(backed_off(delay, outage.attempts, longest)).min(left),
            attempt: outage.attempts,
            limit: attempts.filter(|limit| *limit != UNLIMITED && !is_waiting),
            is_waiting,
        })
    }
}

/// What an end means for another connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FailureClass {
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

impl FailureClass {
    /// `saved`: there is media in the output. `on_demand`: the stream is certainly no live one.
    fn of(end: &EndReason, saved: bool, on_demand: bool) -> Self {
        match end {
            EndReason::LimitReached
            | EndReason::Signal
            | EndReason::Output(_)
            | EndReason::Unmatched(_)
            | EndReason::NoHeaders => Self::Final,
            EndReason::Notice(_) if !saved => Self::NotFound,
            // Too early, or it would have been complete.
            EndReason::Notice(_) if on_demand => Self::Broken,
            EndReason::Notice(_) => Self::Left,
            EndReason::CloseRequested => Self::Broken,
            EndReason::Refused(refusal) if refusal.is_not_found() => Self::NotFound,
            EndReason::Refused(refusal) if refusal.is_shutdown() => Self::Broken,
            EndReason::Refused(_) => Self::Final,
            EndReason::Broken(error) => Self::of_error(error, saved),
        }
    }

    fn of_error(error: &Error, saved: bool) -> Self {
        match error {
            Error::Refused { phase: Phase::Resolve, .. } => Self::Absent,
            Error::Io { phase, .. }
            | Error::Timeout { phase, .. }
            | Error::WriteTimeout { phase, .. }
            | Error::Closed { phase } => {
                if *phase == Phase::Media {
                    Self::Broken
                } else {
                    Self::Absent
                }
            }
            Error::Protocol { phase: Phase::Media, .. } => Self::Broken,
            // What has let media through: its gateway has lost the server, or is another one by now.
            Error::Refused { phase: Phase::Tunnel, .. } if saved => Self::Broken,
            Error::Protocol { .. } if saved => Self::Absent,
            _ => Self::Final,
        }
    }
}

/// The pause before an attempt, from 1.
fn backed_off(first: Duration, attempt: u32, longest: Duration) -> Duration {
    let doubled = first.saturating_mul(1 << (attempt - 1).min(20));
    // No pause before the first attempt is no reason to flood a server that refuses.
    let least = if attempt > 1 { LEAST_DELAY } else { Duration::ZERO };
    doubled.clamp(least, longest.max(first))
}

/// Between half of it and all of it: clients that lost the same server do not all return at once.
fn jittered(pause: Duration) -> Duration {
    let mut random = [0; 4];
    // Without random bytes they do.
    let _ = getrandom::fill(&mut random);
    let share = f64::from(u32::from_ne_bytes(random)) / f64::from(u32::MAX);
    pause.mul_f64(1.0 - share / 2.0)
}

/// Before the first attempt.
const DEFAULT_DELAY: Duration = Duration::from_secs(1);

/// Pauses grow up to this.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// The same where a stream is waited for: as much of its beginning may be missed.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Before all attempts but the first.
const LEAST_DELAY: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::super::end::Notice;
    use super::*;
    use crate::connect::Refusal;
    use crate::proto::command::NetStatus;

    fn closed(phase: Phase) -> EndReason {
        EndReason::Broken(Error::Closed { phase })
    }

    #[test]
    fn what_is_worth_another_attempt() {
        let refused =
            |code: &str| EndReason::Refused(Refusal::by(NetStatus { code: code.into(), ..NetStatus::default() }));
        let tls = || EndReason::Broken(Error::Refused { phase: Phase::Tls, reason: "expired".into() });
        let tunnel =
            || EndReason::Broken(Error::Refused { phase: Phase::Tunnel, reason: "HTTP 502 Bad Gateway".into() });
        let notice = || EndReason::Notice(Notice::StreamEof);
        for (end, saved, expected) in [
            (closed(Phase::Media), true, FailureClass::Broken),
            (closed(Phase::Connect), true, FailureClass::Absent),
            (closed(Phase::FirstMedia), false, FailureClass::Absent),
            (EndReason::CloseRequested, true, FailureClass::Broken),
            (refused("NetStream.Play.StreamNotFound"), false, FailureClass::NotFound),
            (refused("NetConnection.Connect.Rejected"), false, FailureClass::Final),
            (refused("NetConnection.Connect.AppShutdown"), true, FailureClass::Broken),
            (tls(), false, FailureClass::Final),
            (tls(), true, FailureClass::Final),
            (tunnel(), false, FailureClass::Final),
            (tunnel(), true, FailureClass::Broken),
            (notice(), false, FailureClass::NotFound),
            (notice(), true, FailureClass::Left),
            (EndReason::LimitReached, true, FailureClass::Final),
            (EndReason::Signal, true, FailureClass::Final),
        ] {
            assert_eq!(FailureClass::of(&end, saved, false), expected, "{end:?}");
        }
        assert_eq!(
            FailureClass::of(&notice(), true, true),
            FailureClass::Broken,
            "an on-demand stream that ends too early"
        );
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
    fn attempts_count_until_there_is_new_media() {
        let options = RetryOptions { attempts: Some(2), ..RetryOptions::default() };
        let mut retry = Retry::new(options);
        let mut attempt = |tags, has_new_media| {
            let standing = Standing { tags, has_new_media, saved: true, on_demand: false, is_complete: false };
            retry.decide(&mut closed(Phase::Media), standing).map(|pause| pause.attempt)
        };
        assert_eq!([attempt(50, true), attempt(50, true)], [Some(1), Some(2)]);
        assert_eq!(attempt(100, true), Some(1), "it worked again");
        // The same few frames again and again are nothing new.
        assert_eq!([attempt(103, false), attempt(106, false), attempt(109, false)], [Some(2), None, None]);
    }

    #[test]
    fn a_publisher_who_left_is_the_reason_if_nobody_returns() {
        let options =
            RetryOptions { attempts: Some(1), wait: Some(Duration::from_secs(60)), ..RetryOptions::default() };
        let mut retry = Retry::new(options);
        let standing = Standing { tags: 50, has_new_media: true, saved: true, on_demand: false, is_complete: false };
        let pause = retry.decide(&mut EndReason::Notice(Notice::StreamEof), standing).unwrap();
        assert!(pause.is_waiting && pause.limit.is_none());
        let mut end = closed(Phase::Media);
        assert_eq!(retry.decide(&mut end, standing), None);
        assert!(matches!(end, EndReason::Notice(Notice::StreamEof)), "{end:?}");
    }
}
