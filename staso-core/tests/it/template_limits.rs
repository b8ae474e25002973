//! `TemplateFixer` on odd files, hostile hints and large input.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use staso_core::conformance::fixer::diagnosis_with;
use staso_core::diagnosis::RepairHint;
use staso_core::fix::{FixError, FixRequest, Fixer, TemplateFixer};
use staso_core::testing::test_context;
use tokio_util::sync::CancellationToken;

use super::template::{exception, frame, path, propose, snapshot};

fn errors(text: &str) -> bool {
    let mut parser = tree_sitter::Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).unwrap();
    parser.parse(text, None).unwrap().root_node().has_error()
}

/// Lines outside of the common beginning and end.
fn changed_lines<'a>(before: &'a str, after: &'a str) -> (Vec<&'a str>, Vec<&'a str>) {
    let (mut old, mut new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    while !old.is_empty() && !new.is_empty() && old.last() == new.last() {
        old.pop();
        new.pop();
    }
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    (old.split_off(same), new.split_off(same))
}

async fn check_all(text: &str, hint: RepairHint, max: usize) -> usize {
    let code = snapshot(&[("a.py", text)]);
    let candidates = propose(&code, hint, max).await;
    for candidate in &candidates {
        let files: Vec<_> = candidate.patch.files().collect();
        let [(_, file)] = files.as_slice() else { panic!("one file") };
        assert!(!errors(file.after()), "{}:\n{}", candidate.title, file.after());
        let (old, new) = changed_lines(text, file.after());
        assert!(old.len() <= 12 && new.len() <= 12, "{}: {old:?} {new:?}", candidate.title);
        let (added, removed) = candidate.patch.line_counts();
        assert!(added <= new.len() && removed <= old.len(), "{}", candidate.title);
        let alone_returns =
            |text: &str| text.bytes().filter(|b| *b == b'\n').count() - text.matches("\r\n").count();
        if text.contains("\r\n") {
            assert_eq!(alone_returns(file.after()), 0, "{}: a lone line feed", candidate.title);
        }
    }
    candidates.len()
}

const PROGRAM: &str = "\
def totals(orders, limit=10):
    result = {}
    seen = []
    for i, order in enumerate(orders):
        if order is None or i >= limit:
            continue
        name = order['name'].strip()
        if name not in result:
            result[name] = 0
            seen.append(name)
        result[name] += order['count'] * order['price']
    while seen and not result[seen[-1]]:
        seen.pop()
    return [(name, round(result[name], 2)) for name in seen if result[name] > 0]
";

#[tokio::test]
async fn every_candidate_parses_and_changes_little() {
    let wrong = || RepairHint::WrongResult { frames: vec![frame("a.py", 1, "totals")] };
    assert!(check_all(PROGRAM, wrong(), 2_000).await > 1_000);
    assert!(check_all(&PROGRAM.replace('\n', "\r\n"), wrong(), 300).await == 300);
    assert!(check_all(&PROGRAM.replace("    ", "\t"), wrong(), 300).await == 300);
    assert!(
        check_all(&PROGRAM.replace("name", "größe").replace("'count'", "'数'"), wrong(), 300).await == 300
    );
    for (class, message) in [
        ("KeyError", "'name'"),
        ("TypeError", "'NoneType' object is not subscriptable"),
        ("IndexError", "list index out of range"),
        ("TypeError", "can only concatenate str (not \"int\") to str"),
        ("ZeroDivisionError", "division by zero"),
    ] {
        let hint = exception(class, message, vec![frame("a.py", 7, "totals")]);
        assert!(check_all(PROGRAM, hint, 200).await > 100, "{class}");
    }
}

#[tokio::test]
async fn code_outside_of_functions_and_in_classes_is_found() {
    let text = "import json\n\nDATA = json.loads('{}')\nNAME = DATA['nmae']\n\n\nclass A:\n    def get(self):\n        return self.data['nmae']\n";
    let code = snapshot(&[("a.py", text)]);
    let hint = |line, function: &str| RepairHint::WrongKey {
        used: "nmae".to_owned(),
        available: vec!["name".to_owned()],
        frames: vec![frame("a.py", line, function)],
    };
    let first = propose(&code, hint(4, "<module>"), 1).await;
    assert!(first.first().unwrap().patch.diff().contains("+NAME = DATA['name']"));
    let first = propose(&code, hint(9, "A.get"), 1).await;
    assert!(first.first().unwrap().patch.diff().contains("+        return self.data['name']"));
}

#[tokio::test]
async fn hints_about_nothing_give_nothing() {
    let code = snapshot(&[("a.py", PROGRAM)]);
    let wrong = |file, line, function| RepairHint::WrongResult { frames: vec![frame(file, line, function)] };
    assert!(propose(&code, wrong("b.py", 1, "totals"), 10).await.is_empty());
    assert!(propose(&code, wrong("a.py", 0, "absent"), 10).await.is_empty());
    assert!(propose(&code, wrong("a.py", u32::MAX, "absent"), 10).await.is_empty());
    assert!(propose(&code, RepairHint::WrongResult { frames: Vec::new() }, 10).await.is_empty());
    assert!(propose(&snapshot(&[("a.py", "")]), wrong("a.py", 1, "f"), 10).await.is_empty());
    let setting = RepairHint::Setting {
        path: path("b.json"),
        line: u32::MAX,
        key: String::new(),
        current: String::new(),
        proposed: vec![String::new()],
    };
    assert!(propose(&code, setting, 10).await.is_empty());
}

