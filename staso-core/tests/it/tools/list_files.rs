//! `list_files`.

use serde_json::json;
use staso_core::agent::tools::ListFiles;

use super::{Bench, PROJECT, path};

#[tokio::test]
async fn directories_come_first_with_their_files_counted() {
    let bench = Bench::new(&PROJECT).await;
    insta::assert_snapshot!(bench.text(&ListFiles, json!({})).await, @"
    src/  (3 files)
    tests/  (1 file)
    .gitignore  (13 bytes)
    README.md  (9 bytes)
    [that is all]
    ");
    insta::assert_snapshot!(bench.text(&ListFiles, json!({"path": "src/", "max": 1})).await, @"
    orders/  (2 files)
    [… 1 more: give a path or a glob]
    ");
    insta::assert_snapshot!(bench.text(&ListFiles, json!({"glob": "*total*"})).await, @"
    src/orders/total.py  (82 bytes)
    tests/test_total.py  (31 bytes)
    [that is all]
    ");
    insta::assert_snapshot!(bench.text(&ListFiles, json!({"path": "src", "glob": "orders/*.py"})).await, @"
    src/orders/refund.py  (71 bytes)
    src/orders/total.py  (82 bytes)
    [that is all]
    ");
}

#[tokio::test]
async fn what_commands_made_and_gitignore_names_is_left_out() {
    let mut files = PROJECT.to_vec();
    files.push(("committed.log", ""));
    let bench = Bench::new(&files).await;
    for name in ["new.log", "build/x.py", "new.py", ".staso/out/1.txt"] {
        bench.session.write_file(&path(name), b"x", false, &bench.ctx).await.unwrap();
    }
    let text = bench.text(&ListFiles, json!({})).await;
    assert!(text.contains("committed.log") && text.contains("new.py"), "{text}");
    assert!(!text.contains("new.log") && !text.contains("build") && !text.contains(".staso"), "{text}");
}

#[tokio::test]
async fn places_that_are_no_directory_are_explained() {
    let bench = Bench::new(&PROJECT).await;
    insta::assert_snapshot!(bench.problem_text(&ListFiles, json!({"path": "src/order"})).await, @r#"
    "no_match"
    no directory src/order with files in it
    the nearest paths are: src/orders
    "#);
    insta::assert_snapshot!(bench.problem_text(&ListFiles, json!({"path": "README.md"})).await, @r#"
    "bad_args"
    README.md is no directory
    read it with read_file
    "#);
    insta::assert_snapshot!(bench.problem_text(&ListFiles, json!({"glob": "a{b"})).await, @r#"
    "bad_args"
    the glob cannot be used: error parsing glob 'a{b': unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)
    write e.g. *.py or src/**/*.{ts,tsx}
    "#);
    assert_eq!(bench.text(&ListFiles, json!({"glob": "*.rs"})).await, "[no files]");
}

#[tokio::test]
async fn long_lists_end_within_the_bounds() {
    let names: Vec<String> = (0..900).map(|at| format!("{}/{at:03}.py", "d".repeat(60))).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let bench = Bench::new(&files).await;
    let text = bench.text(&ListFiles, json!({"glob": "*.py"})).await;
    assert!(text.ends_with("[… 703 more: give a path or a glob]"), "{}", text.lines().last().unwrap());
    assert!(text.len() <= 16_000);
}
