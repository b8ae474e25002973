//! `search_code`.

use serde_json::json;
use staso_core::agent::tools::SearchCode;
use staso_core::testing::MemorySandbox;

use super::{Bench, PROJECT, path};

#[tokio::test]
async fn matches_are_sorted_by_path_and_counted() {
    let bench = Bench::new(&PROJECT).await;
    insta::assert_snapshot!(bench.text(&SearchCode, json!({"pattern": r"\btotal\b"})).await, @"
    4 matches; 6 files searched:

    src/orders/refund.py
    1: from .total import total
    5:     return -total(order)

    src/orders/total.py
    1: def total(order):

    tests/test_total.py
    1: from orders.total import total
    ");
    let arguments = json!({"pattern": "def ", "path": "src/orders", "context": 1, "glob": "*.py"});
    insta::assert_snapshot!(bench.text(&SearchCode, arguments).await, @r#"
    3 matches; 2 files searched:

    src/orders/refund.py
    3-
    4: def refund(order):
    5-     return -total(order)

    src/orders/total.py
    1: def total(order):
    2-     return order["total_amount"]
    --
    4-
    5: def tax(order):
    6-     return 0
    "#);
    let arguments = json!({"pattern": "(?i)TOTAL", "max": 2, "context": 0, "path": "src/orders/total.py"});
    insta::assert_snapshot!(bench.text(&SearchCode, arguments).await, @r#"
    2 matches; 1 file searched:

    src/orders/total.py
    1: def total(order):
    2:     return order["total_amount"]
    "#);
    insta::assert_snapshot!(bench.text(&SearchCode, json!({"pattern": "nowhere"})).await, @"no match; 6 files searched");
}

#[tokio::test]
async fn what_commands_wrote_is_found_unless_gitignore_names_it() {
    let bench = Bench::new(&PROJECT).await;
    assert!(bench.text(&SearchCode, json!({"pattern": "fresh"})).await.starts_with("no match"));
    for name in ["new.log", "build/x.py", "new.py", ".staso/out/1.txt"] {
        bench.session.write_file(&path(name), b"fresh\n", false, &bench.ctx).await.unwrap();
    }
    bench.session.write_file(&path("README.md"), b"fresh too\n", false, &bench.ctx).await.unwrap();
    insta::assert_snapshot!(bench.text(&SearchCode, json!({"pattern": "fresh"})).await, @"
    2 matches; 7 files searched:

    README.md
    1: fresh too

    new.py
    1: fresh
    ");
}

#[tokio::test]
async fn what_is_not_searched_is_said() {
    let mut files = super::session_files(&PROJECT);
    files.insert(path("data/large.json"), vec![b'x'; (1 << 20) + 1]);
    files.insert(path("data/image.bin"), b"x\0total\n".to_vec());
    let bench = Bench::over(MemorySandbox::new(files)).await;
    insta::assert_snapshot!(bench.text(&SearchCode, json!({"pattern": "x", "path": "data"})).await, @"
    no match; 1 file searched
    [not searched: 1 too large, such as data/large.json; use grep through bash]
    ");
}

#[tokio::test]
async fn patterns_and_places_that_cannot_be_used_are_explained() {
    let bench = Bench::new(&PROJECT).await;
    insta::assert_snapshot!(bench.problem_text(&SearchCode, json!({"pattern": "order["})).await, @r#"
    "bad_args"
    the pattern cannot be used: regex parse error:
        (?:order[)
                ^
    error: unclosed character class
    patterns match within one line, in the syntax of Rust's regex crate: no look-around, no back-references; escape ( ) [ ] { } . * + ? ^ $ | with \ to find them literally
    "#);
    insta::assert_snapshot!(bench.problem_text(&SearchCode, json!({"pattern": r"\w{1000}{1000}"})).await, @r#"
    "bad_args"
    the pattern cannot be used: compiled regex exceeds size limit of 1048576
    patterns match within one line, in the syntax of Rust's regex crate: no look-around, no back-references; escape ( ) [ ] { } . * + ? ^ $ | with \ to find them literally
    "#);
    insta::assert_snapshot!(bench.problem_text(&SearchCode, json!({"pattern": ""})).await, @r#"
    "bad_args"
    the pattern is empty
    say what to look for
    "#);
    let arguments = json!({"pattern": "x", "path": "src/orders/totl.py"});
    insta::assert_snapshot!(bench.problem_text(&SearchCode, arguments).await, @r#"
    "no_match"
    no file or directory src/orders/totl.py
    the nearest paths are: src/orders/total.py
    "#);
    let problem = bench.problem(&SearchCode, json!({"pattern": "x".repeat(1_001)})).await;
    assert_eq!(problem.message, "the pattern is longer than 1,000 characters");
}

#[tokio::test]
async fn answers_stay_within_the_bounds() {
    let line = format!("{} needle {}\n", "a".repeat(3_000), "b".repeat(3_000));
    let content = line.repeat(90);
    let bench = Bench::new(&[("min.js", &content)]).await;
    let text = bench.text(&SearchCode, json!({"pattern": "needle", "max": 100})).await;
    assert!(text.len() <= 16_000, "{}", text.len());
    assert!(text.starts_with("90 matches; 1 file searched:\n"), "{text}");
    assert!(text.ends_with("[… the rest does not fit: give a path, a glob or a smaller context]"));
    assert!(text.contains("needle"), "the match itself is shown");
}
