//! Proposals: what is written, and what is left alone.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::Arc;

use staso_core::conformance::vcs::VcsFixture as _;
use staso_core::testing::test_context;
use staso_core::vcs::{
    Access, ChangeSet, FileEdit, NewContent, ProposalAction, ProposalState, RepositoryRef, VcsError,
    VcsProvider,
};

use crate::fixture::{GitFixture, branch, git, path, write};

fn new_file(at: &str, text: &str) -> FileEdit {
    let after = Some(NewContent { bytes: text.as_bytes().to_vec(), executable: false });
    FileEdit { path: path(at), before: None, after }
}

#[tokio::test]
async fn the_commit_carries_author_text_and_trailers() {
    let fixture = GitFixture::bare();
    let provider = fixture.provider();
    let mut changes =
        ChangeSet::new(fixture.tip.clone(), vec![new_file("a", "a\n")], "Fix\nthe tool", "Why.");
    changes.message = "Trace 123.\n\nStaso-Key: forged\u{1b}[31m\n".to_owned();
    let made = fixture.propose_change(&provider, "text", &changes).await.unwrap();
    let show =
        |format: &str| fixture.git(&["log", "-1", &format!("--format={format}"), made.branch.as_str()]);
    assert_eq!(show("%an <%ae> %cn %cI"), "Staso <noreply@staso.invalid> Staso 2026-01-01T00:00:00Z");
    assert_eq!(show("%s"), "Fix the tool");
    assert_eq!(show("%P"), fixture.tip.as_str());
    let key = show("%(trailers:key=Staso-Key,valueonly)");
    assert_eq!(key.len(), 64, "one key, and not the forged one: {key}");
    assert_eq!(show("%(trailers:key=Staso-Run,valueonly)"), "07070707-0707-0707-0707-070707070707");
    let record = fixture.git(&["cat-file", "blob", "refs/staso/proposals/staso-text-1"]);
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["body"], "Why.");
    assert_eq!(record["head"], made.head.as_str());
    assert_eq!(record["schema_version"], 1);
    fixture.assert_sound();
}

#[tokio::test]
async fn the_address_is_a_command_that_shows_the_branch() {
    let fixture = GitFixture::new();
    let made = fixture.propose(&fixture.provider(), "show", &[("app/tools.py", "fixed\n")]).await.unwrap();
    assert!(fixture.repository.to_string_lossy().contains(' '), "the path needs quoting");
    let output = Command::new("sh").args(["-c", &made.url]).output().unwrap();
    assert!(output.status.success(), "{}: {}", made.url, String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("+fixed"));
}

#[tokio::test]
async fn modes_deletions_and_empty_directories_are_as_git_has_them() {
    let fixture = GitFixture::bare();
    let blob =
        |at: &str| staso_core::id::BlobId::new(fixture.git(&["rev-parse", &format!("main:{at}")])).unwrap();
    let script = NewContent { bytes: b"#!/bin/sh\nexit\n".to_vec(), executable: true };
    let edits = vec![
        FileEdit {
            path: path("docs/a b/ünïcode.md"),
            before: Some(blob("docs/a b/ünïcode.md")),
            after: None,
        },
        FileEdit { path: path("run.sh"), before: Some(blob("run.sh")), after: Some(script) },
    ];
    let changes = ChangeSet::new(fixture.tip.clone(), edits, "t", "b");
    let made = fixture.propose_change(&fixture.provider(), "modes", &changes).await.unwrap();
    let tree = fixture.git(&["ls-tree", "-r", "--format=%(objectmode) %(path)", made.head.as_str()]);
    assert_eq!(tree, "100644 app/agent.py\n100644 app/tools.py\n100644 empty\n100755 run.sh");
    fixture.assert_sound();
}

#[tokio::test]
async fn a_retry_after_the_base_moved_still_finds_its_own() {
    let fixture = GitFixture::new();
    let provider = fixture.provider();
    let edits = [("app/tools.py", "fixed\n")];
    let made = fixture.propose(&provider, "moved", &edits).await.unwrap();
    write(&fixture.repository, "other.txt", b"unrelated\n");
    fixture.git(&["add", "-A"]);
    fixture.git(&["commit", "-qm", "unrelated"]);
    let again = fixture.propose(&provider, "moved", &edits).await.unwrap();
    assert_eq!((again.action, &again.branch), (ProposalAction::Reused, &made.branch));
    fixture.git(&["checkout", "-q", made.branch.as_str()]);
    write(&fixture.repository, "app/tools.py", b"fixed better\n");
    fixture.git(&["commit", "-qam", "review"]);
    let reviewed = fixture.propose(&provider, "moved", &edits).await.unwrap();
    assert_eq!((reviewed.action, &reviewed.branch), (ProposalAction::Reused, &made.branch));
    assert_ne!(reviewed.head, made.head, "the reviewer's commit stays on top");
    fixture.git(&["checkout", "-q", "main"]);
    fixture.git(&["merge", "-q", made.branch.as_str()]);
    let merged = fixture.propose(&provider, "moved", &edits).await.unwrap();
    assert_eq!(merged.state, ProposalState::Merged);
    fixture.git(&["branch", "-qd", made.branch.as_str()]);
    let status = provider.proposal_status(&fixture.reference(), &made.branch, &test_context()).await.unwrap();
    assert_eq!(status.state, ProposalState::Merged, "a merged branch may be removed");
}

