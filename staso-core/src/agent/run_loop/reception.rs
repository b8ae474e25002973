//! Takes a reply in: what is kept of it, what is told of it, what it cost.

use super::arguments;
use super::intake::Intake;
use crate::agent::{ModelReply, ProviderState, StopReason, TokenUsage, ToolCall};

/// Longest text of a reply that is kept, in bytes.
const MAX_TEXT_BYTES: usize = 64 << 10;
/// Calls of one reply that are kept; more are not even refused one by one.
const MAX_CALLS: usize = 64;
/// Longest name of a tool and longest id of a call that are kept, in characters.
const MAX_NAME_CHARS: usize = 64;
const MAX_ID_CHARS: usize = 256;

/// A reply in bounds. What others read of it holds no credential.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) text: String,
    pub(super) calls: Vec<ReceivedCall>,
    pub(super) stop: StopReason,
    pub(super) usage: TokenUsage,
    pub(super) state: Option<ProviderState>,
}

/// A call, as it is carried out and as it is told.
#[derive(Debug)]
pub(super) struct ReceivedCall {
    /// What the tool gets, or what is wrong with it.
    pub(super) arguments: Result<serde_json::Value, String>,
    /// For conversation and events.
    pub(super) told: ToolCall,
}

impl Received {
    /// Takes the reply to a request that was estimated at `request_tokens`.
    pub(super) fn new(reply: ModelReply, request_tokens: u64, intake: Intake<'_>) -> Self {
        let usage = counted(&reply, request_tokens);
        let calls = reply.calls.into_iter().take(MAX_CALLS);
        let calls = calls.enumerate().map(|(at, call)| ReceivedCall::new(&call, at, intake)).collect();
        let text = intake.cut(&reply.text, MAX_TEXT_BYTES);
        Self { text, calls, stop: reply.stop, usage, state: reply.state }
    }

    pub(super) fn told(&self) -> Vec<ToolCall> {
        self.calls.iter().map(|call| call.told.clone()).collect()
    }
}

impl ReceivedCall {
    fn new(call: &ToolCall, at: usize, intake: Intake<'_>) -> Self {
        let arguments = arguments::parse(&call.arguments);
        let id: String = intake.cut(&call.id, 4 * MAX_ID_CHARS).chars().take(MAX_ID_CHARS).collect();
        let told = ToolCall {
            id: if id.is_empty() { format!("call_{}", at + 1) } else { id },
            name: tool_name(&intake.cut(&call.name, 4 * MAX_NAME_CHARS)),
            arguments: arguments::recorded(&call.arguments, arguments.as_ref(), intake),
        };
        Self { arguments, told }
    }
}

/// A name that every provider takes back, whatever the model wrote.
fn tool_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' };
    let name: String = name.chars().take(MAX_NAME_CHARS).map(plain).collect();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

/// The tokens of a reply; what the provider does not report is estimated.
fn counted(reply: &ModelReply, request_tokens: u64) -> TokenUsage {
    let written = reply.text.len()
        + reply.calls.iter().map(|call| call.name.len() + call.arguments.len()).sum::<usize>();
    let written = u64::try_from(written.div_ceil(4)).unwrap_or(u64::MAX);
    let mut usage = reply.usage;
    if usage.input == 0 && request_tokens > 0 {
        usage = TokenUsage { input: request_tokens, estimated: true, ..usage };
    }
    if usage.output == 0 && written > 0 {
        usage = TokenUsage { output: written, estimated: true, ..usage };
    }
    usage
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redaction::Redactor;

    fn received(reply: ModelReply) -> Received {
        Received::new(reply, 70, Intake(&Redactor::default()))
    }

    #[test]
    fn only_what_is_not_reported_is_estimated() {
        let reply = |usage| ModelReply::text("x".repeat(40)).with_usage(usage);
        for (reported, counted) in [
            (TokenUsage::new(5, 3), TokenUsage::new(5, 3)),
            (TokenUsage::default(), TokenUsage::estimated(70, 10)),
            (TokenUsage::new(5, 0), TokenUsage::estimated(5, 10)),
            (TokenUsage::new(0, 3), TokenUsage::estimated(70, 3)),
        ] {
            assert_eq!(received(reply(reported)).usage, counted);
        }
        assert_eq!(
            received(ModelReply::default().with_usage(TokenUsage::new(5, 0))).usage,
            TokenUsage::new(5, 0)
        );
    }

    #[test]
    fn a_hostile_reply_is_kept_in_bounds() {
        let call = |name: &str, id: &str| ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: format!("{{\"a\": \"{}\"}}", "x".repeat(MAX_BYTES_OF_TEST)),
        };
        let mut calls = vec![call(&"é\n".repeat(9_000), &"i".repeat(9_000)), call("", "")];
        calls.resize(5_000, ToolCall { id: "x".into(), name: "look".into(), arguments: "{}".into() });
        let mut reply = ModelReply::calls(calls);
        reply.text = "y ".repeat(1 << 20);
        let kept = received(reply);
        assert_eq!(kept.calls.len(), MAX_CALLS);
        assert!(kept.text.len() <= MAX_TEXT_BYTES);
        let told = kept.told();
        assert!(told[0].name.len() <= MAX_NAME_CHARS && told[0].id.chars().count() <= MAX_ID_CHARS);
        assert_eq!((told[1].name.as_str(), told[1].id.as_str()), ("unnamed", "call_2"));
        assert!(kept.calls[0].arguments.is_err() && told[0].arguments.len() < 4_096);
    }

    const MAX_BYTES_OF_TEST: usize = 600 << 10;
}
