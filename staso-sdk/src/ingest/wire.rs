//! Building blocks that both wire formats share: lists with a limit, text that may be missing, lenient numbers.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use staso_core::id::SpanId;

use super::compact::Compact;

/// A list of at most `MAX` elements, checked while it is read. `null` is the empty list.
pub(super) struct Bounded<T, const MAX: usize>(pub(super) Vec<T>);

impl<T, const MAX: usize> Default for Bounded<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Bounded<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T, const MAX: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
            type Value = Bounded<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MAX} elements")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(Bounded::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if items.len() == MAX {
                        return Err(de::Error::invalid_length(MAX + 1, &self));
                    }
                    items.push(item);
                }
                Ok(Bounded(items))
            }
        }
        deserializer.deserialize_any(List(PhantomData))
    }
}

/// Text, `None` when it is missing, `null` or empty. JSON of another type becomes its compact text.
#[derive(Debug, Default)]
pub(super) struct Text(pub(super) Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyText;
        impl<'de> Visitor<'de> for AnyText {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Text, E> {
                Ok(Text(None))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text((!text.is_empty()).then(|| text.to_owned())))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Text, E> {
                Ok(Text((!text.is_empty()).then_some(text)))
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Text, E> {
                Ok(Text(Some(value.to_string())))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Text, E> {
                Ok(Text(Some(value.to_string())))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Text, E> {
                Ok(Text(Some(value.to_string())))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Text, E> {
                Ok(Text(Some(value.to_string())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Text, A::Error> {
                let mut text = String::new();
                Compact(&mut text).list(items)?;
                Ok(Text(Some(text)))
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Text, A::Error> {
                let mut text = String::new();
                Compact(&mut text).fields(fields)?;
                Ok(Text(Some(text)))
            }
        }
        deserializer.deserialize_any(AnyText)
    }
}

/// A whole number that JSON may carry as a number or, as protobuf does for 64 bits, as a string.
#[derive(Debug, Clone, Copy)]
pub(super) struct Int64(pub(super) i128);

impl<'de> Deserialize<'de> for Int64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Int64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or a string with one")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Int64, E> {
                Ok(Int64(value.into()))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Int64, E> {
                Ok(Int64(value.into()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Int64, E> {
                text.parse::<i64>()
                    .map(i128::from)
                    .or_else(|_| text.parse::<u64>().map(i128::from))
                    .map(Int64)
                    .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// The id of an enclosing span; `None` for the spellings of "there is none": missing, `null`, empty and all zeros.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ParentId(pub(super) Option<SpanId>);

impl ParentId {
    pub(super) fn parse(text: &str) -> Result<Self, staso_core::id::InvalidId> {
        if text.bytes().all(|byte| matches!(byte, b'0' | b'-')) {
            return Ok(Self(None));
        }
        text.parse().map(|id| Self(Some(id)))
    }
}

impl<'de> Deserialize<'de> for ParentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: Option<std::borrow::Cow<'de, str>> = Option::deserialize(deserializer)?;
        Self::parse(text.as_deref().unwrap_or_default()).map_err(de::Error::custom)
    }
}
