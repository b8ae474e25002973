//! `TemplateFixer` puts edits that the repository speaks for before edits that only silence a failure.

use staso_core::code::CodeSnapshot;
use staso_core::diagnosis::RepairHint;

use super::template::{exception, frame, path, propose, snapshot};

/// The changed lines of the first candidates, as they are afterwards.
async fn first_lines(code: &CodeSnapshot, hint: RepairHint, max: usize) -> Vec<String> {
    let candidates = propose(code, hint, max).await;
    let added = |diff: &str| {
        let lines = diff.lines().filter(|line| line.starts_with('+') && !line.starts_with("+++"));
        lines.map(|line| line.trim_start_matches('+').trim()).collect::<Vec<_>>().join(" ")
    };
    candidates.iter().map(|candidate| added(&candidate.patch.diff())).collect()
}

async fn rank(code: &CodeSnapshot, hint: RepairHint, wanted: &str) -> Option<usize> {
    first_lines(code, hint, 2_000).await.iter().position(|line| line == wanted)
}

const BOOKS: &str = r#"[{"isbn": "1", "title": "A", "pages": 10, "weight": 3, "shelf": null, "signed": true},
 {"isbn": "2", "title": "B", "pages": 20, "weight": 4, "shelf": "x"}]"#;

#[tokio::test]
async fn keys_of_the_data_come_before_a_default() {
    let program = "def card(book):\n    return {\"isbn\": book[\"isbn\"], \"title\": book[\"title\"], \"n\": book[\"pages_total\"]}\n";
    let code = snapshot(&[("cards.py", program), ("data/books.json", BOOKS)]);
    let hint = exception("KeyError", "'pages_total'", vec![frame("cards.py", 2, "card")]);
    let lines = first_lines(&code, hint, 1).await;
    assert!(lines.iter().all(|line| line.contains("book[\"pages\"]")), "{lines:?}");
}

#[tokio::test]
async fn a_key_that_only_some_of_the_data_has_gets_a_default() {
    let program = "def card(book):\n    return book[\"isbn\"], book[\"title\"], book[\"signed\"]\n";
    let code = snapshot(&[("cards.py", program), ("data/books.json", BOOKS)]);
    let hint = exception("KeyError", "'signed'", vec![frame("cards.py", 2, "card")]);
    let lines = first_lines(&code, hint, 1).await;
    assert_eq!(lines, ["return book[\"isbn\"], book[\"title\"], book.get(\"signed\")"]);
}

#[tokio::test]
async fn an_object_is_read_by_the_field_that_the_names_around_speak_of() {
    let program = "def freight(book, per):\n    title = book[\"title\"] + book[\"isbn\"]\n    weight = per * book\n    return title, weight\n";
    let code = snapshot(&[("freight.py", program), ("data/books.json", BOOKS)]);
    let message = "unsupported operand type(s) for *: 'int' and 'dict'";
    let hint = exception("TypeError", message, vec![frame("freight.py", 3, "freight")]);
    assert_eq!(first_lines(&code, hint, 1).await, ["weight = per * book[\"weight\"]"]);
}

#[tokio::test]
async fn the_conversion_that_the_file_uses_comes_before_another_operator() {
    let program = "from clock import read\n\n\ndef age(now, born):\n    return read(now) - born\n\n\ndef due(now, limit):\n    return now <= limit\n";
    let code = snapshot(&[("a.py", program)]);
    let message = "'<=' not supported between instances of 'str' and 'datetime.date'";
    let hint = || exception("TypeError", message, vec![frame("a.py", 9, "due")]);
    assert_eq!(first_lines(&code, hint(), 1).await, ["return read(now) <= limit"]);
    let silencing = rank(&code, hint(), "return now == limit").await;
    assert!(silencing.is_none_or(|rank| rank > 20), "{silencing:?}");
}

#[tokio::test]
async fn strictness_changes_before_constants() {
    let program = "def after(items, at):\n    if at + 1 <= len(items):\n        return items[at + 1]\n    return None\n";
    let code = snapshot(&[("a.py", program)]);
    let hint = || exception("IndexError", "list index out of range", vec![frame("a.py", 3, "after")]);
    let strict = rank(&code, hint(), "if at + 1 < len(items):").await.unwrap();
    let shifted = rank(&code, hint(), "if at + 2 <= len(items):").await.unwrap();
    assert!(strict < shifted, "{strict} {shifted}");
}

