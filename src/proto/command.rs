//! Command messages (§7.2): a name, a transaction ID, a command object and further arguments, in AMF 0.
//!
//! ```text
//! type 20   name (String) · transaction ID (Number) · command object (Object or Null) · arguments …
//! type 17   0x00 · the same (the switch marker 0x11 leads to AMF 3 values)
//! ```
//!
//! This file does not know what any command does.

use super::amf0::{self, Object, Value};
use super::amf3;
use super::message::{Message, message_type};
use super::status::{CommandKind, StatusCode};
use super::{Layer, ProtocolError};

/// A command message, decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// Command name, e.g. `_result`.
    pub name: String,
    /// Transaction ID; 0 where no answer is expected.
    pub transaction_id: f64,
    /// Command object (first) and arguments.
    pub arguments: Vec<Value>,
}

impl Command {
    /// Decodes a message of type 20 or 17.
    ///
    /// # Errors
    /// No name at the beginning. A missing transaction ID is taken for 0, digits in a string for the number.
    pub fn decode(message: &Message<'_>) -> Result<Self, ProtocolError> {
        let body = body(message);
        let (name, used) = match amf0::decode(body)? {
            (Value::String(name), used) => (name, used),
            (other, _) => return Err(ProtocolError::new(Layer::Command, 0, "a command name", other.describe())),
        };
        // An argument that cannot be read ends the list.
        let mut values = amf0::decode_leading(body.get(used..).unwrap_or_default()).into_iter();
        let number = |value: Value| value.as_number().or_else(|| value.as_str()?.parse().ok());
        let transaction_id = values.next().and_then(number).unwrap_or(0.0);
        Ok(Self { name, transaction_id, arguments: values.collect() })
    }

    /// Which command it is.
    pub fn kind(&self) -> CommandKind {
        CommandKind::of_name(&self.name)
    }

    /// Why [`Command::decode`] left arguments out, if it did.
    pub fn fault(message: &Message<'_>) -> Option<ProtocolError> {
        amf0::decode_all(body(message)).err()
    }

    /// Encodes the payload of a message of type 20.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        amf0::encode_string(&self.name, &mut out);
        amf0::encode(&Value::Number(self.transaction_id), &mut out);
        for argument in &self.arguments {
            amf0::encode(argument, &mut out);
        }
        out
    }

    /// The argument after the command object that holds properties: the information object of `_result`, `_error` and
    /// `onStatus`. Servers that leave the command object out are understood.
    pub fn information(&self) -> Option<&Object> {
        self.arguments.iter().skip(1).chain(self.arguments.first()).find_map(Value::as_object)
    }
}

/// Where a server sends a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redirect<'a> {
    /// An RTMP URL.
    pub url: &'a str,
    /// It is a tcUrl: an application without a stream. A ReconnectRequest has such a one, and SRS, which sends the URL with
    /// the stream beside it (`redirect2`). Of other redirects that is unknown.
    pub is_tc_url: bool,
}

/// A NetStatus information object (§7.2.2): what `onStatus`, `_error` and some results carry.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NetStatus {
    /// What happened.
    pub code: StatusCode,
    /// `status`, `warning` or `error`; empty if missing.
    pub level: String,
    /// For a human reader; empty if missing. Not yet made safe for a terminal.
    pub description: String,
    /// All properties.
    pub information: Object,
}

impl NetStatus {
    /// Reads the information object. Missing properties are left empty; a bare string becomes the description.
    pub fn of(command: &Command) -> Self {
        match command.information().map(Self::from_object).or_else(|| Self::among(&command.arguments)) {
            Some(status) => status,
            None => {
                let text = command.arguments.iter().find_map(Value::as_str).unwrap_or_default();
                Self { description: text.to_owned(), ..Self::default() }
            }
        }
    }

    /// Reads the first of these values that holds properties, be it in AMF 3.
    pub fn among(values: &[Value]) -> Option<Self> {
        let plain = values.iter().find_map(Value::as_object).map(Self::from_object);
        plain.or_else(|| {
            let converted = values.iter().filter_map(|value| match value {
                Value::Amf3(value) => Some(in_amf0(value)),
                _ => None,
            });
            converted.filter_map(|value| value.as_object().map(Self::from_object)).next()
        })
    }

    /// Where a refusal of connect sends the client: `ex.redirect`, which goes with `ex.code` 302.
    pub fn redirect(&self) -> Option<Redirect<'_>> {
        let ex = self.information.get("ex").and_then(Value::as_object).unwrap_or(&self.information);
        let url = ex.get("redirect").and_then(Value::as_str).filter(|url| url.contains("://"))?;
        Some(Redirect { url, is_tc_url: ex.get("redirect2").is_some() })
    }

    /// Whether its level is `error`.
    pub fn is_error(&self) -> bool {
        self.level.eq_ignore_ascii_case("error")
    }

    /// Reads `code`, `level` and `description` of an object.
    pub fn from_object(object: &Object) -> Self {
        let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let description = match object.get("description").or(object.get("details")) {
            Some(Value::String(text)) => text.clone(),
            _ => String::new(),
        };
        Self { code: text("code").as_str().into(), level: text("level"), description, information: object.clone() }
    }
}

