//! Every kind of bad citation is refused, by the same code that checks an artifact offline.

use serde_json::{Value, json};
use staso_core::agent::Shown;
use staso_core::diagnosis::{Citation, Evidence, Locator, Receipt, ReceiptVerdict, check_receipt};
use staso_core::run::RunContext;
use staso_core::testing::test_context;
use staso_core::trace::TraceView;

use super::desk::{self, file_receipt, secret, span_receipt, tool_call, tool_receipt};
use crate::quick::case::{commit, id};

/// What the model did before it cites: `t1` reads, `t2` repeats its own words, `t3` writes a file and prints it, `t4` submits.
fn session(ctx: &RunContext) -> Shown {
    let mut shown = Shown::default();
    shown.said("Find the cause and submit it. The order has no total, says the host.");
    let call = tool_call;
    call(
        &mut shown,
        ctx,
        "t1",
        "bash",
        &json!({"command": "pytest -q"}),
        "[t1] FAILED test_total - KeyError: 'total'",
    );
    call(
        &mut shown,
        ctx,
        "t2",
        "bash",
        &json!({"command": "echo the database was down"}),
        "[t2] the database was down",
    );
    let write = json!({"command": "printf 'import\\tpoison\\nimport poison' > x.py; cat x.py"});
    call(&mut shown, ctx, "t3", "bash", &write, "[t3] import poison");
    let submit = json!({"receipts": [{"quote": "a made-up cause"}]});
    call(
        &mut shown,
        ctx,
        "t4",
        "submit_diagnosis",
        &submit,
        "[t4] receipts[0]: a made-up cause does not stand there",
    );
    call(&mut shown, ctx, "t5", "bash", &json!({"command": "ls"}), "[t5] app AGENTS.md setup.cfg");
    shown
}

fn resolve(citation: &Value) -> (Receipt, ReceiptVerdict) {
    let ctx = test_context();
    let shown = session(&ctx);
    let (trace, code, violations, events) =
        (desk::trace(), desk::code(), desk::violations(), ctx.recorded_events());
    let view = TraceView::new(&trace);
    let evidence = Evidence::new(&view)
        .with_code(Some(&code))
        .with_violations(&violations)
        .with_events(&events)
        .of_run(ctx.run_id());
    let citation: Citation = serde_json::from_value(citation.clone()).unwrap();
    let receipt = citation.resolve("r1", "h1", &evidence, &shown);
    let again = check_receipt(&receipt, &evidence);
    (receipt, again)
}

fn with(mut citation: Value, field: &str, value: Value) -> Value {
    citation[field] = value;
    citation
}

