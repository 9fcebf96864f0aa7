//! Messages as lines of a packet list.
//!
//! ```text
//!     time   connection  direction  csid  msid  timestamp  type     length  contents
//!   0.002318          1 >              3     0          0  command     341  connect 1 {"app":"live",…}
//! ```

use std::fmt::Write as _;
use std::time::Duration;

use crate::capture::Direction;
use crate::capture::conversation::Seen;
use crate::cli::json::from_amf0;
use crate::proto::aggregate::parts;
use crate::proto::amf0;
use crate::proto::command::body;
use crate::proto::link::user_control;
use crate::proto::media::{AudioPacket, AudioTag, FrameType, VideoCommand, VideoPacket, VideoTag};
use crate::proto::message::{Message, message_type};
use crate::util::text::printable;

/// Makes lines.
#[derive(Debug)]
pub struct Shower {
    hex: bool,
}

impl Shower {
    /// `hex`: the payload's bytes follow each line.
    pub fn new(hex: bool) -> Self {
        Self { hex }
    }

    /// What stands above the columns.
    pub fn head(with_connection: bool) -> String {
        let connection = if with_connection { "conn" } else { "" };
        let width = if with_connection { 5 } else { 0 };
        let (time, stamp) = ("time", "timestamp");
        format!("{time:>11} {connection:>width$} > csid  msid {stamp:>10} {:<15}{:>8}  contents", "type", "length")
    }

    /// The line, without its end, about something that `from` said. `connection`: its number, where there are several.
    pub fn line(&self, time: Duration, connection: Option<u32>, from: Direction, seen: &Seen<'_>) -> String {
        let mut line = format!("{:>11.6} ", time.as_secs_f64());
        if let Some(number) = connection {
            let _ = write!(line, "{number:>5} ");
        }
        line.push_str(if from == Direction::Client { "> " } else { "< " });
        match seen {
            Seen::Hello { version, of } => {
                let (packets, name) = if from == Direction::Client { ("C0 C1", "C0") } else { ("S0 S1", "S0") };
                let [a, b, c, d] = of;
                let _ = write!(line, "{:>4} {:>5} {:>10} {:<15}{:>8}  ", "-", "-", "-", "Handshake", 1537);
                let _ = write!(line, "{packets}: {name} {version}, version {a}.{b}.{c}.{d}");
            }
            Seen::HandshakeEcho => {
                let packet = if from == Direction::Client { "C2" } else { "S2" };
                let _ = write!(line, "{:>4} {:>5} {:>10} {:<15}{:>8}  {packet}", "-", "-", "-", "Handshake", 1536);
            }
            Seen::Broken(why) => {
                let _ = write!(line, "nothing can be read from here on: {why}");
            }
            Seen::Message(message) => self.message(&mut line, message),
        }
        line
    }

    fn message(&self, line: &mut String, message: &Message<'_>) {
        let header = &message.header;
        let _ = write!(
            line,
            "{:>4} {:>5} {:>10} {:<15}{:>8}  ",
            header.chunk_stream_id,
            header.message_stream_id,
            header.timestamp,
            type_name(header.message_type_id),
            header.length
        );
        // What a peer sends may be long, and may want to draw on the terminal.
        let shown = printable(&contents(message));
        line.push_str(if shown.is_empty() { "-" } else { &shown });
        if self.hex {
            hex(line, message.payload);
        }
    }
}

fn type_name(message_type_id: u8) -> String {
    match message_type_id {
        message_type::SET_CHUNK_SIZE => "Set Chunk Size",
        message_type::ABORT => "Abort",
        message_type::ACKNOWLEDGEMENT => "Acknowledgement",
        message_type::USER_CONTROL => "User Control",
        message_type::WINDOW_ACKNOWLEDGEMENT_SIZE => "Window Ack Size",
        message_type::SET_PEER_BANDWIDTH => "Peer Bandwidth",
        message_type::AUDIO => "Audio",
        message_type::VIDEO => "Video",
        message_type::DATA_AMF3 => "Data (AMF3)",
        message_type::SHARED_OBJECT_AMF3 => "Shared (AMF3)",
        message_type::COMMAND_AMF3 => "Command (AMF3)",
        message_type::DATA_AMF0 => "Data",
        message_type::SHARED_OBJECT_AMF0 => "Shared Object",
        message_type::COMMAND_AMF0 => "Command",
        message_type::AGGREGATE => "Aggregate",
        other => return format!("type {other}"),
    }
    .to_owned()
}

