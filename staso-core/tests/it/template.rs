//! What `TemplateFixer` proposes for typical faults of agent programs.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fmt::Write as _;

use staso_core::code::{CodeSnapshot, RepoPath, SourceFile};
use staso_core::conformance::fixer::{diagnosis_with, is_deterministic, keeps_the_contract, sample};
use staso_core::diagnosis::{FixKind, FrameRef, RepairHint};
use staso_core::fix::{FixCandidate, FixError, FixRequest, Fixer, TemplateFixer};
use staso_core::id::{BlobId, CommitId};
use staso_core::testing::test_context;

pub(crate) fn path(path: &str) -> RepoPath {
    RepoPath::new(path).unwrap()
}

pub(crate) fn snapshot(files: &[(&str, &str)]) -> CodeSnapshot {
    let mut code = CodeSnapshot::new(CommitId::new("c".repeat(40)).unwrap(), Vec::new(), false);
    for (name, text) in files {
        let blob = BlobId::new("b".repeat(40)).unwrap();
        code.insert(path(name), SourceFile { blob, text: (*text).into(), executable: false });
    }
    code
}

pub(crate) fn frame(file: &str, line: u32, function: &str) -> FrameRef {
    FrameRef { path: path(file), line, function: Some(function.to_owned()) }
}

pub(crate) fn exception(class: &str, message: &str, frames: Vec<FrameRef>) -> RepairHint {
    RepairHint::Exception { exception: class.to_owned(), message: message.to_owned(), frames }
}

pub(crate) async fn propose(code: &CodeSnapshot, hint: RepairHint, max: usize) -> Vec<FixCandidate> {
    let diagnosis = diagnosis_with(vec![hint]);
    let request = FixRequest::new(&diagnosis, code).with_max_candidates(max);
    TemplateFixer::new().propose(&request, &test_context()).await.unwrap()
}

/// The first candidates: author, title, reason and the changed lines.
async fn shown(code: &CodeSnapshot, hint: RepairHint, max: usize) -> String {
    let mut text = String::new();
    for candidate in propose(code, hint, max).await {
        writeln!(text, "{}: {}\n  {}", candidate.author, candidate.title, candidate.why).unwrap();
        let diff = candidate.patch.diff();
        let changed = diff.lines().filter(|line| line.starts_with(['+', '-']));
        for line in changed.filter(|line| !line.starts_with("+++") && !line.starts_with("---")) {
            writeln!(text, "  {line}").unwrap();
        }
    }
    text
}

/// Where a candidate stands whose file contains a text, from 0.
async fn rank_of(code: &CodeSnapshot, hint: RepairHint, wanted: &str) -> Option<usize> {
    let candidates = propose(code, hint, 2_000).await;
    candidates
        .iter()
        .position(|candidate| candidate.patch.files().any(|(_, file)| file.after().contains(wanted)))
}

const TOOLS: &str = r#""""Tools of the support agent."""
import os

STATUS_KEY = "state"


def lookup_order(orders, order_id):
    """Finds an order."""
    for order in orders:
        if order["id"] == order_id:
            return order
    return None


def describe(orders, order_id):
    order = lookup_order(orders, order_id)
    status = order["state"]
    return f"Order {order_id} is {status.lower()}"


def page(items, number, size):
    first = number * size
    last = first + size - 1
    return items[first:last]


def refund(total, shipping, percent):
    amount = total + shipping * percent / 100
    return round(amount, 2)


def average(values):
    return sum(values) / len(values)


def region():
    return os.environ["SUPPORT_REGION"]
"#;