#[tokio::test]
async fn nothing_is_compared_with_itself() {
    let program = "def same(items, wanted):\n    for item in items:\n        if item[\"kind\"] == order[\"kind\"] and item[\"n\"] - wanted[\"n\"] > 0:\n            return min(item[\"n\"], wanted[\"n\"])\n    return None\n";
    let code = snapshot(&[("a.py", program)]);
    let hint = exception("NameError", "name 'order' is not defined", vec![frame("a.py", 3, "same")]);
    let lines = first_lines(&code, hint, 2_000).await;
    let first = "if item[\"kind\"] == wanted[\"kind\"] and item[\"n\"] - wanted[\"n\"] > 0:";
    assert!(lines.iter().take(3).any(|line| line == first), "{:?}", lines.get(..3));
    for pointless in [
        "item[\"kind\"] == item[\"kind\"] and",
        "item[\"n\"] - item[\"n\"] >",
        "wanted[\"n\"] - wanted[\"n\"] >",
        "min(item[\"n\"], item[\"n\"])",
    ] {
        let found = lines.iter().find(|line| line.contains(pointless));
        assert_eq!(found, None, "{pointless}");
    }
}

#[tokio::test]
async fn an_unset_variable_is_replaced_by_nothing_but_a_setting_of_its_name() {
    let program = "import os\n\n\ndef sign(settings):\n    place = settings[\"city\"]\n    return place + os.environ[\"MAIL_FOOTER\"]\n";
    let settings = r#"{"city": "Oslo", "footer": "Bye"}"#;
    let hints = || RepairHint::EnvironmentVariable {
        name: "MAIL_FOOTER".to_owned(),
        frames: vec![frame("a.py", 6, "sign")],
    };
    let code = snapshot(&[("a.py", program), ("settings.json", settings)]);
    assert_eq!(first_lines(&code, hints(), 50).await, ["return place + settings[\"footer\"]"]);
    let code = snapshot(&[("a.py", program)]);
    assert!(propose(&code, hints(), 50).await.is_empty());
}

#[tokio::test]
async fn a_template_is_given_a_name_of_the_same_meaning_that_it_lacks() {
    let code = snapshot(&[("p.txt", "Hello {{name}}, it is {{current_date}}.\n")]);
    let hint = RepairHint::TemplateVariable {
        name: "current_date".to_owned(),
        available: ["name", "tone", "today"].map(str::to_owned).to_vec(),
        templates: vec![path("p.txt")],
        frames: Vec::new(),
    };
    let lines = first_lines(&code, hint, 3).await;
    let expected = ["today", "tone", "name"].map(|name| format!("Hello {{{{name}}}}, it is {{{{{name}}}}}."));
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_value_that_the_data_leaves_empty_gets_a_guard() {
    let program = "from places import find\n\n\ndef place(book):\n    if book[\"title\"] == \"\":\n        return {\"shelf\": None, \"isbn\": book[\"isbn\"]}\n    shelf = book[\"shelf\"]\n    where = find(shelf)\n    return {\"shelf\": where, \"isbn\": book[\"isbn\"]}\n";
    let places = "def find(name):\n    return int(name)\n";
    let code = snapshot(&[("a.py", program), ("places.py", places), ("data/books.json", BOOKS)]);
    let message = "int() argument must be a string, a bytes-like object or a real number";
    let frames = vec![frame("places.py", 2, "find"), frame("a.py", 8, "place")];
    let hint = || exception("TypeError", message, frames.clone());
    let guard = "if shelf is None: return {\"shelf\": None, \"isbn\": book[\"isbn\"]}";
    let guarded = rank(&code, hint(), guard).await.unwrap();
    let other = rank(&code, hint(), "where = find(book)").await.unwrap();
    assert!(guarded < other, "{guarded} {other}");
}

#[tokio::test]
async fn a_function_whose_result_fails_further_on_is_looked_at() {
    let program = "from shown import text\n\n\ndef share(total, n):\n    return (total + n - 1) / n\n\n\ndef bill(total, n):\n    part = share(total, n)\n    whole = part * 2\n    return text(whole)\n";
    let shown = "def text(value):\n    return f\"{value:d}\"\n";
    let code = snapshot(&[("a.py", program), ("shown.py", shown)]);
    let message = "Unknown format code 'd' for object of type 'float'";
    let frames = vec![frame("shown.py", 2, "text"), frame("a.py", 11, "bill")];
    let hint = exception("ValueError", message, frames);
    let found = rank(&code, hint, "return (total + n - 1) // n").await;
    assert!(found.is_some_and(|rank| rank < 60), "{found:?}");
}
