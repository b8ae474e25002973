//! What is wrong with a body, and where.

use std::fmt;

/// Longest reason or path in a message, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// A body cannot be taken. Messages name the place and repeat at most 300 characters of the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// The text is not JSON, or not of the expected form.
    #[error("{}{reason} ({position})", prefix(path))]
    Malformed {
        /// Where in the document, e.g. `traces[0].spans[3].timestamp`; empty for the document itself.
        path: String,
        /// Where in the text.
        position: Position,
        /// What is wrong.
        reason: String,
    },
    /// The JSON is well-formed, but a value cannot be used.
    #[error("{}{reason}", prefix(path))]
    Invalid {
        /// Where in the document.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// More than [`IngestLimits`](super::IngestLimits) allow.
    #[error("{what} is over the limit of {limit}")]
    TooLarge {
        /// What is too large, and where.
        what: String,
        /// The limit.
        limit: usize,
    },
    /// JSON, but neither of the known forms.
    #[error(
        "{position}: neither a body of POST /v1/traces/ingest (\"traces\"), nor OTLP JSON (\"resourceSpans\"), nor a \
         single trace (\"trace_id\" and \"spans\")"
    )]
    Unrecognised {
        /// Where the document begins.
        position: Position,
    },
    /// There is nothing in it.
    #[error("there are no traces in it")]
    Empty,
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The byte in the line, from 1; 0 right after a line break.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl Position {
    /// Where `self`, a place in a part of a text, stands in the whole text, when the part begins at `start`.
    pub(super) const fn within(self, start: Self) -> Self {
        if self.line <= 1 {
            Self { line: start.line, column: start.column.saturating_sub(1) + self.column }
        } else {
            Self { line: start.line + self.line - 1, column: self.column }
        }
    }

    /// Where the byte at `offset` stands.
    pub(super) fn of_offset(bytes: &[u8], offset: usize) -> Self {
        let before = bytes.get(..offset).unwrap_or(bytes);
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        Self { line, column: before.len() - line_start + 1 }
    }
}

impl IngestError {
    /// A lasting name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "malformed_body",
            Self::Invalid { .. } => "invalid_value",
            Self::TooLarge { .. } => "too_large",
            Self::Unrecognised { .. } => "unrecognised_format",
            Self::Empty => "empty_body",
        }
    }

    /// Where in the document, e.g. `traces[0].spans[3].timestamp`; empty for the document itself.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Malformed { path, .. } | Self::Invalid { path, .. } => path,
            _ => "",
        }
    }

    /// Where in the text, as far as it is known.
    #[must_use]
    pub const fn position(&self) -> Option<Position> {
        match self {
            Self::Malformed { position, .. } | Self::Unrecognised { position } => Some(*position),
            _ => None,
        }
    }

    pub(super) fn invalid(path: String, reason: impl fmt::Display) -> Self {
        Self::Invalid { path, reason: cut(&reason.to_string()) }
    }

    /// The same error for a document that begins at `start` and is called `prefix`.
    pub(super) fn within(self, prefix: &str, start: Position) -> Self {
        let join = |path: String| match (prefix.is_empty(), path.is_empty()) {
            (true, _) => path,
            (false, true) => prefix.to_owned(),
            (false, false) if path.starts_with('[') => format!("{prefix}{path}"),
            (false, false) => format!("{prefix}.{path}"),
        };
        match self {
            Self::Malformed { path, position, reason } => {
                Self::Malformed { path: join(path), position: position.within(start), reason }
            }
            Self::Invalid { path, reason } => Self::Invalid { path: join(path), reason },
            Self::Unrecognised { position } => Self::Unrecognised { position: position.within(start) },
            other => other,
        }
    }

    pub(super) fn from_json(path: &str, error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let reason = cut(text.strip_suffix(place.as_str()).unwrap_or(&text));
        let position = Position { line: error.line().max(1), column: error.column() };
        Self::Malformed { path: cut(path.strip_prefix('.').unwrap_or(path)), position, reason }
    }
}

/// Reads JSON; only when that fails does it read again to find out where.
pub(super) fn read_json<'de, T: serde::Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, IngestError> {
    serde_json::from_slice(bytes).map_err(|first| {
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        match serde_path_to_error::deserialize::<_, T>(&mut reader) {
            Ok(_) => IngestError::from_json("", &first),
            Err(error) => {
                let path = error.path().to_string();
                let path = if path == "." { "" } else { path.as_str() };
                IngestError::from_json(path, error.inner())
            }
        }
    })
}

fn prefix(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

fn cut(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    if text.chars().nth(MAX_MESSAGE_CHARS).is_none() {
        return text.chars().map(clean).collect();
    }
    text.chars().take(MAX_MESSAGE_CHARS - 1).map(clean).chain(['…']).collect()
}
