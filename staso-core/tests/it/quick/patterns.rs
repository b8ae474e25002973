//! One realistic failure per pattern; the whole diagnosis is compared.

use serde_json::json;
use staso_core::trace::{Captured, Payload, SpanKind};

use super::case::{Step, code, diagnose, shown, step, trace};

const TOOLS: &str = r#"import os

from support import store


def lookup_order(order_id):
    return store.find(order_id)


def refund(order_id, amount=None):
    order = lookup_order(order_id)
    return {"id": order_id, "refund": order["total_amount"]}


def notify(user):
    text = "Dear " + user["age"]
    return text.strip()


def remote():
    return os.environ["ORDER_API_KEY"]
"#;

const AGENT: &str = r#"from support import tools


def handle(ticket):
    prompt = render_prompt(ticket)
    return tools.refund(ticket["order_id"])


def render_prompt(ticket):
    values = {"customer": ticket["name"], "order_id": ticket["order_id"]}
    return read("prompts/reply.txt").replace("{{customer}}", values["customer"])


def check(total):
    expected = discount(total)
    assert expected <= total, "discount makes it dearer"


def discount(total):
    return total * 1.1
"#;

const CONFIG: &str =
    "model: gpt-4-0613\nfallback_model: gpt-4o\nmax_tokens: 256\ntool_timeout_seconds: 5\nmax_turns: 6\n";

const PROMPT: &str = "Dear {{customer_name}},\nwrite about order {{order_id}}.\n";

fn repository() -> staso_core::code::CodeSnapshot {
    code(&[
        ("config.yaml", CONFIG),
        ("prompts/reply.txt", PROMPT),
        ("support/agent.py", AGENT),
        ("support/tools.py", TOOLS),
        ("tests/test_tools.py", "MODEL = \"gpt-4-0613\"\n"),
    ])
}

fn root(message: &str, kind: &str) -> Step {
    step(1, 0, SpanKind::Agent, "support")
        .lasting(60)
        .input(&json!({"ticket": {"order_id": "A-1", "name": "Ines"}}))
        .code("/srv/app/support/agent.py", 4, "handle")
        .error(kind, message)
}

macro_rules! case {
    ($name:ident, $steps:expr) => {
        #[tokio::test]
        async fn $name() {
            let diagnosis = diagnose(&trace($steps), Some(&repository())).await;
            insta::assert_snapshot!(shown(&diagnosis));
        }
    };
}

fn order_tool() -> Step {
    step(2, 1, SpanKind::Tool, "lookup_order")
        .input(&json!({"order_id": "A-1"}))
        .output(&json!({"id": "A-1", "total": 120, "currency": "EUR"}))
        .code("/srv/app/support/tools.py", 6, "lookup_order")
}

case!(
    key_missing_without_a_stack,
    vec![
        root("'total_amount'", "KeyError"),
        order_tool(),
        step(3, 1, SpanKind::Tool, "refund")
            .input(&json!({"order_id": "A-1"}))
            .code("/srv/app/support/tools.py", 10, "refund")
            .error("KeyError", "'total_amount'"),
    ]
);

const STACK: &str = "Traceback (most recent call last):\n  File \"/srv/app/support/agent.py\", line 6, in handle\n    return tools.refund(ticket[\"order_id\"])\n           ^^^^^^^^^^^^\n  File \"/srv/app/support/tools.py\", line 16, in notify\n    text = \"Dear \" + user[\"age\"]\n           ~~~~~~~~^~~~~~~~~~~~~\nTypeError: can only concatenate str (not \"int\") to str\n";

case!(
    type_mismatch_with_a_stack,
    vec![
        root("can only concatenate str (not \"int\") to str", "TypeError"),
        step(2, 1, SpanKind::Tool, "notify")
            .input(&json!({"user": {"age": 7}}))
            .code("/srv/app/support/tools.py", 15, "notify")
            .error("TypeError", "can only concatenate str (not \"int\") to str")
            .stack(STACK),
    ]
);

case!(
    unfilled_variable_beats_the_rejected_answer,
    vec![
        root("the reply is not valid JSON: Expecting value: line 1 column 1 (char 0)", "ReplyRejected"),
        step(2, 1, SpanKind::Chain, "render_prompt")
            .input(&json!({"ticket": {"customer": "Ines", "order_id": "A-1"}}))
            .output(&json!("Dear {{customer_name}},\nwrite about order A-1."))
            .code("/srv/app/support/agent.py", 9, "render_prompt"),
        step(3, 1, SpanKind::Llm, "chat")
            .input(&json!({"messages": [{"role": "user", "content": "Dear {{customer_name}},\nwrite about order A-1."}]}))
            .output(&json!({"content": "Whom shall I write to?"})),
    ]
);

case!(
    missing_environment_variable,
    vec![
        root("'ORDER_API_KEY'", "KeyError"),
        step(2, 1, SpanKind::Tool, "remote")
            .input(&json!({}))
            .code("/srv/app/support/tools.py", 20, "remote")
            .error("KeyError", "'ORDER_API_KEY'"),
    ]
);

