//! The commands of clients (§7.2.1, §7.2.2), and the answers that do not depend on what there is to play.
//!
//! ```text
//! connect ─► policy ─► Window Acknowledgement Size · Set Peer Bandwidth · Set Chunk Size · _result, or _error · close
//! createStream, FCSubscribe, _checkbw … ─► _result        play, publish, pause, seek … ─► ServerEvent
//! ```
//!
//! Does not know streams: whoever polls the events answers them.

use crate::proto::amf0::{Object, Value};
use crate::proto::auth;
use crate::proto::command::Command;
use crate::proto::link::user_control;
use crate::proto::message::{MessageHeader, message_type};
use crate::proto::status::{CommandKind, StatusCode};
use crate::proto::swfv::Verdict;

use super::options::Refusal;
use super::{
    ConnectRequest, MAX_STREAMS, MAX_SUBSCRIPTIONS, PlayRequest, ServerEvent, ServerSession, Start, number, text,
};

impl ServerSession {
    pub(super) fn take_command(&mut self) {
        let Some(message) = self.link.message() else { return };
        let stream_id = message.header.message_stream_id;
        let Ok(command) = Command::decode(&message) else {
            self.link.count_unknown();
            return;
        };
        if self.connect.is_none() && command.kind() != CommandKind::Connect {
            // §7.2.1.1: nothing goes before connect. Answers to calls of ours would be the exception; there are none.
            self.link.count_unknown();
            return;
        }
        match command.kind() {
            CommandKind::Connect => self.take_connect(command),
            CommandKind::CreateStream => self.take_create_stream(command.transaction_id),
            CommandKind::Play => self.take_play(command, stream_id),
            CommandKind::Publish => self.take_publish(&command, stream_id),
            CommandKind::Pause => {
                let paused = !matches!(command.arguments.get(1), Some(Value::Boolean(false)));
                let at_ms = number(&command.arguments, 2).unwrap_or(0.0);
                self.pending = Some(ServerEvent::Pause { stream_id, paused, at_ms });
            }
            CommandKind::Seek => {
                let to_ms = number(&command.arguments, 1).unwrap_or(0.0);
                self.pending = Some(ServerEvent::Seek { stream_id, to_ms });
            }
            kind @ (CommandKind::ReceiveAudio | CommandKind::ReceiveVideo) => {
                let message_type_id =
                    if kind == CommandKind::ReceiveAudio { message_type::AUDIO } else { message_type::VIDEO };
                let wanted = !matches!(command.arguments.get(1), Some(Value::Boolean(false)));
                self.pending = Some(ServerEvent::Receive { stream_id, message_type_id, wanted });
            }
            CommandKind::CloseStream => self.take_close(stream_id, false),
            CommandKind::DeleteStream => {
                let id = number(&command.arguments, 1).map_or(stream_id, |id| id as u32);
                self.take_close(id, true);
            }
            CommandKind::FcUnpublish
            | CommandKind::FcUnsubscribe
            | CommandKind::ReleaseStream
            | CommandKind::FcPublish
            | CommandKind::SetPlaylist => {
                self.answer(command.transaction_id, Value::Null);
            }
            CommandKind::FcSubscribe => self.take_subscribe(&command),
            CommandKind::GetStreamLength => {
                let name = text(&command.arguments, 1).unwrap_or_default();
                let transaction_id = command.transaction_id;
                if self.denial_reason(&name).is_some() {
                    // No information about a stream that the client may not play. An error would make ffmpeg give up before its token is checked.
                    self.stream_length(transaction_id, 0.0);
                    return;
                }
                self.pending = Some(ServerEvent::GetStreamLength { transaction_id, name });
            }
            CommandKind::SecureTokenResponse => {
                if let Some(token) = &self.options.access.secure_token {
                    let expected = auth::secure_token_response(&token.challenge, &token.key);
                    let got = text(&command.arguments, 1);
                    // Some answer without the zeros that fill the text up to whole words.
                    let bare = |text: &Option<String>| text.as_ref().map(|text| text.trim_end_matches('\0').to_owned());
                    self.token = Some(expected.is_some() && bare(&got) == bare(&expected));
                }
            }
            CommandKind::UsherToken => self.usher_token = text(&command.arguments, 1),
            CommandKind::CheckBandwidth => self.answer(command.transaction_id, Value::Null),
            CommandKind::Result | CommandKind::Error | CommandKind::OnStatus => {}
            _ => self.take_call(command),
        }
    }

