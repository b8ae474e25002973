//! Traces and repositories that mean harm, or merely look odd.

use std::net::TcpListener;

use serde_json::{Value, json};
use staso_core::run::OutcomeState::Completed;
use staso_examples::show::conclusion;
use staso_examples::terminal::Look;

use crate::heal_project::{Ask, Ended, Failing, Project, SHOP, SHOP_TESTS, assert_outcome, trace};

/// Moves the cursor, colours, reorders, hides.
const TRICKS: &str = "\u{1b}[2J\u{1b}]0;title\u{7}\u{202e}drowssap\u{200b}\r";

fn assert_plain(ended: &Ended) {
    let shown = conclusion(&ended.artifact, std::path::Path::new("run.json"), Look::plain());
    for text in [&ended.screen, &shown] {
        let odd =
            text.chars().find(|c| (c.is_control() && *c != '\n') || ['\u{202e}', '\u{200b}'].contains(c));
        assert_eq!(odd, None, "{text:?}");
    }
    let body = ended.artifact.proposal.as_ref().map_or("", |proposal| proposal.body.as_str());
    assert!(!body.contains(['\u{1b}', '\u{202e}', '\u{200b}']), "{body:?}");
}

#[tokio::test]
async fn texts_of_a_trace_move_no_cursor_and_reach_no_shell() {
    let project = Project::shop().await;
    let canary = project.directory().join("canary");
    let command = format!("$(touch {0}) `touch {0}`; touch {0} | touch {0} {TRICKS}", canary.display());
    let mut sent: Value = serde_json::from_str(&project.trace(&Failing::shop()).await).unwrap();
    for span in sent["traces"][0]["spans"].as_array_mut().unwrap() {
        span["name"] = json!(command);
        span["agent_name"] = json!(command);
        span["output"] = json!(command);
        span["error_message"] = json!(format!("'prise' {command}"));
    }
    let ended = project.heal(&sent.to_string(), Ask::default()).await;
    assert_plain(&ended);
    assert!(!canary.exists());
    assert!(ended.artifact.diagnosis.is_some());
}

#[tokio::test]
async fn a_branch_that_looks_like_an_option_is_no_branch() {
    let project = Project::shop().await;
    for branch in ["--upload-pack=x", "refs/heads/../../evil", "main;reboot", "a..b", "@{-1}"] {
        let mut revision = project.revision().await;
        revision["vcs.branch"] = json!(branch);
        let ended = project.heal(&trace(&revision, &Failing::shop(), SHOP), Ask::default()).await;
        assert_outcome(&ended, Completed, "fix_published", &["for main"]);
    }
    assert_eq!(project.fixes().await.len(), 1);
}

#[tokio::test]
async fn tests_of_a_repository_reach_nothing_outside() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let secret = tempfile::tempdir().unwrap();
    std::fs::write(secret.path().join("token"), "hunter2").unwrap();
    let attacks = format!(
        r#"
import os
import socket


class Attack(unittest.TestCase):
    def test_system(self):
        for place in ["/etc/staso-canary", "/usr/staso-canary", "{outside}/written"]:
            with self.assertRaises(OSError, msg=place):
                open(place, "w")

    def test_secrets(self):
        with self.assertRaises(OSError):
            open("{outside}/token")
        for name in ["/root", "/home"]:
            self.assertFalse(os.path.exists(name), name)
        self.assertNotIn("hunter2", str(os.environ))
        self.assertNotIn("STASO_API_KEY", os.environ)

    def test_network(self):
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", {port}), 1)
        with self.assertRaises(OSError):
            socket.create_connection(("192.0.2.1", 80), 1)

    def test_repository(self):
        self.assertFalse(os.path.exists("{outside}"))
        self.assertFalse(os.path.exists("{repository}"))
        with self.assertRaises(OSError):
            open(".git/config", "w")


class Shipping"#,
        outside = secret.path().display(),
        port = listener.local_addr().unwrap().port(),
        repository = "/nowhere",
    );
    let tests = SHOP_TESTS.replace("\nclass Shipping", &attacks);
    let project = Project::new(&[("shop.py", SHOP), ("test_shop.py", &tests)]).await;
    let trace = project.trace(&Failing::shop()).await;
    let ended = project.heal(&trace, Ask::default()).await;
    assert_outcome(&ended, Completed, "fix_published", &[]);
    let checks = ended.artifact.verification.unwrap().checks;
    let counts = checks.iter().find(|check| check.name == "tests").unwrap().counts.unwrap();
    assert_eq!((counts.passed, counts.failed), (6, 0), "{checks:?}");
    assert!(listener.accept().is_err(), "somebody called home");
    assert!(!std::path::Path::new("/etc/staso-canary").exists());
    assert_eq!(std::fs::read_dir(secret.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn odd_file_names_are_files_like_others() {
    let file = "mein laden/schöne preise.py";
    let project = Project::new(&[
        (file, SHOP),
        (
            "mein laden/test_shop.py",
            &SHOP_TESTS.replace(
                "from shop import shipping",
                "import importlib\n\nshipping = importlib.import_module(\"schöne preise\").shipping",
            ),
        ),
        ("new\nline.py", "x = 1\n"),
        ("-rf.py", "x = 1\n"),
        ("\"quoted\".txt", "x\n"),
        ("back\\slash.py", "x = 1\n"),
        (":(exclude)x", "x\n"),
    ])
    .await;
    let failing = Failing { file, ..Failing::shop() };
    let trace = project.trace(&failing).await;
    let ask = Ask::testing_with("cd 'mein laden' && python3 -m unittest -v test_shop");
    let ended = project.heal(&trace, ask).await;
    assert_outcome(&ended, Completed, "fix_published", &[]);
    assert_plain(&ended);
    let branch = &project.fixes().await[0];
    let changed = project.git(&["diff", "--name-only", "-z", "main", branch]).await;
    assert_eq!(changed.trim_end_matches('\0'), file);
}
