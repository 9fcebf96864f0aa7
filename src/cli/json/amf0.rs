//! AMF 0 values as JSON (forms: see the parent module).

use serde_json::Value as Json;

use crate::proto::amf0::{Object, Value};

use super::{
    anonymous, as_number, as_text, as_true, dollar, form, from_amf3, members, number, only, pairs_of, to_amf3, unknown,
    with, wrong,
};

/// A value as JSON.
pub fn from_amf0(value: &Value) -> Json {
    match value {
        Value::Number(value) => number(*value, true),
        Value::Boolean(truth) => (*truth).into(),
        Value::String(text) => text.as_str().into(),
        Value::Null => Json::Null,
        Value::Object(object) => anonymous(members_of(object)),
        Value::EcmaArray(object) => form("$ecma", members_of(object)),
        Value::StrictArray(values) => values.iter().map(from_amf0).collect(),
        Value::Date { time_ms, time_zone_min: 0 } => form("$date", number(*time_ms, true)),
        Value::Date { time_ms, time_zone_min } => {
            with(form("$date", number(*time_ms, true)), "timeZone", (*time_zone_min).into())
        }
        Value::TypedObject { class_name, object } => {
            with(form("$class", class_name.as_str().into()), "members", members_of(object))
        }
        Value::XmlDocument(text) => form("$xmlDocument", text.as_str().into()),
        Value::Reference(index) => form("$ref", (*index).into()),
        Value::Undefined => form("$undefined", true.into()),
        Value::MovieClip => form("$movieClip", true.into()),
        Value::Unsupported => form("$unsupported", true.into()),
        Value::RecordSet => form("$recordSet", true.into()),
        Value::Amf3(value) => form("$amf3", from_amf3(value)),
    }
}

/// JSON as a value.
///
/// # Errors
/// What is wrong with it, in words.
pub fn to_amf0(json: &Json) -> Result<Value, String> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Boolean(*truth),
        Json::Number(_) => Value::Number(as_number(json)?),
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::StrictArray(items.iter().map(to_amf0).collect::<Result<_, _>>()?),
        Json::Object(map) => {
            let Some((name, value)) = dollar(map) else { return Ok(Value::Object(object_of(json)?)) };
            only(
                map,
                match name {
                    "$date" => &["timeZone"],
                    "$class" => &["members"],
                    _ => &[],
                },
            )?;
            match name {
                "$number" => Value::Number(as_number(json)?),
                "$object" => Value::Object(object_of(value)?),
                "$ecma" => Value::EcmaArray(object_of(value)?),
                "$class" => Value::TypedObject {
                    class_name: as_text(value)?.to_owned(),
                    object: map.get("members").map(object_of).transpose()?.unwrap_or_default(),
                },
                "$date" => Value::Date {
                    time_ms: as_number(value)?,
                    time_zone_min: match map.get("timeZone") {
                        None => 0,
                        Some(zone) => zone
                            .as_i64()
                            .and_then(|zone| i16::try_from(zone).ok())
                            .ok_or_else(|| wrong("minutes, from -32768 to 32767", zone))?,
                    },
                },
                "$xmlDocument" => Value::XmlDocument(as_text(value)?.to_owned()),
                "$ref" => Value::Reference(
                    value
                        .as_u64()
                        .and_then(|index| u16::try_from(index).ok())
                        .ok_or_else(|| wrong("an index up to 65535", value))?,
                ),
                "$amf3" => Value::Amf3(to_amf3(value)?),
                "$undefined" => as_true(value).map(|()| Value::Undefined)?,
                "$movieClip" => as_true(value).map(|()| Value::MovieClip)?,
                "$unsupported" => as_true(value).map(|()| Value::Unsupported)?,
                "$recordSet" => as_true(value).map(|()| Value::RecordSet)?,
                "$bytes" | "$xml" | "$array" | "$vector" | "$dictionary" => {
                    return Err(format!(
                        "{name} is nothing that AMF 0 has: write {{\"$amf3\": {{\"{name}\": …}}}}, or use --amf3"
                    ));
                }
                other => return Err(unknown(other, "AMF 0")),
            }
        }
    })
}

fn members_of(object: &Object) -> Json {
    members(object.properties.iter().map(|(name, value)| (name.as_str(), from_amf0(value))))
}

fn object_of(json: &Json) -> Result<Object, String> {
    let pairs = pairs_of(json)?.into_iter();
    let properties = pairs.map(|(name, value)| Ok::<_, String>((name.to_owned(), to_amf0(value)?)));
    Ok(Object { properties: properties.collect::<Result<_, _>>()? })
}
