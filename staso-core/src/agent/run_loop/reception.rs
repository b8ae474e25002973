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
