//! Reading AMF 3 (layout: see the parent module). Does not read what follows the value.

use super::{Array, Members, Object, Traits, Value, Vector, marker};
use crate::proto::bytes::Cursor;
use crate::proto::{Layer, ProtocolError};
use std::sync::Arc;

/// Reads one value; also how many bytes it took.
///
/// # Errors
/// Truncated, malformed, nested deeper than 64, of more than 200 000 parts, or with an externalizable object in it.
pub fn decode(input: &[u8]) -> Result<(Value, usize), ProtocolError> {
    decode_within(input, &mut { MAX_PARTS })
}

/// Reads one of several values that share a limit: `parts` is what is left of it, and is lessened.
///
/// # Errors
/// As [`decode`].
pub(in crate::proto) fn decode_within(input: &[u8], parts: &mut u32) -> Result<(Value, usize), ProtocolError> {
    let mut reader = Reader {
        cursor: Cursor::new(Layer::Amf3, input),
        parts: *parts,
        objects: 0,
        strings: Vec::new(),
        traits: Vec::new(),
    };
    let value = reader.value(0)?;
    *parts = reader.parts;
    Ok((value, reader.cursor.offset()))
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    /// Values and names that may still come.
    parts: u32,
    /// Objects so far: references must be below.
    objects: u32,
    strings: Vec<Arc<str>>,
    traits: Vec<Arc<Traits>>,
}

