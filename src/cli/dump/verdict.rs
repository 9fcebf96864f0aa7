//! How a recording ended, and what that is worth: the exit code and the words for it.

use crate::error::{Error, Phase};
use crate::proto::command::NetStatus;
use crate::transport::Interrupt;

/// The four exit codes, rtmpdump's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// What was asked for is there.
    Complete = 0,
    /// Rejected, not found, wrong usage, or the output failed.
    Failed = 1,
    /// Media was saved, then it broke off.
    Incomplete = 2,
    /// There was no session: resolve, connect, handshake.
    NoSession = 3,
}

impl Code {
    /// In one word, for events.
    pub fn name(self) -> &'static str {
        match self {
            Code::Complete => "complete",
            Code::Failed => "failed",
            Code::Incomplete => "incomplete",
            Code::NoSession => "no-session",
        }
    }
}

/// Why a recording ended.
#[derive(Debug)]
pub enum End {
    /// The media time, duration or size that the user asked for was reached.
    LimitReached,
    /// The server said that the stream is over.
    Notice(String),
    /// The server refused to play, or to go on.
    Refused(NetStatus),
    /// The server asked to close.
    CloseRequested,
    /// The connection broke, stalled or made no sense.
    Broken(Error),
    /// The output could not be written.
    Output(std::io::Error),
    /// What the server sends does not fit the file that is to be gone on with: why.
    Unmatched(String),
    /// A signal.
    Signal,
}

impl End {
    /// What an interrupted wait means.
    pub fn interrupted(interrupt: &Interrupt) -> Self {
        if interrupt.is_raised() { End::Signal } else { End::LimitReached }
    }

    /// In one word, for events.
    pub fn cause(&self) -> &'static str {
        match self {
            End::LimitReached => "limit",
            End::Notice(_) => "notice",
            End::Refused(_) => "refused",
            End::CloseRequested => "close",
            End::Broken(_) => "broken",
            End::Output(_) => "output",
            End::Unmatched(_) => "unmatched",
            End::Signal => "signal",
        }
    }
}

/// What is known when a recording has ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts {
    /// Some media is in the output.
    pub saved: bool,
    /// The end that the user asked for is not behind the beginning.
    pub is_nothing_wanted: bool,
    /// The user called the stream live.
    pub live: bool,
    /// The stream is certainly an on-demand one: the server said so, or it came faster than life.
    pub on_demand: bool,
    /// Last media time of the source, in milliseconds.
    pub last_ms: u64,
    /// Media time at which the source ends, in milliseconds, if the server told.
    pub expected_ms: Option<u64>,
    /// Typical distance of two frames of the slowest track, in milliseconds.
    pub frame_ms: u64,
}

impl Facts {
    /// Whether all of an on-demand stream has come. `None` if nobody knows.
    pub fn is_all_there(&self) -> Option<bool> {
        self.reached_end(BREAK_SLACK_MS)
    }

    /// Whether the end of an on-demand stream was reached, within `slack_ms` and one frame. `None` if nobody knows.
    fn reached_end(&self, slack_ms: u64) -> Option<bool> {
        let expected = self.expected_ms.filter(|_| !self.live)?;
        Some(self.last_ms + self.frame_ms + slack_ms >= expected)
    }
}

/// The exit code, and a sentence where something is wrong.
pub fn judge(end: &End, facts: &Facts) -> (Code, Option<String>) {
    let broken = if facts.saved { Code::Incomplete } else { Code::Failed };
    match end {
        End::LimitReached if facts.is_nothing_wanted => (Code::Complete, None),
        End::LimitReached if !facts.saved => (Code::Failed, Some("the time is over, and nothing has come".to_owned())),
        End::LimitReached => (Code::Complete, None),
        End::Signal => (Code::Incomplete, None),
        End::Unmatched(reason) => (broken, Some(reason.clone())),
        End::Output(error) => (Code::Failed, Some(format!("the output failed: {error}"))),
        End::Refused(_) if facts.saved && facts.is_all_there() == Some(true) => (Code::Complete, None),
        End::Refused(status) => (broken, Some(format!("Closing connection: {}", describe(status)))),
        End::Notice(code) if !facts.saved => {
            (Code::Failed, Some(format!("the stream ended ({code}) before any media was sent")))
        }
        End::Notice(code) => match facts.reached_end(notice_slack_ms(facts.expected_ms.unwrap_or(0))) {
            Some(false) if facts.on_demand => {
                (Code::Incomplete, Some(short(&format!("the server ended the stream ({code})"), facts)))
            }
            _ => (Code::Complete, None),
        },
        End::CloseRequested | End::Broken(_) if facts.saved && facts.is_all_there() == Some(true) => {
            (Code::Complete, None)
        }
        End::CloseRequested => (broken, Some(short("the server asked to close the connection", facts))),
        End::Broken(Error::Interrupted) => (Code::Incomplete, None),
        End::Broken(error) => {
            let code = if facts.saved { Code::Incomplete } else { code_of(error) };
            (code, Some(short(&error.to_string(), facts)))
        }
    }
}

