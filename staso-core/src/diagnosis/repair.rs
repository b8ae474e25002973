//! What a diagnosis tells a fixer and a verifier, as data.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::code::RepoPath;

/// A line of the repository that took part in a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FrameRef {
    /// The file.
    pub path: RepoPath,
    /// The line, from 1.
    pub line: u32,
    /// The function.
    pub function: Option<String>,
}

/// A mechanical description of what is wrong. Values come from the trace and are untrusted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RepairHint {
    /// An exception was raised at the first frame, called through the others (innermost first).
    Exception {
        /// Class of the exception, e.g. `TypeError`.
        exception: String,
        /// Its message, ≤ 500 characters.
        message: String,
        /// In-repository frames, innermost first.
        frames: Vec<FrameRef>,
    },
    /// A key was used that the data does not have.
    WrongKey {
        /// The key used.
        used: String,
        /// The keys that the data has, nearest spelling first.
        available: Vec<String>,
        /// Where it was used, innermost first.
        frames: Vec<FrameRef>,
    },
    /// A template variable was left unfilled, or named something that was not passed.
    TemplateVariable {
        /// The name in the template.
        name: String,
        /// Names that are passed or known nearby, nearest spelling first.
        available: Vec<String>,
        /// Files that hold the template.
        templates: Vec<RepoPath>,
        /// Code that fills it, innermost first.
        frames: Vec<FrameRef>,
    },
    /// A setting has a value that does not work.
    Setting {
        /// The file.
        path: RepoPath,
        /// The line, from 1.
        line: u32,
        /// The key, as written.
        key: String,
        /// The value, as written, with its quotes where there are any.
        current: String,
        /// Values to try, best first, as they would be written.
        proposed: Vec<String>,
    },
    /// An environment variable is not set.
    EnvironmentVariable {
        /// Its name.
        name: String,
        /// Where it is read, innermost first.
        frames: Vec<FrameRef>,
    },
    /// A function returned without an error but its result is wrong.
    WrongResult {
        /// The function, and what was around it, innermost first.
        frames: Vec<FrameRef>,
    },
}

impl RepairHint {
    /// The in-repository frames, innermost first.
    #[must_use]
    pub fn frames(&self) -> &[FrameRef] {
        match self {
            Self::Exception { frames, .. }
            | Self::WrongKey { frames, .. }
            | Self::TemplateVariable { frames, .. }
            | Self::EnvironmentVariable { frames, .. }
            | Self::WrongResult { frames } => frames,
            Self::Setting { .. } => &[],
        }
    }

    /// Words by which the failure can be recognised in other output: the exception, or the innermost function.
    #[must_use]
    pub(crate) fn words(&self) -> Vec<&str> {
        let mut words: Vec<&str> =
            self.frames().first().and_then(|frame| frame.function.as_deref()).into_iter().collect();
        if let Self::Exception { exception, .. } = self {
            words.push(exception);
        }
        words
    }
}

/// How a failure shows itself when a step is made to happen again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureOracle {
    /// The call raises this class of exception.
    Raises {
        /// Class, without its module.
        exception: String,
        /// A part of the message that does not depend on the machine, when there is one.
        message_contains: Option<String>,
        /// Calls that failed, innermost first; the outermost one that can be made again is the proof.
        calls: Vec<RecordedCall>,
    },
    /// The result of the call, or a text it builds, holds an unfilled variable.
    Unfilled {
        /// The text that must not be there, e.g. `{order_id}`.
        placeholder: String,
        /// Calls that failed, innermost first; the outermost one that can be made again is the proof.
        calls: Vec<RecordedCall>,
    },
}

impl FailureOracle {
    /// The calls that failed, innermost first.
    #[must_use]
    pub fn calls(&self) -> &[RecordedCall] {
        match self {
            Self::Raises { calls, .. } | Self::Unfilled { calls, .. } => calls,
        }
    }
}

/// A call of a function in the repository, with the arguments that the trace recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecordedCall {
    /// The file that defines the function.
    pub path: RepoPath,
    /// The function, qualified by its class where there is one.
    pub function: String,
    /// Arguments by name.
    pub arguments: BTreeMap<String, serde_json::Value>,
    /// The class of exception that the trace recorded for this call; `None` when it returned.
    pub raised: Option<String>,
}
