//! The commands of NetConnection (§7.2.1) and NetStream (§7.2.2): what is sent, and what the answers mean.
//!
//! ```text
//! sent      name · transaction ID · null · arguments …          remembered by its ID until it is answered
//! received  _result, _error · ID · …   answer to the command with that ID; without an ID see `match_unnumbered_reply`
//!           onStatus · 0 · null · { level, code, description }   classified by `classify`
//! ```
//!
//! Does not decide what to do after a refusal, and does not time out.

use crate::proto::amf0::{self, Object, Value};
use crate::proto::command::{Command, NetStatus, body};
use crate::proto::link::user_control;
use crate::proto::message::{MessageHeader, message_type};
use crate::proto::status::{CommandKind, StatusCode};
use crate::proto::{auth, swfv};

use super::{Order, PlayParams, Request, Session, SessionEvent, StatusKind};

impl Session {
    /// Calls a method of the server's NetConnection (§7.2.1.2); with arguments in AMF 3 as a message of type 17. The answer
    /// comes as [`SessionEvent::Answer`] or [`SessionEvent::Failed`]. Returns the transaction ID.
    pub fn call(&mut self, name: &str, arguments: Vec<Value>) -> f64 {
        let all = [Value::Null].into_iter().chain(arguments).collect();
        self.send_command(name, all, 0, Request::Call)
    }

    /// Queues `play` from `start_ms` on the present stream: a new start, or a seek for servers that cannot.
    pub fn play_from(&mut self, start_ms: f64) {
        if let Some(mut play) = self.config.play.clone() {
            play.start_ms = start_ms;
            let id = self.stream_id.unwrap_or(1);
            self.send_play(&play, id);
        }
    }

    /// Queues `play` for the stream that createStream named, if [`Session::play_unconfirmed`].
    pub fn play_again(&mut self) {
        if let (Some(id), Some(play)) = (self.play_again.take(), self.config.play.clone()) {
            self.send_play(&play, id);
        }
    }

    /// The server reacts to `play`: it is not to be sent once more. Many servers do not look at the stream's ID, and would
    /// play twice.
    #[inline]
    pub(super) fn note_play_taken(&mut self) {
        self.took_play = true;
        self.play_again = None;
    }

    /// Queues `pause` (§7.2.2.9) at a media time in milliseconds.
    pub fn pause(&mut self, paused: bool, at_ms: u32) {
        let arguments = vec![Value::Null, paused.into(), f64::from(at_ms).into()];
        self.send_command(CommandKind::Pause.name(), arguments, self.stream_id.unwrap_or(1), Request::Auxiliary);
    }

    /// Queues `seek` (§7.2.2.8) to a media time in milliseconds.
    pub(super) fn seek(&mut self, to_ms: u32) {
        let arguments = vec![Value::Null, f64::from(to_ms).into()];
        self.send_command(CommandKind::Seek.name(), arguments, self.stream_id.unwrap_or(1), Request::Auxiliary);
    }

    /// Queues `deleteStream` (§7.2.2.3): goodbye.
    pub fn delete_stream(&mut self) {
        if let Some(id) = self.stream_id.take() {
            self.queue_command(CommandKind::DeleteStream.name(), 0.0, vec![Value::Null, f64::from(id).into()], 0);
        }
    }

    /// Queues Set Buffer Length (§7.1.7), in milliseconds, for the present stream.
    pub fn set_buffer_length(&mut self, buffer_ms: u32) {
        let id = self.stream_id.or(self.assumed_stream_id).unwrap_or(1);
        self.send_buffer_length(id, buffer_ms);
    }

    pub(super) fn send_connect(&mut self) {
        let connect = &self.config.connect;
        let mut arguments = vec![Value::Object(connect.command_object())];
        if let Some(auth) = &connect.auth {
            arguments.extend([true.into(), auth.as_str().into()]);
        }
        arguments.extend(connect.arguments.iter().cloned());
        self.send_command(CommandKind::Connect.name(), arguments, 0, Request::Connect);
        self.events.push_back(SessionEvent::ConnectSent);
        if self.config.order == Order::Fast && self.config.token.is_none() {
            self.send_create_stream();
        }
    }

