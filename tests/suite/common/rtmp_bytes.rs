//! RTMP as bytes, for the scripted server: AMF0 values, messages, chunks in every lawful and unlawful shape.
//!
//! None of it comes from the program under test: what both sides get wrong in the same way, no test would see. And it
//! checks nothing: it writes what it is told.

use super::flvcmp::Tag;

/// A value of AMF0.
#[derive(Debug, Clone, PartialEq)]
pub enum Amf {
    /// Marker 0.
    Num(f64),
    /// Marker 1.
    Bool(bool),
    /// Marker 2, or 12 above 65535 bytes.
    Str(String),
    /// Marker 3.
    Obj(Vec<(String, Amf)>),
    /// Marker 5.
    Null,
    /// Marker 6.
    Undefined,
    /// Marker 8.
    Ecma(Vec<(String, Amf)>),
    /// Marker 10.
    Array(Vec<Amf>),
    /// Bytes as they are, marker included.
    Raw(Vec<u8>),
}

impl Amf {
    /// An object.
    pub fn obj(properties: &[(&str, Amf)]) -> Amf {
        Amf::Obj(properties.iter().map(|(name, value)| (name.to_string(), value.clone())).collect())
    }

    /// An ECMA array.
    pub fn ecma(properties: &[(&str, Amf)]) -> Amf {
        Amf::Ecma(properties.iter().map(|(name, value)| (name.to_string(), value.clone())).collect())
    }

    /// A property of an object.
    pub fn get(&self, name: &str) -> Option<&Amf> {
        match self {
            Amf::Obj(properties) | Amf::Ecma(properties) => {
                properties.iter().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The number in it.
    pub fn num(&self) -> Option<f64> {
        if let Amf::Num(number) = self { Some(*number) } else { None }
    }

    /// The text in it.
    pub fn text(&self) -> Option<&str> {
        if let Amf::Str(text) = self { Some(text) } else { None }
    }

    /// Appends its bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Amf::Num(number) => {
                out.push(0);
                out.extend(number.to_be_bytes());
            }
            Amf::Bool(truth) => out.extend([1, u8::from(*truth)]),
            Amf::Str(text) if text.len() > 0xffff => {
                out.push(12);
                out.extend((text.len() as u32).to_be_bytes());
                out.extend(text.as_bytes());
            }
            Amf::Str(text) => {
                out.push(2);
                write_name(text, out);
            }
            Amf::Obj(properties) => {
                out.push(3);
                write_properties(properties, out);
            }
            Amf::Null => out.push(5),
            Amf::Undefined => out.push(6),
            Amf::Ecma(properties) => {
                out.push(8);
                out.extend((properties.len() as u32).to_be_bytes());
                write_properties(properties, out);
            }
            Amf::Array(values) => {
                out.push(10);
                out.extend((values.len() as u32).to_be_bytes());
                values.iter().for_each(|value| value.write(out));
            }
            Amf::Raw(bytes) => out.extend(bytes),
        }
    }
}

impl From<f64> for Amf {
    fn from(number: f64) -> Amf {
        Amf::Num(number)
    }
}

impl From<&str> for Amf {
    fn from(text: &str) -> Amf {
        Amf::Str(text.to_string())
    }
}

impl From<bool> for Amf {
    fn from(truth: bool) -> Amf {
        Amf::Bool(truth)
    }
}

fn write_name(name: &str, out: &mut Vec<u8>) {
    out.extend((name.len() as u16).to_be_bytes());
    out.extend(name.as_bytes());
}

fn write_properties(properties: &[(String, Amf)], out: &mut Vec<u8>) {
    for (name, value) in properties {
        write_name(name, out);
        value.write(out);
    }
    out.extend([0, 0, 9]);
}

/// Values one after the other.
pub fn amf(values: &[Amf]) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|value| value.write(&mut out));
    out
}

/// The values in `bytes`, up to the first that is not understood.
pub fn read_amf(mut bytes: &[u8]) -> Vec<Amf> {
    let mut values = Vec::new();
    while let Some(value) = read_value(&mut bytes) {
        values.push(value);
    }
    values
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(count)?;
    *bytes = tail;
    Some(head)
}

