//! What only a remote repository has: servers that refuse, history that is elsewhere, answers that are lost.

use std::sync::Arc;

use secrecy::SecretString;
use staso_core::testing::test_context;
use staso_core::trace::SourceRevision;
use staso_core::vcs::{Access, ChangeSet, ProposalAction, ProposalState, VcsError, VcsProvider as _};
use staso_github::{CompareLink, GitCredentials, GitLimits, GitRemote};

use crate::fixture::{GitFixture, branch, commit_id, git, write};
use crate::peer::git_http::{GitHttp, Right};

const RECORDED: &str = "https://git.acme.com/acme/support";

fn over_http(server: &GitHttp, fixture: &mut GitFixture, token: Option<&str>) -> GitRemote {
    if !server.repository("acme/support").exists() {
        fixture.repository = server.host("acme/support", &fixture.repository);
    }
    let address = server.url("acme/support").parse().unwrap();
    let provider = GitRemote::new(fixture.data(), RECORDED.parse().unwrap(), address);
    match token {
        Some(token) => provider.with_credentials(Arc::new(GitCredentials::token(SecretString::from(token)))),
        None => provider,
    }
}

/// Adds commits to `main`.
fn grow(fixture: &GitFixture, commits: u32) {
    let clone = fixture.clone_of("main");
    for number in 0..commits {
        git(&clone, &["commit", "-q", "--allow-empty", "-m", &format!("commit {number}")]);
    }
    fixture.push(&clone, "main");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_cannot_push_are_known_before_the_work() {
    let (mut fixture, server) = (GitFixture::new().recorded_as(RECORDED), GitHttp::start());
    server.accept("ghs_reader", Right::Read);
    server.accept("ghs_writer", Right::Write);
    let reference = fixture.reference();
    for (token, read, write) in
        [(None, false, false), (Some("ghs_reader"), true, false), (Some("ghs_writer"), true, true)]
    {
        let provider = over_http(&server, &mut fixture, token);
        let found = provider.preflight(&reference, Access::Read, &test_context()).await;
        assert_eq!(found.is_ok(), read, "{token:?}: {found:?}");
        let found = provider.preflight(&reference, Access::Propose, &test_context()).await;
        assert_eq!(found.is_ok(), write, "{token:?}: {found:?}");
        assert!(write || matches!(found, Err(VcsError::PermissionDenied { .. })), "{token:?}: {found:?}");
    }
    let revoked = over_http(&server, &mut fixture, Some("ghs_other"));
    let found = revoked.preflight(&reference, Access::Propose, &test_context()).await;
    assert!(matches!(found, Err(VcsError::CredentialRevoked { .. })), "{found:?}");
    assert_eq!(fixture.git(&["for-each-ref", "refs/heads/fix"]), "", "asking makes no branch");
    assert!(
        server.seen().iter().all(|seen| !(seen.method == "POST" && seen.target.contains("receive-pack"))),
        "asking sends nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_machine_finds_a_proposal_by_its_branch() {
    let (mut fixture, server) = (GitFixture::new().recorded_as(RECORDED), GitHttp::start());
    let provider = over_http(&server, &mut fixture, None).with_compare_link(CompareLink::GitLab);
    let made = fixture.propose(&provider, "found", &[("app/tools.py", "fixed\n")]).await.unwrap();
    assert_eq!(
        made.url,
        "https://git.acme.com/acme/support/-/merge_requests/new?\
         merge_request%5Bsource_branch%5D=fix/staso-found-1&merge_request%5Btarget_branch%5D=main"
    );
    let other = |name: &str| {
        let address = server.url("acme/support").parse().unwrap();
        GitRemote::new(fixture.root().join(name), RECORDED.parse().unwrap(), address)
            .with_compare_link(CompareLink::GitLab)
    };
    let found =
        other("b").proposal_status(&fixture.reference(), &made.branch, &test_context()).await.unwrap();
    assert_eq!((found.state, &found.head, &found.base), (ProposalState::Draft, &made.head, &branch("main")));
    let again = fixture.propose(&other("c"), "found", &[("app/tools.py", "fixed\n")]).await.unwrap();
    assert_eq!((again.action, &again.head, &again.url), (ProposalAction::Reused, &made.head, &made.url));
    // A merge commit, as forges make them, with further work after it.
    let clone = fixture.clone_of("main");
    git(&clone, &["commit", "-q", "--allow-empty", "-m", "unrelated"]);
    git(&clone, &["merge", "-q", "--no-ff", "-m", "merge", &format!("origin/{}", made.branch)]);
    fixture.push(&clone, "main");
    grow(&fixture, 3);
    for name in ["b", "d"] {
        let found = other(name).proposal_status(&fixture.reference(), &made.branch, &test_context()).await;
        assert_eq!(found.unwrap().state, ProposalState::Merged, "{name}");
    }
    fixture.git(&["update-ref", "-d", &format!("refs/heads/{}", made.branch)]);
    let found = provider.proposal_status(&fixture.reference(), &made.branch, &test_context()).await.unwrap();
    assert_eq!(
        found.state,
        ProposalState::Merged,
        "the machine that proposed it knows it without its branch"
    );
    let found = other("e").proposal_status(&fixture.reference(), &made.branch, &test_context()).await;
    assert!(matches!(found, Err(VcsError::ProposalNotFound { .. })), "another one does not: {found:?}");
}

#[tokio::test]
async fn history_is_fetched_as_far_as_it_is_needed_and_allowed() {
    let fixture = GitFixture::bare();
    grow(&fixture, 80);
    let resolve = async |name: &str, commits: u32| {
        let limits = GitLimits::default().with_history_commits(commits);
        let provider = fixture.remote_at(&fixture.root().join(name)).with_limits(limits);
        provider.resolve(&fixture.source(), &test_context()).await.unwrap()
    };
    assert_eq!(resolve("long", 1000).await.notes, [""; 0]);
    let short = resolve("short", 20).await.notes.join("\n");
    assert!(short.contains("not among the newest 20 commits of main"), "{short}");
}

#[tokio::test]
async fn empty_absent_and_other_repositories_have_their_own_errors() {
    let fixture = GitFixture::bare();
    let resolve = async |provider: GitRemote, source: SourceRevision| {
        provider.resolve(&source, &test_context()).await.map(|found| found.base_branch)
    };
    let empty = fixture.root().join("empty.git");
    git(fixture.root(), &["init", "-q", "--bare", "empty.git"]);
    let at = |directory: &std::path::Path| {
        let address = format!("file://{}", directory.display()).parse().unwrap();
        GitRemote::new(fixture.data(), fixture.reference().url, address)
    };
    let found = resolve(at(&empty), fixture.source()).await;
    assert!(matches!(found, Err(VcsError::Empty { .. })), "{found:?}");
    let found = resolve(at(&fixture.root().join("gone.git")), fixture.source()).await;
    assert!(matches!(found, Err(VcsError::RepositoryNotFound { .. })), "{found:?}");
    let other = SourceRevision { repository_url: Some(RECORDED.parse().unwrap()), ..fixture.source() };
    let found = resolve(fixture.remote(), other).await;
    assert!(matches!(found, Err(VcsError::Unsupported { .. })), "{found:?}");
    let none = SourceRevision { repository_url: None, ..fixture.source() };
    let found = resolve(fixture.remote(), none).await;
    assert!(matches!(found, Err(VcsError::NoRepository)), "{found:?}");
    fixture.git(&["branch", "-m", "main", "trunk"]);
    fixture.git(&["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    assert_eq!(resolve(fixture.remote(), fixture.source()).await.unwrap(), branch("trunk"));
    fixture.git(&["symbolic-ref", "HEAD", "refs/heads/unborn"]);
    assert_eq!(resolve(fixture.remote(), fixture.source()).await.unwrap(), branch("trunk"), "the only one");
    fixture.git(&["branch", "other", "trunk"]);
    fixture.git(&["branch", "another", "trunk"]);
    let found = resolve(fixture.remote(), fixture.source()).await;
    assert!(matches!(found, Err(VcsError::Unreadable { .. })), "{found:?}");
}

#[tokio::test]
async fn an_answer_that_is_lost_after_the_push_is_read_back() {
    let fixture = GitFixture::bare();
    hook(&fixture, "post-receive", "cat >/dev/null\nkill -9 $PPID");
    let made = fixture.propose(&fixture.remote(), "lost", &[("app/tools.py", "fixed\n")]).await.unwrap();
    assert_eq!((made.action, &made.branch), (ProposalAction::Created, &branch("fix/staso-lost-1")));
    assert_eq!(fixture.git(&["rev-parse", "fix/staso-lost-1"]), made.head.as_str());
}

#[tokio::test]
async fn a_push_that_dies_before_the_branch_leaves_nothing_and_is_made_up_for() {
    let fixture = GitFixture::bare();
    hook(&fixture, "pre-receive", "cat >/dev/null\nkill -9 $PPID");
    let edits = [("app/tools.py", "fixed\n")];
    let died = fixture.propose(&fixture.remote(), "died", &edits).await.unwrap_err();
    assert_eq!(fixture.git(&["for-each-ref", "refs/heads/fix"]), "", "{died}");
    std::fs::remove_file(fixture.repository.join("hooks/pre-receive")).unwrap();
    let made = fixture.propose(&fixture.remote(), "died", &edits).await.unwrap();
    assert_eq!((made.action, made.branch), (ProposalAction::Created, branch("fix/staso-died-1")));
}

#[tokio::test]
async fn rules_of_the_server_are_told_and_leave_nothing() {
    let fixture = GitFixture::bare();
    hook(&fixture, "pre-receive", "cat >/dev/null\necho 'GH013: signed commits only' >&2\nexit 1");
    let refused = fixture.propose(&fixture.remote(), "rules", &[("app/tools.py", "fixed\n")]).await;
    match refused {
        Err(VcsError::PolicyRejected { branch: name, rule }) => {
            assert_eq!(name, branch("fix/staso-rules-1"));
            assert!(rule.contains("GH013: signed commits only"), "{rule}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fixture.git(&["for-each-ref", "refs/heads/fix"]), "");
}

#[tokio::test]
async fn names_in_the_way_are_passed_over_or_known_before() {
    let fixture = GitFixture::bare();
    let provider = fixture.remote();
    fixture.git(&["branch", "fix/staso-below-1/theirs"]);
    let made = fixture.propose(&provider, "below", &[("app/tools.py", "fixed\n")]).await.unwrap();
    assert_eq!(made.branch, branch("fix/staso-below-2"));
    for name in ["fix/staso-below-1/theirs", "fix/staso-below-2"] {
        fixture.git(&["branch", "-D", name]);
    }
    fixture.git(&["branch", "fix"]);
    match provider.preflight(&fixture.reference(), Access::Propose, &test_context()).await {
        Err(VcsError::PermissionDenied { remedy, .. }) => assert!(remedy.contains("`fix`"), "{remedy}"),
        other => panic!("{other:?}"),
    }
    let refused = fixture.propose(&provider, "blocked", &[("app/tools.py", "fixed\n")]).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(fixture.git(&["for-each-ref", "--format=%(refname)", "refs/heads/fix"]), "refs/heads/fix");
}

#[tokio::test]
async fn a_branch_that_was_removed_is_made_again_and_followed() {
    let fixture = GitFixture::bare();
    let provider = fixture.remote();
    let status = async |name| provider.proposal_status(&fixture.reference(), name, &test_context()).await;
    let first = fixture.propose(&provider, "again", &[("app/tools.py", "fixed\n")]).await.unwrap();
    fixture.git(&["branch", "-D", first.branch.as_str()]);
    assert_eq!(status(&first.branch).await.unwrap().state, ProposalState::Closed);
    let second = fixture.propose(&provider, "again", &[("app/tools.py", "fixed better\n")]).await.unwrap();
    assert_eq!((&second.branch, second.action), (&first.branch, ProposalAction::Created));
    fixture.git(&["update-ref", "refs/heads/main", second.head.as_str()]);
    fixture.git(&["branch", "-D", second.branch.as_str()]);
    let found = status(&second.branch).await.unwrap();
    assert_eq!((found.state, found.head), (ProposalState::Merged, second.head));
}

#[tokio::test]
async fn labels_are_warned_of_and_the_message_is_the_text() {
    let fixture = GitFixture::bare();
    let after = Some(staso_core::vcs::NewContent { bytes: b"a\n".to_vec(), executable: false });
    let edit = staso_core::vcs::FileEdit { path: crate::fixture::path("a"), before: None, after };
    let mut changes = ChangeSet::new(fixture.tip.clone(), vec![edit], "Fix the tool", "Body.");
    changes.message = "Trace 123.\n\nStaso-Key: forged\n".to_owned();
    changes.labels = vec!["staso".to_owned()];
    let made = fixture.propose_change(&fixture.remote(), "text", &changes).await.unwrap();
    assert_eq!(made.warnings.len(), 1, "{:?}", made.warnings);
    let show =
        |format: &str| fixture.git(&["log", "-1", &format!("--format={format}"), made.branch.as_str()]);
    assert_eq!(show("%an <%ae> %cn %cI"), "Staso <noreply@staso.invalid> Staso 2026-01-01T00:00:00Z");
    assert_eq!(show("%s"), "Fix the tool");
    assert_eq!(
        show("%(trailers:key=Staso-Base,valueonly)%(trailers:key=Staso-Draft,valueonly)"),
        "main\nyes"
    );
    assert_eq!(show("%(trailers:key=Staso-Key,valueonly)").len(), 64, "one key, and not the forged one");
    assert_eq!(commit_id(&show("%P")), fixture.tip);
    fixture.assert_sound();
}

fn hook(fixture: &GitFixture, name: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let at = format!("hooks/{name}");
    write(&fixture.repository, &at, format!("#!/bin/sh\n{script}\n").as_bytes());
    let permissions = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(fixture.repository.join(at), permissions).unwrap();
}