fn contents(message: &Message<'_>) -> String {
    let payload = message.payload;
    let number = payload.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
    match (message.header.message_type_id, number) {
        (message_type::AUDIO, _) => audio(payload),
        (message_type::VIDEO, _) => video(payload),
        (message_type::AGGREGATE, _) => aggregate(message),
        (message_type::USER_CONTROL, _) => control(payload),
        (message_type::COMMAND_AMF0 | message_type::COMMAND_AMF3, _)
        | (message_type::DATA_AMF0 | message_type::DATA_AMF3, _) => values(body(message)),
        (message_type::ABORT, Some(csid)) => format!("chunk stream {csid}"),
        (message_type::SET_CHUNK_SIZE | message_type::WINDOW_ACKNOWLEDGEMENT_SIZE, Some(size)) => {
            format!("{size} bytes")
        }
        (message_type::ACKNOWLEDGEMENT, Some(total)) => format!("{total} bytes received"),
        (message_type::SET_PEER_BANDWIDTH, Some(size)) => match payload.get(4) {
            Some(0) => format!("{size} bytes, Hard"),
            Some(1) => format!("{size} bytes, Soft"),
            Some(2) => format!("{size} bytes, Dynamic"),
            Some(other) => format!("{size} bytes, limit type {other}"),
            None => format!("{size} bytes"),
        },
        _ => String::new(),
    }
}

/// AMF values as JSON, a name at their beginning as it is.
fn values(mut bytes: &[u8]) -> String {
    let mut shown = String::new();
    while !bytes.is_empty() && shown.len() < MAX_SHOWN {
        let space = if shown.is_empty() { "" } else { " " };
        match amf0::decode(bytes) {
            Ok((amf0::Value::String(name), used)) if shown.is_empty() => {
                shown.push_str(&name);
                bytes = bytes.get(used..).unwrap_or_default();
            }
            Ok((value, used)) => {
                let _ = write!(shown, "{space}{}", from_amf0(&value));
                bytes = bytes.get(used..).unwrap_or_default();
            }
            Err(error) => {
                let _ = write!(shown, "{space}({} bytes that cannot be read: {error})", bytes.len());
                break;
            }
        }
    }
    shown
}

fn control(payload: &[u8]) -> String {
    let Some((event, data)) = payload.split_first_chunk::<2>() else { return String::new() };
    let event = u16::from_be_bytes(*event);
    let numbers: Vec<u32> = data.as_chunks::<4>().0.iter().map(|bytes| u32::from_be_bytes(*bytes)).collect();
    let name = match event {
        user_control::STREAM_BEGIN => "Stream Begin",
        user_control::STREAM_EOF => "Stream EOF",
        user_control::STREAM_DRY => "Stream Dry",
        user_control::SET_BUFFER_LENGTH => "Set Buffer Length",
        user_control::STREAM_IS_RECORDED => "Stream Is Recorded",
        user_control::PING_REQUEST => "Ping Request",
        user_control::PING_RESPONSE => "Ping Response",
        user_control::SWF_VERIFICATION_REQUEST => return "SWF Verification Request".to_owned(),
        user_control::SWF_VERIFICATION_RESPONSE => return "SWF Verification Response".to_owned(),
        user_control::BUFFER_EMPTY => "Buffer Empty",
        user_control::BUFFER_READY => "Buffer Ready",
        other => return format!("event {other}"),
    };
    match (event, numbers.as_slice()) {
        (user_control::SET_BUFFER_LENGTH, [stream, ms, ..]) => format!("{name}: stream {stream}, {ms} ms"),
        (user_control::PING_REQUEST | user_control::PING_RESPONSE, [time, ..]) => format!("{name}: {time}"),
        (_, [stream, ..]) => format!("{name}: stream {stream}"),
        _ => name.to_owned(),
    }
}

