//! Why there is no session, or why it ended.

use super::login::LoginError;
pub use crate::error::{Error, Phase};
use crate::proto::command::{Command, NetStatus};
use crate::proto::session::{SessionEvent, StatusKind};
use crate::proto::status::{CommandKind, StatusCode};

/// How a connection failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server said no.
    #[error("{0}")]
    Refused(Refusal),
    /// It could not be opened, broke, took too long or made no sense.
    #[error(transparent)]
    Broken(#[from] Error),
}

impl Failure {
    /// Whether there was no session at all: not even the handshake.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Failure::Broken(error) if error.is_before_session())
    }
}

/// What a server said in place of playing.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The command that it answered; `None`: a status of its own accord.
    pub command: Option<CommandKind>,
    /// What it said.
    pub status: NetStatus,
    /// The whole answer to the command.
    pub answer: Option<Command>,
    /// Why nothing could be done about it, if something would have helped: a redirect or a password.
    pub reason: Option<LoginError>,
}

impl Refusal {
    /// A refusal by a status.
    pub fn by(status: NetStatus) -> Self {
        Self { command: None, status, answer: None, reason: None }
    }

    /// The refusal that an event of a session is, if it is one: after it nothing is played.
    pub fn of(event: &SessionEvent) -> Option<Self> {
        match event {
            SessionEvent::Failed {
                command: command @ (CommandKind::Connect | CommandKind::CreateStream | CommandKind::Play),
                status,
                answer,
            } => Some(Self { command: Some(*command), answer: Some(answer.clone()), ..Self::by(status.clone()) }),
            SessionEvent::Status(StatusKind::Refused, status) => Some(Self::by(status.clone())),
            _ => None,
        }
    }

    /// Whether the server shuts down, or ends this connection for reasons of its own.
    pub fn is_shutdown(&self) -> bool {
        matches!(self.status.code, StatusCode::ConnectClosed | StatusCode::ConnectAppShutdown)
    }

    /// Whether it is the answer to `connect`, for a reason that may lie in what connect said.
    pub fn is_of_connect_itself(&self) -> bool {
        self.command == Some(CommandKind::Connect) && self.status.code != StatusCode::ConnectInvalidApp
    }

    /// Whether it is about the connection as a whole, not about the stream.
    pub fn is_about_connect(&self) -> bool {
        self.status.code.is_about_connect()
    }

    /// Whether the server knows no such stream.
    pub fn is_not_found(&self) -> bool {
        self.status.code == StatusCode::PlayStreamNotFound
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.status.fmt(f)
    }
}
