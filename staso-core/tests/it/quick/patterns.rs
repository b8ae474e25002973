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

const GREETING: &str = r#"TEMPLATE = "Dear {customer_nam}, hello"


def greet(customer_name):
    return TEMPLATE.format(customer_name=customer_name)
"#;

const PROMPT: &str = "Dear {{customer_name}},\nwrite about order {{order_id}}.\n";

fn repository() -> staso_core::code::CodeSnapshot {
    code(&[
        ("config.yaml", CONFIG),
        ("prompts/reply.txt", PROMPT),
        ("support/agent.py", AGENT),
        ("requirements.txt", "openai==1.0\n"),
        ("support/greeting.py", GREETING),
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
    Captured::Present(Payload::new(crate::schema::sorted(&schema).to_string()))
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
        step(3, 1, SpanKind::Chain, "parse_reply")
            .input(&json!({"text": "{\"subject\": \"Your ord"}))
            .code("/srv/app/support/agent.py", 14, "check")
            .error(
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

fn model_error(kind: &str, message: &str) -> Vec<Step> {
    vec![root(message, kind), step(2, 1, SpanKind::Llm, "chat").error(kind, message)]
}

case!(
    quota_is_not_a_rate_limit,
    model_error("RateLimitError", "Error code: 429 - {'error': {'code': 'insufficient_quota'}}")
);
case!(authentication, model_error("AuthenticationError", "Error code: 401 - invalid x-api-key"));
case!(network, model_error("APIConnectionError", "[Errno -2] Name or service not known"));
case!(
    context_overflow,
    model_error(
        "BadRequestError",
        "This model's maximum context length is 8192 tokens, however you requested 9001"
    )
);

case!(
    none_access_after_an_empty_result,
    vec![
        root("'NoneType' object has no attribute 'strip'", "AttributeError"),
        step(2, 1, SpanKind::Tool, "lookup_user").output(&json!(null)),
        step(3, 1, SpanKind::Tool, "notify")
            .input(&json!({"args": [null], "kwargs": {}}))
            .code("/srv/app/support/tools.py", 15, "notify")
            .error("AttributeError", "'NoneType' object has no attribute 'strip'"),
    ]
);

case!(
    missing_package,
    vec![
        root("No module named 'httpx'", "ModuleNotFoundError"),
        step(2, 1, SpanKind::Tool, "remote")
            .code("/srv/app/support/tools.py", 20, "remote")
            .error("ModuleNotFoundError", "No module named 'httpx'"),
    ]
);

case!(
    other_exception_at_the_deepest_frame,
    vec![
        root("division by zero", "ZeroDivisionError"),
        step(2, 1, SpanKind::Tool, "refund").error("ZeroDivisionError", "division by zero").stack(
            "Traceback (most recent call last):\n  File \"/srv/app/support/agent.py\", line 6, in handle\n    return tools.refund(ticket[\"order_id\"])\n  File \"/srv/app/support/tools.py\", line 12, in refund\n    return {\"id\": order_id, \"refund\": order[\"total_amount\"]}\n  File \"/usr/lib/python3.12/statistics.py\", line 9, in mean\n    return a / b\nZeroDivisionError: division by zero",
        ),
    ]
);

case!(
    index_beyond_the_end,
    vec![
        root("list index out of range", "IndexError"),
        step(2, 1, SpanKind::Tool, "refund")
            .input(&json!({"order_id": "A-1"}))
            .code("/srv/app/support/tools.py", 10, "refund")
            .error("IndexError", "list index out of range"),
    ]
);

case!(
    arguments_that_are_no_json,
    vec![
        root("Unterminated string", "JSONDecodeError"),
        step(2, 1, SpanKind::Llm, "chat").output(&call("{\"order_id\": \"A-")),
    ]
);

case!(
    answer_that_is_no_json,
    vec![
        root("Expecting value: line 1 column 1 (char 0)", "JSONDecodeError"),
        step(2, 1, SpanKind::Llm, "chat")
            .output(&json!({"content": "Sure! Here is the reply: {\"subject\": 1}"})),
        step(3, 1, SpanKind::Chain, "parse_reply")
            .error("JSONDecodeError", "Expecting value: line 1 column 1 (char 0)"),
    ]
);

case!(
    withheld_answer,
    vec![
        root("'NoneType' object is not subscriptable", "TypeError"),
        step(2, 1, SpanKind::Llm, "chat")
            .model(|model| model.finish_reasons = vec!["content_filter".to_owned()])
            .output(&json!({"content": null})),
        step(3, 1, SpanKind::Chain, "parse").error("TypeError", "'NoneType' object is not subscriptable"),
    ]
);

case!(
    model_timeout,
    vec![
        root("request timed out after tool_timeout_seconds = 5", "ModelTimeout"),
        step(2, 1, SpanKind::Llm, "chat")
            .lasting(5)
            .error("ModelTimeout", "request timed out after tool_timeout_seconds = 5")
            .timed_out(),
    ]
);

case!(
    empty_search,
    vec![
        step(1, 0, SpanKind::Agent, "support").lasting(60).output(&json!("I know nothing of it.")),
        step(2, 1, SpanKind::Retriever, "search_policies")
            .input(&json!("refunds"))
            .output(&json!({"documents": []})),
    ]
);

case!(
    tool_error_that_the_answer_hides,
    vec![
        step(1, 0, SpanKind::Agent, "support").lasting(60).output(&json!("Your parcel arrives tomorrow.")),
        step(2, 1, SpanKind::Tool, "track_parcel").error("", "carrier said no"),
    ]
);

case!(
    format_with_a_name_that_is_not_passed,
    vec![
        root("'customer_nam'", "KeyError"),
        step(2, 1, SpanKind::Chain, "greet")
            .input(&json!({"customer_name": "Ines"}))
            .code("/srv/app/support/greeting.py", 4, "greet")
            .error("KeyError", "'customer_nam'"),
    ]
);

case!(
    team_of_agents_with_a_wrong_answer,
    vec![
        step(1, 0, SpanKind::Agent, "team")
            .lasting(60)
            .input(&json!({"task": "How many even street numbers are in the list?"}))
            .output(&json!({"result": "TERMINATE"}))
            .error("", "the final answer was judged wrong"),
        step(2, 1, SpanKind::Agent, "Planner")
            .output(&json!({"message": "Count the even street numbers in the list."})),
        step(3, 1, SpanKind::Agent, "Coder").output(
            &json!({"message": "I assume the column is called Number.\n```python\nprint(df['Number'])\n```"})
        ),
        step(4, 1, SpanKind::Tool, "terminal")
            .output(&json!({"message": "exitcode: 1 (execution failed)\nCode output: KeyError: 'Number'"})),
        step(5, 1, SpanKind::Agent, "Checker")
            .output(&json!({"message": "It is typically 4, so the answer is 4."})),
    ]
);

#[tokio::test]
async fn without_the_code_the_place_stays_unknown_and_that_is_said() {
    let steps = vec![
        root("'total_amount'", "KeyError"),
        order_tool(),
        step(3, 1, SpanKind::Tool, "refund")
            .input(&json!({"order_id": "A-1"}))
            .code("/srv/app/support/tools.py", 10, "refund")
            .error("KeyError", "'total_amount'"),
    ];
    let diagnosis = diagnose(&trace(steps), None).await;
    insta::assert_snapshot!(shown(&diagnosis));
}

#[tokio::test]
async fn a_guard_violation_is_evidence() {
    use staso_core::diagnosis::{DiagnoseRequest, Diagnoser as _};
    let trace = trace(vec![step(1, 0, SpanKind::Agent, "support").output(&json!("call Ines under 555"))]);
    let violation = staso_core::guard::GuardViolation {
        id: "v1".to_owned(),
        rule: "no-personal-data".to_owned(),
        span_id: super::case::id(1),
        severity: staso_core::guard::Severity::High,
        reason: "the answer holds a telephone number".to_owned(),
    };
    let view = staso_core::trace::TraceView::new(&trace);
    let violations = [violation];
    let request = DiagnoseRequest::new(&view).with_violations(&violations);
    let quick = staso_core::quick::QuickDiagnoser::new();
    let diagnosis = quick.diagnose(&request, &staso_core::testing::test_context()).await.unwrap();
    super::case::assert_is_well_formed(&diagnosis);
    assert_eq!(diagnosis.root_cause.unwrap().category, "guard_violation");
}
