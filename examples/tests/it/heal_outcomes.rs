//! What bad input gets: each case its own outcome, with a sentence that says what to do.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};
use staso_core::heal::{SandboxSwitch, StoppingPoint};
use staso_core::run::OutcomeState::{Completed, Failed, FixRejected, NoCodeFix, NotReproduced};
use staso_core::trace::RepositoryUrl;
use staso_examples::show::conclusion;
use staso_examples::terminal::Look;

use crate::heal_project::{Ask, Failing, Project, SHOP, SHOP_TESTS, assert_outcome, trace};

/// The trace of the shop with one fact of its revision changed; `null` leaves it out.
async fn shop_trace(project: &Project, key: &str, value: Value) -> String {
    let mut revision = project.revision().await;
    if value.is_null() {
        revision.as_object_mut().unwrap().remove(key);
    } else {
        revision[key] = value;
    }
    trace(&revision, &Failing::shop(), SHOP)
}

#[tokio::test]
async fn a_good_trace_of_a_good_repository_is_healed() {
    let project = Project::shop().await;
    let trace = project.trace(&Failing::shop()).await;
    let ended = project.heal(&trace, Ask::default()).await;
    assert_outcome(&ended, Completed, "fix_published", &["fix/staso-", "was created"]);
    assert_eq!(project.fixes().await.len(), 1);
    assert!(ended.artifact.fix.unwrap().diff.contains("+    return order[\"price\"] * order[\"count\"]"));
}

#[tokio::test]
async fn with_sandboxes_off_the_cause_is_named_and_no_code_is_written() {
    let project = Project::shop().await;
    let trace = project.trace(&Failing::shop()).await;
    let off = SandboxSwitch::off().with_place("the settings of this workspace");
    for until in [StoppingPoint::Propose, StoppingPoint::Publish] {
        let mut ask = Ask { until, ..Ask::default() };
        ask.policy = ask.policy.with_sandboxes(off.clone());
        let ended = project.heal(&trace, ask).await;
        let words = ["switched off", "switch them on in the settings of this workspace"];
        assert_outcome(&ended, FixRejected, "sandbox_disabled", &words);
        let shown = conclusion(&ended.artifact, Path::new("run.json"), Look::plain());
        let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(shown.contains(words[1]) && shown.contains("sandboxes are off; nothing was run"), "{shown}");
        assert!(ended.artifact.fix.is_none() && ended.artifact.isolation.is_none());
        let diagnosis = ended.artifact.diagnosis.unwrap();
        assert!(diagnosis.summary.as_str().contains("prise"), "rules answer: {}", diagnosis.summary);
    }
}

#[tokio::test]
async fn a_commit_that_is_not_there_is_named() {
    let project = Project::shop().await;
    let commit = "12".repeat(20);
    let trace = shop_trace(&project, "vcs.commit.sha", json!(commit)).await;
    let ended = project.heal(&trace, Ask::default()).await;
    assert_outcome(&ended, Failed, "unknown_commit", &[&commit, "push it, or fetch it"]);
    assert!(ended.artifact.diagnosis.is_some(), "what the trace alone says is kept");
}

#[tokio::test]
async fn a_trace_without_a_commit_says_how_to_record_one() {
    let project = Project::shop().await;
    for commit in [Value::Null, json!("abc1234"), json!("--upload-pack=x")] {
        let trace = shop_trace(&project, "vcs.commit.sha", commit).await;
        let ended = project.heal(&trace, Ask::default()).await;
        assert_outcome(&ended, Failed, "no_commit", &["names no commit", "staso::init!()"]);
    }
}

#[tokio::test]
async fn without_a_repository_the_run_says_so() {
    let project = Project::shop().await;
    let trace = shop_trace(&project, "vcs.repo_url", Value::Null).await;
    let ended = project.heal(&trace, Ask::default()).await;
    assert_outcome(&ended, Failed, "no_repository", &["repository"]);
}