fn bad_span_citations() -> Vec<(&'static str, Value, &'static str)> {
    let half = secret().get(..10).unwrap().to_owned();
    vec![
        ("another step of this trace", span_receipt(2, "KeyError: 'total'"), "single field"),
        ("a step of another trace", span_receipt(99, "KeyError: 'total'"), "no span"),
        ("an id that is none", with(span_receipt(3, "KeyError"), "id", json!("step three")), "no span"),
        ("the zero id", with(span_receipt(3, "KeyError"), "id", json!("0000000000000000")), "no span"),
        (
            "the id of the trace",
            with(span_receipt(3, "KeyError"), "id", json!(desk::trace().trace_id)),
            "no span",
        ),
        ("no id", json!({"kind": "span", "quote": "KeyError", "claim": "c"}), "no id"),
        ("one word changed", span_receipt(3, "KeyError: 'totals'"), "single field"),
        ("another case", span_receipt(3, "keyerror: 'total'"), "single field"),
        ("words added at the end", span_receipt(3, "KeyError: 'total' because of the tool"), "single field"),
        ("words left out in the middle", span_receipt(3, "Traceback: KeyError: 'total'"), "single field"),
        ("an ellipsis", span_receipt(3, "Traceback … KeyError: 'total'"), "single field"),
        ("two fields joined", span_receipt(3, "KeyError 'total' /invoices/{id}"), "single field"),
        ("label and value", span_receipt(3, "error_type: KeyError"), "single field"),
        ("input and output", span_receipt(2, "{\"order_id\":\"A-1\"} {\"order\":"), "single field"),
        ("two steps joined", span_receipt(3, "lookup_order invoice_total"), "single field"),
        ("a paraphrase", span_receipt(3, "the key total is missing"), "single field"),
        ("what the prompt says", span_receipt(3, "The order has no total, says the host."), "single field"),
        ("suppressed content", span_receipt(4, "the answer of the model"), "single field"),
        ("words for suppressed content", span_receipt(4, "not recorded: switched off"), "single field"),
        ("beyond what was cut", span_receipt(4, "please total my order"), "single field"),
        ("a violation's words", span_receipt(3, "the invoice has no total"), "single field"),
        ("only in the code", span_receipt(3, "order = find(order_id)"), "single field"),
        ("an empty quote", span_receipt(3, ""), "empty"),
        ("a blank quote", span_receipt(3, " \n\t "), "empty"),
        ("a quote of one sign", span_receipt(3, "}"), "too short"),
        ("two letters", span_receipt(2, "id"), "too short"),
        ("a long quote", span_receipt(3, &"KeyError ".repeat(40)), "longer than 200"),
        ("a credential", span_receipt(3, &format!("bearer {}", secret())), "credential"),
        ("a part of a credential", span_receipt(3, &half), "credential"),
        ("a masked credential of another step", span_receipt(2, "bearer [secret] expires"), "single field"),
        ("invisible characters", span_receipt(3, "KeyError: '\u{200b}total'"), "invisible"),
        ("a direction override", span_receipt(3, "KeyError: \u{202e}'total'"), "invisible"),
        ("an escape sequence", span_receipt(3, "\u{1b}[31mKeyError: 'total'"), "invisible"),
        ("a tag character", span_receipt(3, "KeyError\u{e0041}: 'total'"), "invisible"),
        ("look-alike letters", span_receipt(3, "K\u{0435}yError: 'total'"), "single field"),
        ("no claim", with(span_receipt(3, "KeyError: 'total'"), "claim", json!(" ")), "does not say"),
        (
            "a path beside a span",
            with(span_receipt(3, "KeyError"), "path", json!("app/tools.py")),
            "belong to files",
        ),
    ]
}

fn bad_file_citations() -> Vec<(&'static str, Value, &'static str)> {
    let line = "return price_of(order[\"total\"])";
    let here = || file_receipt("app/tools.py", [6, 6], line);
    let path = |path: &str| file_receipt(path, [6, 6], line);
    vec![
        ("other lines", file_receipt("app/tools.py", [1, 3], line), "stands at lines 6 to 6"),
        ("lines after the end", file_receipt("app/tools.py", [6, 60], line), "has 6 lines"),
        ("line 0", file_receipt("app/tools.py", [0, 6], line), "has 6 lines"),
        ("lines backwards", file_receipt("app/tools.py", [6, 4], line), "has 6 lines"),
        ("huge line numbers", file_receipt("app/tools.py", [6, u32::MAX], line), "has 6 lines"),
        ("another commit", with(here(), "commit", json!("b".repeat(40))), "cites another"),
        ("a branch as commit", with(here(), "commit", json!("main")), "cites another"),
        ("too short a commit", with(here(), "commit", json!("c0ff")), "cites another"),
        ("a file that does not exist", path("app/missing.py"), "no file"),
        ("a file outside", path("../etc/passwd"), "component"),
        ("an absolute path", path("/etc/passwd"), "absolute"),
        ("git's own directory", path(".git/config"), "git"),
        ("the host's own files", file_receipt(".staso/quick.md", [1, 1], line), "no file"),
        ("another spelling of the path", path("./app/tools.py"), "component"),
        ("another case of the path", path("APP/tools.py"), "no file"),
        (
            "a file that could not be read",
            file_receipt("app/pricing.py", [1, 2], "def price_of"),
            "could not be read",
        ),
        ("words of another file", file_receipt("AGENTS.md", [1, 1], line), "does not stand"),
        (
            "a changed line",
            file_receipt("app/tools.py", [6, 6], "return price_of(order[\"amount\"])"),
            "does not stand",
        ),
        (
            "words of a file of the agent's own",
            file_receipt("app/tools.py", [1, 1], "import poison"),
            "does not stand",
        ),
        ("a file of the agent's own", file_receipt("x.py", [1, 1], "import poison"), "no file"),
        ("words of the trace", file_receipt("app/tools.py", [6, 6], "KeyError: 'total'"), "does not stand"),
        (
            "a wrong line number printed before it",
            file_receipt("app/tools.py", [1, 1], "     6\treturn price_of(order[\"total\"])"),
            "stands at lines 6 to 6",
        ),
        ("no path", json!({"kind": "file", "quote": line, "claim": "c"}), "no path"),
        ("an id beside a file", with(here(), "id", json!("t1")), "belong to files"),
    ]
}

