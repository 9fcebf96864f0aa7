//! Why a recording ended.

use crate::connect::{Error, Failure, Refusal};
use crate::proto::status::StatusCode;
use crate::transport::Interrupt;

/// Why a recording, or one connection of it, ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum EndReason {
    /// The media time, duration or size that was asked for is reached.
    LimitReached,
    /// The server said that the stream is over.
    Notice(Notice),
    /// The server refused to play, or to go on.
    Refused(Box<Refusal>),
    /// The server asked to close the connection.
    CloseRequested,
    /// The connection broke, stalled or made no sense.
    Broken(Error),
    /// The output could not be written.
    Output(std::io::Error),
    /// What the server sends does not fit the file that is to be resumed.
    Unmatched(Unmatched),
    /// What is sent from the point asked for cannot be decoded: neither there nor at the beginning is a sequence header.
    NoHeaders,
    /// A signal.
    Signal,
}

/// How a server said that a stream is over.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// With a status.
    Status(StatusCode),
    /// With the User Control event Stream EOF.
    StreamEof,
}

/// How far a stream and a file fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmatched {
    /// The server sends some of the file, but not its last frames.
    EndMissing,
    /// The server sends nothing of the file.
    Unknown,
}

impl EndReason {
    /// What an interrupted wait means.
    pub(super) fn interrupted(interrupt: &Interrupt) -> Self {
        if interrupt.is_raised() { EndReason::Signal } else { EndReason::LimitReached }
    }
}

impl From<Failure> for EndReason {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => EndReason::Refused(refusal),
            Failure::Broken(error) => EndReason::Broken(error),
        }
    }
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Notice::Status(code) => code.fmt(f),
            Notice::StreamEof => f.write_str("Stream EOF"),
        }
    }
}

impl std::fmt::Display for Unmatched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Unmatched::EndMissing => "the stream matches the file but not its last frames",
            Unmatched::Unknown => "the stream does not match the file",
        })
    }
}

impl std::fmt::Display for EndReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EndReason::LimitReached => f.write_str("the limit was reached"),
            EndReason::Notice(notice) => write!(f, "the server ended the stream ({notice})"),
            EndReason::Refused(refusal) => refusal.fmt(f),
            EndReason::CloseRequested => f.write_str("the server asked to close the connection"),
            EndReason::Broken(error) => error.fmt(f),
            EndReason::Output(error) => error.fmt(f),
            EndReason::Unmatched(unmatched) => unmatched.fmt(f),
            EndReason::NoHeaders => f.write_str(
                "the server sends no sequence headers with that start, and none at the beginning: it could not be decoded",
            ),
            EndReason::Signal => f.write_str("interrupted"),
        }
    }
}