#[tokio::test]
async fn a_directory_without_git_is_no_repository() {
    let project = Project::shop().await;
    let plain = project.directory().join("plain");
    std::fs::create_dir(&plain).unwrap();
    std::fs::write(plain.join("shop.py"), SHOP).unwrap();
    let trace = project.trace(&Failing::shop()).await;
    let ended = project.heal(&trace, Ask::at(staso::heal::repository_url(&plain).unwrap())).await;
    assert_outcome(&ended, Failed, "no_repository", &["plain", "not a git repository"]);
    let gone = shop_trace(&project, "vcs.repo_url", json!("file:///nowhere/at/all")).await;
    let ended = project.heal(&gone, Ask::default()).await;
    assert_outcome(&ended, Failed, "no_repository", &["file:///nowhere/at/all", "check the path"]);
}

#[tokio::test]
async fn an_address_on_the_network_needs_to_be_served() {
    let project = Project::shop().await;
    let trace = shop_trace(&project, "vcs.repo_url", json!("https://example.invalid/acme/shop")).await;
    let ended = project.heal(&trace, Ask::default()).await;
    assert_outcome(&ended, Failed, "repository_not_supported", &["example.invalid", "configure"]);
}

#[tokio::test]
async fn an_address_that_nobody_answers_is_unreachable() {
    let project = Project::shop().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let address: RepositoryUrl = format!("http://127.0.0.1:{port}/acme/shop").parse().unwrap();
    let trace = shop_trace(&project, "vcs.repo_url", json!(address.to_string())).await;
    let ended = project.heal(&trace, Ask::at(address)).await;
    assert_outcome(
        &ended,
        Failed,
        "repository_unreachable",
        &["127.0.0.1", "cannot be reached", "local clone"],
    );
}

#[tokio::test]
async fn a_repository_without_commits_is_empty() {
    let project = Project::without_commit().await;
    let revision = json!({"vcs.repo_url": project.url().to_string(), "vcs.commit.sha": "34".repeat(20)});
    let ended = project.heal(&trace(&revision, &Failing::shop(), SHOP), Ask::default()).await;
    assert_outcome(&ended, Failed, "empty_repository", &["no commits yet"]);
}

#[tokio::test]
async fn changes_that_are_in_no_commit_are_the_reason() {
    let project = Project::shop().await;
    project.write("shop.py", &SHOP.replace("prise", "price"));
    project.commit("Repair").await;
    let trace = shop_trace(&project, "vcs.is_dirty", json!(true)).await;
    let ended = project.heal(&trace, Ask::default()).await;
    assert_outcome(&ended, NotReproduced, "dirty_revision", &["commit the changes and record a new run"]);
}

#[tokio::test]
async fn a_language_without_a_fixer_is_named() {
    let shop = "function total(order) {\n  return order.price.amount * order.count;\n}\nmodule.exports = { total };\n";
    let package = "{\"name\": \"shop\", \"scripts\": {\"test\": \"node test.js\"}}\n";
    let project = Project::new(&[("shop.js", shop), ("package.json", package)]).await;
    let failing = Failing {
        file: "shop.js",
        function: "total",
        raised_at: "order.price.amount",
        exception: "TypeError",
        message: "Cannot read properties of undefined (reading 'amount')",
        arguments: json!({"order": {"count": 2}}),
    };
    let stack = "TypeError: Cannot read properties of undefined (reading 'amount')\n    at total (/srv/app/shop.js:2:22)\n    at answer (/srv/app/agent.js:9:10)\n";
    let mut sent: Value = serde_json::from_str(&project.trace(&failing).await).unwrap();
    for span in sent["traces"][0]["spans"].as_array_mut().unwrap() {
        let mut attributes: Value = serde_json::from_str(span["attributes"].as_str().unwrap()).unwrap();
        attributes["exception.stacktrace"] = json!(stack);
        span["attributes"] = json!(attributes.to_string());
    }
    let ended = project.heal(&sent.to_string(), Ask::default()).await;
    assert_outcome(&ended, FixRejected, "unsupported_language", &["shop.js"]);
}

#[tokio::test]
async fn without_tests_a_change_is_only_a_suggestion() {
    let project = Project::new(&[("shop.py", SHOP)]).await;
    let trace = project.trace(&Failing::shop()).await;
    let ended = project.heal(&trace, Ask::default()).await;
    assert_outcome(&ended, FixRejected, "no_test_command", &["name a test command"]);
    assert!(ended.artifact.fix.is_some() && !ended.artifact.verification.unwrap().verified);
}