    fn take_connect(&mut self, command: Command) {
        if self.connect.is_some() {
            self.link.count_unknown();
            return;
        }
        let transaction_id = command.transaction_id;
        let request = ConnectRequest::new(command.arguments);
        if let Err(refusal) = self.options.access.check(&request) {
            self.refuse_connect(transaction_id, refusal);
            return;
        }
        self.connect = Some(request.clone());
        self.link.send_window(self.options.window);
        if let Some(bandwidth) = self.options.peer_bandwidth {
            let [a, b, c, d] = bandwidth.to_be_bytes();
            self.link.send_control(message_type::SET_PEER_BANDWIDTH, &[a, b, c, d, DYNAMIC]);
        }
        if let Some(size) = self.options.chunk_size {
            self.link.send_chunk_size(size);
        }
        let properties = Object::default()
            .with("fmsVer", self.options.server_version.as_str())
            .with("capabilities", 31.0)
            .with("mode", 1.0);
        let mut information = Object::default()
            .with("level", "status")
            .with("code", StatusCode::ConnectSuccess.as_str())
            .with("description", "Connection succeeded.")
            .with("objectEncoding", request.object_encoding)
            .with("data", Value::EcmaArray(Object::default().with("version", env!("CARGO_PKG_VERSION"))));
        if request.object.get("fourCcList").is_some() {
            // Enhanced RTMP: every codec is forwarded unchanged.
            let any = Value::StrictArray(vec!["*".into()]);
            information = information.with("fourCcList", any).with("capsEx", 0.0);
        }
        if let Some(token) = &self.options.access.secure_token {
            information = information.with("secureToken", token.challenge.as_str());
        }
        if self.options.access.swf.is_some() {
            // Before the result, so that the answer comes before whatever the result makes the client say.
            self.link.send_user_control(user_control::SWF_VERIFICATION_REQUEST, &[]);
        }
        self.reply(CommandKind::Result.name(), transaction_id, vec![properties.into(), information.into()]);
        if self.options.bandwidth_done {
            self.reply(CommandKind::OnBandwidthDone.name(), 0.0, vec![Value::Null]);
        }
        self.pending = Some(ServerEvent::Connect(request));
    }

    fn refuse_connect(&mut self, transaction_id: f64, refusal: Refusal) {
        let mut information = Object::default()
            .with("level", "error")
            .with("code", refusal.code.as_str())
            .with("description", refusal.description.as_str());
        if let Some(url) = refusal.redirect {
            let ex = Object::default().with("code", 302.0).with("redirect", url);
            information = information.with("ex", ex);
        }
        self.reply(CommandKind::Error.name(), transaction_id, vec![Value::Null, information.into()]);
        self.reply(CommandKind::Close.name(), 0.0, vec![Value::Null]);
        self.closing = true;
        self.pending = Some(ServerEvent::Refused { code: refusal.code, description: refusal.description });
    }

    fn take_create_stream(&mut self, transaction_id: f64) {
        if self.streams.len() >= MAX_STREAMS {
            self.reply_error(transaction_id, StatusCode::CallFailed, "Too many streams.");
            return;
        }
        let id = self.next_stream_id;
        self.next_stream_id = self.next_stream_id.wrapping_add(1).max(1);
        self.streams.push(id);
        self.answer(transaction_id, f64::from(id).into());
        self.pending = Some(ServerEvent::CreateStream(id));
    }