#[tokio::test]
async fn hostile_keys_stay_inside_their_literal() {
    let text = "def f(d):\n    x = d['state']\n    y = d[\"state\"]\n    z = d.state\n    return f'{d[\"state\"]} {x} {y} {z}'\n";
    let code = snapshot(&[("a.py", text)]);
    let keys = [
        "a'b",
        "a\"b",
        "a\\",
        "a\nb",
        "']; import os; os.system('x') #",
        "\u{202e}x",
        "\0",
        "{x}",
        "a\rb",
        "é",
        "\u{2028}",
    ];
    for key in keys {
        let hint = RepairHint::WrongKey {
            used: "state".to_owned(),
            available: vec![key.to_owned()],
            frames: vec![frame("a.py", 2, "f")],
        };
        for candidate in propose(&code, hint, 2_000).await.iter().filter(|c| c.author == "template:wrong-key")
        {
            let (_, file) = candidate.patch.files().next().unwrap();
            assert_eq!(file.after().lines().count(), text.lines().count(), "{key:?}: {}", file.after());
            assert_eq!(calls(file.after()), calls(text), "{key:?}: {}", file.after());
            assert!(!file.after().contains(['\u{202e}', '\0', '\u{2028}']), "{key:?}");
            assert!(!candidate.title.contains(char::is_control), "{key:?}: {}", candidate.title);
        }
    }
}

/// How many calls and imports a program has.
fn calls(text: &str) -> usize {
    let mut parser = tree_sitter::Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).unwrap();
    let tree = parser.parse(text, None).unwrap();
    assert!(!tree.root_node().has_error(), "{text}");
    let sexp = tree.root_node().to_sexp();
    sexp.matches("(call").count() + sexp.matches("(import").count()
}

#[tokio::test]
async fn large_and_deep_files_take_bounded_time() {
    let mut text = PROGRAM.to_owned();
    while text.len() < 1 << 20 {
        text.push_str(PROGRAM);
    }
    let deep = format!("def f(x):\n    return {}x{}\n", "(".repeat(3_000), ")".repeat(3_000));
    let nested = format!("def f(x):\n    return {}\n", "x + (".repeat(1_500) + "x" + &")".repeat(1_500));
    let chained = format!("def f(x):\n    return x{}\n", ".a(1)".repeat(5_000));
    for text in [&text, &deep, &nested, &chained] {
        let code = snapshot(&[("a.py", text)]);
        let hint = RepairHint::WrongResult { frames: vec![frame("a.py", 1, "f")] };
        let start = Instant::now();
        let found = propose(&code, hint, 50).await;
        assert!(found.len() <= 50);
        assert!(start.elapsed() < Duration::from_secs(60), "{} bytes took {:?}", text.len(), start.elapsed());
    }
}

#[tokio::test]
async fn files_over_the_limit_are_left_alone() {
    let mut text = PROGRAM.to_owned();
    text.push_str(&"# filler\n".repeat(300_000));
    let code = snapshot(&[("a.py", &text)]);
    let hint = RepairHint::WrongResult { frames: vec![frame("a.py", 1, "totals")] };
    assert!(propose(&code, hint, 10).await.is_empty());
}

#[tokio::test]
async fn a_cancelled_run_ends_soon() {
    let mut text = PROGRAM.to_owned();
    while text.len() < 1 << 18 {
        text.push_str(PROGRAM);
    }
    let code = snapshot(&[("a.py", &text)]);
    let hint = RepairHint::WrongResult { frames: vec![frame("a.py", 1, "totals")] };
    let diagnosis = diagnosis_with(vec![hint]);
    let request = FixRequest::new(&diagnosis, &code);
    let token = CancellationToken::new();
    let ctx = test_context().with_cancellation(token.clone());
    let cancel = async {
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        token.cancel();
        Instant::now()
    };
    let fixer = TemplateFixer::new();
    let (result, cancelled) = tokio::join!(fixer.propose(&request, &ctx), cancel);
    assert!(matches!(result, Err(FixError::Cancelled)));
    assert!(cancelled.elapsed() < Duration::from_secs(2), "took {:?} to stop", cancelled.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_the_file_and_hint_nothing_breaks(
        lines in proptest::collection::vec("[ \t]{0,8}[a-z(){}\\[\\]'\":=+<>.,0-9# \\\\é]{0,24}", 0..24),
        key in ".{0,12}",
        other in ".{0,12}",
        line in 0_u32..30,
        newline in prop_oneof![Just("\n"), Just("\r\n")],
    ) {
        let text = format!("def f(a):{newline}{}", lines.join(newline));
        let code = snapshot(&[("a.py", &text), ("p.txt", &text)]);
        let frames = vec![frame("a.py", line, "f")];
        let hints = vec![
            RepairHint::WrongKey { used: key.clone(), available: vec![other.clone()], frames: frames.clone() },
            RepairHint::TemplateVariable {
                name: key.clone(),
                available: vec![other.clone()],
                templates: vec![path("p.txt"), path("a.py")],
                frames: frames.clone(),
            },
            RepairHint::Setting { path: path("p.txt"), line, key: key.clone(), current: other.clone(), proposed: vec![key] },
            exception("TypeError", &other, frames),
        ];
        let diagnosis = diagnosis_with(hints);
        let request = FixRequest::new(&diagnosis, &code).with_max_candidates(200);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let candidates = runtime.block_on(async { TemplateFixer::new().propose(&request, &test_context()).await }).unwrap();
        for candidate in &candidates {
            prop_assert!((1..=72).contains(&candidate.title.chars().count()));
            for (_, file) in candidate.patch.files() {
                prop_assert!(file.before() != file.after());
            }
            let diff = candidate.patch.diff();
            prop_assert!(diff.starts_with("diff --git "));
        }
    }
}
