//! Exit codes: rtmpdump's four, and for `probe` Nagios' four.

use std::process::ExitCode;

use crate::connect::{Error, Failure};
use crate::probe::Status;
use crate::record::Verdict;

/// What the program ends with.
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

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}

impl From<Verdict> for Code {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Complete => Code::Complete,
            Verdict::Incomplete => Code::Incomplete,
            Verdict::Failed => Code::Failed,
            Verdict::NoSession => Code::NoSession,
        }
    }
}

/// The exit code of a connection that came to nothing.
pub fn code_of(failure: &Failure) -> Code {
    match failure {
        Failure::Broken(Error::Interrupted) => Code::Incomplete,
        failure if failure.is_unreachable() => Code::NoSession,
        _ => Code::Failed,
    }
}