    fn take_play(&mut self, command: Command, stream_id: u32) {
        let arguments = &command.arguments;
        let Some(name) = text(arguments, 1) else {
            // `play(false)` stops.
            self.take_close(stream_id, false);
            return;
        };
        if !self.streams.contains(&stream_id) {
            self.reply_error(command.transaction_id, StatusCode::CallFailed, "No such stream.");
            return;
        }
        if let Some(reason) = self.denial_reason(&name) {
            self.refuse_play(stream_id, StatusCode::PlayFailed, reason);
            return;
        }
        let reset = match arguments.get(4) {
            Some(Value::Boolean(reset)) => *reset,
            // Flash's numbers: 0 and 2 append, 1 and 3 reset.
            Some(Value::Number(reset)) => *reset % 2.0 != 0.0,
            _ => true,
        };
        self.pending = Some(ServerEvent::Play(PlayRequest {
            stream_id,
            transaction_id: command.transaction_id,
            start: Start::from_number(number(arguments, 2).unwrap_or(-2.0)),
            length_ms: number(arguments, 3).filter(|length| *length >= 0.0),
            reset,
            name,
        }));
    }

    fn take_publish(&mut self, command: &Command, stream_id: u32) {
        match text(&command.arguments, 1) {
            Some(name) if self.streams.contains(&stream_id) => {
                self.pending = Some(ServerEvent::Publish { stream_id, name });
            }
            Some(_) => self.reply_error(command.transaction_id, StatusCode::CallFailed, "No such stream."),
            None => self.take_close(stream_id, false),
        }
    }

    fn take_close(&mut self, stream_id: u32, for_good: bool) {
        if !self.streams.contains(&stream_id) {
            return;
        }
        if for_good {
            self.streams.retain(|id| *id != stream_id);
        }
        self.publishing.retain(|id| *id != stream_id);
        self.pending = Some(ServerEvent::Close { stream_id });
    }

    fn take_subscribe(&mut self, command: &Command) {
        let name = text(&command.arguments, 1).unwrap_or_default();
        self.answer(command.transaction_id, Value::Null);
        let information = Object::default()
            .with("level", "status")
            .with("code", StatusCode::PlayStart.as_str())
            .with("description", format!("Subscribed to {name}."));
        self.reply(CommandKind::OnFcSubscribe.name(), 0.0, vec![Value::Null, information.into()]);
        if self.subscribed.len() < MAX_SUBSCRIPTIONS {
            self.subscribed.push(name.clone());
        }
        self.pending = Some(ServerEvent::Subscribe(name));
    }

    /// Methods that anybody may call (`NetConnection.call`), for trying out clients.
    fn take_call(&mut self, command: Command) {
        if let Some(fault) = self.link.message().and_then(|message| Command::fault(&message)) {
            if command.transaction_id != 0.0 {
                let text = format!("Arguments that cannot be read: {fault}");
                self.reply_error(command.transaction_id, StatusCode::CallBadValue, &text);
            }
            return;
        }
        let mut arguments = command.arguments.into_iter();
        let object = arguments.next().unwrap_or(Value::Null);
        let result = match command.name.as_str() {
            "echo" => {
                let all = [object].into_iter().chain(arguments).collect();
                self.reply(CommandKind::Result.name(), command.transaction_id, all);
                return;
            }
            "sum" => arguments.filter_map(|value| value.as_number()).sum::<f64>().into(),
            "fail" => {
                let text = words_of(arguments.next());
                self.reply_error(command.transaction_id, StatusCode::CallFailed, &text);
                return;
            }
            "status" => {
                let text = words_of(arguments.next());
                let information = Object::default()
                    .with("level", "status")
                    .with("code", StatusCode::CallStatus.as_str())
                    .with("description", text);
                self.reply(CommandKind::OnStatus.name(), 0.0, vec![Value::Null, information.into()]);
                Value::Undefined
            }
            "version" => concat!("rtmpcat ", env!("CARGO_PKG_VERSION")).into(),
            "connectObject" => self.connect.as_ref().map_or(Value::Null, |connect| connect.object.clone().into()),
            name => {
                if command.transaction_id != 0.0 {
                    let text = format!("Method not found ({}).", Value::from(name).describe());
                    self.reply_error(command.transaction_id, StatusCode::CallFailed, &text);
                }
                return;
            }
        };
        self.answer(command.transaction_id, result);
    }

