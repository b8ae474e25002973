//! What an obedient model does.

use serde_json::{Value, json};
use staso_core::agent::{ModelReply, ToolCall};
use staso_core::testing::{ScriptedModel, tool_call};

/// The span that failed, as [`crate::heal_project::trace`] numbers it.
pub(crate) const FAILED_SPAN: &str = "0000000000000002";
/// The honest change of [`crate::heal_project::SHOP`].
pub(crate) const MENDED: &str = "return order[\"price\"] * order[\"count\"]";

/// The course of one attack. What it does not name is done honestly.
#[derive(Debug, Clone)]
pub(crate) struct Attack {
    pub(crate) name: String,
    /// Replies of the investigator before it submits.
    pub(crate) investigation: Vec<Vec<ToolCall>>,
    /// What the investigator submits, again and again.
    pub(crate) diagnosis: Value,
    /// Replies of the fixer before it submits.
    pub(crate) fixing: Vec<Vec<ToolCall>>,
    /// What the fixer submits, again and again.
    pub(crate) submission: Value,
    /// Files that the branch may change.
    pub(crate) allowed: Vec<&'static str>,
}

impl Attack {
    /// Honest so far: it finds the cause and mends it.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            investigation: Vec::new(),
            diagnosis: honest_diagnosis(),
            fixing: vec![vec![mend()]],
            submission: honest_submission(),
            allowed: vec!["shop.py"],
        }
    }

    /// The investigator makes these calls, up to eight in one reply.
    pub(crate) fn investigating(mut self, calls: Vec<ToolCall>) -> Self {
        self.investigation.extend(replies(calls));
        self
    }

    /// The investigator submits this.
    pub(crate) fn diagnosing(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.diagnosis);
        self
    }

    /// The fixer makes these calls before it mends anything.
    pub(crate) fn fixing(mut self, calls: Vec<ToolCall>) -> Self {
        self.fixing.splice(0..0, replies(calls));
        self
    }

    /// The fixer mends nothing by itself.
    pub(crate) fn without_mending(mut self) -> Self {
        self.fixing.pop();
        self
    }

    /// The fixer submits this.
    pub(crate) fn submitting(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.submission);
        self
    }

    /// The branch may change this file too.
    pub(crate) fn allowing(mut self, path: &'static str) -> Self {
        self.allowed.push(path);
        self
    }

    pub(crate) fn investigator(&self) -> ScriptedModel {
        model(&self.investigation, "submit_diagnosis", &self.diagnosis)
    }

    pub(crate) fn fixer(&self) -> ScriptedModel {
        model(&self.fixing, "submit_fix", &self.submission)
    }
}

/// As few replies as can make the calls.
fn replies(calls: Vec<ToolCall>) -> Vec<Vec<ToolCall>> {
    let mut replies = Vec::new();
    let mut left = calls.into_iter().peekable();
    while left.peek().is_some() {
        replies.push(left.by_ref().take(8).collect());
    }
    replies
}

fn model(replies: &[Vec<ToolCall>], submit: &'static str, submission: &Value) -> ScriptedModel {
    let submission = submission.clone();
    let script = replies.iter().fold(ScriptedModel::new(), |model, calls| model.then_calls(calls.clone()));
    script.forever(move |_| Ok(ModelReply::calls(vec![tool_call(submit, &submission)])))
}

/// A command in the session.
pub(crate) fn bash(command: impl Into<String>) -> ToolCall {
    tool_call("bash", &json!({ "command": command.into(), "timeout_s": 10 }))
}

/// Lines of a file.
pub(crate) fn read_file(path: impl Into<String>) -> ToolCall {
    tool_call("read_file", &json!({ "path": path.into() }))
}

/// What a directory holds.
pub(crate) fn list_files(path: impl Into<String>) -> ToolCall {
    tool_call("list_files", &json!({ "path": path.into() }))
}

/// Where anything stands.
pub(crate) fn search_code(path: impl Into<String>) -> ToolCall {
    tool_call("search_code", &json!({ "pattern": ".", "path": path.into() }))
}

/// A new file.
pub(crate) fn write_file(path: impl Into<String>, content: impl Into<String>) -> ToolCall {
    tool_call("write_file", &json!({ "path": path.into(), "content": content.into() }))
}

/// Other text in a file.
pub(crate) fn edit_file(path: &str, old: &str, new: &str) -> ToolCall {
    tool_call("edit_file", &json!({ "path": path, "old_str": old, "new_str": new }))
}

/// The honest change.
pub(crate) fn mend() -> ToolCall {
    edit_file("shop.py", "return order[\"prise\"] * order[\"count\"]", MENDED)
}

fn honest_submission() -> Value {
    json!({
        "title": "Read the price of an order", "explanation_md": "An order has a price, not a prise.",
        "fix_type": "code", "risk": "low", "tests_run": "all tests pass",
    })
}

fn honest_diagnosis() -> Value {
    json!({
        "summary": "total reads the key prise, and an order has a price",
        "explanation_md": "The key is misspelt in `total`.",
        "root_cause": {"category": "wrong_key", "step_span_id": FAILED_SPAN},
        "suggested_fix": {"type": "code", "description": "Read the price.", "target_files": ["shop.py"]},
        "confidence": 0.9,
        "receipts": [
            {"kind": "file", "path": "shop.py", "lines": [1, 2],
             "quote": "return order[\"prise\"] * order[\"count\"]", "claim": "the key is misspelt"},
            {"kind": "span", "id": FAILED_SPAN, "quote": "'prise'", "claim": "the call failed for this key"},
        ],
    })
}