#[tokio::test]
async fn a_lost_record_is_written_again() {
    let fixture = GitFixture::bare();
    let provider = fixture.provider();
    let edits = [("app/tools.py", "fixed\n")];
    let made = fixture.propose(&provider, "record", &edits).await.unwrap();
    fixture.git(&["update-ref", "-d", "refs/staso/proposals/staso-record-1"]);
    let again = fixture.propose(&provider, "record", &edits).await.unwrap();
    assert_eq!((again.action, &again.head), (ProposalAction::Reused, &made.head));
    provider.proposal_status(&fixture.reference(), &made.branch, &test_context()).await.unwrap();
}

#[tokio::test]
async fn a_run_that_died_before_its_branch_is_finished_by_the_next() {
    let fixture = GitFixture::bare();
    let provider = fixture.provider();
    let edits = [("app/tools.py", "fixed\n")];
    let made = fixture.propose(&provider, "died", &edits).await.unwrap();
    fixture.git(&["update-ref", "-d", &format!("refs/heads/{}", made.branch)]);
    let again = fixture.propose(&provider, "died", &edits).await.unwrap();
    assert_eq!((again.action, again.branch, again.head), (ProposalAction::Created, made.branch, made.head));
}

#[tokio::test]
async fn a_lock_that_a_dead_process_left_costs_a_number_only() {
    let fixture = GitFixture::bare();
    write(&fixture.repository, "refs/heads/fix/staso-lock-1.lock", b"");
    write(&fixture.repository, "refs/staso/proposals/staso-lock-2.lock", b"");
    let provider = fixture.provider();
    let made = fixture.propose(&provider, "lock", &[("app/tools.py", "fixed\n")]).await.unwrap();
    assert_eq!(made.branch, branch("fix/staso-lock-3"));
    let again = fixture.propose(&provider, "lock", &[("app/tools.py", "fixed\n")]).await.unwrap();
    assert_eq!((again.action, again.branch), (ProposalAction::Reused, made.branch));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_key_at_the_same_time_makes_one_branch() {
    let fixture = Arc::new(GitFixture::bare());
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let fixture = Arc::clone(&fixture);
            tokio::spawn(async move {
                fixture.propose(&fixture.provider(), "race", &[("app/tools.py", "fixed\n")]).await.unwrap()
            })
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        let made = task.await.unwrap();
        created += u32::from(made.action == ProposalAction::Created);
        assert_eq!(made.branch, branch("fix/staso-race-1"));
    }
    assert_eq!(created, 1);
    assert_eq!(fixture.git(&["for-each-ref", "--format=%(refname)", "refs/heads/fix"]).lines().count(), 1);
    fixture.assert_sound();
}

#[tokio::test]
async fn unusable_change_sets_are_refused() {
    let fixture = GitFixture::bare();
    let provider = fixture.provider();
    let change = |edits: Vec<FileEdit>, title: &str| ChangeSet::new(fixture.tip.clone(), edits, title, "b");
    let twice = change(vec![new_file("a", "1"), new_file("a", "2")], "t");
    let below = change(vec![new_file("a", "1"), new_file("a/b", "2")], "t");
    let neither = change(vec![FileEdit { path: path("a"), before: None, after: None }], "t");
    let untitled = change(vec![new_file("a", "1")], " \r\n\u{7}");
    for changes in [twice, below, neither, untitled] {
        let refused = fixture.propose_change(&provider, "bad", &changes).await;
        assert!(matches!(refused, Err(VcsError::InvalidChange { .. })), "{refused:?}");
    }
    let empty = fixture.propose_change(&provider, "bad", &change(Vec::new(), "t")).await;
    assert!(matches!(empty, Err(VcsError::NothingToPropose)), "{empty:?}");
    let many = (0..101).map(|n| new_file(&format!("f{n}"), "x")).collect();
    let mut long = change(vec![new_file("a", "1")], "t");
    long.body = "x".repeat((256 << 10) + 1);
    for changes in [change(many, "t"), long] {
        let refused = fixture.propose_change(&provider, "bad", &changes).await;
        assert!(matches!(refused, Err(VcsError::TooLarge { .. })), "{refused:?}");
    }
    assert_eq!(fixture.git(&["for-each-ref", "refs/heads/fix", "refs/staso"]), "");
}

