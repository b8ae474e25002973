//! Everything that a model was shown, to check its citations against.

/// The observations of one agent, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    opening: Vec<String>,
    outputs: Vec<ShownOutput>,
}

/// What a model read of one tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownOutput {
    /// How the model names the call: `t1`, `t2` …
    pub label: String,
    /// The tool.
    pub tool: String,
    /// The number of the event that recorded the text; `None` when it was not recorded.
    pub event: Option<u64>,
    /// What the model read.
    pub text: String,
}

impl Shown {
    /// Notes what the host said.
    pub fn said(&mut self, text: impl Into<String>) {
        self.opening.push(text.into());
    }

    /// Notes what a tool answered.
    pub fn observed(&mut self, output: ShownOutput) {
        self.outputs.push(output);
    }

    /// What the model read of a call.
    #[must_use]
    pub fn output(&self, label: &str) -> Option<&ShownOutput> {
        self.outputs.iter().find(|output| output.label == label)
    }

    /// What the model read of tools, in order.
    #[must_use]
    pub fn outputs(&self) -> &[ShownOutput] {
        &self.outputs
    }

    /// Every text that the model read, in no order that matters.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.opening.iter().map(String::as_str).chain(self.outputs.iter().map(|output| output.text.as_str()))
    }
}
