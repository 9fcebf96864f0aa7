//! rtmpdump's notation for AMF values (`-C`, librtmp's `conn=`).
//!
//! ```text
//! B:0|1  N:number  S:text  Z:  O:1 … O:0   and inside an object  NB:name:0|1  NN:name:number  NS:name:text  NO:name:1
//! ```
//!
//! Does not know which values a server expects.

use crate::proto::amf0::{Object, Value};

/// Reads a list of items. Objects left open at the end are closed.
///
/// # Errors
/// The item that cannot be read.
pub fn parse<S: AsRef<str>>(items: &[S]) -> Result<Vec<Value>, String> {
    let mut values = Vec::new();
    // Open objects with the names they will have in the one around them.
    let mut open: Vec<(Option<String>, Object)> = Vec::new();
    for item in items {
        let item = item.as_ref();
        let bad = || item.to_owned();
        let (name, kind, data) = split(item).ok_or_else(bad)?;
        if open.is_empty() == name.is_some() && !(kind == 'O' && data == "0") {
            return Err(bad());
        }
        let value = match kind {
            'O' if is_true(data) => {
                if open.len() >= MAX_OPEN {
                    return Err(bad());
                }
                open.push((name.map(str::to_owned), Object::default()));
                continue;
            }
            'O' => {
                let (name, object) = open.pop().ok_or_else(bad)?;
                put(&mut values, &mut open, name, Value::Object(object));
                continue;
            }
            'B' => Value::Boolean(is_true(data)),
            'N' => Value::Number(data.trim().parse().map_err(|_| bad())?),
            'S' => Value::String(data.to_owned()),
            'Z' => Value::Null,
            _ => return Err(bad()),
        };
        put(&mut values, &mut open, name.map(str::to_owned), value);
    }
    while let Some((name, object)) = open.pop() {
        put(&mut values, &mut open, name, Value::Object(object));
    }
    Ok(values)
}

/// Name (if the item is a named one), type and data.
fn split(item: &str) -> Option<(Option<&str>, char, &str)> {
    let (head, data) = item.split_once(':')?;
    let mut letters = head.chars();
    match (letters.next(), letters.next(), letters.next()) {
        (Some(kind), None, None) => Some((None, kind, data)),
        (Some('N'), Some(kind @ ('B' | 'N' | 'S' | 'O')), None) => {
            let (name, data) = data.split_once(':')?;
            Some((Some(name), kind, data))
        }
        _ => None,
    }
}

fn put(values: &mut Vec<Value>, open: &mut [(Option<String>, Object)], name: Option<String>, value: Value) {
    match open.last_mut() {
        Some((_, object)) => object.properties.push((name.unwrap_or_default(), value)),
        None => values.push(value),
    }
}

fn is_true(data: &str) -> bool {
    data.trim().parse::<f64>().is_ok_and(|number| number != 0.0)
}

/// Objects inside one another.
const MAX_OPEN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_values() {
        let got = parse(&["B:1", "B:0", "N:1.5", "S:a:b", "S:", "Z:"]).unwrap();
        assert_eq!(got, [true.into(), false.into(), 1.5.into(), "a:b".into(), "".into(), Value::Null]);
    }

    #[test]
    fn objects_inside_objects() {
        let got = parse(&["S:connect", "O:1", "NS:pageUrl:http://x", "NO:in:1", "NN:n:2", "O:0", "NB:fpad:0", "O:0"])
            .unwrap();
        let inner = Object::default().with("n", 2.0);
        let outer = Object::default().with("pageUrl", "http://x").with("in", inner).with("fpad", false);
        assert_eq!(got, ["connect".into(), outer.into()]);
    }

    #[test]
    fn what_is_refused() {
        for bad in ["", "X:1", "B", "N:x", "NS:a:b", "S", "NZ:a:", "O:0"] {
            assert_eq!(parse(&[bad]), Err(bad.to_owned()), "{bad}");
        }
        assert!(parse(&["O:1", "S:unnamed"]).is_err());
    }
}