    /// What follows connect: createStream, and play too where the order allows.
    fn send_create_stream(&mut self) {
        let Some(play) = self.config.play.clone() else { return };
        self.link.send_window(OWN_WINDOW);
        self.send_command(CommandKind::CreateStream.name(), vec![Value::Null], 0, Request::CreateStream);
        if let Some(token) = self.config.usher_token.clone() {
            self.send_command(CommandKind::UsherToken.name(), vec![Value::Null, token.into()], 0, Request::Auxiliary);
        }
        if let Some(name) = &play.subscribe {
            self.send_command(
                CommandKind::FcSubscribe.name(),
                vec![Value::Null, name.as_str().into()],
                0,
                Request::Auxiliary,
            );
        }
        if self.config.order != Order::Strict {
            self.assumed_stream_id = Some(1);
            self.send_first_play(&play, 1);
        }
    }

    fn send_first_play(&mut self, play: &PlayParams, id: u32) {
        if play.ask_length {
            self.send_command(
                CommandKind::GetStreamLength.name(),
                vec![Value::Null, play.playpath.as_str().into()],
                0,
                Request::StreamLength,
            );
        }
        self.send_play(play, id);
    }

    fn send_play(&mut self, play: &PlayParams, id: u32) {
        if play.playlist {
            let list = Object { properties: vec![("0".to_owned(), play.playpath.as_str().into())] };
            self.queue_command(CommandKind::SetPlaylist.name(), 0.0, vec![Value::Null, Value::EcmaArray(list)], id);
        }
        let mut arguments = vec![Value::Null, play.playpath.as_str().into(), play.start_ms.into()];
        arguments.extend(play.length_ms.map(Value::from));
        self.send_command(CommandKind::Play.name(), arguments, id, Request::Play);
        self.send_buffer_length(id, play.buffer_ms);
        self.events.push_back(SessionEvent::PlaySent(id));
    }

    fn send_buffer_length(&mut self, id: u32, buffer_ms: u32) {
        let data = [id.to_be_bytes(), buffer_ms.to_be_bytes()].concat();
        self.link.send_user_control(user_control::SET_BUFFER_LENGTH, &data);
    }

    /// Queues a command that will be answered. Returns its transaction ID.
    pub(super) fn send_command(
        &mut self,
        name: &str,
        arguments: Vec<Value>,
        message_stream_id: u32,
        request: Request,
    ) -> f64 {
        let transaction_id = self.next_transaction;
        self.next_transaction += 1.0;
        if self.transactions.len() >= MAX_TRANSACTIONS {
            self.transactions.remove(0);
        }
        self.transactions.push((transaction_id, request));
        self.queue_command(name, transaction_id, arguments, message_stream_id);
        transaction_id
    }

    /// Queues a command; one with values in AMF 3 as such (type 17).
    fn queue_command(&mut self, name: &str, transaction_id: f64, arguments: Vec<Value>, message_stream_id: u32) {
        let is_amf3 = arguments.iter().any(|argument| matches!(argument, Value::Amf3(_)));
        let command = Command { name: name.to_owned(), transaction_id, arguments };
        let header = MessageHeader {
            chunk_stream_id: if message_stream_id == 0 { COMMAND_CSID } else { STREAM_CSID },
            message_type_id: if is_amf3 { message_type::COMMAND_AMF3 } else { message_type::COMMAND_AMF0 },
            timestamp: 0,
            message_stream_id,
            length: 0,
        };
        let mut payload = command.encode();
        if is_amf3 {
            payload.insert(0, 0);
        }
        self.link.send(header, &payload);
    }

