//! JSON rewritten as compact text while it is read, without building the document.

use std::fmt;

use serde::Serialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Appends what it reads to a text.
pub(super) struct Compact<'t>(pub(super) &'t mut String);

impl Compact<'_> {
    fn scalar<E: de::Error>(self, value: &impl Serialize) -> Result<(), E> {
        self.0.push_str(&serde_json::to_string(value).map_err(E::custom)?);
        Ok(())
    }

    /// The elements of a list.
    pub(super) fn list<'de, A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut mark = '[';
        while items.next_element_seed(Element(self.0, mark))?.is_some() {
            mark = ',';
        }
        self.0.push_str(if mark == '[' { "[]" } else { "]" });
        Ok(())
    }

    /// The fields of an object.
    pub(super) fn fields<'de, A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut mark = '{';
        while fields.next_key_seed(Element(self.0, mark))?.is_some() {
            self.0.push(':');
            fields.next_value_seed(Compact(self.0))?;
            mark = ',';
        }
        self.0.push_str(if mark == '{' { "{}" } else { "}" });
        Ok(())
    }
}

/// One element, after the mark that sets it apart.
struct Element<'t>(&'t mut String, char);

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.push(self.1);
        Compact(self.0).deserialize(deserializer)
    }
}

impl<'de> DeserializeSeed<'de> for Compact<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Compact<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.scalar(&())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.scalar(&value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.scalar(&value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.scalar(&value)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.scalar(&value)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.scalar(&text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<(), A::Error> {
        self.list(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<(), A::Error> {
        self.fields(fields)
    }
}
