//! `search_code`.

use serde_json::json;
use staso_core::agent::tools::SearchCode;
use staso_core::testing::MemorySandbox;

use super::{Bench, PROJECT, path};

#[tokio::test]
async fn matches_are_sorted_by_path_and_counted() {
    let bench = Bench::new(&PROJECT).await;
    insta::assert_snapshot!(bench.text(&SearchCode, json!({"pattern": r"\btotal\b"})).await, @"");
    let arguments = json!({"pattern": "def ", "path": "src/orders", "context": 1, "glob": "*.py"});
    insta::assert_snapshot!(bench.text(&SearchCode, arguments).await, @"");
    let arguments = json!({"pattern": "(?i)TOTAL", "max": 2, "context": 0, "path": "src/orders/total.py"});
    insta::assert_snapshot!(bench.text(&SearchCode, arguments).await, @"");
    insta::assert_snapshot!(bench.text(&SearchCode, json!({"pattern": "nowhere"})).await, @"");
}

#[tokio::test]
async fn what_commands_wrote_is_found_unless_gitignore_names_it() {
    let bench = Bench::new(&PROJECT).await;
    assert!(bench.text(&SearchCode, json!({"pattern": "fresh"})).await.starts_with("no match"));
    for name in ["new.log", "build/x.py", "new.py", ".staso/out/1.txt"] {
        bench.session.write_file(&path(name), b"fresh\n", false, &bench.ctx).await.unwrap();
    }
    bench.session.write_file(&path("README.md"), b"fresh too\n", false, &bench.ctx).await.unwrap();
    insta::assert_snapshot!(bench.text(&SearchCode, json!({"pattern": "fresh"})).await, @"");
}

#[tokio::test]
async fn what_is_not_searched_is_said() {
    let mut files = super::session_files(&PROJECT);
    files.insert(path("data/large.json"), vec![b'x'; (1 << 20) + 1]);
    files.insert(path("data/image.bin"), b"x\0total\n".to_vec());
    let bench = Bench::over(MemorySandbox::new(files)).await;
    insta::assert_snapshot!(bench.text(&SearchCode, json!({"pattern": "x", "path": "data"})).await, @"");
}

#[tokio::test]
async fn patterns_and_places_that_cannot_be_used_are_explained() {
    let bench = Bench::new(&PROJECT).await;
    insta::assert_snapshot!(bench.problem_text(&SearchCode, json!({"pattern": "order["})).await, @"");
    insta::assert_snapshot!(bench.problem_text(&SearchCode, json!({"pattern": r"\w{1000}{1000}"})).await, @"");
    insta::assert_snapshot!(bench.problem_text(&SearchCode, json!({"pattern": ""})).await, @"");
    let arguments = json!({"pattern": "x", "path": "src/orders/totl.py"});
    insta::assert_snapshot!(bench.problem_text(&SearchCode, arguments).await, @"");
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
    assert!(text.starts_with("90 matches in 1 file:\n"), "{text}");
    assert!(text.ends_with("[… the rest does not fit: give a path, a glob or a smaller context]"));
    assert!(text.contains("needle"), "the match itself is shown");
}