    pub(super) fn take_command(&mut self) {
        let Some(command) = self.message().and_then(|m| Command::decode(&m).ok()) else {
            self.link.count_unknown();
            return;
        };
        match command.kind() {
            CommandKind::Result => self.take_result(command),
            CommandKind::Error => self.take_error(command),
            CommandKind::OnStatus => {
                let status = NetStatus::of(&command);
                // In place of connect's result.
                if status.code == StatusCode::ConnectSuccess && self.match_unnumbered_reply(&command).is_some() {
                    return self.take_connected(command);
                }
                self.events.push_back(SessionEvent::Command(command));
                self.take_status(status);
            }
            // Usually a data message.
            CommandKind::OnPlayStatus => self.take_status(NetStatus::of(&command)),
            CommandKind::OnBandwidthDone => {
                if !std::mem::replace(&mut self.bandwidth_checked, true) {
                    self.send_command(CommandKind::CheckBandwidth.name(), vec![Value::Null], 0, Request::Auxiliary);
                }
                self.events.push_back(SessionEvent::Command(command));
            }
            CommandKind::OnBandwidthCheck => {
                self.bandwidth_calls += 1;
                if self.bandwidth_calls <= MAX_BANDWIDTH_CALLS {
                    let count = f64::from(self.bandwidth_calls);
                    self.queue_command(
                        CommandKind::Result.name(),
                        command.transaction_id,
                        vec![Value::Null, count.into()],
                        0,
                    );
                }
                self.events.push_back(SessionEvent::Command(command));
            }
            CommandKind::Ping => {
                if self.link.pending().len() < MAX_QUEUED_ANSWERS {
                    self.queue_command(CommandKind::Pong.name(), command.transaction_id, vec![Value::Null], 0);
                }
                self.events.push_back(SessionEvent::Command(command));
            }
            CommandKind::Close => self.events.push_back(SessionEvent::CloseRequested),
            CommandKind::OnFcUnsubscribe => {
                let status = NetStatus { code: StatusCode::OnFcUnsubscribe, ..NetStatus::of(&command) };
                self.events.push_back(SessionEvent::Status(StatusKind::Ended, status));
            }
            _ => {
                let name = command.name.as_str();
                // A call that wants an answer gets one; notices (names beginning with "on", transaction 0) do not.
                let wants_answer = command.transaction_id != 0.0 && !name.starts_with("on") && !name.starts_with('_');
                if wants_answer && self.link.pending().len() < MAX_QUEUED_ANSWERS {
                    let information = Object {
                        properties: vec![
                            ("level".to_owned(), "error".into()),
                            ("code".to_owned(), StatusCode::CallFailed.as_str().into()),
                            ("description".to_owned(), "Method not found.".into()),
                        ],
                    };
                    self.queue_command(
                        CommandKind::Error.name(),
                        command.transaction_id,
                        vec![Value::Null, information.into()],
                        0,
                    );
                }
                self.events.push_back(SessionEvent::Command(command));
            }
        }
    }

    fn take_result(&mut self, command: Command) {
        match self.take_pending(command.transaction_id).or_else(|| self.match_unnumbered_reply(&command)) {
            Some(Request::Connect) if is_refusal_of_connect(&NetStatus::of(&command)) => {
                let status = NetStatus::of(&command);
                self.events.push_back(SessionEvent::Failed { command: CommandKind::Connect, status, answer: command });
            }
            Some(Request::Connect) => self.take_connected(command),
            Some(Request::CreateStream) => {
                let id = command.arguments.iter().rev().find_map(Value::as_number).unwrap_or(1.0);
                self.take_stream_id(id);
            }
            Some(Request::StreamLength) => {
                let number =
                    |value: &Value| value.as_number().or_else(|| value.as_object()?.get("duration")?.as_number());
                let seconds = command.arguments.iter().rev().find_map(number);
                if let Some(seconds) = seconds.filter(|s| s.is_finite() && *s > 0.0) {
                    self.events.push_back(SessionEvent::StreamLength(seconds));
                }
            }
            Some(Request::Play) => {
                self.play_started = true;
                self.note_play_taken();
            }
            Some(Request::Call) => self.events.push_back(SessionEvent::Answer(command)),
            Some(Request::Auxiliary) | None => self.events.push_back(SessionEvent::Command(command)),
        }
    }

    fn take_connected(&mut self, command: Command) {
        self.answer_secure_token(&command);
        self.events.push_back(SessionEvent::Connected(command));
        // In the fast order all of it has been sent already, unless a token had to be known first.
        if self.config.order != Order::Fast || self.config.token.is_some() {
            self.send_create_stream();
        }
    }

    fn take_stream_id(&mut self, id: f64) {
        let id = if (0.0..=f64::from(u32::MAX)).contains(&id) { id as u32 } else { 1 };
        self.stream_id = Some(id);
        self.events.push_back(SessionEvent::StreamCreated(id));
        if self.assumed_stream_id != Some(id)
            && let Some(play) = self.config.play.clone()
        {
            match self.assumed_stream_id {
                Some(_) if self.took_play => {}
                Some(_) => self.play_again = Some(id),
                None => self.send_first_play(&play, id),
            }
        }
    }

