//! What a recording came to, and what that is worth.

use super::end::EndReason;
use super::gaps::Gaps;
use crate::connect::Error;
use crate::flv::sink::is_stopped;

/// A recording that has ended.
#[derive(Debug)]
pub struct Outcome {
    /// Why it ended.
    pub end: EndReason,
    /// What that is worth.
    pub verdict: Verdict,
    /// What is in it.
    pub stats: RecordingStats,
    /// Where media is missing.
    pub gaps: Gaps,
}

/// Whether a recording is what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Complete,
    /// Media was saved, then it broke off.
    Incomplete,
    /// Nothing was saved, or the output failed.
    Failed,
    /// There was no session: resolving, connecting or the handshake failed.
    NoSession,
}

/// What is in a recording, and what is known of its stream.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RecordingStats {
    /// Some media is in the output.
    pub saved: bool,
    /// The end that was asked for is not after the beginning.
    pub is_nothing_wanted: bool,
    /// The caller called the stream live.
    pub live: bool,
    /// The stream is certainly an on-demand one: the server said so, or it came faster than a live one can.
    pub on_demand: bool,
    /// The caller called the stream live, or nothing says that it is recorded: no duration, no status, no file to resume.
    pub may_be_live: bool,
    /// How far the stream was received, in milliseconds from its beginning.
    pub received_ms: u64,
    /// Where the stream (or what was asked for of it) ends, in milliseconds, if the server told.
    pub expected_ms: Option<u64>,
    /// Typical distance of two frames of the slowest track, in milliseconds.
    pub frame_ms: u64,
    /// Bytes of the output.
    pub bytes: u64,
    /// Time of the last frame that is certainly in the output, in milliseconds; `None` if that is unknown after a failed write.
    pub saved_ms: Option<i64>,
    /// Time of the last frame, in milliseconds.
    pub latest_ms: i64,
    /// Video tags.
    pub video: u64,
    /// Audio tags.
    pub audio: u64,
    /// Tags that a new connection repeated, and that were left out.
    pub repeated: u64,
    /// Messages that were left out because they were empty or broken.
    pub skipped: u64,
}

impl RecordingStats {
    /// Whether all of an on-demand stream was received. `None` if that is unknown.
    pub(super) fn is_all_there(&self) -> Option<bool> {
        self.reached_end(BREAK_SLACK_MS)
    }

    /// Whether the end of an on-demand stream was reached, within `slack_ms` and one frame. `None` if that is unknown.
    fn reached_end(&self, slack_ms: u64) -> Option<bool> {
        let expected = self.expected_ms.filter(|_| !self.live)?;
        Some(self.received_ms + self.frame_ms + slack_ms >= expected)
    }
}

impl Verdict {
    /// What an end is worth.
    pub(super) fn of(end: &EndReason, stats: &RecordingStats) -> Self {
        let broken = if stats.saved { Verdict::Incomplete } else { Verdict::Failed };
        let all_there = stats.saved && stats.is_all_there() == Some(true);
        match end {
            EndReason::LimitReached if stats.is_nothing_wanted || stats.saved => Verdict::Complete,
            // The output was given up at a limit or a signal, with media still to be written to it.
            EndReason::Output(error) if is_stopped(error) => broken,
            EndReason::LimitReached | EndReason::Output(_) => Verdict::Failed,
            // A signal is the usual end of a live recording.
            EndReason::Signal | EndReason::Broken(Error::Interrupted) if stats.saved && stats.may_be_live => {
                Verdict::Complete
            }
            EndReason::Signal | EndReason::Broken(Error::Interrupted) => broken,
            EndReason::Unmatched(_) | EndReason::NoHeaders => broken,
            EndReason::Notice(_) if !stats.saved => Verdict::Failed,
            EndReason::Notice(_) => match stats.reached_end(notice_slack_ms(stats.expected_ms.unwrap_or(0))) {
                Some(false) if stats.on_demand => Verdict::Incomplete,
                _ => Verdict::Complete,
            },
            EndReason::Refused(_) | EndReason::CloseRequested | EndReason::Broken(_) if all_there => Verdict::Complete,
            EndReason::Broken(error) if !stats.saved && error.is_before_session() => Verdict::NoSession,
            EndReason::Refused(_) | EndReason::CloseRequested | EndReason::Broken(_) => broken,
        }
    }
}

