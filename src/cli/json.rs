//! AMF values as JSON, and back: what `call` reads and prints.
//!
//! What JSON has is written as it is: null, true, 1.5, "text", `[…]` for a strict array (AMF 3: an array without named
//! members), `{…}` for an anonymous object. In AMF 3 a number without a point is an integer where 29 bits hold it, one with a
//! point (`5.0`) a double. Everything else is an object whose first name begins with `$`:
//!
//! ```text
//! both    {"$undefined": true}   {"$number": "NaN" | "Infinity" | "-Infinity"}   {"$ref": index}
//!         {"$date": milliseconds since 1970 [, "timeZone": minutes, AMF 0 only]}   {"$xmlDocument": text}
//!         {"$object": members}                        an anonymous object whose names could not be told from these
//!         {"$class": name, "members": members}        an object of a class; AMF 3: "sealed": members, also "dynamic": bool
//! AMF 0   {"$ecma": members}   {"$movieClip": true}   {"$unsupported": true}   {"$recordSet": true}
//!         {"$amf3": a value in AMF 3}
//! AMF 3   {"$bytes": Base64}   {"$xml": text}   {"$array": [items], "members": members}
//!         {"$vector": "int" | "uint" | "double" | "object", "items": […] [, "fixed": true] [, "class": name]}
//!         {"$dictionary": [[key, value], …] [, "weak": true]}
//! members is {name: value, …}, or [[name, value], …] where a name occurs twice
//! ```
//!
//! Externalizable objects have no form: only their class knows what its bytes mean.

mod amf0;
mod amf3;
#[cfg(test)]
mod tests;

pub use amf0::{from_amf0, to_amf0};
pub use amf3::{from_amf3, to_amf3};

use serde_json::{Map, Value as Json};

use crate::util::text::is_harmful;

/// A value on one line, with all that a terminal could obey escaped. JSON itself escapes only what is below U+0020.
pub fn one_line(json: &Json) -> String {
    let text = json.to_string();
    if !text.chars().any(is_harmful) {
        return text;
    }
    // Outside of strings there is none of these, and all are in the first plane.
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_harmful(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// A number: whole ones without a point if `whole`. What JSON has no number for becomes a `$number`.
fn number(number: f64, whole: bool) -> Json {
    if whole && number.fract() == 0.0 && number.abs() <= MAX_WHOLE && !(number == 0.0 && number.is_sign_negative()) {
        return Json::from(number as i64);
    }
    match serde_json::Number::from_f64(number) {
        Some(number) => Json::Number(number),
        None => form("$number", number_name(number).into()),
    }
}

fn number_name(number: f64) -> &'static str {
    match number {
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => "NaN",
    }
}

/// A number in either of its forms.
fn as_number(json: &Json) -> Result<f64, String> {
    match (json, json.get("$number").and_then(Json::as_str)) {
        (_, Some("NaN")) => Ok(f64::NAN),
        (_, Some("Infinity")) => Ok(f64::INFINITY),
        (_, Some("-Infinity")) => Ok(f64::NEG_INFINITY),
        (Json::Number(number), _) => number.as_f64().ok_or_else(|| wrong("a number", json)),
        _ => Err(wrong("a number", json)),
    }
}

/// An object with one name.
fn form(name: &str, value: Json) -> Json {
    Json::Object(Map::from_iter([(name.to_owned(), value)]))
}

/// The same with one name more.
fn with(mut json: Json, name: &str, value: Json) -> Json {
    if let Json::Object(map) = &mut json {
        map.insert(name.to_owned(), value);
    }
    json
}

/// Members as an object, or as pairs where a name occurs twice.
fn members<'a>(all: impl Iterator<Item = (&'a str, Json)>) -> Json {
    let mut map = Map::new();
    let mut pairs = Vec::new();
    for (name, value) in all {
        if pairs.is_empty() && !map.contains_key(name) {
            map.insert(name.to_owned(), value);
            continue;
        }
        if pairs.is_empty() {
            pairs = std::mem::take(&mut map).into_iter().map(|(name, value)| pair(&name, value)).collect();
        }
        pairs.push(pair(name, value));
    }
    if pairs.is_empty() { Json::Object(map) } else { Json::Array(pairs) }
}

fn pair(name: &str, value: Json) -> Json {
    Json::Array(vec![name.into(), value])
}

/// The members of an anonymous object: as they are, unless that would be taken for something else.
fn anonymous(members: Json) -> Json {
    let plain = members.as_object().is_some_and(|map| !map.keys().next().is_some_and(|name| name.starts_with('$')));
    if plain { members } else { form("$object", members) }
}

/// Names and values of members in either of their forms.
fn pairs_of(json: &Json) -> Result<Vec<(&str, &Json)>, String> {
    let pairs: Vec<_> = match json {
        Json::Object(map) => map.iter().map(|(name, value)| (name.as_str(), value)).collect(),
        Json::Array(pairs) => {
            let pair = |json: &'_ Json| -> Option<()> {
                matches!(json.as_array()?.as_slice(), [Json::String(_), _]).then_some(())
            };
            if let Some(odd) = pairs.iter().find(|json| pair(json).is_none()) {
                return Err(wrong("[name, value]", odd));
            }
            pairs.iter().filter_map(|json| Some((json.get(0)?.as_str()?, json.get(1)?))).collect()
        }
        _ => return Err(wrong("members, {name: value, …} or [[name, value], …]", json)),
    };
    match pairs.iter().find(|(name, _)| name.len() > usize::from(u16::MAX)) {
        Some((name, _)) => Err(format!("a name of {} bytes; it can have 65535", name.len())),
        None => Ok(pairs),
    }
}

/// The first name of an object, if it begins with `$`, and what it has for value.
fn dollar(map: &Map<String, Json>) -> Option<(&str, &Json)> {
    map.iter().next().filter(|(name, _)| name.starts_with('$')).map(|(name, value)| (name.as_str(), value))
}

/// Refuses names in a form that it does not have.
fn only(map: &Map<String, Json>, known: &[&str]) -> Result<(), String> {
    match map.keys().skip(1).find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("{name:?} means nothing beside {:?}", map.keys().next().map_or("", |name| name))),
        None => Ok(()),
    }
}

fn as_text(json: &Json) -> Result<&str, String> {
    json.as_str().ok_or_else(|| wrong("a text", json))
}

fn as_array(json: &Json) -> Result<&[Json], String> {
    json.as_array().map(Vec::as_slice).ok_or_else(|| wrong("an array", json))
}

/// `true`, which stands behind forms that need no value.
fn as_true(json: &Json) -> Result<(), String> {
    if *json == Json::Bool(true) { Ok(()) } else { Err(wrong("true", json)) }
}

/// A flag that may be missing.
fn flag(map: &Map<String, Json>, name: &str, default: bool) -> Result<bool, String> {
    match map.get(name) {
        None => Ok(default),
        Some(Json::Bool(truth)) => Ok(*truth),
        Some(other) => Err(wrong("true or false", other)),
    }
}

fn unknown(name: &str, encoding: &str) -> String {
    if name == "$externalizable" {
        return "externalizable objects cannot be written: only their class knows how".to_owned();
    }
    format!("{name} is nothing that {encoding} has (an object with such a name is written {{\"$object\": {{…}}}})")
}

fn wrong(expected: &str, json: &Json) -> String {
    let shown: String = json.to_string().chars().take(MAX_SHOWN).collect();
    format!("{expected} expected, not {shown}")
}

/// Whole numbers up to here are exact as doubles.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// Characters of a value in an error.
const MAX_SHOWN: usize = 80;
