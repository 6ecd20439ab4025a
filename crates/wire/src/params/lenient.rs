//! Reading JSON that JavaScript wrote for JavaScript. mediasoup's validation asks "is it set?"
//! before "has it the right type?", so `null`, `false`, `0` and `""` all pass as "not set" where
//! a field is optional. A [`LenientValue`] keeps just enough of a value to ask both questions; arrays and
//! objects in a scalar's place are walked over and never stored.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::parameter_value::exact_integer;
use super::{ParamsError, TEXT_LEN_MAX};

/// A JSON scalar, or the fact that there was something else.
#[derive(Debug, Default)]
pub(super) enum LenientValue {
    /// Absent or null.
    #[default]
    Nothing,
    /// A truth value.
    Bool(bool),
    /// Any number.
    Number(f64),
    /// A text of at most [`TEXT_LEN_MAX`].
    Text(String),
    /// A longer text.
    LongText,
    /// An array or an object.
    Compound,
}

impl LenientValue {
    /// What JavaScript says when a condition asks.
    fn is_truthy(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Bool(truth) => *truth,
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            Self::Text(text) => !text.is_empty(),
            Self::LongText | Self::Compound => true,
        }
    }

    /// A text that must be there.
    pub(super) fn text(self, what: &'static str) -> Result<String, ParamsError> {
        self.optional_text(what)?
            .ok_or(ParamsError::Missing { what })
    }

    /// A text that may be unset.
    pub(super) fn optional_text(self, what: &'static str) -> Result<Option<String>, ParamsError> {
        match self {
            Self::LongText => Err(ParamsError::TooLong { what }),
            Self::Text(text) if !text.is_empty() => Ok(Some(text)),
            unset if !unset.is_truthy() => Ok(None),
            _ => Err(ParamsError::Invalid { what }),
        }
    }

    /// A text, or the empty one for everything else.
    pub(super) fn text_or_empty(self, what: &'static str) -> Result<String, ParamsError> {
        match self {
            Self::LongText => Err(ParamsError::TooLong { what }),
            Self::Text(text) => Ok(text),
            _ => Ok(String::new()),
        }
    }

    /// A number that must be there and fit.
    pub(super) fn integer<T: TryFrom<i64>>(self, what: &'static str) -> Result<T, ParamsError> {
        match self {
            Self::Number(number) => fitting(number, what),
            _ => Err(ParamsError::Missing { what }),
        }
    }

    /// A number that may be unset, and must fit when it is there. Zero is a number.
    pub(super) fn optional_integer<T: TryFrom<i64>>(
        self,
        what: &'static str,
    ) -> Result<Option<T>, ParamsError> {
        match self {
            Self::Number(number) => fitting(number, what).map(Some),
            unset if !unset.is_truthy() => Ok(None),
            _ => Err(ParamsError::Invalid { what }),
        }
    }

    /// A number that fits, and nothing for everything else: for hints that nobody depends on.
    pub(super) fn hint<T: TryFrom<i64>>(&self) -> Option<T> {
        match self {
            Self::Number(number) => T::try_from(exact_integer(number.trunc())?).ok(),
            _ => None,
        }
    }

    /// A fractional number, and nothing for everything else.
    pub(super) fn real_hint(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// A truth value that is false when unset.
    pub(super) fn flag(self, what: &'static str) -> Result<bool, ParamsError> {
        match self {
            Self::Bool(truth) => Ok(truth),
            unset if !unset.is_truthy() => Ok(false),
            _ => Err(ParamsError::Invalid { what }),
        }
    }

    /// True for the value `true` alone.
    pub(super) fn is_true(&self) -> bool {
        matches!(self, Self::Bool(true))
    }
}

/// The whole number `number`, when `T` has it.
fn fitting<T: TryFrom<i64>>(number: f64, what: &'static str) -> Result<T, ParamsError> {
    exact_integer(number)
        .and_then(|integer| T::try_from(integer).ok())
        .ok_or(ParamsError::Invalid { what })
}

impl<'de> Deserialize<'de> for LenientValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LenientVisitor)
    }
}

/// Accepts everything and keeps only scalars.
struct LenientVisitor;

impl<'de> Visitor<'de> for LenientVisitor {
    type Value = LenientValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<LenientValue, E> {
        Ok(LenientValue::Nothing)
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

/// Reads a list of at most `MAX` that may be unset.
pub(super) fn optional_list<'de, D, T, const MAX: usize>(
    deserializer: D,
) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let absent = Absent::WhenUnset;
    deserializer.deserialize_any(ListVisitor::<T, MAX> {
        absent,
        element: PhantomData,
    })
}

/// Reads a list of at most `MAX` that must be there.
pub(super) fn list<'de, D, T, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let absent = Absent::Never;
    deserializer.deserialize_any(ListVisitor::<T, MAX> {
        absent,
        element: PhantomData,
    })
}

/// Reads a list of at most `MAX`; whatever is not a list counts as an empty one.
pub(super) fn any_list<'de, D, T, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let absent = Absent::WhenOther;
    deserializer.deserialize_any(ListVisitor::<T, MAX> {
        absent,
        element: PhantomData,
    })
}

/// When something that is not an array stands for the empty list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Absent {
    /// Never.
    Never,
    /// When it is null, false, zero or the empty text.
    WhenUnset,
    /// Always.
    WhenOther,
}

/// Accepts an array of at most `MAX` elements.
struct ListVisitor<T, const MAX: usize> {
    /// What may stand for the empty list.
    absent: Absent,
    /// What the elements are.
    element: PhantomData<T>,
}

impl<T, const MAX: usize> ListVisitor<T, MAX> {
    /// The empty list, if `scalar` may stand for it.
    fn scalar<E: de::Error>(self, scalar: &LenientValue) -> Result<Vec<T>, E> {
        let accepted = match self.absent {
            Absent::Never => false,
            Absent::WhenUnset => !scalar.is_truthy(),
            Absent::WhenOther => true,
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
        self.scalar(&LenientValue::Compound)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Vec<T>, E> {
        self.scalar(&LenientValue::Nothing)
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Vec<T>, E> {
        self.scalar(&LenientValue::Bool(truth))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Vec<T>, E> {
        self.scalar(&LenientValue::Number(number as f64))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Vec<T>, E> {
        self.scalar(&LenientValue::Number(number as f64))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Vec<T>, E> {
        self.scalar(&LenientValue::Number(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
        self.scalar(&if text.is_empty() {
            LenientValue::Nothing
        } else {
            LenientValue::LongText
        })
    }
}