fn keys(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_renamed_key() {
    let code = snapshot(&[("support/tools.py", TOOLS)]);
    let hint = RepairHint::WrongKey {
        used: "state".to_owned(),
        available: keys(&["status", "id", "total"]),
        frames: vec![frame("support/tools.py", 17, "describe")],
    };
    insta::assert_snapshot!(shown(&code, hint, 4).await);
}

#[tokio::test]
async fn a_renamed_key_behind_a_constant_and_an_attribute() {
    let text = "KEY = \"state\"\n\n\ndef describe(order):\n    return order[KEY]\n\n\ndef name(order):\n    return order.nmae\n";
    let code = snapshot(&[("tools.py", text)]);
    let hint = RepairHint::WrongKey {
        used: "state".to_owned(),
        available: keys(&["status"]),
        frames: vec![frame("tools.py", 5, "describe")],
    };
    assert_eq!(rank_of(&code, hint, "KEY = \"status\"").await, Some(0));
    let message = "'Order' object has no attribute 'nmae'. Did you mean: 'name'?";
    let hint = exception("AttributeError", message, vec![frame("tools.py", 9, "name")]);
    assert_eq!(rank_of(&code, hint, "return order.name\n").await, Some(0));
}

#[tokio::test]
async fn a_missing_value() {
    let code = snapshot(&[("support/tools.py", TOOLS)]);
    let message = "'NoneType' object is not subscriptable";
    let hint = exception("TypeError", message, vec![frame("support/tools.py", 17, "describe")]);
    insta::assert_snapshot!(shown(&code, hint, 5).await);
}

#[tokio::test]
async fn a_missing_value_in_a_loop() {
    let text = "def names(orders):\n    found = []\n    for order in orders:\n        found.append(order.name.strip())\n    return found\n";
    let code = snapshot(&[("tools.py", text)]);
    let message = "'NoneType' object has no attribute 'strip'";
    let hint = || exception("AttributeError", message, vec![frame("tools.py", 4, "names")]);
    let skip = "        if order.name is None:\n            continue\n        found.append";
    assert!(rank_of(&code, hint(), skip).await.is_some_and(|rank| rank < 5));
    let empty = "found.append((order.name or \"\").strip())";
    assert!(rank_of(&code, hint(), empty).await.is_some_and(|rank| rank < 5));
}

#[tokio::test]
async fn a_bound_that_is_off_by_one() {
    let code = snapshot(&[("support/tools.py", TOOLS)]);
    let hint = RepairHint::WrongResult { frames: vec![frame("support/tools.py", 21, "page")] };
    insta::assert_snapshot!(shown(&code, hint, 8).await);
}

#[tokio::test]
async fn a_wrong_operator() {
    let code = snapshot(&[("support/tools.py", TOOLS)]);
    let hint = || RepairHint::WrongResult { frames: vec![frame("support/tools.py", 27, "refund")] };
    insta::assert_snapshot!(shown(&code, hint(), 8).await);
    assert!(rank_of(&code, hint(), "(total + shipping) * percent / 100").await.is_some());
}

#[tokio::test]
async fn a_division_by_zero() {
    let code = snapshot(&[("support/tools.py", TOOLS)]);
    let hint =
        exception("ZeroDivisionError", "division by zero", vec![frame("support/tools.py", 33, "average")]);
    insta::assert_snapshot!(shown(&code, hint, 4).await);
}

#[tokio::test]
async fn values_that_do_not_fit_together() {
    let code = snapshot(&[("a.py", "def line(name, count):\n    return name + \": \" + count\n")]);
    let message = "can only concatenate str (not \"int\") to str";
    let hint = exception("TypeError", message, vec![frame("a.py", 2, "line")]);
    assert!(rank_of(&code, hint, "\": \" + str(count)").await.is_some_and(|rank| rank < 5));
}

#[tokio::test]
async fn arguments_and_names_that_do_not_exist() {
    let text = "def send(body, to):\n    return (to, body)\n\n\ndef reply(ticket, recipient):\n    return send(body=ticket, to_addr=recipient)\n\n\ndef total(prices):\n    result = 0\n    for price in prices:\n        result += prcie\n    return result\n";
    let code = snapshot(&[("a.py", text)]);
    let message = "send() got an unexpected keyword argument 'to_addr'";
    let hint = exception("TypeError", message, vec![frame("a.py", 6, "reply")]);
    assert_eq!(rank_of(&code, hint, "send(body=ticket, to=recipient)").await, Some(0));
    let hint = exception("NameError", "name 'prcie' is not defined", vec![frame("a.py", 12, "total")]);
    assert!(rank_of(&code, hint, "result += price\n").await.is_some_and(|rank| rank < 3));
}

#[tokio::test]
async fn a_template_variable_in_a_prompt_file() {
    let prompt = "You help {customer}.\r\nTheir order is {oder_id}.\r\nAnswer as {{\"text\": …}}.\r\n";
    let program = "def render(template, customer, order_id):\n    return template.format(customer=customer, order_id=order_id)\n";
    let code = snapshot(&[("prompts/reply.txt", prompt), ("agent.py", program)]);
    let hint = RepairHint::TemplateVariable {
        name: "oder_id".to_owned(),
        available: keys(&["order_id", "customer"]),
        templates: vec![path("prompts/reply.txt")],
        frames: vec![frame("agent.py", 2, "render")],
    };
    insta::assert_snapshot!(shown(&code, hint, 3).await);
}

#[tokio::test]
async fn a_template_variable_that_the_program_does_not_pass() {
    let program = "def render(template, order, tone):\n    return template.format(\n        order=order,\n    )\n\n\ndef fill(template, tone):\n    return template.replace(\"{{order}}\", \"x\")\n\n\ndef values(tone):\n    return {\"order\": 1}\n";
    let code = snapshot(&[("agent.py", program)]);
    for (line, function, wanted) in [
        (2, "render", "        order=order,\n    tone=tone)"),
        (8, "fill", ".replace(\"{{order}}\", \"x\").replace(\"{{tone}}\", tone)"),
        (12, "values", "{\"order\": 1, \"tone\": tone}"),
    ] {
        let hint = RepairHint::TemplateVariable {
            name: "tone".to_owned(),
            available: keys(&["order"]),
            templates: Vec::new(),
            frames: vec![frame("agent.py", line, function)],
        };
        let rank = rank_of(&code, hint, wanted).await;
        assert!(rank.is_some_and(|rank| rank < 5), "{function}: {rank:?}");
    }
}

#[tokio::test]
async fn braces_that_are_text() {
    let prompt = "Answer as {\"answer\": {\"text\": \"…\"}} for {customer}.\n";
    let program = "TEMPLATE = 'Answer as {\"answer\": 1} for {customer}'\n\n\ndef render(customer):\n    return TEMPLATE.format(customer=customer)\n";
    let code = snapshot(&[("prompt.md", prompt), ("agent.py", program)]);
    let hint = |templates| RepairHint::TemplateVariable {
        name: "\"answer\"".to_owned(),
        available: keys(&["customer"]),
        templates,
        frames: vec![frame("agent.py", 5, "render")],
    };
    let wanted = "Answer as {{\"answer\": {{\"text\": \"…\"}}}} for {customer}.\n";
    assert!(rank_of(&code, hint(vec![path("prompt.md")]), wanted).await.is_some_and(|rank| rank < 2));
    let wanted = "TEMPLATE = 'Answer as {{\"answer\": 1}} for {customer}'\n";
    assert_eq!(rank_of(&code, hint(Vec::new()), wanted).await, Some(0));
}

#[tokio::test]
async fn settings_in_all_formats() {
    let files = [
        ("config.json", "{\n  \"llm\": {\n    \"model\": \"small-1\",\n    \"max_tokens\": 64\n  }\n}\n", 3),
        ("config.toml", "[llm]\n# the model\nmodel = 'small-1'  # do not use small-1 for long texts\r\n", 3),
        ("config.yaml", "llm:\n  temperature: 0\n  model: small-1 # pinned\n", 3),
        ("config.ini", "[llm]\ntemperature = 0\nmodel=small-1\n", 3),
        ("settings.py", "import os\n\nMODEL = \"small-1\"  # pinned\n", 3),
        ("agent.js", "const a = 1;\n\nexport const model = \"small-1\";\n", 3),
    ];
    let mut text = String::new();
    for (name, content, line) in files {
        let code = snapshot(&[(name, content)]);
        let hint = RepairHint::Setting {
            path: path(name),
            line,
            key: "model".to_owned(),
            current: "small-1".to_owned(),
            proposed: vec!["small-2".to_owned(), "large-2".to_owned()],
        };
        let hint = match name {
            "settings.py" => with_key(hint, "MODEL"),
            _ => hint,
        };
        writeln!(text, "{name}\n{}", shown(&code, hint, 2).await).unwrap();
    }
    insta::assert_snapshot!(text);
}

fn with_key(hint: RepairHint, key: &str) -> RepairHint {
    match hint {
        RepairHint::Setting { path, line, current, proposed, .. } => {
            RepairHint::Setting { path, line, key: key.to_owned(), current, proposed }
        }
        other => other,
    }
}

#[tokio::test]
async fn a_limit_that_is_too_small() {
    let code = snapshot(&[("config.json", "{\"max_tokens\": 64, \"model\": \"m-64\"}\n")]);
    let hint = RepairHint::Setting {
        path: path("config.json"),
        line: 1,
        key: "max_tokens".to_owned(),
        current: "64".to_owned(),
        proposed: vec!["1024".to_owned()],
    };
    let candidates = propose(&code, hint, 10).await;
    let texts: Vec<_> =
        candidates.iter().flat_map(|c| c.patch.files().map(|(_, file)| file.after().to_owned())).collect();
    assert_eq!(texts, ["{\"max_tokens\": 1024, \"model\": \"m-64\"}\n"]);
    assert!(candidates.iter().all(|candidate| candidate.kind == FixKind::Config));
}

#[tokio::test]
async fn an_environment_variable_gets_only_a_documented_default() {
    let hint = || RepairHint::EnvironmentVariable {
        name: "SUPPORT_REGION".to_owned(),
        frames: vec![frame("support/tools.py", 37, "region")],
    };
    let readme = "# Support\n\n- `SUPPORT_REGION`: where it runs (default `eu-west-1`)\n";
    let code = snapshot(&[("support/tools.py", TOOLS), ("README.md", readme)]);
    insta::assert_snapshot!(shown(&code, hint(), 1).await);
    let code = snapshot(&[("support/tools.py", TOOLS)]);
    assert_eq!(rank_of(&code, hint(), "environ.get(\"SUPPORT_REGION\", ").await, None);
}

#[tokio::test]
async fn all_families_have_a_place_among_the_first() {
    let code = snapshot(&[("support/tools.py", TOOLS)]);
    let hint = RepairHint::WrongResult { frames: vec![frame("support/tools.py", 7, "lookup_order")] };
    let candidates = propose(&code, hint, 50).await;
    let families: std::collections::BTreeSet<_> = candidates.iter().map(|c| c.author.as_str()).collect();
    assert!(families.len() >= 9, "{families:?}");
}

#[tokio::test]
async fn the_failing_line_comes_before_its_callers() {
    let text = "def price(item):\n    return item[\"prise\"]\n\n\ndef total(items):\n    return sum(price(item) for item in items) + items[0][\"prise\"]\n";
    let code = snapshot(&[("a.py", text)]);
    let frames = vec![frame("a.py", 2, "price"), frame("a.py", 6, "total")];
    let hint = RepairHint::WrongKey { used: "prise".to_owned(), available: keys(&["price"]), frames };
    let candidates = propose(&code, hint, 2_000).await;
    let lines: Vec<_> = candidates
        .iter()
        .filter(|candidate| candidate.author == "template:wrong-key")
        .map(|candidate| {
            candidate.patch.diff().lines().filter(|line| line.starts_with('-')).nth(1).map(str::to_owned)
        })
        .collect();
    assert_eq!(lines.first().unwrap().as_deref(), Some("-    return item[\"prise\"]"));
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn other_languages_are_named() {
    let code = snapshot(&[("src/agent.js", "export const f = (o) => o.state;\n")]);
    let diagnosis = diagnosis_with(vec![exception("TypeError", "x", vec![frame("src/agent.js", 1, "f")])]);
    let error =
        TemplateFixer::new().propose(&FixRequest::new(&diagnosis, &code), &test_context()).await.unwrap_err();
    assert!(matches!(&error, FixError::UnsupportedLanguage { path, .. } if path.as_str() == "src/agent.js"));
    assert_eq!(error.to_string(), "template cannot change src/agent.js: it knows Python");
}

#[tokio::test]
async fn tests_are_never_changed() {
    let text = "def test_a():\n    order = {}\n    assert order[\"state\"] == 1\n";
    let code = snapshot(&[("tests/test_a.py", text), ("test_b.py", text)]);
    let frames = vec![frame("tests/test_a.py", 3, "test_a"), frame("test_b.py", 3, "test_a")];
    let hint = RepairHint::WrongKey { used: "state".to_owned(), available: keys(&["status"]), frames };
    assert!(propose(&code, hint, 100).await.is_empty());
}

#[tokio::test]
async fn the_contract_of_fixers_is_kept() {
    let fixer = TemplateFixer::new();
    let (diagnosis, code) = sample();
    let request = FixRequest::new(&diagnosis, &code);
    keeps_the_contract(&fixer, &request).await;
    is_deterministic(&fixer, &request).await;
    let code = snapshot(&[("support/tools.py", TOOLS)]);
    let hints = vec![
        exception("IndexError", "list index out of range", vec![frame("support/tools.py", 23, "page")]),
        RepairHint::WrongResult { frames: vec![frame("support/tools.py", 27, "refund")] },
    ];
    let diagnosis = diagnosis_with(hints);
    let request = FixRequest::new(&diagnosis, &code);
    keeps_the_contract(&fixer, &request).await;
    is_deterministic(&fixer, &request).await;
}
