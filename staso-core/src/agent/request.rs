//! What a model is asked.

use std::fmt::Debug;

use super::{Message, ToolSpec};

/// One question to a model. Holds no credential: those belong to the model's implementation.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ModelRequest<'a> {
    /// What the model is and must keep to.
    pub system: &'a str,
    /// The conversation so far, oldest first; the last one is not the model's.
    pub messages: &'a [Message],
    /// The tools it may ask for.
    pub tools: &'a [&'a ToolSpec],
    /// Whether it must ask for one. Default [`ToolChoice::Auto`].
    pub tool_choice: ToolChoice<'a>,
    /// Longest reply, in tokens. Default 4,096.
    pub max_output_tokens: u64,
    /// How much chance there is in the reply, from 0 to 2; `None` takes the provider's default.
    pub temperature: Option<f64>,
    /// Makes replies repeatable where the provider can; `None` lets it choose.
    pub seed: Option<u64>,
    /// Takes text as it comes.
    pub deltas: &'a dyn DeltaSink,
}

impl<'a> ModelRequest<'a> {
    /// Without tools, with default bounds; nobody listens to deltas.
    #[must_use]
    pub const fn new(system: &'a str, messages: &'a [Message]) -> Self {
        Self {
            system,
            messages,
            tools: &[],
            tool_choice: ToolChoice::Auto,
            max_output_tokens: 4_096,
            temperature: None,
            seed: None,
            deltas: &NoDeltas,
        }
    }

    /// Offers tools.
    #[must_use]
    pub const fn with_tools(mut self, tools: &'a [&'a ToolSpec], choice: ToolChoice<'a>) -> Self {
        self.tools = tools;
        self.tool_choice = choice;
        self
    }

    /// Sets the longest reply, in tokens.
    #[must_use]
    pub const fn with_max_output_tokens(mut self, tokens: u64) -> Self {
        self.max_output_tokens = tokens;
        self
    }

    /// Sets how much chance there is in the reply, and where chance begins.
    #[must_use]
    pub const fn with_sampling(mut self, temperature: Option<f64>, seed: Option<u64>) -> Self {
        self.temperature = temperature;
        self.seed = seed;
        self
    }

    /// Sends text to `sink` as it comes.
    #[must_use]
    pub const fn with_deltas(mut self, sink: &'a dyn DeltaSink) -> Self {
        self.deltas = sink;
        self
    }

    /// An estimate of the tokens of the request: a quarter of its bytes, as English and code need.
    #[must_use]
    pub fn estimated_tokens(&self) -> u64 {
        let messages: usize = self.messages.iter().map(Message::text_bytes).sum();
        let tools: usize = self.tools.iter().map(|tool| tool.size_bytes()).sum();
        u64::try_from((self.system.len() + messages + tools).div_ceil(4)).unwrap_or(u64::MAX)
    }
}

/// Whether a model must ask for a tool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    /// As it likes.
    #[default]
    Auto,
    /// One of those offered.
    Required,
    /// This one.
    Named(&'a str),
}

/// Takes the text of a reply while it is being written.
///
/// # Contract
/// Both methods return at once and never fail.
pub trait DeltaSink: Debug + Send + Sync {
    /// The next piece of text.
    fn text(&self, piece: &str);

    /// The reply begins anew: forget the pieces so far.
    fn restarted(&self);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDeltas;

impl DeltaSink for NoDeltas {
    fn text(&self, _piece: &str) {}

    fn restarted(&self) {}
}
