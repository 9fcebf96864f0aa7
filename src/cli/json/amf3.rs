//! AMF 3 values as JSON (forms: see the parent module).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value as Json};

use crate::proto::amf3::{Array, Members, Object, Traits, Value, Vector};

use super::{
    anonymous, as_array, as_number, as_text, as_true, dollar, flag, form, members, number, only, pairs_of, unknown,
    with, wrong,
};

/// A value as JSON.
pub fn from_amf3(value: &Value) -> Json {
    match value {
        Value::Undefined => form("$undefined", true.into()),
        Value::Null => Json::Null,
        Value::Boolean(truth) => (*truth).into(),
        Value::Integer(value) => (*value).into(),
        Value::Double(value) => number(*value, false),
        Value::String(text) => (&**text).into(),
        Value::XmlDocument(text) => form("$xmlDocument", text.as_str().into()),
        Value::Xml(text) => form("$xml", text.as_str().into()),
        Value::Date(time_ms) => form("$date", number(*time_ms, true)),
        Value::Array(array) if array.associative.is_empty() => array.dense.iter().map(from_amf3).collect(),
        Value::Array(array) => {
            with(form("$array", array.dense.iter().map(from_amf3).collect()), "members", members_of(&array.associative))
        }
        Value::Object(object) => object_as_json(object),
        Value::ByteArray(bytes) => form("$bytes", BASE64.encode(bytes).into()),
        Value::VectorInt(vector) => vector_as_json("int", vector, |item| (*item).into()),
        Value::VectorUint(vector) => vector_as_json("uint", vector, |item| (*item).into()),
        Value::VectorDouble(vector) => vector_as_json("double", vector, |item| number(*item, true)),
        Value::VectorObject { class_name, items } => {
            with(vector_as_json("object", items, from_amf3), "class", (&**class_name).into())
        }
        Value::Dictionary { weak, entries } => {
            let pairs = entries.iter().map(|(key, value)| Json::Array(vec![from_amf3(key), from_amf3(value)]));
            let json = form("$dictionary", pairs.collect());
            if *weak { with(json, "weak", true.into()) } else { json }
        }
        Value::Reference(index) => form("$ref", (*index).into()),
    }
}

/// JSON as a value.
///
/// # Errors
/// What is wrong with it, in words.
pub fn to_amf3(json: &Json) -> Result<Value, String> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Boolean(*truth),
        Json::Number(number) => match number.as_i64().and_then(|number| i32::try_from(number).ok()) {
            Some(integer) if INTEGERS.contains(&integer) => Value::Integer(integer),
            _ => Value::Double(as_number(json)?),
        },
        Json::String(text) => Value::String(text.as_str().into()),
        Json::Array(items) => Value::Array(Array { associative: Members::new(), dense: values(items)? }),
        Json::Object(map) => match dollar(map) {
            Some((name, value)) => form_as_value(json, map, name, value)?,
            None => Value::Object(plain_object(json)?),
        },
    })
}

fn form_as_value(json: &Json, map: &Map<String, Json>, name: &str, value: &Json) -> Result<Value, String> {
    only(
        map,
        match name {
            "$class" => &["members", "sealed", "dynamic"],
            "$array" => &["members"],
            "$vector" => &["items", "fixed", "class"],
            "$dictionary" => &["weak"],
            _ => &[],
        },
    )?;
    Ok(match name {
        "$undefined" => as_true(value).map(|()| Value::Undefined)?,
        "$number" => Value::Double(as_number(json)?),
        "$object" => Value::Object(plain_object(value)?),
        "$class" => Value::Object(object_of_class(as_text(value)?, map)?),
        "$date" => Value::Date(as_number(value)?),
        "$xmlDocument" => Value::XmlDocument(as_text(value)?.to_owned()),
        "$xml" => Value::Xml(as_text(value)?.to_owned()),
        "$bytes" => {
            Value::ByteArray(BASE64.decode(as_text(value)?).map_err(|error| format!("$bytes in Base64: {error}"))?)
        }
        "$array" => Value::Array(Array {
            associative: map.get("members").map(named_members).transpose()?.unwrap_or_default(),
            dense: values(as_array(value)?)?,
        }),
        "$vector" => vector(as_text(value)?, map)?,
        "$dictionary" => {
            let entry = |json: &Json| match json.as_array().map(Vec::as_slice) {
                Some([key, value]) => Ok((to_amf3(key)?, to_amf3(value)?)),
                _ => Err(wrong("[key, value]", json)),
            };
            let entries = as_array(value)?.iter().map(entry).collect::<Result<_, _>>()?;
            Value::Dictionary { weak: flag(map, "weak", false)?, entries }
        }
        "$ref" => Value::Reference(
            value
                .as_u64()
                .and_then(|index| u32::try_from(index).ok())
                .filter(|index| *index < MAX_REFERENCES)
                .ok_or_else(|| wrong("an index below 2^28", value))?,
        ),
        other => return Err(unknown(other, "AMF 3")),
    })
}