fn take_number(bytes: &mut &[u8], count: usize) -> Option<usize> {
    Some(take(bytes, count)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

fn take_text(bytes: &mut &[u8], width: usize) -> Option<String> {
    let length = take_number(bytes, width)?;
    Some(String::from_utf8_lossy(take(bytes, length)?).into_owned())
}

fn read_value(bytes: &mut &[u8]) -> Option<Amf> {
    Some(match take(bytes, 1)?[0] {
        0 => Amf::Num(f64::from_be_bytes(take(bytes, 8)?.try_into().ok()?)),
        1 => Amf::Bool(take(bytes, 1)?[0] != 0),
        2 => Amf::Str(take_text(bytes, 2)?),
        3 => Amf::Obj(read_properties(bytes)?),
        5 => Amf::Null,
        6 => Amf::Undefined,
        8 => {
            take(bytes, 4)?;
            Amf::Ecma(read_properties(bytes)?)
        }
        10 => {
            let count = take_number(bytes, 4)?;
            Amf::Array((0..count).map(|_| read_value(bytes)).collect::<Option<_>>()?)
        }
        12 => Amf::Str(take_text(bytes, 4)?),
        _ => return None,
    })
}

fn read_properties(bytes: &mut &[u8]) -> Option<Vec<(String, Amf)>> {
    let mut properties = Vec::new();
    loop {
        let name = take_text(bytes, 2)?;
        if name.is_empty() && bytes.first() == Some(&9) {
            take(bytes, 1)?;
            return Some(properties);
        }
        properties.push((name, read_value(bytes)?));
    }
}

/// A message, and the chunk stream that it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Msg {
    /// Chunk stream id.
    pub csid: u32,
    /// Message type id.
    pub kind: u8,
    /// Message stream id.
    pub msid: u32,
    /// Milliseconds.
    pub time: u32,
    /// The body.
    pub payload: Vec<u8>,
}

impl Msg {
    /// A message.
    pub fn new(csid: u32, kind: u8, msid: u32, time: u32, payload: impl Into<Vec<u8>>) -> Msg {
        Msg { csid, kind, msid, time, payload: payload.into() }
    }

    /// A protocol control message.
    pub fn control(kind: u8, payload: impl Into<Vec<u8>>) -> Msg {
        Msg::new(2, kind, 0, 0, payload)
    }

    /// A command in AMF0.
    pub fn command(msid: u32, values: &[Amf]) -> Msg {
        Msg::new(if msid == 0 { 3 } else { 5 }, 20, msid, 0, amf(values))
    }

    /// An onStatus.
    pub fn status(msid: u32, level: &str, code: &str, description: &str) -> Msg {
        let info = Amf::obj(&[("level", level.into()), ("code", code.into()), ("description", description.into())]);
        Msg::command(msid, &["onStatus".into(), 0.0.into(), Amf::Null, info])
    }

    /// A tag as servers send it: audio, video and data on a chunk stream each.
    pub fn tag(msid: u32, tag: &Tag) -> Msg {
        let csid = match tag.kind {
            8 => 4,
            9 => 6,
            _ => 7,
        };
        Msg::new(csid, tag.kind, msid, tag.time, tag.payload.clone())
    }
}

/// How the chunk stream id is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdForm {
    /// As short as it goes.
    Shortest,
    /// In two bytes (64 to 319).
    Two,
    /// In three (64 to 65599).
    Three,
}

/// The shape of a message's chunks.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// The first chunk's format.
    pub fmt: u8,
    /// What stands in the timestamp field: for formats 1 and 2 the delta. By default the message's time.
    pub field: Option<u32>,
    /// How the chunk stream id is written.
    pub id: IdForm,
    /// Whether type 3 chunks repeat the extended timestamp; peers differ.
    pub repeat_extended: bool,
    /// Bytes a chunk.
    pub chunk_size: usize,
}

impl Shape {
    /// Format 0, extended timestamps repeated.
    pub fn plain(chunk_size: usize) -> Shape {
        Shape { fmt: 0, field: None, id: IdForm::Shortest, repeat_extended: true, chunk_size }
    }

    /// A format with what stands in its timestamp field.
    pub fn fmt(self, fmt: u8, field: u32) -> Shape {
        Shape { fmt, field: Some(field), ..self }
    }
}

/// The chunks of a message, in order; a test may put others between them.
pub fn chunks(message: &Msg, shape: Shape) -> Vec<Vec<u8>> {
    let field = shape.field.unwrap_or(message.time);
    let short = field.min(0xff_ffff).to_be_bytes();
    let extended = field >= 0xff_ffff;
    let length = (message.payload.len() as u32).to_be_bytes();
    let mut pieces = message.payload.chunks(shape.chunk_size.max(1));
    let mut first = basic_header(shape.fmt, message.csid, shape.id);
    if shape.fmt < 3 {
        first.extend(&short[1..]);
    }
    if shape.fmt < 2 {
        first.extend(&length[1..]);
        first.push(message.kind);
    }
    if shape.fmt == 0 {
        first.extend(message.msid.to_le_bytes());
    }
    if extended && (shape.fmt < 3 || shape.repeat_extended) {
        first.extend(field.to_be_bytes());
    }
    first.extend(pieces.next().unwrap_or_default());
    let mut all = vec![first];
    for piece in pieces {
        let mut chunk = basic_header(3, message.csid, shape.id);
        if extended && shape.repeat_extended {
            chunk.extend(field.to_be_bytes());
        }
        chunk.extend(piece);
        all.push(chunk);
    }
    all
}