    fn take_error(&mut self, command: Command) {
        let kind = match self.take_pending(command.transaction_id) {
            Some(Request::Connect) => CommandKind::Connect,
            Some(Request::CreateStream) => CommandKind::CreateStream,
            Some(Request::Play) if self.play_unconfirmed() => return self.play_again(),
            Some(Request::Play) => CommandKind::Play,
            Some(Request::Call) => CommandKind::Other,
            // A side call that failed harms nothing, nor does an answer to something that was never request: unless nothing
            // has been answered yet, then it can only mean connect.
            Some(Request::StreamLength | Request::Auxiliary) | None => {
                match self.transactions.iter().position(|(_, request)| *request == Request::Connect) {
                    Some(index) if command.transaction_id == 0.0 || speaks_of_connect(&command) => {
                        self.transactions.remove(index);
                        CommandKind::Connect
                    }
                    _ => {
                        self.events.push_back(SessionEvent::Command(command));
                        return;
                    }
                }
            }
        };
        let status = NetStatus::of(&command);
        self.events.push_back(SessionEvent::Failed { command: kind, status, answer: command });
    }

    fn take_pending(&mut self, transaction_id: f64) -> Option<Request> {
        let index = self.transactions.iter().position(|(id, _)| *id == transaction_id)?;
        Some(self.transactions.remove(index).1)
    }

    /// What an answer without a transaction ID is to: connect, or if it bears a number createStream. One that speaks of
    /// connect is its answer, whatever it is numbered.
    fn match_unnumbered_reply(&mut self, answer: &Command) -> Option<Request> {
        let is_connects = speaks_of_connect(answer);
        let has_number = answer.arguments.iter().any(|value| value.as_number().is_some());
        let index = self
            .transactions
            .iter()
            .position(|(_, request)| *request == Request::Connect || (*request == Request::CreateStream && has_number));
        let index = index.filter(|index| {
            answer.transaction_id == 0.0
                || (is_connects
                    && self.transactions.get(*index).is_some_and(|(_, request)| *request == Request::Connect))
        })?;
        Some(self.transactions.remove(index).1)
    }

    fn answer_secure_token(&mut self, result: &Command) {
        let challenge = result.arguments.iter().filter_map(Value::as_object).find_map(|o| o.get("secureToken"));
        if let (Some(key), Some(challenge)) = (&self.config.token, challenge.and_then(Value::as_str))
            && let Some(response) = auth::secure_token_response(challenge, key)
        {
            self.queue_command(CommandKind::SecureTokenResponse.name(), 0.0, vec![Value::Null, response.into()], 0);
        }
    }

    fn take_status(&mut self, status: NetStatus) {
        let mut kind = classify(&status);
        let is_playing = self.refresh.has_begun();
        if kind == StatusKind::Other && is_unknown_refusal(&status, self.play_started, is_playing) {
            kind = StatusKind::Refused;
        }
        if kind == StatusKind::Started {
            self.play_started = true;
        }
        if kind == StatusKind::Refused && self.play_unconfirmed() {
            return self.play_again();
        }
        if status.code.is_about_play() {
            self.note_play_taken();
        }
        if status.code == StatusCode::PauseNotify
            && let Some(action) = self.refresh.take_pause_notice()
        {
            self.perform(action);
        }
        self.events.push_back(SessionEvent::Status(kind, status));
    }

    /// Takes an `onPlayStatus` data message for the status that it is, and an `onStatus` that says something of the stream.
    /// `false`: it is some other data.
    pub(super) fn take_play_status(&mut self) -> bool {
        let Some(message) = self.message() else { return false };
        let data = body(&message);
        let is_status = data.starts_with(b"\x02\0\x08onStatus");
        if !is_status && !data.starts_with(b"\x02\0\x0conPlayStatus") {
            return false;
        }
        let values = amf0::decode_all(data).unwrap_or_default();
        let status = NetStatus::among(&values).unwrap_or_default();
        let is_about_playing = status.is_error() && status.code.is_about_play();
        if is_status && classify(&status) == StatusKind::Other && !is_about_playing {
            return false;
        }
        self.take_status(status);
        true
    }

