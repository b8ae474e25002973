//! One failed run with its code, and models that answer it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::{Value, json};
use staso_core::agent::{
    Shown, ShownOutput, StopReason, TokenUsage, Tool, ToolCall, ToolError, ToolReply, ToolScope, ToolSpec,
};
use staso_core::code::{CodeSnapshot, ListedFile, RepoPath};
use staso_core::guard::{GuardViolation, Severity};
use staso_core::id::{BlobId, Digest};
use staso_core::run::{EventKind, RunContext};
use staso_core::testing::{MemorySandbox, SessionFiles};
use staso_core::trace::{Captured, Payload, SpanKind, Trace};
use staso_core::vcs::Checkout;

use crate::quick::case::{self, id, step};

pub(crate) const TOOLS: &str = "\
from app.pricing import price_of


def invoice_total(order_id):
    order = find(order_id)
    return price_of(order[\"total\"])
";
pub(crate) const PRICING: &str = "def price_of(amount):\n    return round(amount * 1.19, 2)\n";

/// A credential, put together here so that no scanner takes this file for a leak.
pub(crate) fn secret() -> String {
    ["sk-", "live0123456789abcdefABCD"].concat()
}

/// `invoice_total` asks an order for a key that `lookup_order` does not give.
pub(crate) fn trace() -> Trace {
    let stack = "Traceback (most recent call last):\n  File \"/srv/app/tools.py\", line 6, in invoice_total\n    \
                 return price_of(order[\"total\"])\nKeyError: 'total'\n";
    let mut answer = step(4, 1, SpanKind::Llm, "answer");
    answer.0.output = Captured::Suppressed;
    answer.0.input = Captured::Truncated(Payload::new("{\"messages\": [\"please total my"));
    case::trace(vec![
        step(1, 0, SpanKind::Agent, "support").lasting(60).error("KeyError", "'total'"),
        step(2, 1, SpanKind::Tool, "lookup_order")
            .input(&json!({"order_id": "A-1"}))
            .output(&json!({"order": {"id": "A-1", "amount": 12.5, "note": "line one\nline \"two\""}})),
        step(3, 1, SpanKind::Tool, "invoice_total")
            .input(&json!({"order_id": "A-1"}))
            .error("KeyError", "'total'")
            .stack(stack)
            .code("/srv/app/tools.py", 6, "invoice_total")
            .attribute("http.route", json!("/invoices/{id}"))
            .attribute("auth", json!(format!("bearer {} expires soon", secret())))
            .attribute("odd", json!("in\u{200b}visible mark and \u{1b}[31mred\u{1b}[0m text")),
        answer,
    ])
}

/// The code: `app/pricing.py` is listed but was not read.
pub(crate) fn code() -> CodeSnapshot {
    let mut code = case::code(&[("app/tools.py", TOOLS), ("AGENTS.md", "Always run `make lint`.\n")]);
    let path = RepoPath::new("app/pricing.py").unwrap();
    code.insert(path.clone(), case::code(&[("app/pricing.py", PRICING)]).file(&path).unwrap().clone());
    let mut unread = CodeSnapshot::new(case::commit(), code.paths().to_vec(), false);
    for (known, file) in code.files().filter(|(known, _)| **known != path) {
        unread.insert(known.clone(), file.clone());
    }
    let blob = BlobId::new(Digest::of(PRICING).hex().get(..40).unwrap()).unwrap();
    unread.list(path, ListedFile { blob, executable: false });
    unread
}

pub(crate) fn violations() -> Vec<GuardViolation> {
    vec![GuardViolation {
        id: "v1".to_owned(),
        rule: "no-empty-invoice".to_owned(),
        span_id: id(3),
        severity: Severity::High,
        reason: "the invoice has no total".to_owned(),
    }]
}

pub(crate) fn checkout() -> Checkout {
    Checkout::new("/checkout".into(), case::commit(), None)
}

pub(crate) fn files() -> SessionFiles {
    let entry = |path: &str, text: &str| (RepoPath::new(path).unwrap(), text.as_bytes().to_vec());
    BTreeMap::from([
        entry("app/tools.py", TOOLS),
        entry("app/pricing.py", PRICING),
        entry("AGENTS.md", "Always run `make lint`.\n"),
    ])
}

pub(crate) fn sandbox() -> MemorySandbox {
    MemorySandbox::new(files())
}

pub(crate) fn span_receipt(span: u64, quote: &str) -> Value {
    json!({"kind": "span", "id": id(span), "quote": quote, "claim": "it shows the failure"})
}

pub(crate) fn file_receipt(path: &str, lines: [u32; 2], quote: &str) -> Value {
    json!({"kind": "file", "path": path, "lines": lines, "quote": quote, "claim": "the code asks for it"})
}

pub(crate) fn tool_receipt(label: &str, quote: &str) -> Value {
    json!({"kind": "tool", "id": label, "quote": quote, "claim": "the command shows it"})
}

/// A submission that blames step 3.
pub(crate) fn submission(receipts: &[Value]) -> Value {
    json!({
        "summary": "`invoice_total` reads `total`, but orders have `amount`",
        "explanation_md": "The order that `lookup_order` gives has no `total`.",
        "root_cause": {"category": "wrong key", "step_span_id": id(3)},
        "suggested_fix": {
            "type": "code",
            "description": "Read `amount` instead of `total`.",
            "target_files": ["app/tools.py"]
        },
        "confidence": 0.95,
        "receipts": receipts
    })
}

/// Two receipts that hold.
pub(crate) fn good() -> Vec<Value> {
    vec![
        span_receipt(3, "KeyError: 'total'"),
        file_receipt("app/tools.py", [6, 6], "return price_of(order[\"total\"])"),
    ]
}

/// Plays a tool call: records its events and what the model was shown.
pub(crate) fn tool_call(
    shown: &mut Shown,
    ctx: &RunContext,
    label: &str,
    tool: &str,
    arguments: &Value,
    text: &str,
) {
    ctx.emit(EventKind::ModelCompleted {
        agent: "deep".to_owned(),
        turn: 1,
        text: String::new(),
        calls: vec![ToolCall { id: "c".to_owned(), name: tool.to_owned(), arguments: arguments.to_string() }],
        stop: StopReason::ToolCalls,
        usage: TokenUsage::default(),
        duration_ms: 1,
    });
    let text = text.to_owned();
    let event =
        ctx.emit(EventKind::ToolOutput { call: label.to_owned(), tool: tool.to_owned(), text: text.clone() });
    shown.observed(ShownOutput { label: label.to_owned(), tool: tool.to_owned(), event, text });
}

/// A tool of the host that writes and reads files of the session, as a shell would.
#[derive(Debug)]
pub(crate) struct Shell(ToolSpec);

impl Shell {
    pub(crate) fn new() -> Self {
        Self(ToolSpec {
            name: "shell".to_owned(),
            description: "runs".to_owned(),
            parameters: json!({"type": "object"}),
        })
    }
}

#[async_trait]
impl Tool for Shell {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(
        &self,
        arguments: Value,
        scope: &ToolScope<'_>,
        ctx: &RunContext,
    ) -> Result<ToolReply, ToolError> {
        let session = scope.session()?;
        let path = RepoPath::new(arguments["path"].as_str().unwrap()).unwrap();
        if let Some(content) = arguments["write"].as_str() {
            session.write_file(&path, content.as_bytes(), false, ctx).await?;
        }
        let bytes = session.read_file(&path, 1 << 20, ctx).await?;
        Ok(ToolReply::Text(String::from_utf8(bytes).unwrap()))
    }
}