fn video(payload: &[u8]) -> String {
    let tag = match VideoTag::parse(payload) {
        Ok(tag) => tag,
        Err(error) => return error.to_string(),
    };
    let what = match tag.packet {
        VideoPacket::SequenceStart | VideoPacket::Mpeg2TsSequenceStart => "sequence header",
        VideoPacket::SequenceEnd => "end of sequence",
        VideoPacket::Metadata => "metadata",
        VideoPacket::Command(VideoCommand::SeekStart) => "seek begins",
        VideoPacket::Command(VideoCommand::SeekEnd) => "seek ends",
        VideoPacket::Command(_) => "command",
        VideoPacket::CodedFrames | VideoPacket::CodedFramesX => match tag.frame_type {
            FrameType::Key => "keyframe",
            FrameType::GeneratedKey => "generated keyframe",
            FrameType::DisposableInter => "disposable frame",
            _ => "frame",
        },
    };
    let codecs = tag.tracks().map(|track| (track.id, track.codec.to_string()));
    let mut shown = of_tracks(what, tag.multitrack.is_some(), codecs);
    if let Some(track) = tag.tracks().next().filter(|track| track.composition_time_ms != 0) {
        let _ = write!(shown, ", {:+} ms", track.composition_time_ms);
    }
    let _ = nanoseconds(&mut shown, tag.mod_ex.timestamp_offset_ns());
    shown
}

fn audio(payload: &[u8]) -> String {
    let tag = match AudioTag::parse(payload) {
        Ok(tag) => tag,
        Err(error) => return error.to_string(),
    };
    let what = match tag.packet {
        AudioPacket::SequenceStart => "sequence header",
        AudioPacket::CodedFrames => "sound",
        AudioPacket::SequenceEnd => "end of sequence",
        AudioPacket::MultichannelConfig => "channels",
        AudioPacket::Silence => "silence",
    };
    let codecs = tag.tracks().map(|track| (track.id, track.codec.to_string()));
    let mut shown = of_tracks(what, tag.multitrack.is_some(), codecs);
    let _ = nanoseconds(&mut shown, tag.mod_ex.timestamp_offset_ns());
    shown
}

fn nanoseconds(shown: &mut String, ns: u32) -> std::fmt::Result {
    if ns == 0 { Ok(()) } else { write!(shown, ", +{ns} ns") }
}

fn of_tracks(what: &str, is_multitrack: bool, codecs: impl Iterator<Item = (u8, String)>) -> String {
    let list: Vec<String> =
        codecs.map(|(id, codec)| if is_multitrack { format!("track {id} {codec}") } else { codec }).collect();
    if list.is_empty() { what.to_owned() } else { format!("{} {what}", list.join(", ")) }
}

fn aggregate(message: &Message<'_>) -> String {
    let [mut audio, mut video, mut others] = [0; 3];
    for part in parts(message.header.timestamp, message.payload) {
        match part.message_type_id {
            message_type::AUDIO => audio += 1,
            message_type::VIDEO => video += 1,
            _ => others += 1,
        }
    }
    format!("{audio} audio, {video} video, {others} others")
}

fn hex(text: &mut String, bytes: &[u8]) {
    for (number, line) in bytes.chunks(16).enumerate() {
        let _ = write!(text, "\n{:>16x}  ", number * 16);
        for place in 0..16 {
            match line.get(place) {
                Some(byte) => drop(write!(text, "{byte:02x} ")),
                None => text.push_str("   "),
            }
        }
        text.push(' ');
        text.extend(line.iter().map(|byte| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' }));
    }
}

/// Contents of which so many bytes are shown need no more.
const MAX_SHOWN: usize = 4000;
