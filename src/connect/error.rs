//! Why there is no session, or why it ended.

use std::io;
use std::time::Duration;

use super::login::LoginError;
use crate::proto::ProtocolError;
use crate::proto::command::{Command, NetStatus};
use crate::proto::session::{SessionEvent, StatusKind};
use crate::proto::status::{CommandKind, StatusCode};
use crate::transport::{self, Step};
use crate::util::text::os_words;

/// How a connection failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server said no.
    #[error("{0}")]
    Refused(Box<Refusal>),
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
    pub fn by(status: NetStatus) -> Box<Self> {
        Box::new(Self { command: None, status, answer: None, reason: None })
    }

    /// The refusal that an event of a session is, if it is one: after it nothing is played.
    pub fn of(event: &SessionEvent) -> Option<Box<Self>> {
        match event {
            SessionEvent::Failed {
                command: command @ (CommandKind::Connect | CommandKind::CreateStream | CommandKind::Play),
                status,
                answer,
            } => {
                let (command, answer) = (Some(*command), Some(answer.clone()));
                Some(Box::new(Self { command, answer, ..*Self::by(status.clone()) }))
            }
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

/// What the client was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Looking up the host name.
    Resolve,
    /// TCP connection set-up.
    Connect,
    /// Talking to a SOCKS or HTTP proxy.
    Proxy,
    /// TLS handshake.
    Tls,
    /// Opening the HTTP tunnel.
    Tunnel,
    /// Opening a session over UDP.
    Session,
    /// RTMP handshake (§5.2).
    Handshake,
    /// `connect` command (§7.2.1.1).
    ConnectCommand,
    /// `createStream` command (§7.2.1.3).
    CreateStream,
    /// Connected, and nothing is to be played: what the caller calls is answered.
    Call,
    /// `play` command (§7.2.2.1).
    Play,
    /// Play has begun, nothing was received yet.
    FirstMedia,
    /// Media flows.
    Media,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Phase::Resolve => "name resolution",
            Phase::Connect => "TCP connect",
            Phase::Proxy => "proxy",
            Phase::Tls => "TLS handshake",
            Phase::Tunnel => "HTTP tunnel",
            Phase::Session => "RTMFP session",
            Phase::Handshake => "RTMP handshake",
            Phase::ConnectCommand => "connect",
            Phase::CreateStream => "createStream",
            Phase::Call => "call",
            Phase::Play => "play",
            Phase::FirstMedia => "first media",
            Phase::Media => "media",
        })
    }
}

impl Phase {
    /// What stands before the system's words.
    fn before_words(self) -> String {
        match self {
            // An address and the words follow.
            Phase::Connect => "cannot connect to ".to_owned(),
            other => format!("{other}: "),
        }
    }

    /// What was waited for in vain; how long follows.
    fn timeout_message(self) -> &'static str {
        match self {
            Phase::Resolve => "no answer about the host name within",
            Phase::Connect => "no TCP connection within",
            Phase::Proxy => "no answer from the proxy within",
            Phase::Tls => "no answer in the TLS handshake within",
            Phase::Tunnel => "no answer from the HTTP tunnel within",
            Phase::Session => "no answer over UDP (is it an RTMFP server?) within",
            Phase::Handshake => "no answer in the RTMP handshake within",
            Phase::ConnectCommand => "no answer to connect within",
            Phase::CreateStream => "no answer to createStream within",
            Phase::Call => "no answer to the call within",
            Phase::Play => "no answer to play within",
            Phase::FirstMedia => "the server plays, but no media came within",
            Phase::Media => "stream stalled: no media for",
        }
    }
}

/// An error of the client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system or TLS said no.
    #[error("{}{}", phase.before_words(), os_words(source))]
    Io {
        /// What was going on.
        phase: Phase,
        /// What the system said.
        source: io::Error,
    },
    /// Something took longer than allowed.
    #[error("{} {} s", phase.timeout_message(), after.as_secs_f64())]
    Timeout {
        /// What was going on.
        phase: Phase,
        /// The limit that ran out.
        after: Duration,
    },
    /// The peer did not take what was to be sent.
    #[error("{phase}: send timed out: server accepted no data for {} s", after.as_secs_f64())]
    WriteTimeout {
        /// What was going on.
        phase: Phase,
        /// The limit that ran out.
        after: Duration,
    },
    /// The peer closed the connection.
    #[error("{phase}: server closed the connection")]
    Closed {
        /// What was going on.
        phase: Phase,
    },
    /// The peer sent something that makes no sense.
    #[error("{phase}: {source}")]
    Protocol {
        /// What was going on.
        phase: Phase,
        /// What was wrong, where.
        source: ProtocolError,
    },
    /// A layer below RTMP refused: TLS certificate, proxy, HTTP tunnel, host name.
    #[error("{phase}: {reason}")]
    Refused {
        /// Which layer.
        phase: Phase,
        /// Why, and what can be done.
        reason: String,
    },
    /// The server said no with a status (§7.2).
    #[error("{command} was rejected: {code}{}{description}", if description.is_empty() { "" } else { ": " })]
    Rejected {
        /// The command that was refused.
        command: String,
        /// The NetStatus code, e.g. `NetConnection.Connect.Rejected`.
        code: String,
        /// The server's words, not yet made safe for a terminal.
        description: String,
    },
    /// Something this client does not do.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// A signal asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// The error that one of the transport's is, which came up during `phase`.
    pub fn at(phase: Phase, error: transport::Error) -> Self {
        let phase = |step| match step {
            Step::Resolve => Phase::Resolve,
            Step::Connect => Phase::Connect,
            Step::Proxy => Phase::Proxy,
            Step::Tls => Phase::Tls,
            Step::Tunnel => Phase::Tunnel,
            Step::Session => Phase::Session,
            Step::Exchange => phase,
        };
        match error {
            transport::Error::Io { step, source } => Error::Io { phase: phase(step), source },
            transport::Error::Timeout { step, after } => Error::Timeout { phase: phase(step), after },
            transport::Error::WriteTimeout { step, after } => Error::WriteTimeout { phase: phase(step), after },
            transport::Error::Closed { step } => Error::Closed { phase: phase(step) },
            transport::Error::Refused { step, reason } => Error::Refused { phase: phase(step), reason },
            transport::Error::Interrupted => Error::Interrupted,
        }
    }

    /// Whether there was no session yet: resolving, connecting or the handshake failed.
    pub fn is_before_session(&self) -> bool {
        match self {
            Error::Io { phase, .. }
            | Error::Timeout { phase, .. }
            | Error::WriteTimeout { phase, .. }
            | Error::Closed { phase }
            | Error::Protocol { phase, .. }
            | Error::Refused { phase, .. } => *phase <= Phase::Handshake,
            _ => false,
        }
    }
}
