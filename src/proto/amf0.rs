//! AMF 0 (Action Message Format, 2007): the values of commands and data.
//!
//! ```text
//! 00 Number F64    01 Boolean UI8      02 String UI16+bytes   03 Object {name UI16+bytes, value}… 00 00 09
//! 04 MovieClip     05 Null   06 Undefined   07 Reference UI16   08 ECMA Array UI32 + as Object   09 Object End
//! 0A Strict Array UI32 + values   0B Date F64 SI16   0C Long String UI32+bytes   0D Unsupported   0E RecordSet
//! 0F XML Document as 0C   10 Typed Object class name + as Object   11 switch to AMF 3 for one value
//! ```
//!
//! § 2 of that document has the markers in this order. Does not follow references: a value of bounded size stays one.

use super::bytes::Cursor;
use super::{Layer, ProtocolError, amf3, raw_text};

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Number.
    Number(f64),
    /// Boolean.
    Boolean(bool),
    /// String or Long String; bytes that are not UTF-8 have been replaced.
    String(String),
    /// Anonymous object.
    Object(Object),
    /// MovieClip (reserved, no data).
    MovieClip,
    /// Null.
    Null,
    /// Undefined.
    Undefined,
    /// Index of an object that came before.
    Reference(u16),
    /// Associative array.
    EcmaArray(Object),
    /// Array.
    StrictArray(Vec<Value>),
    /// Date.
    Date {
        /// Milliseconds since 1970.
        time_ms: f64,
        /// Minutes; reserved, 0 as a rule.
        time_zone_min: i16,
    },
    /// Unsupported.
    Unsupported,
    /// RecordSet (reserved, no data).
    RecordSet,
    /// XML document as text.
    XmlDocument(String),
    /// Object of a class.
    TypedObject {
        /// Class name.
        class_name: String,
        /// Properties.
        object: Object,
    },
    /// A value in AMF 3.
    Amf3(amf3::Value),
}

/// Named values, in the order they came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object {
    /// Name and value; names may occur more than once.
    pub properties: Vec<(String, Value)>,
}

impl Object {
    /// The first property of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.properties.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// Replaces the first property of that name, or appends one.
    pub fn insert(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.properties.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = value,
            None => self.properties.push((name.to_owned(), value)),
        }
    }

    /// The same with one property more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.properties.push((name.to_owned(), value.into()));
        self
    }
}

impl Value {
    /// The number, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            Value::Amf3(value) => value.as_number(),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            Value::Amf3(value) => value.as_str(),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Boolean(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The properties of an object, typed or not, or of an ECMA array.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Value::Object(object) | Value::EcmaArray(object) | Value::TypedObject { object, .. } => Some(object),
            _ => None,
        }
    }

    /// The value on one line, cut at some hundred characters, without control characters: for logs.
    pub fn describe(&self) -> String {
        let mut out = String::new();
        self.describe_into(&mut out);
        if let Some((end, _)) = out.char_indices().nth(MAX_DESCRIPTION) {
            out.truncate(end);
            out.push('…');
        }
        out
    }

    fn describe_into(&self, out: &mut String) {
        use std::fmt::Write;
        if out.len() > MAX_DESCRIPTION * 4 {
            return;
        }
        let _ = match self {
            Value::Number(number) => write!(out, "{number}"),
            Value::Boolean(truth) => write!(out, "{truth}"),
            Value::String(text) => write!(out, "{text:?}"),
            Value::XmlDocument(text) => write!(out, "XML {text:?}"),
            Value::MovieClip => write!(out, "movieclip"),
            Value::Null => write!(out, "null"),
            Value::Undefined => write!(out, "undefined"),
            Value::Unsupported => write!(out, "unsupported"),
            Value::RecordSet => write!(out, "recordset"),
            Value::Reference(index) => write!(out, "reference {index}"),
            Value::Date { time_ms, .. } => write!(out, "date {time_ms}"),
            Value::Amf3(value) => write!(out, "{value:?}"),
            Value::StrictArray(values) => {
                out.push('[');
                for (i, value) in values.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    value.describe_into(out);
                }
                write!(out, "]")
            }
            Value::Object(object) | Value::EcmaArray(object) | Value::TypedObject { object, .. } => {
                if let Value::TypedObject { class_name, .. } = self {
                    let _ = write!(out, "{class_name:?} ");
                }
                out.push('{');
                for (i, (name, value)) in object.properties.iter().enumerate() {
                    let _ = write!(out, "{}{name:?}: ", if i > 0 { ", " } else { "" });
                    value.describe_into(out);
                }
                write!(out, "}}")
            }
        };
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Number(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Boolean(truth)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::String(text)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Value::Object(object)
    }
}