fn bad_other_citations() -> Vec<(&'static str, Value, &'static str)> {
    let violation =
        |name: &str, quote: &str| json!({"kind": "violation", "id": name, "quote": quote, "claim": "c"});
    vec![
        ("a label that does not exist", tool_receipt("t9", "FAILED test_total"), "no tool call"),
        ("a label of another form", tool_receipt("bash", "FAILED test_total"), "no tool call"),
        ("the output of another call", tool_receipt("t5", "FAILED test_total"), "does not stand"),
        ("an output that was never printed", tool_receipt("t1", "12 passed"), "does not stand"),
        ("words that the model echoed", tool_receipt("t2", "the database was down"), "model itself"),
        ("words that the model wrote and printed", tool_receipt("t3", "import poison"), "model itself"),
        ("words from the answer to a submission", tool_receipt("t4", "a made-up cause"), "repeat"),
        (
            "lines beside a tool",
            with(tool_receipt("t1", "FAILED"), "lines", json!([1, 1])),
            "belong to files",
        ),
        ("a violation that does not exist", violation("v9", "the invoice has no total"), "does not exist"),
        ("words that the violation does not say", violation("v1", "the invoice is wrong"), "does not stand"),
        ("a span's words as a violation", violation("v1", "KeyError: 'total'"), "does not stand"),
    ]
}

#[test]
fn every_bad_citation_is_refused_and_stays_refused() {
    let table = [bad_span_citations(), bad_file_citations(), bad_other_citations()].concat();
    assert!(table.len() >= 70, "{} kinds", table.len());
    for (what, citation, expected) in table {
        let (receipt, again) = resolve(&citation);
        let ReceiptVerdict::Rejected { why } = &receipt.verdict else {
            panic!("{what} was believed: {receipt:?}")
        };
        assert!(why.contains(expected), "{what}: {why}");
        assert_eq!(again, receipt.verdict, "{what}: checked again");
        assert!(matches!(receipt.locator, Locator::Nowhere { .. }), "{what}");
        assert!(receipt.quote.chars().count() <= 200 && !receipt.quote.contains(&secret()), "{what}");
        let matched = receipt.matched;
        assert!(!matched.raw && !matched.shown, "{what}");
    }
}

type Good = (&'static str, Value, &'static str, (bool, bool));

fn good_citations() -> Vec<Good> {
    let long_commit = commit().as_str().get(..12).unwrap().to_owned();
    let line = "return price_of(order[\"total\"])";
    let file = |quote: &str, lines: Option<[u32; 2]>| json!({"kind": "file", "path": "app/tools.py", "lines": lines, "commit": long_commit, "quote": quote, "claim": "c"});
    vec![
        (
            "a stack over lines",
            span_receipt(3, "in invoice_total return price_of(order[\"total\"]) KeyError"),
            "/error_stack",
            (true, true),
        ),
        ("the message", span_receipt(1, "'total'"), "/error_message", (true, true)),
        ("the type", with(span_receipt(3, "KeyError"), "claim", json!("c")), "/error_stack", (true, true)),
        ("an attribute", span_receipt(3, "/invoices/{id}"), "/attributes/http.route", (true, true)),
        ("JSON as recorded", span_receipt(2, "\"amount\":12.5"), "/output", (true, true)),
        ("text inside JSON", span_receipt(2, "line one line \"two\""), "/output/order/note", (true, true)),
        (
            "JSON as a line of spans.jsonl has it",
            span_receipt(2, "{\\\"order\\\":{\\\"amount\\\":12.5"),
            "/output",
            (false, true),
        ),
        ("the beginning of what was cut", span_receipt(4, "please total my"), "/input", (true, true)),
        (
            "next to a credential, as shown",
            span_receipt(3, "bearer [secret] expires soon"),
            "/attributes/auth",
            (false, true),
        ),
        ("next to a credential", span_receipt(3, "expires soon"), "/attributes/auth", (true, true)),
        (
            "without what is invisible",
            span_receipt(3, "invisible mark and red text"),
            "/attributes/odd",
            (false, true),
        ),
        ("other white space", span_receipt(3, "KeyError:   'total'"), "/error_stack", (true, true)),
        ("a line of code", file(line, Some([6, 6])), "app/tools.py:6-6", (true, true)),
        ("lines around it", file(line, Some([4, 6])), "app/tools.py:4-6", (true, true)),
        (
            "without lines",
            file("def invoice_total(order_id): order = find(order_id)", None),
            "app/tools.py:4-5",
            (true, true),
        ),
        (
            "with line numbers",
            file("     5\t    order = find(order_id)\n     6\t    return", Some([5, 6])),
            "app/tools.py:5-6",
            (true, true),
        ),
        (
            "a violation",
            json!({"kind": "violation", "id": "v1", "quote": "has no total", "claim": "c"}),
            "violation v1",
            (true, true),
        ),
        ("a tool", tool_receipt("t1", "FAILED test_total - KeyError"), "event 2", (true, true)),
    ]
}

