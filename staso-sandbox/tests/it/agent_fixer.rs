//! The agent that mends code, in real sessions, with a scripted model.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use staso_core::code::{CodeSnapshot, ListedFile, RepoPath, SourceFile};
use staso_core::conformance::fixer::diagnosis_with;
use staso_core::fix::{AgentFixer, FixRequest, Fixer as _};
use staso_core::testing::{ScriptedModel, memory_blob, memory_commit, test_context};
use staso_core::vcs::Checkout;
use staso_core::verify::{Reproduction, TestRunner as _};
use staso_sandbox::{DetectedTests, LocalSandbox};

const FILES: [(&str, &str); 3] = [
    ("orders.py", "def total(order):\n    return order['old']\n"),
    (
        "test_orders.py",
        "import unittest\nfrom orders import total\n\n\nclass Orders(unittest.TestCase):\n    def test_total(self):\n        self.assertEqual(total({'new': 1}), 1)\n",
    ),
    ("setting.txt", "a\r\nb\r\n"),
];

/// The project on disk, and what is known of it; the last file was not read.
fn project(root: &Path) -> CodeSnapshot {
    let path = |name: &str| RepoPath::new(name).unwrap();
    let paths = FILES.iter().map(|(name, _)| path(name)).collect();
    let mut code = CodeSnapshot::new(memory_commit(1), paths, false);
    for (name, text) in FILES {
        fs::write(root.join(name), text).unwrap();
        let blob = memory_blob(text.as_bytes());
        code.list(path(name), ListedFile { blob: blob.clone(), executable: false });
        if name != "setting.txt" {
            code.insert(path(name), SourceFile { blob, text: text.into(), executable: false });
        }
    }
    code
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_mends_a_project_in_a_real_session() {
    let root = tempfile::tempdir().unwrap();
    let code = project(root.path());
    let submission = json!({
        "title": "Read the key that orders have", "explanation_md": "Orders hold `new`.", "fix_type": "code",
        "risk": "low", "tests_run": "all pass",
    });
    let command = "mkdir build && head -c 9 /dev/urandom > build/out && sed -i s/a/c/ setting.txt && ls -a";
    let model = ScriptedModel::new()
        .then_call("run_tests", &json!({}))
        .then_call("read_file", &json!({ "path": "orders.py" }))
        .then_call("edit_file", &json!({ "path": "orders.py", "old_str": "['old']", "new_str": "['new']" }))
        .then_call("run_tests", &json!({ "filter": "test_total" }))
        .then_call("bash", &json!({ "command": command }))
        .then_call("submit_fix", &submission)
        .then_call("submit_fix", &submission);
    let diagnosis = diagnosis_with(Vec::new());
    let checkout = Checkout::new(root.path().to_owned(), memory_commit(1), None);
    let command = DetectedTests::new().detect(&code).unwrap();
    let runner = DetectedTests::new();
    let request = FixRequest::new(&diagnosis, &code)
        .with_checkout(Some(&checkout), Some((&runner, &command)))
        .with_reproduction(Some(&Reproduction::Tests));
    let fixer = AgentFixer::new(Arc::new(model.clone()), Arc::new(LocalSandbox::new()));
    let candidates = fixer.propose(&request, &test_context()).await.unwrap();
    let said: Vec<String> =
        model.requests().last().unwrap().results().iter().map(|result| result.content.clone()).collect();
    assert!(said.first().unwrap().contains("\"failing\":[\"test_orders.Orders.test_total\"]"), "{said:#?}");
    assert!(said.get(3).unwrap().contains("\"ok\":true"), "{said:#?}");
    assert!(said.get(5).unwrap().contains("write_file did not make them (1): build/out"), "{said:#?}");
    let candidate = candidates.first().unwrap();
    assert_eq!(candidate.patch.paths(), ["orders.py", "setting.txt"]);
    let afters: Vec<&str> = candidate.patch.files().map(|(_, file)| file.after()).collect();
    assert_eq!(afters, ["def total(order):\n    return order['new']\n", "c\r\nb\r\n"]);
    assert_eq!(fs::read_to_string(root.path().join("orders.py")).unwrap(), FILES[0].1, "the checkout stays");
}