/// What stands in front of an object: a number, or the reference to one that came before.
enum Head {
    Inline(usize),
    Reference(u32),
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: u32) -> Result<Value, ProtocolError> {
        if depth >= MAX_DEPTH {
            return Err(self.cursor.error("values nested at most 64 deep", "more"));
        }
        self.count()?;
        let kind = self.cursor.u8("an AMF 3 marker")?;
        Ok(match kind {
            marker::UNDEFINED => Value::Undefined,
            marker::NULL => Value::Null,
            marker::FALSE => Value::Boolean(false),
            marker::TRUE => Value::Boolean(true),
            // Two's complement of 29 bits.
            marker::INTEGER => Value::Integer((self.u29()? << 3).cast_signed() >> 3),
            marker::DOUBLE => Value::Double(self.cursor.f64("a double")?),
            marker::STRING => Value::String(self.string()?),
            marker::XML_DOCUMENT..=marker::DICTIONARY => match self.head()? {
                Head::Reference(index) => Value::Reference(index),
                Head::Inline(number) => {
                    self.objects += 1;
                    self.inline(kind, number, depth + 1)?
                }
            },
            _ => return Err(self.cursor.error("a marker from 0x00 to 0x11", format!("0x{kind:02x}"))),
        })
    }

    /// What follows the head of an object.
    fn inline(&mut self, kind: u8, number: usize, depth: u32) -> Result<Value, ProtocolError> {
        Ok(match kind {
            marker::XML_DOCUMENT => {
                Value::XmlDocument(String::from_utf8_lossy(self.cursor.take(number, MORE)?).into_owned())
            }
            marker::XML => Value::Xml(String::from_utf8_lossy(self.cursor.take(number, MORE)?).into_owned()),
            marker::DATE => Value::Date(self.cursor.f64("a double")?),
            marker::BYTE_ARRAY => Value::ByteArray(self.cursor.take(number, MORE)?.to_vec()),
            marker::ARRAY => {
                let associative = self.members(depth)?;
                Value::Array(Array { associative, dense: self.values(number, depth)? })
            }
            marker::VECTOR_INT => Value::VectorInt(self.vector(number, i32::from_be_bytes)?),
            marker::VECTOR_UINT => Value::VectorUint(self.vector(number, u32::from_be_bytes)?),
            marker::VECTOR_DOUBLE => Value::VectorDouble(self.vector(number, f64::from_be_bytes)?),
            marker::VECTOR_OBJECT => {
                let fixed = self.cursor.u8("whether its length is fixed")? != 0;
                let class_name = self.string()?;
                Value::VectorObject { class_name, items: Vector { fixed, items: self.values(number, depth)? } }
            }
            marker::DICTIONARY => {
                let weak = self.cursor.u8("whether its keys are weak")? != 0;
                let mut entries = Vec::new();
                for _ in 0..number {
                    let key = self.value(depth)?;
                    entries.push((key, self.value(depth)?));
                }
                Value::Dictionary { weak, entries }
            }
            _ => Value::Object(self.object(number, depth)?),
        })
    }

    fn object(&mut self, number: usize, depth: u32) -> Result<Object, ProtocolError> {
        let traits = self.traits(number)?;
        let sealed = self.values(traits.sealed.len(), depth)?;
        let dynamic = if traits.dynamic { self.members(depth)? } else { Members::new() };
        Ok(Object { traits, sealed, dynamic })
    }

    /// The traits of an object whose head is `number`: bit 0 inline, bit 1 externalizable, bit 2 dynamic, then the count.
    fn traits(&mut self, number: usize) -> Result<Arc<Traits>, ProtocolError> {
        if number & 1 == 0 {
            let Some(found) = self.traits.get(number >> 1).cloned() else {
                return Err(self.cursor.error("traits that came before", format!("a reference to {}", number >> 1)));
            };
            found.sealed.iter().chain([&found.class_name]).try_for_each(|name| self.repeat(name))?;
            return Ok(found);
        }
        let class_name = self.string()?;
        if number & 2 != 0 {
            let shown = class_name.chars().take(MAX_SHOWN).collect::<String>();
            return Err(self.cursor.error("a class that can be read", format!("externalizable {shown:?}")));
        }
        let mut sealed = Vec::new();
        for _ in 0..number >> 3 {
            self.count()?;
            sealed.push(self.string()?);
        }
        let traits = Arc::new(Traits { class_name, dynamic: number & 4 != 0, sealed });
        self.traits.push(traits.clone());
        Ok(traits)
    }

    /// Names and values up to the empty name.
    fn members(&mut self, depth: u32) -> Result<Members, ProtocolError> {
        let mut members = Members::new();
        loop {
            let name = self.string()?;
            if name.is_empty() {
                return Ok(members);
            }
            members.push((name, self.value(depth)?));
        }
    }

    fn values(&mut self, count: usize, depth: u32) -> Result<Vec<Value>, ProtocolError> {
        // Grows with what comes: a count is cheap to announce.
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.value(depth)?);
        }
        Ok(values)
    }

    fn vector<T, const SIZE: usize>(
        &mut self,
        count: usize,
        item: fn([u8; SIZE]) -> T,
    ) -> Result<Vector<T>, ProtocolError> {
        let fixed = self.cursor.u8("whether its length is fixed")? != 0;
        let bytes = self.cursor.take(count.saturating_mul(SIZE), MORE)?;
        Ok(Vector { fixed, items: bytes.as_chunks().0.iter().map(|bytes| item(*bytes)).collect() })
    }

    fn string(&mut self) -> Result<Arc<str>, ProtocolError> {
        let number = self.u29()?;
        let rest = (number >> 1) as usize;
        if number & 1 == 0 {
            let Some(found) = self.strings.get(rest).cloned() else {
                return Err(self.cursor.error("a string that came before", format!("a reference to {rest}")));
            };
            self.repeat(&found)?;
            return Ok(found);
        }
        let string: Arc<str> = String::from_utf8_lossy(self.cursor.take(rest, MORE)?).into();
        // The empty string is never referred to.
        if !string.is_empty() {
            self.strings.push(string.clone());
        }
        Ok(string)
    }

    fn head(&mut self) -> Result<Head, ProtocolError> {
        let number = self.u29()?;
        let rest = number >> 1;
        if number & 1 == 1 {
            return Ok(Head::Inline(rest as usize));
        }
        if rest < self.objects {
            return Ok(Head::Reference(rest));
        }
        Err(self.cursor.error("an object that came before", format!("a reference to {rest}")))
    }

    fn u29(&mut self) -> Result<u32, ProtocolError> {
        let mut number = 0;
        for _ in 0..3 {
            let byte = u32::from(self.cursor.u8("a number of up to 29 bits")?);
            number = number << 7 | byte & 0x7f;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Ok(number << 8 | u32::from(self.cursor.u8("a number of up to 29 bits")?))
    }

    fn count(&mut self) -> Result<(), ProtocolError> {
        self.spend(1)
    }

    /// A text that stands here by reference. It costs two bytes on the wire, and its whole length wherever the value is
    /// written out: a long one counts for more.
    fn repeat(&mut self, text: &str) -> Result<(), ProtocolError> {
        self.spend(u32::try_from(text.len() / REPEATED_PART).unwrap_or(u32::MAX))
    }

    fn spend(&mut self, parts: u32) -> Result<(), ProtocolError> {
        match self.parts.checked_sub(parts) {
            Some(left) => self.parts = left,
            None => return Err(self.cursor.error("at most 200000 values and names", "more")),
        }
        Ok(())
    }
}

/// Nesting: far more than anybody's metadata, and little stack.
const MAX_DEPTH: u32 = 64;

/// Values and names: one byte of input can become a hundred of memory.
pub(in crate::proto) const MAX_PARTS: u32 = 200_000;

/// Bytes of a repeated text that count as a part: all repetitions together stay below 13 MB, and names cost nothing.
const REPEATED_PART: usize = 64;
/// Characters of a class name in an error.
const MAX_SHOWN: usize = 80;

/// What is missing where a length is longer than what is left.
const MORE: &str = "as many bytes as its length says";
