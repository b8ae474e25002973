//! Identifiers as newtypes: one type per kind of thing, so that they cannot be mixed up.
//!
//! This module only parses and prints. Random identifiers are made by the host, which has a source of entropy.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The text was not a valid identifier of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a valid {kind}: {reason}")]
pub struct InvalidId {
    /// Which kind of identifier was expected.
    pub kind: &'static str,
    /// What was given, cut to 64 characters.
    pub value: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl InvalidId {
    fn new(kind: &'static str, value: &str, reason: &'static str) -> Self {
        Self { kind, value: value.chars().take(64).collect(), reason }
    }
}

macro_rules! uuid_id {
    ($(#[$meta:meta])* $name:ident, $kind:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name([u8; 16]);

        impl $name {
            /// Wraps 16 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes, most significant first.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Uuid::from_bytes(self.0).hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(value: String) -> Result<Self, InvalidId> {
                value.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

uuid_id! {
    /// A trace: 128 bits, written as a dashed UUID. Also parses 32 hexadecimal digits, as OTLP JSON writes it.
    TraceId, "trace id"
}

uuid_id! {
    /// A span: 128 bits, written as a dashed UUID. The 64-bit ids of OTLP are padded with zeros on the left.
    SpanId, "span id"
}

uuid_id! {
    /// One heal run. The host draws it; every artifact, event and branch of the run carries it.
    RunId, "run id"
}

impl FromStr for TraceId {
    type Err = InvalidId;
    fn from_str(s: &str) -> Result<Self, InvalidId> {
        parse_uuid("trace id", s).map(Self)
    }
}

impl FromStr for RunId {
    type Err = InvalidId;
    fn from_str(s: &str) -> Result<Self, InvalidId> {
        parse_uuid("run id", s).map(Self)
    }
}

impl FromStr for SpanId {
    type Err = InvalidId;
    /// Accepts a dashed UUID, 32 hexadecimal digits, or the 16 digits of OTLP.
    fn from_str(s: &str) -> Result<Self, InvalidId> {
        if s.len() == 16 && s.bytes().all(|b| b.is_ascii_hexdigit()) {
            return match u64::from_str_radix(s, 16) {
                Ok(0) => Err(InvalidId::new("span id", s, "all zeros is reserved")),
                Ok(id) => Ok(Self::from_u64(id)),
                Err(_) => Err(InvalidId::new("span id", s, "not hexadecimal")),
            };
        }
        parse_uuid("span id", s).map(Self)
    }
}

impl SpanId {
    /// Pads a 64-bit OTLP span id with zeros on the left.
    #[must_use]
    pub fn from_u64(value: u64) -> Self {
        Self(u128::from(value).to_be_bytes())
    }
}

fn parse_uuid(kind: &'static str, s: &str) -> Result<[u8; 16], InvalidId> {
    if s.len() != 32 && s.len() != 36 {
        return Err(InvalidId::new(kind, s, "expected a dashed UUID or 32 hexadecimal digits"));
    }
    let id = Uuid::try_parse(s)
        .map_err(|_| InvalidId::new(kind, s, "expected a dashed UUID or 32 hexadecimal digits"))?;
    if id.is_nil() {
        return Err(InvalidId::new(kind, s, "all zeros is reserved"));
    }
    Ok(id.into_bytes())
}

macro_rules! text_id {
    ($(#[$meta:meta])* $name:ident, $kind:literal, $check:expr) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks and wraps the text.
            ///
            /// # Errors
            /// When the text does not have the form that the type's description states.
            pub fn new(value: impl AsRef<str>) -> Result<Self, InvalidId> {
                let value = value.as_ref();
                let check: fn(&str) -> Result<(), &'static str> = $check;
                check(value).map_err(|reason| InvalidId::new($kind, value, reason))?;
                Ok(Self(value.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(s: &str) -> Result<Self, InvalidId> {
                Self::new(s)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(value: String) -> Result<Self, InvalidId> {
                Self::new(value)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }
    };
}

text_id! {
    /// A tenant with its settings. 1 to 128 characters, no control characters.
    WorkspaceId, "workspace id", short_text
}

text_id! {
    /// The session id that several traces share. 1 to 128 characters, no control characters.
    ConversationId, "conversation id", short_text
}

text_id! {
    /// A commit: the full 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits.
    CommitId, "commit id", full_object_id
}

text_id! {
    /// The content of a file as git names it: 40 or 64 lower-case hexadecimal digits.
    BlobId, "blob id", full_object_id
}

text_id! {
    /// A branch name without `refs/heads/`, as `git check-ref-format --branch` accepts it; at most 244 bytes.
    BranchName, "branch name", branch_name
}

text_id! {
    /// `sha256:` and 64 lower-case hexadecimal digits.
    Digest, "digest", |s| match s.strip_prefix("sha256:") {
        Some(hex) if hex.len() == 64 && is_lower_hex(hex) => Ok(()),
        _ => Err("expected sha256: and 64 lower-case hexadecimal digits"),
    }
}

impl Digest {
    /// The SHA-256 digest of the bytes.
    #[must_use]
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        use std::fmt::Write as _;
        let hash = Sha256::digest(bytes.as_ref());
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        for byte in hash {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text.into())
    }

    /// The 64 hexadecimal digits, without the prefix.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or(&self.0)
    }
}

fn is_lower_hex(s: &str) -> bool {
    s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn short_text(s: &str) -> Result<(), &'static str> {
    if s.is_empty() {
        Err("must not be empty")
    } else if s.chars().count() > 128 {
        Err("longer than 128 characters")
    } else if s.chars().any(char::is_control) {
        Err("contains a control character")
    } else {
        Ok(())
    }
}

fn full_object_id(s: &str) -> Result<(), &'static str> {
    if (s.len() == 40 || s.len() == 64) && is_lower_hex(s) {
        Ok(())
    } else {
        Err("expected 40 or 64 lower-case hexadecimal digits")
    }
}

/// The rules of `git help check-ref-format`, which also keep a name from being read as an option; and no
/// `+` at the beginning, by which a refspec forces.
fn branch_name(s: &str) -> Result<(), &'static str> {
    let bad_char = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    if s.is_empty() || s.len() > 244 {
        Err("must have 1 to 244 bytes")
    } else if s.starts_with(['-', '+']) || s == "@" || s == "HEAD" || s.starts_with("refs/") {
        Err("not usable as a branch name")
    } else if s.chars().any(bad_char) || s.contains("..") || s.contains("@{") || s.contains("//") {
        Err("contains a sequence that git forbids")
    } else if s.ends_with('.') || s.ends_with('/') {
        Err("ends in a character that git forbids")
    } else if s.split('/').any(|part| part.is_empty() || part.starts_with('.') || part.ends_with(".lock")) {
        Err("has a component that git forbids")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn span_ids_of_all_wire_forms_are_the_same_id() {
        let padded: SpanId = "00000000-0000-0000-80f7-3a8ec21f3d33".parse().unwrap();
        assert_eq!(padded, "80f73a8ec21f3d33".parse().unwrap());
        assert_eq!(padded, SpanId::from_u64(0x80f7_3a8e_c21f_3d33));
        assert_eq!(padded.to_string(), "00000000-0000-0000-80f7-3a8ec21f3d33");
    }

    #[test]
    fn nil_and_malformed_ids_are_refused() {
        for bad in ["", "0", "00000000-0000-0000-0000-000000000000", "zz", "0000000000000000000000000000000g"]
        {
            assert!(bad.parse::<TraceId>().is_err(), "{bad}");
        }
        assert!("0000000000000000".parse::<SpanId>().is_err());
    }

    #[test]
    fn branch_names_that_git_forbids_are_refused() {
        for bad in
            ["", "-x", "a..b", "a b", "a.lock", ".a", "a/", "HEAD", "refs/heads/main", "a@{1}", "a\\b", "a:b"]
        {
            assert!(BranchName::new(bad).is_err(), "{bad}");
        }
        for good in ["main", "fix/staso-1a2b-1", "feature/ä"] {
            assert!(BranchName::new(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn digest_is_the_published_vector() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            Digest::of("abc").hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
