//! Attribute values of OTLP JSON, read straight into plain JSON values.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::wire::{Bounded, Int64};

/// Attributes of one span, event or resource, and elements of one list.
const MAX_VALUES: usize = 10_000;

/// `[{"key": …, "value": {"stringValue": …}}, …]`
#[derive(Default, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct KeyValues(Bounded<KeyValue, MAX_VALUES>);

#[derive(serde::Deserialize)]
struct KeyValue {
    key: String,
    #[serde(default)]
    value: AnyValue,
}

impl KeyValues {
    pub(super) fn into_map(self) -> BTreeMap<String, Value> {
        self.0.0.into_iter().map(|pair| (pair.key, pair.value.0)).collect()
    }
}

/// `{"stringValue": …}` and its siblings. An empty object is the empty value.
#[derive(Default)]
struct AnyValue(Value);

#[derive(serde::Deserialize)]
struct ArrayValue {
    #[serde(default)]
    values: Bounded<AnyValue, MAX_VALUES>,
}

#[derive(serde::Deserialize)]
struct KvList {
    #[serde(default)]
    values: KeyValues,
}

impl<'de> Deserialize<'de> for AnyValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOf;
        impl<'de> Visitor<'de> for OneOf {
            type Value = AnyValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an OTLP value such as {\"stringValue\": \"…\"}")
            }

            fn visit_unit<E: de::Error>(self) -> Result<AnyValue, E> {
                Ok(AnyValue::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AnyValue, A::Error> {
                let mut found = Value::Null;
                while let Some(key) = map.next_key::<String>()? {
                    found = match key.as_str() {
                        "stringValue" | "bytesValue" => Value::String(map.next_value()?),
                        "boolValue" => Value::Bool(map.next_value()?),
                        "intValue" => integer(map.next_value::<Int64>()?),
                        "doubleValue" => map.next_value::<Double>()?.0,
                        "arrayValue" => {
                            let list = map.next_value::<ArrayValue>()?.values.0;
                            Value::Array(list.into_iter().map(|item| item.0).collect())
                        }
                        "kvlistValue" => {
                            let fields = map.next_value::<KvList>()?.values.into_map();
                            Value::Object(fields.into_iter().collect::<Map<_, _>>())
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                }
                Ok(AnyValue(found))
            }
        }
        deserializer.deserialize_any(OneOf)
    }
}

fn integer(Int64(value): Int64) -> Value {
    let number = i64::try_from(value).map(Number::from).or_else(|_| u64::try_from(value).map(Number::from));
    number.map_or(Value::Null, Value::Number)
}

/// A number, or one of the words `NaN`, `Infinity` and `-Infinity`, which JSON numbers cannot express.
struct Double(Value);

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrWord;
        impl Visitor<'_> for NumberOrWord {
            type Value = Double;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Double, E> {
                Ok(Double(Number::from_f64(value).map_or(Value::Null, Value::Number)))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Double, E> {
                Ok(Double(value.into()))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Double, E> {
                Ok(Double(value.into()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Double, E> {
                Ok(Double(Value::String(text.to_owned())))
            }
        }
        deserializer.deserialize_any(NumberOrWord)
    }
}