/// The exit code of an error before any media.
pub fn code_of(error: &Error) -> Code {
    match error {
        Error::Io { phase, .. }
        | Error::Timeout { phase, .. }
        | Error::WriteTimeout { phase, .. }
        | Error::Closed { phase }
        | Error::Protocol { phase, .. }
        | Error::Refused { phase, .. }
            if *phase <= Phase::Handshake =>
        {
            Code::NoSession
        }
        Error::Interrupted => Code::Incomplete,
        _ => Code::Failed,
    }
}

/// A status in words: code, then description.
pub fn describe(status: &NetStatus) -> String {
    match (status.code.as_str(), status.description.as_str()) {
        ("", "") => "the server refused without giving a reason".to_owned(),
        ("", text) | (text, "") => text.to_owned(),
        (code, description) => format!("{code}: {description}"),
    }
}

fn short(what: &str, facts: &Facts) -> String {
    let seconds = |ms: u64| ms as f64 / 1000.0;
    match facts.expected_ms.filter(|_| facts.saved && !facts.live) {
        Some(expected) => format!("{what} at {:.2} of {:.2} s", seconds(facts.last_ms), seconds(expected)),
        None => what.to_owned(),
    }
}

/// When a server says that a stream of this duration is over, the duration may be off by a second (and by one per cent):
/// durations count to the end of the last frame of the longest track and are often rounded to seconds. A short clip's are
/// not, or nothing would be left of it.
fn notice_slack_ms(expected_ms: u64) -> u64 {
    (expected_ms / 5).min(1000) + expected_ms / 100
}

/// When a connection breaks, the last time may be short of the duration by this besides one frame: durations count the
/// time of presentation, which runs ahead of the tags' times by the reordering of frames.
const BREAK_SLACK_MS: u64 = 120;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const VOD: Facts = Facts {
        saved: true,
        is_nothing_wanted: false,
        live: false,
        on_demand: true,
        last_ms: 9_960,
        expected_ms: Some(10_000),
        frame_ms: 40,
    };

    fn code(end: End, facts: Facts) -> Code {
        judge(&end, &facts).0
    }

    fn broken() -> End {
        End::Broken(Error::Closed { phase: Phase::Media })
    }

    #[test]
    fn completeness_follows_the_server_and_the_duration() {
        let notice = || End::Notice("NetStream.Play.Stop".into());
        assert_eq!(code(notice(), VOD), Code::Complete);
        assert_eq!(code(broken(), VOD), Code::Complete, "all of it had come");
        assert_eq!(code(End::CloseRequested, VOD), Code::Complete);
        let half = Facts { last_ms: 5_000, ..VOD };
        assert_eq!(code(notice(), half), Code::Incomplete);
        assert_eq!(code(notice(), Facts { last_ms: 9_100, ..VOD }), Code::Complete, "a rounded duration");
        let short = Facts { last_ms: 960, expected_ms: Some(2_000), ..VOD };
        assert_eq!(code(notice(), short), Code::Incomplete);
        assert_eq!(code(broken(), half), Code::Incomplete);
        assert_eq!(code(broken(), Facts { last_ms: 9_700, ..VOD }), Code::Incomplete);
        let unknown = Facts { expected_ms: None, ..VOD };
        assert_eq!(code(notice(), unknown), Code::Complete);
        assert_eq!(code(broken(), unknown), Code::Incomplete);
    }

    #[test]
    fn live_streams_end_with_a_notice_or_break() {
        let live = Facts { live: true, last_ms: 5_000, ..VOD };
        assert_eq!(code(End::Notice("NetStream.Play.UnpublishNotify".into()), live), Code::Complete);
        assert_eq!(code(broken(), live), Code::Incomplete);
        assert_eq!(code(End::CloseRequested, live), Code::Incomplete);
    }

    #[test]
    fn before_media_the_phase_decides() {
        let none = Facts::default();
        let at = |phase| code(End::Broken(Error::Timeout { phase, after: Duration::from_secs(1) }), none);
        for phase in [Phase::Resolve, Phase::Connect, Phase::Proxy, Phase::Tls, Phase::Tunnel, Phase::Handshake] {
            assert_eq!(at(phase), Code::NoSession, "{phase}");
        }
        for phase in [Phase::ConnectCommand, Phase::CreateStream, Phase::Play, Phase::FirstMedia] {
            assert_eq!(at(phase), Code::Failed, "{phase}");
        }
        assert_eq!(code(End::Refused(NetStatus::default()), none), Code::Failed);
        assert_eq!(code(End::Notice("x".into()), none), Code::Failed);
    }

    #[test]
    fn limits_signals_and_the_output() {
        assert_eq!(code(End::LimitReached, Facts { last_ms: 1, ..VOD }), Code::Complete);
        assert_eq!(code(End::Signal, VOD), Code::Incomplete);
        assert_eq!(code(End::Output(std::io::Error::other("full")), VOD), Code::Failed);
    }

    #[test]
    fn a_status_in_words() {
        let status = NetStatus { code: "a.b".into(), description: "c".into(), ..NetStatus::default() };
        assert_eq!(describe(&status), "a.b: c");
        assert_eq!(describe(&NetStatus::default()), "the server refused without giving a reason");
    }
}