/// A chunk's basic header.
pub fn basic_header(fmt: u8, csid: u32, form: IdForm) -> Vec<u8> {
    let top = fmt << 6;
    let rest = csid.wrapping_sub(64);
    match form {
        IdForm::Shortest if csid < 64 => vec![top | csid as u8],
        IdForm::Shortest | IdForm::Two if rest < 256 => vec![top, rest as u8],
        _ => vec![top | 1, rest as u8, (rest >> 8) as u8],
    }
}

/// Puts the chunks of several messages together in turn: one of each, again and again.
pub fn interleave(messages: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let longest = messages.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest)
        .flat_map(|turn| messages.iter().filter_map(move |chunks| chunks.get(turn)))
        .flatten()
        .copied()
        .collect()
}

/// The body of an aggregate: tags with headers and back pointers; its times are counted from the first one's.
pub fn aggregate(tags: &[Tag]) -> Vec<u8> {
    super::flvcmp::write(true, true, tags)[13..].to_vec()
}

/// Reads the chunks that a client sends.
#[derive(Debug)]
pub struct ChunkReader {
    /// What the client announced.
    pub chunk_size: usize,
    /// What made no sense; nothing is read from there on.
    pub garbled: Option<String>,
    bytes: Vec<u8>,
    streams: std::collections::HashMap<u32, (Msg, usize, u32)>,
    last: std::collections::HashMap<u32, Vec<u8>>,
}

impl Default for ChunkReader {
    fn default() -> Self {
        ChunkReader {
            chunk_size: 128,
            garbled: None,
            bytes: Vec::new(),
            streams: Default::default(),
            last: Default::default(),
        }
    }
}

impl ChunkReader {
    /// Takes bytes in.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message.
    pub fn next(&mut self) -> Option<Msg> {
        while self.garbled.is_none() {
            let (used, message) = self.chunk()?;
            self.bytes.drain(..used);
            if let Some(message) = message {
                if message.kind == 1 && message.payload.len() >= 4 {
                    self.chunk_size = u32::from_be_bytes([0, 1, 2, 3].map(|at| message.payload[at])) as usize;
                }
                return Some(message);
            }
        }
        None
    }

    fn chunk(&mut self) -> Option<(usize, Option<Msg>)> {
        let mut rest = &self.bytes[..];
        let first = take(&mut rest, 1)?[0];
        let csid = match first & 63 {
            0 => 64 + take_number(&mut rest, 1)? as u32,
            1 => {
                let two = take(&mut rest, 2)?;
                64 + u32::from(two[0]) + 256 * u32::from(two[1])
            }
            id => u32::from(id),
        };
        let fmt = first >> 6;
        let (mut message, mut length, mut field) =
            self.streams.get(&csid).cloned().unwrap_or((Msg::new(csid, 0, 0, 0, []), 0, 0));
        if fmt < 3 {
            field = take_number(&mut rest, 3)? as u32;
        }
        if fmt < 2 {
            length = take_number(&mut rest, 3)?;
            message.kind = take(&mut rest, 1)?[0];
        }
        if fmt == 0 {
            message.msid = u32::from_le_bytes(take(&mut rest, 4)?.try_into().ok()?);
        }
        if field >= 0xff_ffff {
            field = take_number(&mut rest, 4)? as u32;
        }
        let mut body = self.last.get(&csid).cloned().unwrap_or_default();
        if !body.is_empty() && fmt != 3 || length < body.len() {
            self.garbled = Some(format!("format {fmt} on chunk stream {csid} after {} of {length} bytes", body.len()));
            return None;
        }
        if body.is_empty() {
            message.time = if fmt == 0 { field } else { message.time.wrapping_add(field) };
        }
        let piece = take(&mut rest, (length - body.len()).min(self.chunk_size))?;
        body.extend(piece);
        let used = self.bytes.len() - rest.len();
        self.streams.insert(csid, (message.clone(), length, field));
        if body.len() < length {
            self.last.insert(csid, body);
            return Some((used, None));
        }
        self.last.remove(&csid);
        message.payload = body;
        Some((used, Some(message)))
    }
}