#[tokio::test]
async fn what_cannot_be_written_is_known_before_the_work() {
    let fixture = GitFixture::bare();
    let provider = fixture.provider();
    let preflight = async |access| provider.preflight(&fixture.reference(), access, &test_context()).await;
    let archived = RepositoryRef { archived: true, ..fixture.reference() };
    let refused = provider.preflight(&archived, Access::Propose, &test_context()).await;
    assert!(matches!(refused, Err(VcsError::Archived { .. })), "{refused:?}");
    provider.preflight(&archived, Access::Read, &test_context()).await.unwrap();
    let refs = fixture.repository.join("refs");
    fs::set_permissions(&refs, fs::Permissions::from_mode(0o555)).unwrap();
    let refused = preflight(Access::Propose).await;
    preflight(Access::Read).await.unwrap();
    let proposed = fixture.propose(&provider, "denied", &[("app/tools.py", "fixed\n")]).await;
    fs::set_permissions(&refs, fs::Permissions::from_mode(0o755)).unwrap();
    for refused in [refused.err(), proposed.err()] {
        match refused {
            Some(VcsError::PermissionDenied { remedy, .. }) => {
                assert!(remedy.contains("writable"), "{remedy}");
            }
            other => panic!("{other:?}"),
        }
    }
    preflight(Access::Propose).await.unwrap();
    git(&fixture.repository, &["branch", "fix"]);
    match preflight(Access::Propose).await {
        Err(VcsError::PermissionDenied { remedy, .. }) => assert!(remedy.contains("`fix`"), "{remedy}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_foreign_branch_below_our_name_is_passed_over() {
    let fixture = GitFixture::bare();
    git(&fixture.repository, &["branch", "fix/staso-below-1/theirs"]);
    let made = fixture.propose(&fixture.provider(), "below", &[("app/tools.py", "fixed\n")]).await.unwrap();
    assert_eq!(made.branch, branch("fix/staso-below-2"));
}

#[tokio::test]
async fn root_reads_but_does_not_write_what_belongs_to_another_user() {
    let fixture = GitFixture::bare();
    let provider = fixture.provider();
    let is_root = std::os::unix::fs::chown(&fixture.repository, Some(12345), None).is_ok();
    let access = provider.preflight(&fixture.reference(), Access::Propose, &test_context()).await;
    provider.checkout(&fixture.reference(), &fixture.tip, &test_context()).await.unwrap();
    match access {
        Err(VcsError::PermissionDenied { remedy, .. }) => {
            assert!(is_root && remedy.contains("12345"), "{remedy}");
        }
        other => assert!(!is_root && other.is_ok(), "{other:?}"),
    }
}

#[tokio::test]
async fn case_41_a_credential_in_an_added_line_is_published_by_no_provider() {
    let mut fixture = GitFixture::bare();
    let secret = format!("KEY = \"ghp_{}\"\n", "a1B2".repeat(9));
    let (local, remote) = (fixture.provider(), fixture.remote());
    for provider in [&local as &dyn VcsProvider, &remote] {
        match fixture.propose(provider, "secret", &[("app/tools.py", &secret)]).await {
            Err(VcsError::SecretInChange { path: at, .. }) => assert_eq!(at, path("app/tools.py")),
            other => panic!("{other:?}"),
        }
        let mut told = ChangeSet::new(fixture.tip.clone(), vec![new_file("a", "1")], "Fix it", "Why.");
        told.message.clone_from(&secret);
        let refused = fixture.propose_change(provider, "told", &told).await;
        assert!(matches!(refused, Err(VcsError::InvalidChange { .. })), "{refused:?}");
    }
    assert_eq!(fixture.git(&["for-each-ref", "refs/heads/fix", "refs/staso"]), "");
    fixture.tip = fixture.commit_on_default(&path("app/tools.py"), &secret).await;
    for (name, provider) in [("local", &local as &dyn VcsProvider), ("remote", &remote)] {
        let edits = [("app/tools.py", &*format!("{secret}fixed\n"))];
        let made = fixture.propose(provider, name, &edits).await;
        assert!(made.is_ok(), "it was there before: {made:?}");
    }
}

#[tokio::test]
async fn a_squash_merge_is_a_merge_until_it_is_reverted() {
    for name in ["local", "remote"] {
        let fixture = GitFixture::bare();
        let (local, remote) = (fixture.provider(), fixture.remote());
        let provider: &dyn VcsProvider = if name == "local" { &local } else { &remote };
        let made = fixture.propose(provider, name, &[("app/tools.py", "fixed\n")]).await.unwrap();
        let reference = fixture.reference();
        let state = async || {
            let ctx = test_context();
            provider.proposal_status(&reference, &made.branch, &ctx).await.unwrap().state
        };
        fixture.commit_on_default(&path("other.txt"), "unrelated\n").await;
        assert_eq!(state().await, ProposalState::Draft, "{name}");
        let clone = fixture.clone_of("main");
        git(&clone, &["merge", "-q", "--squash", &format!("origin/{}", made.branch)]);
        git(&clone, &["commit", "-qm", "Fix it (#1)"]);
        fixture.push(&clone, "main");
        assert_eq!(state().await, ProposalState::Merged, "{name}: squashed");
        fixture.commit_on_default(&path("other.txt"), "more\n").await;
        fixture.git(&["branch", "-D", made.branch.as_str()]);
        assert_eq!(state().await, ProposalState::Merged, "{name}: and its branch removed");
        let clone = fixture.clone_of("main");
        git(&clone, &["revert", "--no-edit", "HEAD~1"]);
        fixture.push(&clone, "main");
        assert_eq!(state().await, ProposalState::Closed, "{name}: reverted");
    }
}
