//! Lenient parsing of JSON that JavaScript clients write. mediasoup's validation asks "is it set?"
//! before "has it the right type?", so `null`, `false`, `0` and `""` all count as unset where a
//! field is optional. A [`LenientValue`] keeps enough of a value to answer both questions; arrays
//! and objects in place of a scalar are skipped and never stored.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::limits::{ParamsError, TEXT_LEN_MAX};
use super::parameter_value::exact_integer;

/// JSON scalar, or a marker for a value that is not stored.
#[derive(Debug, Default)]
pub(super) enum LenientValue {
    /// Absent or null.
    #[default]
    Unset,
    /// `true` or `false`.
    Bool(bool),
    /// Any number.
    Number(f64),
    /// A text of at most [`TEXT_LEN_MAX`] bytes.
    Text(String),
    /// A longer text.
    LongText,
    /// An array or an object.
    Compound,
}

impl LenientValue {
    /// Returns whether JavaScript treats the value as true in a condition.
    fn is_truthy(&self) -> bool {
        match self {
            Self::Unset => false,
            Self::Bool(truth) => *truth,
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            Self::Text(text) => !text.is_empty(),
            Self::LongText | Self::Compound => true,
        }
    }

    /// Returns a mandatory text.
    pub(super) fn text(self, what: &'static str) -> Result<String, ParamsError> {
        self.optional_text(what)?
            .ok_or(ParamsError::Missing { what })
    }

    /// Returns an optional text.
    pub(super) fn optional_text(self, what: &'static str) -> Result<Option<String>, ParamsError> {
        match self {
            Self::LongText => Err(ParamsError::TooLong { what }),
            Self::Text(text) if !text.is_empty() => Ok(Some(text)),
            unset if !unset.is_truthy() => Ok(None),
            _ => Err(ParamsError::Invalid { what }),
        }
    }

    /// Returns a text, or the empty text for any other type.
    pub(super) fn text_or_empty(self, what: &'static str) -> Result<String, ParamsError> {
        match self {
            Self::LongText => Err(ParamsError::TooLong { what }),
            Self::Text(text) => Ok(text),
            _ => Ok(String::new()),
        }
    }

    /// Returns a mandatory integer in the range of `T`.
    pub(super) fn integer<T: TryFrom<i64>>(self, what: &'static str) -> Result<T, ParamsError> {
        match self {
            Self::Number(number) => convert(number, what),
            _ => Err(ParamsError::Missing { what }),
        }
    }

    /// Returns an optional integer in the range of `T`. Zero counts as set.
    pub(super) fn optional_integer<T: TryFrom<i64>>(
        self,
        what: &'static str,
    ) -> Result<Option<T>, ParamsError> {
        match self {
            Self::Number(number) => convert(number, what).map(Some),
            unset if !unset.is_truthy() => Ok(None),
            _ => Err(ParamsError::Invalid { what }),
        }
    }

    /// Returns an integer in the range of `T`, cut to its whole part, and `None` for anything else.
    pub(super) fn integer_hint<T: TryFrom<i64>>(&self) -> Option<T> {
        match self {
            Self::Number(number) => T::try_from(exact_integer(number.trunc())?).ok(),
            _ => None,
        }
    }

    /// Returns a number, and `None` for anything else.
    pub(super) fn number_hint(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns a boolean that is false when unset.
    pub(super) fn flag(self, what: &'static str) -> Result<bool, ParamsError> {
        match self {
            Self::Bool(truth) => Ok(truth),
            unset if !unset.is_truthy() => Ok(false),
            _ => Err(ParamsError::Invalid { what }),
        }
    }

    /// Returns true only for the value `true`.
    pub(super) fn is_true(&self) -> bool {
        matches!(self, Self::Bool(true))
    }
}

/// Converts `number` to `T`, if it is an integer in its range.
fn convert<T: TryFrom<i64>>(number: f64, what: &'static str) -> Result<T, ParamsError> {
    exact_integer(number)
        .and_then(|integer| T::try_from(integer).ok())
        .ok_or(ParamsError::Invalid { what })
}

impl<'de> Deserialize<'de> for LenientValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LenientVisitor)
    }
}

/// Accepts every value and stores only scalars.
struct LenientVisitor;

impl<'de> Visitor<'de> for LenientVisitor {
    type Value = LenientValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<LenientValue, E> {
        Ok(LenientValue::Unset)
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<LenientValue, E> {
        Ok(LenientValue::Bool(truth))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<LenientValue, E> {
        Ok(LenientValue::Number(number as f64))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<LenientValue, E> {
        Ok(LenientValue::Number(number as f64))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<LenientValue, E> {
        Ok(LenientValue::Number(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<LenientValue, E> {
        if text.len() > TEXT_LEN_MAX {
            return Ok(LenientValue::LongText);
        }
        Ok(LenientValue::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<LenientValue, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(LenientValue::Compound)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<LenientValue, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(LenientValue::Compound)
    }
}

/// Reads an optional list of at most `MAX` elements.
pub(super) fn optional_list<'de, D, T, const MAX: usize>(
    deserializer: D,
) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(ListVisitor::<T, MAX> {
        read_as_empty: ReadAsEmpty::UnsetValues,
        element: PhantomData,
    })
}

/// Reads a mandatory list of at most `MAX` elements.
pub(super) fn list<'de, D, T, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(ListVisitor::<T, MAX> {
        read_as_empty: ReadAsEmpty::Nothing,
        element: PhantomData,
    })
}

/// Reads a list of at most `MAX` elements; any value other than a list reads as an empty one.
pub(super) fn any_list<'de, D, T, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(ListVisitor::<T, MAX> {
        read_as_empty: ReadAsEmpty::AnyValue,
        element: PhantomData,
    })
}

/// Values other than arrays that read as the empty list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReadAsEmpty {
    /// None.
    Nothing,
    /// Null, false, zero and the empty text.
    UnsetValues,
    /// All.
    AnyValue,
}

/// Accepts an array of at most `MAX` elements.
struct ListVisitor<T, const MAX: usize> {
    /// Values that read as the empty list.
    read_as_empty: ReadAsEmpty,
    element: PhantomData<T>,
}

impl<T, const MAX: usize> ListVisitor<T, MAX> {
    /// Returns the empty list, if `value` reads as one.
    fn not_an_array<E: de::Error>(self, value: &LenientValue) -> Result<Vec<T>, E> {
        let accepted = match self.read_as_empty {
            ReadAsEmpty::Nothing => false,
            ReadAsEmpty::UnsetValues => !value.is_truthy(),
            ReadAsEmpty::AnyValue => true,
        };
        if accepted {
            Ok(Vec::new())
        } else {
            Err(E::custom("not an array"))
        }
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of at most {MAX}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            if list.len() == MAX {
                return Err(de::Error::invalid_length(MAX + 1, &self));
            }
            list.push(element);
        }
        Ok(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Vec<T>, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.not_an_array(&LenientValue::Compound)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Vec<T>, E> {
        self.not_an_array(&LenientValue::Unset)
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Vec<T>, E> {
        self.not_an_array(&LenientValue::Bool(truth))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Vec<T>, E> {
        self.not_an_array(&LenientValue::Number(number as f64))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Vec<T>, E> {
        self.not_an_array(&LenientValue::Number(number as f64))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Vec<T>, E> {
        self.not_an_array(&LenientValue::Number(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
        self.not_an_array(&if text.is_empty() {
            LenientValue::Unset
        } else {
            LenientValue::LongText
        })
    }
}
