//! What model doubles share: text in pieces, and what it would cost.

use crate::agent::{ModelReply, ModelRequest, TokenUsage};

/// Length of a piece, in characters.
const PIECE_CHARS: usize = 16;

/// Hands a text over in small pieces.
pub(super) fn stream(text: &str, request: &ModelRequest<'_>) {
    let chars: Vec<char> = text.chars().collect();
    for piece in chars.chunks(PIECE_CHARS) {
        request.deltas.text(&piece.iter().collect::<String>());
    }
}

/// A quarter of the bytes of request and reply.
pub(super) fn estimated_usage(reply: &ModelReply, request: &ModelRequest<'_>) -> TokenUsage {
    let calls: usize = reply.calls.iter().map(|call| call.name.len() + call.arguments.len()).sum();
    let written = u64::try_from((reply.text.len() + calls).div_ceil(4)).unwrap_or(u64::MAX);
    TokenUsage::estimated(request.estimated_tokens(), written)
}
