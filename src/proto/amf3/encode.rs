//! Writing AMF 3 (layout: see the parent module). Strings and traits that were written before are referred to; objects are
//! only where the value says so. Does not check that references lead anywhere.

use super::{Members, Object, Traits, Value, Vector, marker};
use std::collections::HashMap;

/// Appends `value` to `out`.
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    Writer { out, objects: Vec::new(), strings: HashMap::new(), traits: HashMap::new() }.value(value);
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// The markers of the objects so far: a reference to one repeats it.
    objects: Vec<u8>,
    strings: HashMap<&'a str, u32>,
    traits: HashMap<&'a Traits, u32>,
}

impl<'a> Writer<'a> {
    fn value(&mut self, value: &'a Value) {
        match value {
            Value::Undefined => self.out.push(marker::UNDEFINED),
            Value::Null => self.out.push(marker::NULL),
            Value::Boolean(false) => self.out.push(marker::FALSE),
            Value::Boolean(true) => self.out.push(marker::TRUE),
            Value::Integer(number) if (MIN_INTEGER..=MAX_INTEGER).contains(number) => {
                self.out.push(marker::INTEGER);
                self.u29(number.cast_unsigned() & MAX_U29);
            }
            Value::Integer(number) => self.double(f64::from(*number)),
            Value::Double(number) => self.double(*number),
            Value::String(text) => {
                self.out.push(marker::STRING);
                self.string(text);
            }
            Value::XmlDocument(text) => self.bytes(marker::XML_DOCUMENT, text.as_bytes()),
            Value::Xml(text) => self.bytes(marker::XML, text.as_bytes()),
            Value::ByteArray(bytes) => self.bytes(marker::BYTE_ARRAY, bytes),
            Value::Date(time_ms) => {
                self.head(marker::DATE, 0);
                self.out.extend_from_slice(&time_ms.to_be_bytes());
            }
            Value::Array(array) => {
                let dense = limited(&array.dense);
                self.head(marker::ARRAY, dense.len());
                self.members(&array.associative);
                dense.iter().for_each(|item| self.value(item));
            }
            Value::Object(object) => self.object(object),
            Value::VectorInt(vector) => self.vector(marker::VECTOR_INT, vector, |item| item.to_be_bytes()),
            Value::VectorUint(vector) => self.vector(marker::VECTOR_UINT, vector, |item| item.to_be_bytes()),
            Value::VectorDouble(vector) => self.vector(marker::VECTOR_DOUBLE, vector, |item| item.to_be_bytes()),
            Value::VectorObject { class_name, items: vector } => {
                let items = limited(&vector.items);
                self.head(marker::VECTOR_OBJECT, items.len());
                self.out.push(u8::from(vector.fixed));
                self.string(class_name);
                items.iter().for_each(|item| self.value(item));
            }
            Value::Dictionary { weak, entries } => {
                let entries = limited(entries);
                self.head(marker::DICTIONARY, entries.len());
                self.out.push(u8::from(*weak));
                for (key, value) in entries {
                    self.value(key);
                    self.value(value);
                }
            }
            Value::Reference(index) => {
                let kind = self.objects.get(*index as usize).copied().unwrap_or(marker::OBJECT);
                self.out.push(kind);
                self.u29(index << 1);
            }
        }
    }

    fn object(&mut self, object: &'a Object) {
        let traits = &*object.traits;
        let names = traits.sealed.get(..MAX_SEALED).unwrap_or(&traits.sealed);
        let next = self.traits.len() as u32;
        let known = *self.traits.entry(traits).or_insert(next);
        if known < next {
            self.head(marker::OBJECT, (known as usize) << 1);
        } else {
            self.head(marker::OBJECT, names.len() << 3 | usize::from(traits.dynamic) << 2 | 1);
            self.string(&traits.class_name);
            names.iter().for_each(|name| self.string(name));
        }
        let missing = std::iter::repeat(&Value::Undefined);
        object.sealed.iter().chain(missing).take(names.len()).for_each(|value| self.value(value));
        if traits.dynamic {
            self.members(&object.dynamic);
        }
    }

    fn members(&mut self, members: &'a Members) {
        for (name, value) in members.iter().filter(|(name, _)| !name.is_empty()) {
            self.string(name);
            self.value(value);
        }
        self.string("");
    }

    fn vector<T, const SIZE: usize>(&mut self, kind: u8, vector: &Vector<T>, bytes: fn(&T) -> [u8; SIZE]) {
        let items = limited(&vector.items);
        self.head(kind, items.len());
        self.out.push(u8::from(vector.fixed));
        items.iter().for_each(|item| self.out.extend_from_slice(&bytes(item)));
    }

    fn bytes(&mut self, kind: u8, bytes: &[u8]) {
        let bytes = limited(bytes);
        self.head(kind, bytes.len());
        self.out.extend_from_slice(bytes);
    }

    fn double(&mut self, number: f64) {
        self.out.push(marker::DOUBLE);
        self.out.extend_from_slice(&number.to_be_bytes());
    }

    /// Without its marker.
    fn string(&mut self, text: &'a str) {
        if !text.is_empty() {
            let next = self.strings.len() as u32;
            let known = *self.strings.entry(text).or_insert(next);
            if known < next {
                return self.u29(known << 1);
            }
        }
        let bytes = limited(text.as_bytes());
        self.u29((bytes.len() as u32) << 1 | 1);
        self.out.extend_from_slice(bytes);
    }

    /// Begins an object.
    fn head(&mut self, kind: u8, number: usize) {
        self.objects.push(kind);
        self.out.push(kind);
        self.u29((number as u32) << 1 | 1);
    }

    fn u29(&mut self, number: u32) {
        let seven = |shift: u32| (number >> shift) as u8 & 0x7f;
        match number & MAX_U29 {
            0..0x80 => self.out.push(seven(0)),
            0x80..0x4000 => self.out.extend_from_slice(&[seven(7) | 0x80, seven(0)]),
            0x4000..0x20_0000 => self.out.extend_from_slice(&[seven(14) | 0x80, seven(7) | 0x80, seven(0)]),
            _ => self.out.extend_from_slice(&[seven(22) | 0x80, seven(15) | 0x80, seven(8) | 0x80, number as u8]),
        }
    }
}

/// As many items or bytes as a length can name; more is nothing that anybody sends.
fn limited<T>(items: &[T]) -> &[T] {
    items.get(..MAX_LENGTH).unwrap_or(items)
}

const MAX_U29: u32 = (1 << 29) - 1;
const MAX_INTEGER: i32 = (1 << 28) - 1;
const MIN_INTEGER: i32 = -(1 << 28);

/// 28 bits after the one that marks a reference.
const MAX_LENGTH: usize = (1 << 28) - 1;

/// 25 bits after the four flags of traits.
const MAX_SEALED: usize = (1 << 25) - 1;