/// Decodes one value. Returns it and how many bytes it took.
///
/// # Errors
/// Truncated input, unknown markers, more nesting or values than [`MAX_DEPTH`] and [`MAX_VALUES`] allow.
pub fn decode(input: &[u8]) -> Result<(Value, usize), ProtocolError> {
    let mut reader = Reader { cursor: Cursor::new(Layer::Amf0, input), values: MAX_VALUES };
    let value = reader.value(0)?;
    Ok((value, reader.cursor.offset()))
}

/// Decodes values until the input ends.
///
/// # Errors
/// As [`decode`].
pub fn decode_all(input: &[u8]) -> Result<Vec<Value>, ProtocolError> {
    let mut reader = Reader { cursor: Cursor::new(Layer::Amf0, input), values: MAX_VALUES };
    let mut values = Vec::new();
    while reader.cursor.offset() < input.len() {
        values.push(reader.value(0)?);
    }
    Ok(values)
}

/// Decodes values until the input ends or one cannot be read: what came before it counts.
pub fn decode_leading(input: &[u8]) -> Vec<Value> {
    let mut reader = Reader { cursor: Cursor::new(Layer::Amf0, input), values: MAX_VALUES };
    let mut values = Vec::new();
    while reader.cursor.offset() < input.len()
        && let Ok(value) = reader.value(0)
    {
        values.push(value);
    }
    values
}

/// Appends the encoding of a value.
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Number(number) => {
            out.push(marker::NUMBER);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Boolean(truth) => out.extend_from_slice(&[marker::BOOLEAN, u8::from(*truth)]),
        Value::String(text) => encode_string(text, out),
        Value::Object(object) => {
            out.push(marker::OBJECT);
            encode_properties(object, out);
        }
        Value::MovieClip => out.push(marker::MOVIE_CLIP),
        Value::Null => out.push(marker::NULL),
        Value::Undefined => out.push(marker::UNDEFINED),
        Value::Reference(index) => {
            out.push(marker::REFERENCE);
            out.extend_from_slice(&index.to_be_bytes());
        }
        Value::EcmaArray(object) => {
            out.push(marker::ECMA_ARRAY);
            out.extend_from_slice(&(object.properties.len() as u32).to_be_bytes());
            encode_properties(object, out);
        }
        Value::StrictArray(values) => {
            out.push(marker::STRICT_ARRAY);
            out.extend_from_slice(&(values.len() as u32).to_be_bytes());
            values.iter().for_each(|value| encode(value, out));
        }
        Value::Date { time_ms, time_zone_min } => {
            out.push(marker::DATE);
            out.extend_from_slice(&time_ms.to_be_bytes());
            out.extend_from_slice(&time_zone_min.to_be_bytes());
        }
        Value::Unsupported => out.push(marker::UNSUPPORTED),
        Value::RecordSet => out.push(marker::RECORD_SET),
        Value::XmlDocument(text) => {
            out.push(marker::XML_DOCUMENT);
            encode_long(text, out);
        }
        Value::TypedObject { class_name, object } => {
            out.push(marker::TYPED_OBJECT);
            encode_name(class_name, out);
            encode_properties(object, out);
        }
        Value::Amf3(value) => {
            out.push(marker::AMF3);
            amf3::encode(value, out);
        }
    }
}

/// Appends a String, or a Long String where it has more than 65535 bytes.
pub fn encode_string(text: &str, out: &mut Vec<u8>) {
    if text.len() > usize::from(u16::MAX) {
        out.push(marker::LONG_STRING);
        encode_long(text, out);
    } else {
        out.push(marker::STRING);
        encode_name(text, out);
    }
}

fn encode_long(text: &str, out: &mut Vec<u8>) {
    let bytes = raw_text::to_bytes(text);
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(&bytes);
}

/// A name has at most 65535 bytes; a longer one is cut.
fn encode_name(text: &str, out: &mut Vec<u8>) {
    let mut end = text.len().min(usize::from(u16::MAX));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let bytes = raw_text::to_bytes(text.get(..end).unwrap_or_default());
    out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
    out.extend_from_slice(&bytes);
}