#[test]
fn good_citations_are_found_where_they_stand() {
    for (what, citation, place, matched) in good_citations() {
        let (receipt, again) = resolve(&citation);
        assert_eq!(receipt.verdict, ReceiptVerdict::Verified, "{what}");
        assert_eq!(again, ReceiptVerdict::Verified, "{what}: checked again");
        let found = match &receipt.locator {
            Locator::Span { span_id, pointer } => {
                assert_eq!(citation["id"], json!(span_id), "{what}");
                pointer.to_string()
            }
            Locator::File { path, first_line, last_line, .. } => format!("{path}:{first_line}-{last_line}"),
            Locator::Violation { id } => format!("violation {id}"),
            Locator::Tool { event } => format!("event {event}"),
            other => panic!("{what}: {other:?}"),
        };
        assert_eq!(found, place, "{what}");
        assert_eq!((receipt.matched.raw, receipt.matched.shown), matched, "{what}");
    }
}

/// What a forger would write into an artifact: other places under words that hold elsewhere.
#[test]
fn forged_receipts_do_not_pass() {
    let ctx = test_context();
    let shown = session(&ctx);
    let (trace, code, violations, events) =
        (desk::trace(), desk::code(), desk::violations(), ctx.recorded_events());
    let view = TraceView::new(&trace);
    let evidence = Evidence::new(&view)
        .with_code(Some(&code))
        .with_violations(&violations)
        .with_events(&events)
        .of_run(ctx.run_id());
    let citation: Citation = serde_json::from_value(tool_receipt("t1", "FAILED test_total")).unwrap();
    let honest = citation.resolve("r1", "h1", &evidence, &shown);
    assert!(honest.is_verified());
    for (event, why) in
        [(1, "no tool result"), (4, "does not stand"), (999, "not in the transcript"), (8, "repeat")]
    {
        let forged = Receipt { locator: Locator::Tool { event }, ..honest.clone() };
        let verdict = check_receipt(&forged, &evidence);
        assert!(
            matches!(&verdict, ReceiptVerdict::Rejected { why: said } if said.contains(why)),
            "{event}: {verdict:?}"
        );
    }
    let other_run = evidence.of_run(staso_core::id::RunId::from_bytes([9; 16]));
    assert_ne!(check_receipt(&honest, &other_run), ReceiptVerdict::Verified);
    assert_ne!(
        check_receipt(&honest, &Evidence::new(&view)),
        ReceiptVerdict::Verified,
        "without a transcript"
    );
    let nowhere = Receipt {
        locator: Locator::Nowhere { cited: format!("span {}", id(3)), why: "made up".to_owned() },
        ..honest.clone()
    };
    assert_ne!(check_receipt(&nowhere, &evidence), ReceiptVerdict::Verified);
    let quote = "another quote".to_owned();
    assert_ne!(check_receipt(&Receipt { quote, ..honest }, &evidence), ReceiptVerdict::Verified);
}
