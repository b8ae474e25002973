//! Saves room in a conversation: old observations give way to a pointer.

use crate::agent::{Message, ToolResult};

/// Replaces all observations of tools but the last `kept` by a line that says how to get them again. Never touches what
/// the host or the model said, nor an observation that is shorter than its pointer. Returns how many were replaced.
pub(super) fn mask(messages: &mut [Message], kept: usize) -> u64 {
    let results = messages.iter_mut().rev().flat_map(|message| match message {
        Message::Tool { results } => results.iter_mut().rev().collect::<Vec<_>>(),
        Message::User { .. } | Message::Assistant { .. } => Vec::new(),
    });
    let mut masked = 0;
    for result in results.skip(kept) {
        let pointer = pointer(result);
        if pointer.len() < result.content.len() {
            result.content = pointer;
            masked += 1;
        }
    }
    masked
}

fn pointer(result: &ToolResult) -> String {
    let label = result.content.split(' ').next().filter(|label| is_label(label)).unwrap_or("[…]");
    format!("{label} output of {} left out to save room; call it again if needed", result.name)
}

fn is_label(text: &str) -> bool {
    let digits = text.strip_prefix("[t").and_then(|rest| rest.strip_suffix(']'));
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observation(number: usize) -> Message {
        let content = format!("[t{number}] {}", "x".repeat(200));
        let result =
            ToolResult { call_id: number.to_string(), name: "read_file".to_owned(), content, ok: true };
        Message::Tool { results: vec![result] }
    }

    #[test]
    fn only_old_observations_are_replaced_and_only_once() {
        let mut messages = vec![Message::user("y".repeat(500))];
        messages.extend((1..=4).map(observation));
        assert_eq!(mask(&mut messages, 2), 2);
        assert_eq!(messages[0], Message::user("y".repeat(500)));
        let Message::Tool { results } = &messages[2] else { panic!("an observation") };
        assert_eq!(
            results[0].content,
            "[t2] output of read_file left out to save room; call it again if needed"
        );
        assert_eq!(messages[3], observation(3));
        assert_eq!(mask(&mut messages, 2), 0);
    }
}