    pub(super) fn take_user_control(&mut self) {
        let payload = self.link.message().map(|message| message.payload).unwrap_or_default();
        let Some((event, data)) = payload.split_first_chunk::<2>() else {
            self.link.count_odd_control();
            return;
        };
        match u16::from_be_bytes(*event) {
            user_control::SET_BUFFER_LENGTH => {
                let (Some(id), Some(length)) =
                    (data.first_chunk::<4>(), data.get(4..).and_then(|d| d.first_chunk::<4>()))
                else {
                    self.link.count_odd_control();
                    return;
                };
                let (stream_id, buffer_ms) = (u32::from_be_bytes(*id), u32::from_be_bytes(*length));
                self.pending = Some(ServerEvent::BufferLength { stream_id, buffer_ms });
            }
            user_control::SWF_VERIFICATION_RESPONSE => {
                if let Some(swf) = self.options.access.swf {
                    let verdict = swf.verify(data, &self.swf_key);
                    self.swf = Some(verdict);
                    self.pending = Some(ServerEvent::SwfVerified(verdict == Verdict::Genuine));
                }
            }
            user_control::PING_RESPONSE => {}
            _ => self.link.count_odd_control(),
        }
    }

    /// Queues a command on NetConnection, in the encoding that the client asked for.
    pub fn reply(&mut self, name: &str, transaction_id: f64, arguments: Vec<Value>) {
        self.command(name, transaction_id, arguments, 0, COMMAND_CSID);
    }

    /// Queues `_result` with null and one value; nothing where no answer is wanted.
    pub fn answer(&mut self, transaction_id: f64, value: Value) {
        if transaction_id != 0.0 {
            self.reply(CommandKind::Result.name(), transaction_id, vec![Value::Null, value]);
        }
    }

    /// Queues `_error` with an information object.
    pub fn reply_error(&mut self, transaction_id: f64, code: StatusCode, description: &str) {
        let information =
            Object::default().with("level", "error").with("code", code.as_str()).with("description", description);
        self.reply(CommandKind::Error.name(), transaction_id, vec![Value::Null, information.into()]);
    }

    pub(super) fn command(
        &mut self,
        name: &str,
        transaction_id: f64,
        arguments: Vec<Value>,
        message_stream_id: u32,
        chunk_stream_id: u32,
    ) {
        let command = Command { name: name.to_owned(), transaction_id, arguments };
        let message_type_id = self.connect.as_ref().map_or(message_type::COMMAND_AMF0, ConnectRequest::command_type);
        let mut payload = command.encode();
        if message_type_id == message_type::COMMAND_AMF3 {
            payload.insert(0, 0);
        }
        let header = MessageHeader { chunk_stream_id, message_type_id, timestamp: 0, message_stream_id, length: 0 };
        self.link.send(header, &payload);
    }
}

/// The text that a caller asks for.
fn words_of(argument: Option<Value>) -> String {
    match &argument {
        Some(value) => value.as_str().map_or_else(|| value.describe(), str::to_owned),
        None => "As you wish.".to_owned(),
    }
}

/// Chunk stream of NetConnection's commands.
const COMMAND_CSID: u32 = 3;

/// Limit type of Set Peer Bandwidth (§5.4.5).
const DYNAMIC: u8 = 2;
