//! JSON Pointer (RFC 6901).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A JSON Pointer as in RFC 6901, with the leading slash: `/output/order/id`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct JsonPointer(String);

impl JsonPointer {
    /// Builds a pointer from unescaped parts.
    pub fn from_parts<S: AsRef<str>>(parts: impl IntoIterator<Item = S>) -> Self {
        let mut text = String::new();
        for part in parts {
            text.push('/');
            text.push_str(&part.as_ref().replace('~', "~0").replace('/', "~1"));
        }
        Self(text)
    }

    /// The pointer as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The unescaped parts.
    #[must_use]
    pub fn parts(&self) -> Vec<String> {
        self.0.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
    }

    /// What the pointer names inside `value`.
    #[must_use]
    pub fn resolve<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        value.pointer(&self.0)
    }
}

impl From<&str> for JsonPointer {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for JsonPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
