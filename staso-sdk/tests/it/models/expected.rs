//! What the recorded answers say.

use staso_core::agent::{ModelError, ModelReply};

/// A recording and what each of its answers says.
pub(super) type Expected = (&'static str, &'static [&'static str]);

/// An answer in one line: stop | text | calls | input/cached/output tokens. Long texts are given by their ends.
pub(super) fn seen(answer: &Result<ModelReply, ModelError>) -> String {
    match answer {
        Err(error) => format!("error: {error}"),
        Ok(reply) => {
            let calls: Vec<String> =
                reply.calls.iter().map(|call| format!("{}({})", call.name, call.arguments)).collect();
            let usage = reply.usage;
            let estimated = if usage.estimated { " estimated" } else { "" };
            format!(
                "{:?} | {} | {} | {}/{}/{}{estimated} | {} | {}",
                reply.stop,
                ends(&reply.text),
                calls.join(" "),
                usage.input,
                usage.cached_input,
                usage.output,
                reply.answered_by.as_deref().unwrap_or("nobody"),
                if reply.state.is_some() { "state" } else { "-" },
            )
        }
    }
}

fn ends(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= 60 {
        return text.replace('\n', "\\n");
    }
    let first: String = chars[..25].iter().collect();
    let last: String = chars[chars.len() - 25..].iter().collect();
    format!("{first}…{}…{last}", chars.len() - 50).replace('\n', "\\n")
}

pub(super) const EXPECTED: &[Expected] = &[
    ("openai/chat-text.yaml", &["End | cedar |  | 31/0/2 | gpt-4o-mini-2024-07-18 | -"]),
    (
        "openai/chat-tool-roundtrip.yaml",
        &[
            r#"ToolCalls |  | add({"x":2,"y":3}) | 75/0/17 | gpt-4o-mini-2024-07-18 | -"#,
            r#"End | The result of \( 2 + 3 \) is \( 5 \). |  | 100/0/18 | gpt-4o-mini-2024-07-18 | -"#,
        ],
    ),
    (
        "openai/chat-tool-parallel.yaml",
        &[
            r#"ToolCalls |  | alpha({"value": "red"}) beta({"value": "blue"}) | 90/0/42 | gpt-4.1-mini-2025-04-14 | -"#,
        ],
    ),
    ("openai/chat-tool-zero-arg.yaml", &["ToolCalls |  | ping({}) | 56/0/10 | gpt-4.1-mini-2025-04-14 | -"]),
    ("openai/chat-stream-text.yaml", &["End | cedar |  | 31/0/2 | gpt-4o-mini-2024-07-18 | -"]),
    (
        "openai/chat-stream-tool-parallel.yaml",
        &[
            r#"ToolCalls |  | alpha({"value": "red"}) beta({"value": "blue"}) | 90/0/42 | gpt-4.1-mini-2025-04-14 | -"#,
        ],
    ),
    (
        "openai/chat-stream-tool-unicode.yaml",
        &[
            r#"ToolCalls |  | record_payload({"label":"café 東京","values":[3,5,8],"meta":{"active":true}}) | 93/0/30 | gpt-4.1-mini-2025-04-14 | -"#,
        ],
    ),
    (
        "openai/chat-length.yaml",
        &[
            "Length | Maple trees are known for…38…g brilliant shades of red |  | 30/0/16 | gpt-4o-mini-2024-07-18 | -",
        ],
    ),
    (
        "openai/chat-length-tool.yaml",
        &[
            r#"Length |  | file_report({"summary":"The cache warmer raced the artifact uploader, the retry storm saturated the queue, three regions were drained by) | 101/0/32 | gpt-4.1-mini-2025-04-14 | -"#,
        ],
    ),
    (
        "openai/chat-stream-length-tool.yaml",
        &[
            r#"Length |  | file_report({"summary":"The cache warmer raced) | 101/0/16 | gpt-4.1-mini-2025-04-14 | -"#,
        ],
    ),
    ("openai/chat-length-empty.yaml", &["Length |  |  | 16/0/16 | gpt-5-nano-2025-08-07 | -"]),
    (
        "openai/chat-refusal.yaml",
        &["Refusal | I'm sorry, but I can't assist with that request. |  | 49/0/12 | gpt-4o-2024-08-06 | -"],
    ),
    (
        "openai/chat-error-400.yaml",
        &["error: the provider refused the request (400, decimal_above_max_value)"],
    ),
    ("openai/chat-error-404.yaml", &["error: the provider refused the request (404, model_not_found)"]),
    ("openai/responses-text.yaml", &["End | pong |  | 15/0/2 | gpt-4.1-nano-2025-04-14 | -"]),
    (
        "openai/responses-tool-single.yaml",
        &[r#"ToolCalls |  | add({"x":5,"y":3}) | 92/0/10 | gpt-4o-2024-08-06 | -"#],
    ),
    (
        "openai/responses-tool-parallel.yaml",
        &[
            "ToolCalls |  | lookup_harbor_label({}) lookup_orchard_label({}) | 155/0/46 | gpt-4o-2024-08-06 | -",
            r#"End | The labels are "crimson-harbor" and "silver-orchard." |  | 208/0/19 | gpt-4o-2024-08-06 | -"#,
        ],
    ),
    ("openai/responses-stream-text.yaml", &["End | pong |  | 15/0/2 | gpt-4.1-nano-2025-04-14 | -"]),
    (
        "openai/responses-stream-tool-unicode.yaml",
        &[
            r#"ToolCalls |  | echo({"message":"Grüße aus 東京, from the \"naïve café\"!"}) | 96/0/28 | gpt-4o-2024-08-06 | -"#,
        ],
    ),
    (
        "openai/responses-stream-tool-parallel.yaml",
        &["ToolCalls |  | lookup_harbor_label({}) lookup_orchard_label({}) | 160/0/49 | gpt-5.6-sol | -"],
    ),
    (
        "openai/responses-incomplete.yaml",
        &[
            r#"Length | ### The Maple Tree: A Sym…16…d Resilience\n\nMaple trees |  | 17/0/16 | gpt-4o-mini-2024-07-18 | -"#,
        ],
    ),
    (
        "openai/responses-stream-incomplete-tool.yaml",
        &[r#"Length |  | add({"x":48151) | 83/0/16 | gpt-5.6-sol | -"#],
    ),
    (
        "openai/responses-refusal.yaml",
        &["Refusal | I'm sorry, I can't assist with that. |  | 43/0/11 | gpt-4o-2024-08-06 | -"],
    ),
    ("openai/responses-error-400.yaml", &["error: the provider refused the request (400, model_not_found)"]),
    (
        "openai/responses-error-401.yaml",
        &["error: the provider refused the credentials; check the key and what it may use"],
    ),
    ("anthropic/text.yaml", &["End | cedar |  | 28/0/4 | claude-haiku-4-5-20251001 | -"]),
    (
        "anthropic/tool-roundtrip.yaml",
        &[
            r#"ToolCalls |  | add({"x":2,"y":3}) | 605/0/69 | claude-haiku-4-5-20251001 | -"#,
            "End | The result of 2 + 3 is **5**. |  | 687/0/17 | claude-haiku-4-5-20251001 | -",
        ],
    ),
    (
        "anthropic/tool-parallel.yaml",
        &[
            r#"ToolCalls | Sure! I'll call both tools simultaneously right now! | strict_alpha({"value":"A"}) strict_beta({"value":"B"}) | 660/0/101 | claude-sonnet-4-6 | -"#,
        ],
    ),
    (
        "anthropic/tool-then-empty.yaml",
        &[
            r#"ToolCalls |  | notify({"msg":"Deploy finished."}) | 628/0/53 | claude-sonnet-4-6 | -"#,
            "End |  |  | 139/0/2 | claude-sonnet-4-6 | -",
        ],
    ),
    ("anthropic/stream-text.yaml", &["End | cedar |  | 28/0/4 | claude-haiku-4-5-20251001 | -"]),
    (
        "anthropic/stream-tool-unicode.yaml",
        &[
            r#"ToolCalls |  | echo({"message": "Grüße aus 東京, from the \"naïve café\"!"}) | 618/0/68 | claude-sonnet-4-6 | -"#,
        ],
    ),
    (
        "anthropic/stream-tool-parallel.yaml",
        &[
            "ToolCalls | I'll call both tools simultaneously right now! | lookup_harbor_label({}) lookup_orchard_label({}) | 700/0/70 | claude-sonnet-4-6 | -",
        ],
    ),
    ("anthropic/stream-tool-zero-arg.yaml", &["ToolCalls |  | ping({}) | 575/0/35 | claude-sonnet-4-6 | -"]),
    ("anthropic/max-tokens.yaml", &[r#"Length | alpha\nbr |  | 40/0/3 | claude-haiku-4-5-20251001 | -"#]),
    (
        "anthropic/thinking-tool.yaml",
        &[
            r#"ToolCalls | Sure! Let me compute 17 times 23 right away! | multiply({"a":17,"b":23}) | 609/0/104 | claude-sonnet-4-6 | state"#,
        ],
    ),
    (
        "anthropic/stream-thinking-tool.yaml",
        &[
            r#"ToolCalls | Sure! Let me compute 17 times 23 right away! | multiply({"a": 17, "b": 23}) | 609/0/104 | claude-sonnet-4-6 | state"#,
        ],
    ),
    ("anthropic/error-400.yaml", &["error: the provider refused the request (400, invalid_request_error)"]),
    (
        "anthropic/error-401.yaml",
        &["error: the provider refused the credentials; check the key and what it may use"],
    ),
    ("anthropic/error-404.yaml", &["error: the provider refused the request (404, not_found_error)"]),
    ("gemini/text.yaml", &["End | cedar |  | 22/0/2 | gemini-2.5-flash | -"]),
    (
        "gemini/tool-roundtrip.yaml",
        &[
            r#"ToolCalls |  | add({"x":2,"y":3}) | 72/0/18 | gemini-2.5-flash | -"#,
            "End | The sum of 2 and 3 is 5. |  | 103/0/12 | gemini-2.5-flash | -",
        ],
    ),
    ("gemini/stream-text.yaml", &["End | cedar |  | 22/0/2 | gemini-2.5-flash | -"]),
    (
        "gemini/stream-tool-unicode.yaml",
        &[
            r#"ToolCalls |  | echo({"message":"Grüße aus 東京, from the \"naïve café\"!"}) | 94/0/105 | gemini-2.5-flash | state"#,
        ],
    ),
    (
        "gemini/stream-tool-parallel.yaml",
        &[
            "ToolCalls |  | lookup_harbor_label({}) lookup_orchard_label({}) | 170/0/26 | gemini-2.5-flash | -",
        ],
    ),
    (
        "gemini/stream-thinking-tool.yaml",
        &["ToolCalls |  | lookup_harbor_label({}) | 120/0/356 | gemini-3-flash-preview | state"],
    ),
    (
        "gemini/stream-two-finishes.yaml",
        &[
            "error: the provider's answer cannot be read: it runs code at the provider, which nobody asked for",
        ],
    ),
    (
        "gemini/max-tokens.yaml",
        &[
            "Length | Thomas, keeper of the Bla…66…om, blurring the horizon. |  | 28/0/24 | gemini-2.5-flash | -",
        ],
    ),
    ("gemini/safety.yaml", &["ContentFilter |  |  | 14/0/0 | gemini-1.5-flash | -"]),
    (
        "gemini/prompt-blocked.yaml",
        &["error: the provider's content filter stopped the request or the reply"],
    ),
    (
        "gemini/unexpected-tool-call.yaml",
        &["ToolCalls |  | list_files({}) | 22/0/391 | gemini-3-flash-preview | state"],
    ),
    (
        "gemini/error-400.yaml",
        &["error: the provider refused the credentials; check the key and what it may use"],
    ),
    ("gemini/stream-error-404.yaml", &["error: the provider refused the request (404, NOT_FOUND)"]),
    (
        "openrouter/content-filter.yaml",
        &[
            "ContentFilter | I'm sorry, but I can't assist with that request. |  | 43/0/13 | openai/gpt-4.1 | -",
        ],
    ),
    (
        "openrouter/error-429.yaml",
        &[
            "error: the provider limits the rate of requests",
            "error: the provider limits the rate of requests",
            "error: the provider limits the rate of requests",
        ],
    ),
    ("openrouter/stream-error.yaml", &["error: the provider refused the request (400)"]),
    ("groq/stream-error.yaml", &["error: the provider refused the request (400, tool_use_failed)"]),
    (
        "groq/error-400-tool-use-failed.yaml",
        &["error: the provider refused the request (400, tool_use_failed)"],
    ),
    (
        "groq/error-401.yaml",
        &["error: the provider refused the credentials; check the key and what it may use"],
    ),
    (
        "doubleword/error-403.yaml",
        &["error: the provider refused the credentials; check the key and what it may use"],
    ),
    ("llamacpp/error-400-context.yaml", &["error: the request is longer than the model can read"]),
];