#[tokio::test]
async fn a_test_command_that_does_not_exist_is_named() {
    let project = Project::shop().await;
    let trace = project.trace(&Failing::shop()).await;
    let ended = project.heal(&trace, Ask::testing_with("no-such-program --all")).await;
    assert_outcome(&ended, FixRejected, "test_command_not_found", &["no-such-program --all", "127"]);
}

#[tokio::test]
async fn tests_that_keep_failing_leave_a_suggestion() {
    let failing_test = SHOP_TESTS.replace("shipping(100), 490", "shipping(100), 491");
    let project = Project::new(&[("shop.py", SHOP), ("test_shop.py", &failing_test)]).await;
    let trace = project.trace(&Failing::shop()).await;
    let ended = project.heal(&trace, Ask::default()).await;
    assert_outcome(
        &ended,
        FixRejected,
        "tests_already_fail",
        &["still do", "name a test command that passes"],
    );
    assert!(ended.artifact.fix.is_some() && !ended.artifact.verification.unwrap().verified);

    let passing = "python3 -m unittest test_shop.Shipping.test_is_free_for_large_orders";
    let ended = project.heal(&trace, Ask::testing_with(passing)).await;
    assert_outcome(&ended, Completed, "fix_published", &["was created"]);
}

#[tokio::test]
async fn tests_that_fail_and_name_no_cases_prove_nothing() {
    let project = Project::shop().await;
    let trace = project.trace(&Failing::shop()).await;
    let ended = project.heal(&trace, Ask::testing_with("echo broken; exit 1")).await;
    assert_outcome(&ended, FixRejected, "tests_already_fail", &["echo broken", "already fail"]);
}

#[tokio::test]
async fn tests_that_fail_while_the_failure_does_not_happen_are_no_proof() {
    let failing_test = SHOP_TESTS.replace("shipping(100), 490", "shipping(100), 491");
    let healthy = SHOP.replace("prise", "price");
    let project = Project::new(&[("shop.py", &healthy), ("test_shop.py", &failing_test)]).await;
    let trace = shop_trace(&project, "vcs.branch", json!("main")).await;
    let ended = project.heal(&trace, Ask::default()).await;
    assert_outcome(&ended, NotReproduced, "tests_already_fail", &["already fail", "for another reason"]);
}

#[tokio::test]
async fn tests_that_never_end_are_stopped() {
    let endless = SHOP_TESTS.replace("self.assertEqual(shipping(5000), 0)", "while True: pass");
    let project = Project::new(&[("shop.py", SHOP), ("test_shop.py", &endless)]).await;
    let trace = project.trace(&Failing::shop()).await;
    let ended = project.heal(&trace, Ask::default()).await;
    assert_outcome(
        &ended,
        FixRejected,
        "tests_never_end",
        &["did not end within 3000 ms", "raise the time limit"],
    );
}

#[tokio::test]
async fn a_failing_test_alone_reproduces_when_the_host_names_it() {
    let solution = "def mean(numbers):\n    return sum(numbers) / (len(numbers) + 1)\n";
    let script = "from solution import mean\n\n\ndef check():\n    assert mean([1, 2, 3]) == 2\n    assert mean([4]) == 4\n\n\ncheck()\n";
    let project = Project::new(&[("solution.py", solution), ("check.py", script)]).await;
    let failing = Failing {
        file: "check.py",
        function: "check",
        raised_at: "assert mean([1, 2, 3]) == 2",
        exception: "AssertionError",
        message: "",
        arguments: json!({}),
    };
    let trace = project.trace(&failing).await;
    let ended = project.heal(&trace, Ask::testing_with("python3 check.py")).await;
    assert_outcome(&ended, Completed, "fix_published", &["was created"]);
    let fix = ended.artifact.fix.unwrap();
    assert_eq!(fix.files, ["solution.py"], "{}", fix.diff);
}

