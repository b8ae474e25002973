//! What the programs say of files that are no traces: position and reason on standard error, exit code 2.

use std::path::Path;

use crate::heal_process::{Ended, diagnose, heal};
use crate::heal_project::{Failing, Project};

const SPAN: &str = "{\"span_id\": \"0000000000000001\", \"name\": \"a\", \"kind\": \"agent\", \"timestamp\": \"2026-04-08T09:00:00Z\"}";

/// Name, content, and words that must stand in the complaint.
fn malformed() -> Vec<(&'static str, Vec<u8>, Vec<&'static str>)> {
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("truncated.json", text("{\"traces\": [\n  {\"trace_id\": \""), vec!["line 2, column 16"]),
        (
            "type.json",
            text("{\"traces\": [{\"trace_id\": 7, \"spans\": []}]}"),
            vec!["traces[0].trace_id", "line 1"],
        ),
        (
            "time.json",
            text(&format!(
                "{{\"traces\": [{{\"trace_id\": \"{}\",\n\"spans\": [{}]}}]}}",
                "ab".repeat(16),
                SPAN.replace("2026-04-08T09:00:00Z", "yesterday")
            )),
            vec!["traces[0].spans[0].timestamp", "yesterday", "line 2"],
        ),
        (
            "otlp.json",
            text("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [{\"traceId\": \"xyz\"}]}]}]}"),
            vec!["resourceSpans[0].scopeSpans[0].spans[0].traceId", "xyz"],
        ),
        ("otlp-cut.json", text("{\"resourceSpans\": [{\"scopeSpans\": ["), vec!["line 1, column 35"]),
        ("other.json", text("{\"hello\": \"world\"}"), vec!["line 1, column 1", "OTLP JSON"]),
        ("list.json", text("[1, 2]"), vec!["line 1"]),
        ("empty.json", Vec::new(), vec!["there are no traces in it"]),
        ("blank.json", text(" \n \n"), vec!["there are no traces in it"]),
        ("none.json", text("{\"traces\": []}"), vec!["no traces"]),
        ("binary.json", vec![0x7f, b'E', b'L', b'F', 0, 0xff, 0xfe], vec!["line 1, column 1"]),
        ("escape.json", text("{\"traces\": \"\\u001b[31mred\u{202e}\"}"), vec!["line 1"]),
    ]
}

fn assert_complaint(ended: &Ended, name: &str, words: &[&str]) {
    assert_eq!(ended.code, Some(2), "{name}: {}", ended.stderr);
    assert_eq!(ended.stderr.trim_end().lines().count(), 1, "{name}: one line: {}", ended.stderr);
    assert!(ended.stderr.contains(name), "{}", ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "{name}: {word:?} is not in {}", ended.stderr);
    }
    assert!(
        !ended.stderr.trim_end().contains(|c: char| c.is_control() || c == '\u{202e}'),
        "{:?}",
        ended.stderr
    );
}

fn path_text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_malformed_file_is_refused_with_its_position() {
    let directory = tempfile::tempdir().unwrap();
    let data = path_text(&directory.path().join("data"));
    for (name, content, words) in malformed() {
        let file = directory.path().join(name);
        std::fs::write(&file, content).unwrap();
        let file = path_text(&file);
        assert_complaint(&heal(&["--trace", &file, "--data", &data, "--json"]).await, name, &words);
        assert_complaint(&diagnose(&[&file, "--json"]).await, name, &words);
    }
}

#[tokio::test]
async fn what_is_no_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let data = path_text(&directory.path().join("data"));
    let missing = path_text(&directory.path().join("missing.json"));
    for (file, words) in [(&missing, "No such file"), (&path_text(directory.path()), "directory")] {
        assert_complaint(&heal(&["--trace", file, "--data", &data]).await, file, &[words]);
        assert_complaint(&diagnose(&[file]).await, file, &[words]);
    }
    for wrong in [
        vec!["--trace"],
        vec!["--scenario", "nope"],
        vec!["--until", "never", "--trace", "x"],
        vec!["--what"],
    ] {
        let ended = heal(&wrong).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{wrong:?}: {}", ended.stderr);
        assert!(!ended.stderr.is_empty());
    }
}

#[tokio::test]
async fn diagnose_goes_on_with_the_other_files() {
    let project = Project::shop().await;
    let good = project.directory().join("good.json");
    std::fs::write(&good, project.trace(&Failing::shop()).await).unwrap();
    let bad = project.directory().join("bad.json");
    std::fs::write(&bad, "{").unwrap();
    let (good, bad) = (path_text(&good), path_text(&bad));
    let ended = diagnose(&[&bad, &good, &bad, &good, "--json"]).await;
    assert_eq!(ended.code, Some(2));
    assert_eq!(ended.stderr.lines().count(), 2, "{}", ended.stderr);
    let artifacts = ended.artifacts();
    assert_eq!(artifacts.len(), 2);
    assert!(
        artifacts.iter().all(|artifact| artifact
            .diagnosis
            .as_ref()
            .unwrap()
            .summary
            .as_str()
            .contains("prise"))
    );
    assert_eq!(artifacts[0].diagnosis, artifacts[1].diagnosis);
    let ended = diagnose(&[&good]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert!(ended.stdout.contains("prise"), "{}", ended.stdout);
}
