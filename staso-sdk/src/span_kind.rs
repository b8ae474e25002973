//! What the conventions call the kinds of spans.

use staso_core::trace::SpanKind;

/// The kind that a kind of the staso SDK or an operation of another convention stands for.
pub(crate) fn kind_of(operation: &str) -> Option<SpanKind> {
    let operation = operation.to_ascii_lowercase();
    Some(match operation.as_str() {
        "llm" | "chat" | "completion" | "text_completion" | "generate_content" | "generation" => {
            SpanKind::Llm
        }
        "tool" | "execute_tool" => SpanKind::Tool,
        "chain" | "invoke_workflow" | "plan" | "workflow" | "task" => SpanKind::Chain,
        "retriever" | "retrieval" | "reranker" => SpanKind::Retriever,
        "agent" | "invoke_agent" | "create_agent" => SpanKind::Agent,
        "embedding" | "embeddings" => SpanKind::Embedding,
        "guard" | "guardrail" | "run_guardrail" | "apply_guardrail" => SpanKind::Guard,
        "custom" | "span" => SpanKind::Custom,
        other if other.ends_with("_memory") => SpanKind::Retriever,
        _ => return None,
    })
}