#[tokio::test]
async fn a_repository_that_may_not_be_written_says_how_to_change_that() {
    let project = Project::shop().await;
    let trace = project.trace(&Failing::shop()).await;
    let git = project.repository().join(".git");
    let writable = |yes: bool| {
        for part in ["refs/heads", "refs", "objects", ""] {
            let mode = if yes { 0o755 } else { 0o555 };
            std::fs::set_permissions(git.join(part), std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    writable(false);
    let refused = std::fs::write(git.join("refs/heads/probe"), "").is_err();
    if refused {
        let ended = project.heal(&trace, Ask::default()).await;
        assert_outcome(&ended, Failed, "permission_denied", &["no permission"]);
    } else {
        std::fs::remove_file(git.join("refs/heads/probe")).unwrap();
    }
    let reading = Ask { until: StoppingPoint::Verify, ..Ask::default() };
    let ended = project.heal(&trace, reading).await;
    writable(true);
    assert_outcome(&ended, Completed, "verified_fix", &["nothing was published"]);
}

#[tokio::test]
async fn a_branch_that_moved_on_and_is_still_broken_gets_a_fix_on_its_tip() {
    let project = Project::shop().await;
    let trace = project.trace(&Failing::shop()).await;
    project.write("shop.py", &format!("\"\"\"A shop.\"\"\"\n\n{SHOP}"));
    let tip = project.commit("Describe the shop").await;
    let ended = project.heal(&trace, Ask::default()).await;
    assert_outcome(&ended, Completed, "fix_published", &["was created"]);
    let branch = &project.fixes().await[0];
    assert_eq!(project.git(&["rev-parse", &format!("{branch}~1")]).await, tip);
    let checks = ended.artifact.verification.unwrap().checks;
    let at_tip = |patched: bool| {
        checks.iter().any(|check| {
            check.patched == patched
                && check.ok == Some(true)
                && check.at == staso_core::run::CheckSubject::BaseTip
        })
    };
    assert!(at_tip(false) && at_tip(true), "{checks:?}");
}

#[tokio::test]
async fn a_branch_that_was_fixed_since_gets_none() {
    let project = Project::shop().await;
    let trace = project.trace(&Failing::shop()).await;
    project.write(
        "shop.py",
        &format!("{}\nOPEN = True\n", SHOP.replace("order[\"prise\"]", "order.get(\"price\", 0)")),
    );
    let tip = project.commit("Repair").await;
    let ended = project.heal(&trace, Ask::default()).await;
    assert_outcome(&ended, NoCodeFix, "already_fixed", &[&tip, "main"]);
}

#[tokio::test]
async fn a_branch_where_the_same_line_changed_is_a_conflict() {
    let project = Project::shop().await;
    let trace = project.trace(&Failing::shop()).await;
    project.write("shop.py", &SHOP.replace("order[\"prise\"] *", "2 * order[\"prise\"] *"));
    project.commit("Double").await;
    let ended = project.heal(&trace, Ask::default()).await;
    assert_outcome(&ended, FixRejected, "base_conflict", &["shop.py", "main"]);
}

#[tokio::test]
async fn a_fix_that_does_not_hold_at_the_tip_is_refused() {
    let project = Project::shop().await;
    let trace = project.trace(&Failing::shop()).await;
    let strict = SHOP_TESTS.replace(
        "self.assertEqual(shipping(100), 490)",
        "self.assertNotIn('order[\"price\"]', open('shop.py').read())",
    );
    project.write("test_shop.py", &strict);
    let tip = project.commit("Forbid").await;
    let ended = project.heal(&trace, Ask::default()).await;
    assert_outcome(&ended, FixRejected, "fails_at_base_tip", &[&tip, "main"]);
}

#[tokio::test]
async fn a_branch_that_is_gone_falls_back_to_the_default_one() {
    let project = Project::shop().await;
    let trace = shop_trace(&project, "vcs.branch", json!("feature/gone")).await;
    let ended = project.heal(&trace, Ask::default()).await;
    assert_outcome(&ended, Completed, "fix_published", &["for main"]);
    let notes = ended.artifact.source.notes.join("\n");
    assert!(notes.contains("feature/gone is gone"), "{notes}");
}

#[tokio::test]
async fn earlier_stopping_points_run_and_write_nothing() {
    let project = Project::shop().await;
    let trace = project.trace(&Failing::shop()).await;
    for (until, code) in [
        (StoppingPoint::Diagnose, "diagnosed"),
        (StoppingPoint::Propose, "fix_proposed"),
        (StoppingPoint::Verify, "verified_fix"),
    ] {
        let ended = project.heal(&trace, Ask { until, ..Ask::default() }).await;
        assert_outcome(&ended, Completed, code, &[]);
        assert_eq!(ended.artifact.isolation.is_some(), until == StoppingPoint::Verify);
    }
}