fn encode_properties(object: &Object, out: &mut Vec<u8>) {
    for (name, value) in &object.properties {
        encode_name(name, out);
        encode(value, out);
    }
    out.extend_from_slice(&[0, 0, marker::OBJECT_END]);
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    /// Values that may still come, those in AMF 3 included.
    values: u32,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value, ProtocolError> {
        if depth > MAX_DEPTH {
            return Err(self.cursor.error(format!("at most {MAX_DEPTH} values inside one another"), "one more"));
        }
        match self.values.checked_sub(1) {
            Some(left) => self.values = left,
            None => return Err(self.cursor.error(format!("at most {MAX_VALUES} values"), "one more")),
        }
        let start = self.cursor.clone();
        let kind = self.cursor.u8("an AMF 0 marker")?;
        Ok(match kind {
            marker::NUMBER => Value::Number(self.cursor.f64("a Number")?),
            marker::BOOLEAN => Value::Boolean(self.cursor.u8("a Boolean")? != 0),
            marker::STRING => Value::String(self.name()?),
            marker::OBJECT => Value::Object(self.properties(depth, false)?),
            marker::MOVIE_CLIP => Value::MovieClip,
            marker::NULL => Value::Null,
            marker::UNDEFINED => Value::Undefined,
            marker::REFERENCE => Value::Reference(self.cursor.u16("a Reference")?),
            marker::ECMA_ARRAY => {
                // The count is a hint at best: servers write 0 or anything.
                self.cursor.u32("the count of an ECMA array")?;
                Value::EcmaArray(self.properties(depth, true)?)
            }
            marker::STRICT_ARRAY => {
                let count = self.cursor.u32("the count of a Strict Array")?;
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.value(depth + 1)?);
                }
                Value::StrictArray(values)
            }
            marker::DATE => Value::Date {
                time_ms: self.cursor.f64("a Date")?,
                time_zone_min: self.cursor.u16("a time zone")?.cast_signed(),
            },
            marker::LONG_STRING => Value::String(self.long()?),
            marker::UNSUPPORTED => Value::Unsupported,
            marker::RECORD_SET => Value::RecordSet,
            marker::XML_DOCUMENT => Value::XmlDocument(self.long()?),
            marker::TYPED_OBJECT => {
                Value::TypedObject { class_name: self.name()?, object: self.properties(depth, false)? }
            }
            marker::AMF3 => {
                let (value, used) = amf3::decode_within(self.cursor.rest(), &mut self.values)?;
                self.cursor.skip(used);
                Value::Amf3(value)
            }
            other => return Err(start.error("an AMF 0 marker", format!("{other:#04x}"))),
        })
    }

    /// Properties up to the end marker. An ECMA array may simply end with the input.
    fn properties(&mut self, depth: usize, may_end: bool) -> Result<Object, ProtocolError> {
        let mut object = Object::default();
        loop {
            if may_end && self.cursor.is_at_end() {
                return Ok(object);
            }
            let name = self.name()?;
            if name.is_empty() && self.cursor.rest().first() == Some(&marker::OBJECT_END) {
                self.cursor.skip(1);
                return Ok(object);
            }
            object.properties.push((name, self.value(depth + 1)?));
        }
    }

    fn name(&mut self) -> Result<String, ProtocolError> {
        let length = self.cursor.u16("the length of a text")?;
        self.text(usize::from(length))
    }

    fn long(&mut self) -> Result<String, ProtocolError> {
        let length = self.cursor.u32("the length of a text")?;
        self.text(length as usize)
    }

    fn text(&mut self, length: usize) -> Result<String, ProtocolError> {
        let bytes = self.cursor.take(length, "a text of the length it has")?;
        Ok(raw_text::from_bytes(bytes))
    }
}

mod marker {
    pub const NUMBER: u8 = 0;
    pub const BOOLEAN: u8 = 1;
    pub const STRING: u8 = 2;
    pub const OBJECT: u8 = 3;
    pub const MOVIE_CLIP: u8 = 4;
    pub const NULL: u8 = 5;
    pub const UNDEFINED: u8 = 6;
    pub const REFERENCE: u8 = 7;
    pub const ECMA_ARRAY: u8 = 8;
    pub const OBJECT_END: u8 = 9;
    pub const STRICT_ARRAY: u8 = 10;
    pub const DATE: u8 = 11;
    pub const LONG_STRING: u8 = 12;
    pub const UNSUPPORTED: u8 = 13;
    pub const RECORD_SET: u8 = 14;
    pub const XML_DOCUMENT: u8 = 15;
    pub const TYPED_OBJECT: u8 = 16;
    pub const AMF3: u8 = 17;
}

/// Values inside one another: each level costs stack. Real messages nest three or four deep.
pub const MAX_DEPTH: usize = 64;

/// Values in one message: a byte of input can become a value of several dozen bytes in memory. A keyframe index of a long
/// recording has some ten thousand.
pub const MAX_VALUES: u32 = amf3::MAX_PARTS;

/// Characters of a description.
const MAX_DESCRIPTION: usize = 400;

#[cfg(test)]
mod tests;