    pub(super) fn take_user_control(&mut self) {
        let payload = self.message().map(|m| m.payload).unwrap_or_default();
        let Some((event, data)) = payload.split_first_chunk::<2>() else {
            self.link.count_odd_control();
            return;
        };
        let event = u16::from_be_bytes(*event);
        let mut value = data.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        match event {
            user_control::SWF_VERIFICATION_REQUEST => {
                // Of its data, where it has any, the first byte is the type of the answer.
                value = data.first().map_or(0, |kind| u32::from(*kind));
                if let Some(swf) = self.config.swf {
                    let response = swfv::response(&swf.hash, swf.size, &self.swf_key);
                    self.link.send_user_control(user_control::SWF_VERIFICATION_RESPONSE, &response);
                }
            }
            user_control::BUFFER_EMPTY if self.config.play.as_ref().is_some_and(|play| play.refresh_buffer) => {
                let action = self.refresh.take_buffer_full();
                self.perform(action);
            }
            // Passed on, it would be the end of the stream.
            user_control::STREAM_EOF if self.refresh.is_pausing() => return,
            user_control::STREAM_BEGIN..=user_control::STREAM_IS_RECORDED
            | user_control::PING_RESPONSE
            | user_control::BUFFER_EMPTY
            | user_control::BUFFER_READY => {}
            _ => self.link.count_odd_control(),
        }
        self.events.push_back(SessionEvent::UserControl(event, value));
    }
}

/// What a status means to a client that plays a stream.
fn classify(status: &NetStatus) -> StatusKind {
    match status.code {
        StatusCode::PlayStart | StatusCode::PlayPublishNotify => StatusKind::Started,
        StatusCode::PlayStop
        | StatusCode::PlayComplete
        | StatusCode::PlayUnpublishNotify
        | StatusCode::OnFcUnsubscribe => StatusKind::Ended,
        StatusCode::StreamFailed
        | StatusCode::PlayFailed
        | StatusCode::PlayStreamNotFound
        | StatusCode::PlayFileStructureInvalid
        | StatusCode::PlayNoSupportedTrackFound
        | StatusCode::ConnectInvalidApp
        | StatusCode::ConnectRejected
        | StatusCode::ConnectFailed
        | StatusCode::ConnectClosed
        | StatusCode::ConnectAppShutdown => StatusKind::Refused,
        StatusCode::ReconnectRequest => StatusKind::ReconnectRequest,
        _ if status.is_error() && status.code.is_about_connection() => StatusKind::Refused,
        _ => StatusKind::Other,
    }
}

/// Whether a status can only be a refusal in a server's own words: an error that comes instead of Play.Start, or about
/// playing before any media. If media follows, it was none.
fn is_unknown_refusal(status: &NetStatus, play_started: bool, is_playing: bool) -> bool {
    let code = &status.code;
    let is_about = match (play_started, is_playing) {
        (false, _) => code.is_missing() || code.is_about_stream(),
        (true, false) => code.is_about_play(),
        (true, true) => false,
    };
    status.is_error() && is_about && *code != StatusCode::PlayInsufficientBandwidth
}

/// Whether an answer can only be connect's.
fn speaks_of_connect(answer: &Command) -> bool {
    NetStatus::of(answer).code.is_about_connect()
}

/// Whether a `_result` of connect is in fact a refusal.
fn is_refusal_of_connect(status: &NetStatus) -> bool {
    classify(status) == StatusKind::Refused || (status.is_error() && status.code.is_missing())
}

/// Chunk stream of NetConnection's commands.
const COMMAND_CSID: u32 = 3;

/// Chunk stream of NetStream's commands.
const STREAM_CSID: u32 = 8;

/// Window Acknowledgement Size that we ask for: Flash Player's.
const OWN_WINDOW: u32 = 2_500_000;

/// Answers that are waited for at a time; a server that never answers side calls makes the oldest be forgotten.
const MAX_TRANSACTIONS: usize = 64;

/// Bandwidth checks that are answered. Servers make a handful; a flood of them is not answered for ever.
const MAX_BANDWIDTH_CALLS: u32 = 1000;

/// Answers to a flood of calls stop here until the transport has taken them.
const MAX_QUEUED_ANSWERS: usize = 64 << 10;
