//! The shape of a rule.

use super::finding::Finding;
use super::input::RuleInput;

/// One failure pattern.
#[derive(Debug)]
pub(super) struct Rule {
    /// The category of its findings, lasting.
    pub(super) id: &'static str,
    /// Raised with every change of what it finds.
    pub(super) version: u16,
    /// Its number in the catalogue of failure patterns; `None` when the catalogue lacks it.
    pub(super) number: Option<u8>,
    /// Whether it only says where, so that any other rule with something to say of the same failure replaces it.
    pub(super) generic: bool,
    /// What it looks at. When some of that was withheld, its confidence is capped.
    pub(super) reads: &'static [Reads],
    /// Which later findings are consequences of its own.
    pub(super) explains: Explains,
    /// Looks for the pattern. Pure: the same input gives the same findings in the same order.
    pub(super) detect: fn(&RuleInput<'_>) -> Vec<Finding>,
}

/// Which findings at later steps are consequences of a rule's findings.
#[derive(Debug, Clone, Copy)]
pub(super) enum Explains {
    /// None.
    Nothing,
    /// All of them.
    Everything,
    /// Those of these categories.
    These(&'static [&'static str]),
}

/// A kind of input that capture may withhold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reads {
    /// The prose of errors.
    ErrorMessage,
    /// What went into model calls.
    Request,
    /// What went into tools.
    ToolArguments,
    /// What came out of steps.
    Output,
    /// The tools offered to a model.
    ToolSchema,
    /// The repository at the commit.
    Code,
}

impl Explains {
    /// Whether a finding of `category` at a later step is a consequence.
    pub(super) fn covers(self, category: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::These(categories) => categories.contains(&category),
        }
    }
}

impl Reads {
    /// The switch of the recorder that lets it through.
    pub(super) const fn switch(self) -> &'static str {
        match self {
            Self::ErrorMessage => {
                "all of STASO_CAPTURE_REQUEST, _SYSTEM_PROMPT, _TOOL_SCHEMA, _TOOL_ARGUMENTS and _OUTPUT"
            }
            Self::Request => "STASO_CAPTURE_REQUEST",
            Self::ToolArguments => "STASO_CAPTURE_TOOL_ARGUMENTS",
            Self::Output => "STASO_CAPTURE_OUTPUT",
            Self::ToolSchema => "STASO_CAPTURE_TOOL_SCHEMA",
            Self::Code => "a recorded commit of a reachable repository",
        }
    }

    /// What it is, in words.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::ErrorMessage => "the text of error messages",
            Self::Request => "what went into model calls",
            Self::ToolArguments => "what went into tools",
            Self::Output => "what came out of steps",
            Self::ToolSchema => "the tools offered to the model",
            Self::Code => "the code at the failing commit",
        }
    }
}
