//! JSON parser (RFC 8259) for untrusted input. It is stricter than the RFC requires: duplicate
//! keys, deep nesting and thousands of keys are refused, so that two parsers can never see two
//! different messages. Must never recurse deeper than `DEPTH_MAX`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Maximum nesting of arrays and objects. Signalling needs 8.
pub const DEPTH_MAX: usize = 16;

/// Maximum number of keys in one message, over all its objects. Chrome's RTP capabilities have
/// about 1,000.
pub const KEYS_MAX: usize = 2_000;

/// Keys that could change the prototype of a JavaScript object when they are merged into it.
const PROTOTYPE_KEYS: [&str; 3] = ["__proto__", "prototype", "constructor"];

/// Parses one message.
///
/// # Errors
/// Returns an explanation for the sender when the text is not JSON or exceeds a limit.
pub fn parse(text: &str) -> Result<Value, String> {
    let mut keys = 0;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let reader = BoundedReader {
        depth: DEPTH_MAX,
        keys: &mut keys,
    };
    let value = reader
        .deserialize(&mut deserializer)
        .map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// Returns whether no key inside a free-form value could pollute a prototype.
pub fn is_prototype_safe(value: &Value) -> bool {
    match value {
        Value::Object(entries) => entries.iter().all(|(key, value)| {
            !PROTOTYPE_KEYS.contains(&key.as_str()) && is_prototype_safe(value)
        }),
        Value::Array(elements) => elements.iter().all(is_prototype_safe),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// Reads one value, including nested ones, within the limits.
struct BoundedReader<'a> {
    /// Number of levels that may still be opened.
    depth: usize,
    /// Number of keys read so far in the whole message.
    keys: &'a mut usize,
}

impl BoundedReader<'_> {
    /// Returns the reader for values one level deeper.
    fn inner<E: serde::de::Error>(&mut self) -> Result<BoundedReader<'_>, E> {
        let depth = self.depth.checked_sub(1);
        let depth = depth.ok_or_else(|| E::custom("nested too deeply"))?;
        Ok(BoundedReader {
            depth,
            keys: self.keys,
        })
    }
}

impl<'de> DeserializeSeed<'de> for BoundedReader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for BoundedReader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        let number = Number::from_f64(number).ok_or_else(|| E::custom("not a finite number"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(self.inner()?)? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            *self.keys += 1;
            if *self.keys > KEYS_MAX {
                return Err(A::Error::custom("too many keys"));
            }
            if object.contains_key(&key) {
                return Err(A::Error::custom("a key stands twice in one object"));
            }
            let value = entries.next_value_seed(self.inner()?)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_refused_above_the_limit() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(&nested(DEPTH_MAX)).is_ok());
        assert!(parse(&nested(DEPTH_MAX + 1)).is_err());
        assert!(parse(&nested(100_000)).is_err());
    }

    #[test]
    fn a_message_is_refused_when_it_has_too_many_keys() {
        let object = |keys: usize| {
            let entries: Vec<_> = (0..keys).map(|n| format!("\"k{n}\":0")).collect();
            format!("{{{}}}", entries.join(","))
        };
        assert!(parse(&object(KEYS_MAX)).is_ok());
        assert!(parse(&object(KEYS_MAX + 1)).is_err());
    }

    #[test]
    fn keys_of_all_objects_are_counted_together() {
        let one = format!(
            "{{{}}}",
            (0..500)
                .map(|n| format!("\"k{n}\":0"))
                .collect::<Vec<_>>()
                .join(",")
        );
        assert!(parse(&format!("[{one},{one},{one},{one}]")).is_ok());
        assert!(parse(&format!("[{one},{one},{one},{one},{{\"k\":0}}]")).is_err());
    }

    #[test]
    fn prototype_keys_are_found_at_any_depth() {
        for key in PROTOTYPE_KEYS {
            let value = parse(&format!("{{\"a\":[{{\"{key}\":{{}}}}]}}")).unwrap();
            assert!(!is_prototype_safe(&value), "{key}");
        }
        assert!(is_prototype_safe(
            &parse("{\"proto\":[1,{\"a\":null}]}").unwrap()
        ));
    }
}