fn object_as_json(object: &Object) -> Json {
    let traits = &object.traits;
    let dynamic = members_of(&object.dynamic);
    if traits.class_name.is_empty() && traits.dynamic && traits.sealed.is_empty() {
        return anonymous(dynamic);
    }
    let mut json = form("$class", (&*traits.class_name).into());
    if !traits.sealed.is_empty() {
        // A value that is missing is written as undefined, too.
        let values = object.sealed.iter().chain(std::iter::repeat(&Value::Undefined));
        let sealed = traits.sealed.iter().zip(values).map(|(name, value)| (&**name, from_amf3(value)));
        json = with(json, "sealed", members(sealed));
    }
    json = with(json, "dynamic", traits.dynamic.into());
    if object.dynamic.is_empty() { json } else { with(json, "members", dynamic) }
}

/// An anonymous object.
fn plain_object(json: &Json) -> Result<Object, String> {
    let traits = Traits { class_name: "".into(), dynamic: true, sealed: Vec::new() };
    Ok(Object { traits: Arc::new(traits), sealed: Vec::new(), dynamic: named_members(json)? })
}

fn object_of_class(name: &str, map: &Map<String, Json>) -> Result<Object, String> {
    let dynamic = map.get("members").map(named_members).transpose()?.unwrap_or_default();
    let is_dynamic = flag(map, "dynamic", !dynamic.is_empty())?;
    if !is_dynamic && !dynamic.is_empty() {
        return Err("an object that is not dynamic has its members under \"sealed\"".to_owned());
    }
    let sealed = map.get("sealed").map(pairs_of).transpose()?.unwrap_or_default();
    let names = sealed.iter().map(|(name, _)| (*name).into()).collect();
    Ok(Object {
        traits: Arc::new(Traits { class_name: name.into(), dynamic: is_dynamic, sealed: names }),
        sealed: sealed.iter().map(|(_, value)| to_amf3(value)).collect::<Result<_, _>>()?,
        dynamic,
    })
}

fn members_of(all: &Members) -> Json {
    members(all.iter().map(|(name, value)| (&**name, from_amf3(value))))
}

fn named_members(json: &Json) -> Result<Members, String> {
    let member = |(name, value): (&str, &Json)| {
        if name.is_empty() {
            return Err("AMF 3 cannot write a member with an empty name".to_owned());
        }
        Ok((name.into(), to_amf3(value)?))
    };
    pairs_of(json)?.into_iter().map(member).collect()
}

fn values(items: &[Json]) -> Result<Vec<Value>, String> {
    items.iter().map(to_amf3).collect()
}

fn vector_as_json<T>(kind: &str, vector: &Vector<T>, item: impl Fn(&T) -> Json) -> Json {
    let json = with(form("$vector", kind.into()), "items", vector.items.iter().map(item).collect());
    if vector.fixed { with(json, "fixed", true.into()) } else { json }
}

fn vector(kind: &str, map: &Map<String, Json>) -> Result<Value, String> {
    let items = as_array(map.get("items").unwrap_or(&Json::Null))?;
    let fixed = flag(map, "fixed", false)?;
    let class_name = map.get("class").map(as_text).transpose()?;
    if kind != "object" && class_name.is_some() {
        return Err(format!("a vector of {kind} has no \"class\""));
    }
    Ok(match kind {
        "int" => Value::VectorInt(Vector { fixed, items: integers(items)? }),
        "uint" => Value::VectorUint(Vector { fixed, items: integers(items)? }),
        "double" => {
            Value::VectorDouble(Vector { fixed, items: items.iter().map(as_number).collect::<Result<_, _>>()? })
        }
        "object" => Value::VectorObject {
            class_name: class_name.unwrap_or_default().into(),
            items: Vector { fixed, items: values(items)? },
        },
        other => return Err(format!("a vector is of int, uint, double or object, not {other:?}")),
    })
}

fn integers<T: TryFrom<i64>>(items: &[Json]) -> Result<Vec<T>, String> {
    let integer = |json: &Json| {
        json.as_i64().and_then(|number| T::try_from(number).ok()).ok_or_else(|| wrong("an integer of 32 bits", json))
    };
    items.iter().map(integer).collect()
}

/// What 29 bits hold.
const INTEGERS: std::ops::Range<i32> = -(1 << 28)..1 << 28;

/// References are below this: their number has 28 bits.
const MAX_REFERENCES: u32 = 1 << 28;