impl std::fmt::Display for NetStatus {
    /// Code, then description; not made safe for a terminal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.code.as_str(), self.description.as_str()) {
            ("", "") => f.write_str("the server refused without giving a reason"),
            ("", text) | (text, "") => f.write_str(text),
            (code, description) => write!(f, "{code}: {description}"),
        }
    }
}

/// An AMF 3 value as far as statuses need it: words, numbers, truth, and properties that hold such.
fn in_amf0(value: &amf3::Value) -> Value {
    let members = |members: &amf3::Members| -> Vec<(String, Value)> {
        members.iter().map(|(name, value)| (name.to_string(), in_amf0(value))).collect()
    };
    match value {
        amf3::Value::Boolean(truth) => (*truth).into(),
        amf3::Value::Object(object) => {
            let names = object.traits.sealed.iter().map(|name| name.to_string());
            let sealed = names.zip(object.sealed.iter().map(in_amf0));
            Value::Object(Object { properties: sealed.chain(members(&object.dynamic)).collect() })
        }
        amf3::Value::Array(array) => Value::EcmaArray(Object { properties: members(&array.associative) }),
        value => match (value.as_str(), value.as_number()) {
            (Some(text), _) => text.into(),
            (_, Some(number)) => number.into(),
            _ => Value::Null,
        },
    }
}

/// The AMF 0 part of a command or data message: type 17 and 15 messages begin with a byte 0 (§7.1.1), though some senders
/// leave it out.
pub fn body<'a>(message: &Message<'a>) -> &'a [u8] {
    let is_amf3 = matches!(message.header.message_type_id, message_type::COMMAND_AMF3 | message_type::DATA_AMF3);
    match message.payload {
        [0, rest @ ..] if is_amf3 => rest,
        payload => payload,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::message::MessageHeader;

    fn message(kind: u8, payload: &[u8]) -> Message<'_> {
        let header =
            MessageHeader { chunk_stream_id: 3, message_type_id: kind, timestamp: 0, message_stream_id: 0, length: 0 };
        Message { header, payload }
    }

    const RESULT: &[u8] = b"\x02\0\x07_result\0\x3f\xf0\0\0\0\0\0\0\x05\x03\0\x04code\x02\0\x02ok\0\0\x09";

    #[test]
    fn golden_bytes_and_round_trip() {
        let command = Command::decode(&message(20, RESULT)).unwrap();
        assert_eq!((command.name.as_str(), command.transaction_id), ("_result", 1.0));
        assert_eq!(command.encode(), RESULT);
        assert_eq!(NetStatus::of(&command).code.as_str(), "ok");
        let amf3 = [&[0], RESULT].concat();
        assert_eq!(Command::decode(&message(17, &amf3)).unwrap(), command);
        assert_eq!(Command::decode(&message(17, RESULT)).unwrap(), command);
    }

    #[test]
    fn a_status_in_words() {
        let status = NetStatus { code: "a.b".into(), description: "c".into(), ..NetStatus::default() };
        assert_eq!(status.to_string(), "a.b: c");
        assert_eq!(NetStatus::default().to_string(), "the server refused without giving a reason");
    }

    #[test]
    fn a_bomb_of_arguments_ends_the_list() {
        // A byte each: sixteen million of them would be a gigabyte.
        let bomb = [&RESULT[..10], &vec![5; 1 << 20]].concat();
        let command = Command::decode(&message(20, &bomb)).unwrap();
        assert_eq!(command.arguments.len() as u32, amf0::MAX_VALUES - 1);
    }

    #[test]
    fn arguments_that_cannot_be_read_end_the_list_and_are_told() {
        assert_eq!(Command::fault(&message(20, RESULT)), None);
        // An externalizable object of class "x" after the information object.
        let odd = [RESULT, b"\x11\x0a\x07\x03x\x05"].concat();
        assert_eq!(Command::decode(&message(17, &odd)).unwrap().arguments.len(), 2);
        assert!(Command::fault(&message(17, &odd)).unwrap().to_string().contains("externalizable"));
    }

    #[test]
    fn truncations_are_errors_or_shorter_commands() {
        for end in 0..RESULT.len() {
            if let Ok(command) = Command::decode(&message(20, &RESULT[..end])) {
                assert!(command.arguments.len() < 2 && command.name == "_result", "{end}");
            }
        }
    }

    #[test]
    fn a_command_without_a_name_is_refused() {
        assert!(Command::decode(&message(20, b"")).is_err());
        assert!(Command::decode(&message(20, b"\x05")).is_err());
    }
}
