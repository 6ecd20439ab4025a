//! Values of format parameters: numbers or texts, as `a=fmtp` carries them (RFC 8866 §6.15). They
//! compare like JavaScript's `===`, because the client side of the negotiation runs there: `1`
//! equals `1.0` but not `"1"`.

use std::fmt;

use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::limits::{PARAMETERS_MAX, ParamsError, TEXT_LEN_MAX, check_list_len, check_text_len};
use crate::units::Map;

/// Largest integer up to which a double holds every integer exactly (2^53).
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Format parameters of a codec or a header extension, by name.
pub type FormatParameters = Map<String, ParameterValue>;

/// Value of one format parameter: a number or a text.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterValue {
    /// A JSON number, held as a double.
    Number(f64),
    /// A text.
    Text(String),
}

impl ParameterValue {
    /// Returns the value as an integer, if it is one and exact.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Number(number) => exact_integer(*number),
            Self::Text(_) => None,
        }
    }

    /// Returns the text, if the value is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Number(_) => None,
            Self::Text(text) => Some(text),
        }
    }

    /// Returns false for zero, NaN and the empty text, which clients use for "not set".
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            Self::Text(text) => !text.is_empty(),
        }
    }
}

/// Returns the integer that is exactly equal to `number`.
pub(super) fn exact_integer(number: f64) -> Option<i64> {
    if number.fract() != 0.0 || number.abs() > EXACT_MAX {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole and below 2^53, checked above"
    )]
    let integer = number as i64;
    Some(integer)
}

/// Rejects too many parameters, and names or texts that are too long.
pub(super) fn validate(parameters: &FormatParameters) -> Result<(), ParamsError> {
    check_list_len("parameters", parameters.len(), PARAMETERS_MAX)?;
    for (name, value) in parameters {
        check_text_len("parameters", name)?;
        check_text_len("parameters", value.as_text().unwrap_or_default())?;
    }
    Ok(())
}

impl From<&str> for ParameterValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u32> for ParameterValue {
    fn from(number: u32) -> Self {
        Self::Number(f64::from(number))
    }
}

impl Serialize for ParameterValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serialize_number(*number, serializer),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// Serializes an integer without a fraction part, as JavaScript does: `4`, not `4.0`.
fn serialize_number<S: Serializer>(number: f64, serializer: S) -> Result<S::Ok, S::Error> {
    match exact_integer(number) {
        Some(integer) => serializer.serialize_i64(integer),
        None => serializer.serialize_f64(number),
    }
}

/// Serializes a number that may be absent.
pub(super) fn serialize_optional_number<S: Serializer>(
    number: &Option<f64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => serialize_number(*number, serializer),
        None => serializer.serialize_none(),
    }
}

impl<'de> Deserialize<'de> for ParameterValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

/// Accepts a number or a text of bounded length.
struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = ParameterValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a text")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<ParameterValue, E> {
        Ok(ParameterValue::Number(number as f64))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<ParameterValue, E> {
        Ok(ParameterValue::Number(number as f64))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<ParameterValue, E> {
        Ok(ParameterValue::Number(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ParameterValue, E> {
        if text.len() > TEXT_LEN_MAX {
            return Err(E::custom("parameter is too long"));
        }
        Ok(ParameterValue::Text(text.to_owned()))
    }
}

/// Reads format parameters; any value other than an object reads as none.
pub(super) fn parameters<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<FormatParameters, D::Error> {
    deserializer.deserialize_any(ParametersVisitor)
}

/// Accepts an object of bounded size, and ignores any other value.
struct ParametersVisitor;

impl<'de> Visitor<'de> for ParametersVisitor {
    type Value = FormatParameters;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of numbers and texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<FormatParameters, A::Error> {
        let mut parameters = FormatParameters::new();
        while let Some((name, value)) = entries.next_entry::<String, ParameterValue>()? {
            if name == "apt" && value.as_text().is_some() {
                return Err(de::Error::custom("apt is not a number"));
            }
            if parameters.len() == PARAMETERS_MAX || name.len() > TEXT_LEN_MAX {
                return Err(de::Error::custom("too many or too long parameters"));
            }
            parameters.insert(name, value);
        }
        Ok(parameters)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<FormatParameters, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(FormatParameters::new())
    }

    fn visit_unit<E: de::Error>(self) -> Result<FormatParameters, E> {
        Ok(FormatParameters::new())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<FormatParameters, E> {
        Ok(FormatParameters::new())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<FormatParameters, E> {
        Ok(FormatParameters::new())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<FormatParameters, E> {
        Ok(FormatParameters::new())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<FormatParameters, E> {
        Ok(FormatParameters::new())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<FormatParameters, E> {
        Ok(FormatParameters::new())
    }
}
