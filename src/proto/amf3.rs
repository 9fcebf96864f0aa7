//! AMF 3 (Action Message Format, 2013): values after AMF 0's switch (§3 of it), each with tables of its own.
//!
//! ```text
//! 00 undefined   01 null   02 false   03 true   04 integer U29   05 double F64   06 string U29S bytes
//! 07 XML document U29 bytes   08 date U29 F64   09 array U29 {name value}… 01 values   0A object U29 [class names] values
//! 0B XML U29 bytes   0C bytes U29 bytes   0D int, 0E uint, 0F double vector U29 UI8 items
//! 10 object vector U29 UI8 class values   11 dictionary U29 UI8 {key value}…
//! U29: 1 to 4 bytes of 7, 7, 7 and 8 bits. In front of strings, objects and traits its lowest bit 0 makes it a reference.
//! ```
//!
//! Does not follow references to objects, which may go round in circles, and does not read externalizable classes, whose
//! bytes only they understand.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub use decode::decode;
pub(in crate::proto) use decode::{MAX_PARTS, decode_within};
pub use encode::encode;

use std::sync::Arc;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Undefined.
    Undefined,
    /// Null.
    Null,
    /// False or true.
    Boolean(bool),
    /// Integer, from −2²⁸ to 2²⁸ − 1. What is outside is written as a double.
    Integer(i32),
    /// Double.
    Double(f64),
    /// String; bytes that are not UTF-8 have been replaced. Repetitions share their memory.
    String(Arc<str>),
    /// XML document of ActionScript 2 (`flash.xml.XMLDocument`).
    XmlDocument(String),
    /// Date, in milliseconds since 1970, UTC.
    Date(f64),
    /// Array.
    Array(Array),
    /// Object.
    Object(Object),
    /// XML (E4X).
    Xml(String),
    /// Bytes.
    ByteArray(Vec<u8>),
    /// Vector of int.
    VectorInt(Vector<i32>),
    /// Vector of uint.
    VectorUint(Vector<u32>),
    /// Vector of Number.
    VectorDouble(Vector<f64>),
    /// Vector of objects.
    VectorObject {
        /// The class of the items; empty or `*` for any.
        class_name: Arc<str>,
        /// The items.
        items: Vector<Value>,
    },
    /// Dictionary: keys of any kind.
    Dictionary {
        /// Whether keys are held weakly.
        weak: bool,
        /// Keys and values, as they came.
        entries: Vec<(Value, Value)>,
    },
    /// An object, array, date, XML, byte array, vector or dictionary that came before: its number in the order of first
    /// bytes, from 0.
    Reference(u32),
}

/// Names and values in the order they came, duplicates kept.
pub type Members = Vec<(Arc<str>, Value)>;

/// An array: a list, and members with names. A member with an empty name cannot be written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Array {
    /// The members with names.
    pub associative: Members,
    /// The items with numbers, from 0.
    pub dense: Vec<Value>,
}

/// What objects of a class have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Traits {
    /// The class; empty for an anonymous object.
    pub class_name: Arc<str>,
    /// Whether there can be members that `sealed` does not name.
    pub dynamic: bool,
    /// The names of the members that every object has.
    pub sealed: Vec<Arc<str>>,
}

/// An object. A dynamic member with an empty name cannot be written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object {
    /// Its class, shared by the objects of it.
    pub traits: Arc<Traits>,
    /// The values of the sealed members, in the order of their names. Missing ones are written as undefined.
    pub sealed: Vec<Value>,
    /// The other members. Not written unless the traits are dynamic.
    pub dynamic: Members,
}

/// A vector.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vector<T> {
    /// Whether its length is fixed.
    pub fixed: bool,
    /// Its items.
    pub items: Vec<T>,
}

impl Value {
    /// The number, of an integer or a double.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Integer(number) => Some(f64::from(*number)),
            Value::Double(number) => Some(*number),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The first member of that name, of an object or an array.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let find = |members: &'_ Members| members.iter().position(|(key, _)| &**key == name);
        match self {
            Value::Array(array) => array.associative.get(find(&array.associative)?).map(|(_, value)| value),
            Value::Object(object) => match object.traits.sealed.iter().position(|key| &**key == name) {
                Some(index) => object.sealed.get(index),
                None => object.dynamic.get(find(&object.dynamic)?).map(|(_, value)| value),
            },
            _ => None,
        }
    }
}

/// The first byte of a value.
mod marker {
    pub const UNDEFINED: u8 = 0x00;
    pub const NULL: u8 = 0x01;
    pub const FALSE: u8 = 0x02;
    pub const TRUE: u8 = 0x03;
    pub const INTEGER: u8 = 0x04;
    pub const DOUBLE: u8 = 0x05;
    pub const STRING: u8 = 0x06;
    pub const XML_DOCUMENT: u8 = 0x07;
    pub const DATE: u8 = 0x08;
    pub const ARRAY: u8 = 0x09;
    pub const OBJECT: u8 = 0x0a;
    pub const XML: u8 = 0x0b;
    pub const BYTE_ARRAY: u8 = 0x0c;
    pub const VECTOR_INT: u8 = 0x0d;
    pub const VECTOR_UINT: u8 = 0x0e;
    pub const VECTOR_DOUBLE: u8 = 0x0f;
    pub const VECTOR_OBJECT: u8 = 0x10;
    pub const DICTIONARY: u8 = 0x11;
}
