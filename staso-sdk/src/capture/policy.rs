//! Which content may leave the process.

use std::borrow::Cow;
use std::fmt::Debug;

use crate::environment::{Environment, non_empty};
use crate::error::InitError;

/// A kind of content that can be switched off by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CaptureCategory {
    /// What models and agents are asked.
    Request,
    /// The instructions that come before the request.
    SystemPrompt,
    /// The definitions of the tools that are offered.
    ToolSchema,
    /// What tools are called with.
    ToolArguments,
    /// What models and tools return.
    Output,
}

impl CaptureCategory {
    /// All of them, in the order of the wire format.
    pub const ALL: [Self; 5] =
        [Self::Request, Self::SystemPrompt, Self::ToolSchema, Self::ToolArguments, Self::Output];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::SystemPrompt => "system_prompt",
            Self::ToolSchema => "tool_schema",
            Self::ToolArguments => "tool_arguments",
            Self::Output => "output",
        }
    }

    const fn variable(self) -> &'static str {
        match self {
            Self::Request => "STASO_CAPTURE_REQUEST",
            Self::SystemPrompt => "STASO_CAPTURE_SYSTEM_PROMPT",
            Self::ToolSchema => "STASO_CAPTURE_TOOL_SCHEMA",
            Self::ToolArguments => "STASO_CAPTURE_TOOL_ARGUMENTS",
            Self::Output => "STASO_CAPTURE_OUTPUT",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What is said in code about capture. For what is not said, `STASO_CAPTURE_<CATEGORY>` decides, then
/// `STASO_CAPTURE_MESSAGES` (request and system prompt only), then
/// `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`; what nothing decides is captured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapturePolicy {
    on: u8,
    off: u8,
}

impl CapturePolicy {
    /// Captures everything, whatever the environment says.
    #[must_use]
    pub fn everything() -> Self {
        CaptureCategory::ALL.into_iter().fold(Self::default(), Self::with)
    }

    /// Captures no content, whatever the environment says: names, times, token counts and the revision remain.
    #[must_use]
    pub fn nothing() -> Self {
        CaptureCategory::ALL.into_iter().fold(Self::default(), Self::without)
    }

    /// Captures this category.
    #[must_use]
    pub const fn with(mut self, category: CaptureCategory) -> Self {
        self.on |= category.bit();
        self.off &= !category.bit();
        self
    }

    /// Does not capture this category.
    #[must_use]
    pub const fn without(mut self, category: CaptureCategory) -> Self {
        self.off |= category.bit();
        self.on &= !category.bit();
        self
    }

    pub(crate) fn resolve(self, environment: &dyn Environment) -> Result<EffectivePolicy, InitError> {
        let legacy = strict_bool(environment, "STASO_CAPTURE_MESSAGES")?;
        let otel = otel_content(environment)?;
        let mut allowed = 0;
        for category in CaptureCategory::ALL {
            let said = match (self.on & category.bit() != 0, self.off & category.bit() != 0) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => strict_bool(environment, category.variable())?,
            };
            let is_message = matches!(category, CaptureCategory::Request | CaptureCategory::SystemPrompt);
            if said.or(legacy.filter(|_| is_message)).or(otel).unwrap_or(true) {
                allowed |= category.bit();
            }
        }
        Ok(EffectivePolicy { allowed })
    }
}

/// The policy in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EffectivePolicy {
    allowed: u8,
}

impl EffectivePolicy {
    pub(crate) const fn allows(self, category: CaptureCategory) -> bool {
        self.allowed & category.bit() != 0
    }

    pub(crate) fn allows_all(self) -> bool {
        CaptureCategory::ALL.into_iter().all(|category| self.allows(category))
    }
}

/// A switch as the Python SDK reads it: 1/0, true/false, yes/no, on/off; anything else is an error.
pub(crate) fn strict_bool(
    environment: &dyn Environment,
    name: &'static str,
) -> Result<Option<bool>, InitError> {
    let Some(text) = environment.get(name) else { return Ok(None) };
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(Some(true)),
        "0" | "false" | "no" | "off" => Ok(Some(false)),
        _ => {
            Err(InitError::Setting { name, reason: "expected 1/0, true/false, yes/no or on/off".to_owned() })
        }
    }
}

/// Both forms of the variable: a switch, and the modes of the GenAI conventions. Content on events alone is no content
/// on spans.
fn otel_content(environment: &dyn Environment) -> Result<Option<bool>, InitError> {
    const NAME: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
    match non_empty(environment, NAME).map(|text| text.to_ascii_uppercase()).as_deref() {
        None => Ok(None),
        Some("SPAN_ONLY" | "SPAN_AND_EVENT") => Ok(Some(true)),
        Some("NO_CONTENT" | "EVENT_ONLY") => Ok(Some(false)),
        Some(_) => strict_bool(environment, NAME),
    }
}

/// Rewrites text before it leaves the process, e.g. to take out personal data.
///
/// # Contract
/// Called on the delivery thread for every name, input, output, error text and text attribute. Must be quick and must
/// not call back into the SDK. When it panics, the span is dropped and counted as failed.
pub trait Redactor: Debug + Send + Sync + 'static {
    /// The text that may leave the process.
    fn redact<'t>(&self, text: &'t str) -> Cow<'t, str>;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn resolve(policy: CapturePolicy, variables: &[(&str, &str)]) -> Result<Vec<&'static str>, String> {
        let environment: BTreeMap<String, String> =
            variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let effective = policy.resolve(&environment).map_err(|error| error.to_string())?;
        Ok(CaptureCategory::ALL
            .into_iter()
            .filter(|&c| effective.allows(c))
            .map(CaptureCategory::as_str)
            .collect())
    }

    #[test]
    fn code_wins_over_its_variable_over_the_legacy_one_over_the_default() {
        let all = ["request", "system_prompt", "tool_schema", "tool_arguments", "output"];
        assert_eq!(resolve(CapturePolicy::default(), &[]).unwrap(), all);
        assert_eq!(
            resolve(CapturePolicy::default(), &[("STASO_CAPTURE_MESSAGES", "off")]).unwrap(),
            all[2..]
        );
        let variables = [("STASO_CAPTURE_MESSAGES", "0"), ("STASO_CAPTURE_REQUEST", "YES")];
        assert_eq!(
            resolve(CapturePolicy::default().without(CaptureCategory::Output), &variables).unwrap(),
            ["request", "tool_schema", "tool_arguments"]
        );
        let no_content = [("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "NO_CONTENT")];
        assert_eq!(resolve(CapturePolicy::default(), &no_content).unwrap(), Vec::<&str>::new());
        assert_eq!(resolve(CapturePolicy::everything(), &no_content).unwrap(), all);
        assert_eq!(resolve(CapturePolicy::nothing(), &[]).unwrap(), Vec::<&str>::new());
    }

    #[test]
    fn a_switch_that_is_neither_on_nor_off_is_an_error() {
        let message = resolve(CapturePolicy::default(), &[("STASO_CAPTURE_OUTPUT", "maybe")]).unwrap_err();
        assert_eq!(
            message,
            "STASO_CAPTURE_OUTPUT cannot be used: expected 1/0, true/false, yes/no or on/off"
        );
    }
}