case!(
    retired_model,
    vec![
        root("Error code: 404 - model_not_found", "NotFoundError"),
        step(2, 1, SpanKind::Llm, "chat")
            .model(|model| model.requested = Some("gpt-4-0613".to_owned()))
            .error(
                "openai.NotFoundError",
                "Error code: 404 - {'error': {'code': 'model_not_found', 'message': 'The model `gpt-4-0613` does not exist; use `gpt-4.1` instead'}}",
            ),
    ]
);

case!(
    outage_beats_the_later_key_error,
    vec![
        root("'subject'", "KeyError"),
        step(2, 1, SpanKind::Llm, "chat")
            .attribute("http.response.status_code", json!(529))
            .error("OverloadedError", "Error code: 529 - overloaded_error: Overloaded"),
        step(3, 1, SpanKind::Chain, "parse_reply")
            .input(&json!({"text": "{}"}))
            .error("KeyError", "'subject'"),
    ]
);

case!(
    rate_limit,
    vec![
        root("Error code: 429 - Rate limit reached for gpt-4o", "RateLimitError"),
        step(2, 1, SpanKind::Llm, "chat")
            .error("RateLimitError", "Error code: 429 - Rate limit reached for gpt-4o in organization x"),
    ]
);

fn call(arguments: &str) -> serde_json::Value {
    json!({"choices": [{"message": {"tool_calls": [{"id": "c1", "function": {"name": "refund", "arguments": arguments}}]}}]})
}

fn definitions() -> Captured<Payload> {
    let schema = json!([{"type": "function", "function": {"name": "refund", "parameters": {
        "type": "object", "required": ["order_id", "amount"], "properties": {"order_id": {"type": "string"}, "amount": {"type": "number"}}}}},
        {"type": "function", "function": {"name": "lookup_order", "parameters": {"type": "object"}}}]);
    Captured::Present(Payload::new(schema.to_string()))
}

case!(
    arguments_against_the_schema,
    vec![
        root("amount must be a number", "ToolInputError"),
        step(2, 1, SpanKind::Llm, "chat")
            .model(|model| model.tool_definitions = definitions())
            .output(&call("{\"order_id\": \"A-1\", \"amount\": \"all of it\"}")),
        step(3, 1, SpanKind::Tool, "refund")
            .input(&json!({"order_id": "A-1", "amount": "all of it"}))
            .error("ToolInputError", "amount must be a number"),
    ]
);

case!(
    unknown_tool,
    vec![
        root("no tool refund_order", "ToolError"),
        step(2, 1, SpanKind::Llm, "chat").model(|model| model.tool_definitions = definitions()).output(
            &json!({"content": [{"type": "tool_use", "id": "t", "name": "refund_order", "input": {"order_id": "A-1"}}]})
        ),
    ]
);

case!(
    truncated_answer_beats_the_parser,
    vec![
        root("Unterminated string starting at: line 1 column 12 (char 11)", "JSONDecodeError"),
        step(2, 1, SpanKind::Llm, "chat")
            .model(|model| {
                model.finish_reasons = vec!["length".to_owned()];
                model.max_output_tokens = Some(256);
            })
            .output(&json!({"content": "{\"subject\": \"Your ord"})),
        step(3, 1, SpanKind::Chain, "parse_reply").input(&json!({"text": "{\"subject\": \"Your ord"})).error(
            "json.decoder.JSONDecodeError",
            "Unterminated string starting at: line 1 column 12 (char 11)"
        ),
    ]
);

case!(
    fenced_json,
    vec![
        root("Expecting value: line 1 column 1 (char 0)", "JSONDecodeError"),
        step(2, 1, SpanKind::Llm, "chat").output(&json!({"content": "```json\n{\"subject\": \"x\"}\n```"})),
        step(3, 1, SpanKind::Chain, "parse_reply")
            .error("JSONDecodeError", "Expecting value: line 1 column 1 (char 0)"),
    ]
);

fn search(number: u64) -> Step {
    step(number, 1, SpanKind::Tool, "search").input(&json!({"query": "tent"})).output(&json!({"results": []}))
}

case!(
    loop_explains_the_turn_limit,
    vec![
        root("no answer after max_turns = 6 turns", "TurnLimitReached"),
        search(2),
        search(3),
        search(4),
        search(5),
    ]
);

case!(
    tool_timeout_with_its_setting,
    vec![
        root("timed out", "TimeoutError"),
        step(2, 1, SpanKind::Tool, "lookup_order").lasting(5).error("TimeoutError", "timed out").timed_out(),
    ]
);

case!(
    failed_check_points_at_what_it_checks,
    vec![
        root("discount makes it dearer", "AssertionError"),
        step(2, 1, SpanKind::Chain, "check")
            .input(&json!({"total": 100}))
            .code("/srv/app/support/agent.py", 14, "check")
            .error("AssertionError", "discount makes it dearer"),
    ]
);

case!(
    error_in_a_result,
    vec![
        step(1, 0, SpanKind::Agent, "support").lasting(60).output(&json!("Your refund is on its way.")),
        step(2, 1, SpanKind::Tool, "refund")
            .input(&json!({"order_id": "A-1"}))
            .output(&json!({"error": "the payment service refused the refund"})),
    ]
);

case!(nothing_to_find, vec![step(1, 0, SpanKind::Agent, "support").output(&json!("done"))]);