/// When a server says that a stream of this duration is over, the duration may be off by a second (and by one per cent):
/// durations count to the end of the last frame of the longest track and are often rounded to seconds. A short clip's are
/// not, or nothing would be left of it.
fn notice_slack_ms(expected_ms: u64) -> u64 {
    (expected_ms / 5).min(1000) + expected_ms / 100
}

/// When a connection breaks, the last time may be short of the duration by this in addition to one frame: durations count
/// the time of presentation, which runs ahead of the tags' times by the reordering of frames.
const BREAK_SLACK_MS: u64 = 120;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::end::Notice;
    use super::*;
    use crate::connect::{Phase, Refusal};
    use crate::proto::command::NetStatus;

    fn vod() -> RecordingStats {
        RecordingStats {
            saved: true,
            on_demand: true,
            received_ms: 9_960,
            expected_ms: Some(10_000),
            frame_ms: 40,
            ..RecordingStats::default()
        }
    }

    fn verdict(end: EndReason, stats: RecordingStats) -> Verdict {
        Verdict::of(&end, &stats)
    }

    fn broken() -> EndReason {
        EndReason::Broken(Error::Closed { phase: Phase::Media })
    }

    #[test]
    fn completeness_follows_the_server_and_the_duration() {
        let notice = || EndReason::Notice(Notice::StreamEof);
        assert_eq!(verdict(notice(), vod()), Verdict::Complete);
        assert_eq!(verdict(broken(), vod()), Verdict::Complete, "all of it had come");
        assert_eq!(verdict(EndReason::CloseRequested, vod()), Verdict::Complete);
        let half = RecordingStats { received_ms: 5_000, ..vod() };
        assert_eq!(verdict(notice(), half), Verdict::Incomplete);
        assert_eq!(verdict(notice(), RecordingStats { received_ms: 9_100, ..vod() }), Verdict::Complete, "rounded");
        let short = RecordingStats { received_ms: 960, expected_ms: Some(2_000), ..vod() };
        assert_eq!(verdict(notice(), short), Verdict::Incomplete);
        assert_eq!(verdict(broken(), half), Verdict::Incomplete);
        assert_eq!(verdict(broken(), RecordingStats { received_ms: 9_700, ..vod() }), Verdict::Incomplete);
        let unknown = RecordingStats { expected_ms: None, ..vod() };
        assert_eq!(verdict(notice(), unknown), Verdict::Complete);
        assert_eq!(verdict(broken(), unknown), Verdict::Incomplete);
    }

    #[test]
    fn live_streams_end_with_a_notice_or_break() {
        let live = RecordingStats { live: true, received_ms: 5_000, ..vod() };
        assert_eq!(verdict(EndReason::Notice(Notice::StreamEof), live), Verdict::Complete);
        assert_eq!(verdict(broken(), live), Verdict::Incomplete);
        assert_eq!(verdict(EndReason::CloseRequested, live), Verdict::Incomplete);
    }

    #[test]
    fn before_media_the_phase_decides() {
        let none = RecordingStats::default();
        let at = |phase| verdict(EndReason::Broken(Error::Timeout { phase, after: Duration::from_secs(1) }), none);
        for phase in [Phase::Resolve, Phase::Connect, Phase::Proxy, Phase::Tls, Phase::Tunnel, Phase::Handshake] {
            assert_eq!(at(phase), Verdict::NoSession, "{phase}");
        }
        for phase in [Phase::ConnectCommand, Phase::CreateStream, Phase::Play, Phase::FirstMedia] {
            assert_eq!(at(phase), Verdict::Failed, "{phase}");
        }
        assert_eq!(verdict(EndReason::Refused(Refusal::by(NetStatus::default())), none), Verdict::Failed);
        assert_eq!(verdict(EndReason::Notice(Notice::StreamEof), none), Verdict::Failed);
    }

    #[test]
    fn limits_signals_and_the_output() {
        assert_eq!(verdict(EndReason::LimitReached, RecordingStats { received_ms: 1, ..vod() }), Verdict::Complete);
        assert_eq!(verdict(EndReason::LimitReached, RecordingStats::default()), Verdict::Failed);
        assert_eq!(verdict(EndReason::Signal, vod()), Verdict::Incomplete);
        assert_eq!(verdict(EndReason::Signal, RecordingStats { may_be_live: true, ..vod() }), Verdict::Complete);
        let before_media = RecordingStats { may_be_live: true, ..RecordingStats::default() };
        assert_eq!(verdict(EndReason::Signal, before_media), Verdict::Failed);
        assert_eq!(verdict(EndReason::Output(std::io::Error::other("full")), vod()), Verdict::Failed);
    }
}
