//! What a client sent, as a scripted server noted it.

use super::rtmp_bytes::{Amf, Msg, read_amf};
use std::time::Instant;

/// What a client sent on one connection.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// Every message, in order.
    pub messages: Vec<Msg>,
    /// The client closed its side.
    pub closed: bool,
    /// What the client sent that makes no sense.
    pub garbled: Option<String>,
    /// When the first byte and when the last message came.
    pub last: Option<Instant>,
    pub(super) taken: Vec<usize>,
}

/// A command of the client.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The stream that it was sent on.
    pub msid: u32,
    /// The command's name.
    pub name: String,
    /// Its transaction id.
    pub transaction: f64,
    /// The command object and what follows it.
    pub args: Vec<Amf>,
}

impl Heard {
    /// The commands, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.messages.iter().filter_map(call).collect()
    }

    /// The names of the commands, in order.
    pub fn names(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.name).collect()
    }

    /// The first command of that name.
    #[track_caller]
    pub fn call(&self, name: &str) -> Call {
        self.calls()
            .into_iter()
            .find(|call| call.name == name)
            .unwrap_or_else(|| panic!("no {name} among {:?}", self.names()))
    }

    /// The Acknowledgements' numbers, in order.
    pub fn acks(&self) -> Vec<u32> {
        self.messages.iter().filter(|message| message.kind == 3).map(|message| number(&message.payload)).collect()
    }

    /// User Control events: type and data, in order.
    pub fn user_control(&self) -> Vec<(u16, Vec<u8>)> {
        let events = self.messages.iter().filter(|message| message.kind == 4 && message.payload.len() >= 2);
        events
            .map(|message| {
                (u16::from_be_bytes([message.payload[0], message.payload[1]]), message.payload[2..].to_vec())
            })
            .collect()
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

pub(super) fn call(message: &Msg) -> Option<Call> {
    let body = match message.kind {
        20 => &message.payload[..],
        17 => message.payload.get(1..)?,
        _ => return None,
    };
    let mut values = read_amf(body).into_iter();
    let name = values.next()?.text()?.to_string();
    Some(Call { msid: message.msid, name, transaction: values.next()?.num()?, args: values.collect() })
}
