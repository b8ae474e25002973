//! Repositories that try to run code, to lead out of the checkout, or to use up the machine.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use git2::{ObjectType, Oid, Repository, Signature, Time};
use staso_core::id::CommitId;
use staso_core::testing::test_context;
use staso_core::trace::{RepositoryUrl, SourceRevision};
use staso_core::vcs::{Checkout, FileContent, VcsError, VcsProvider as _};
use staso_github::GitLimits;

use crate::fixture::{GitFixture, commit_id, git, path, write};

/// Writes a tree as raw bytes, so that nothing checks its names.
fn raw_tree(repo: &Repository, entries: &[(&str, &[u8], Oid)]) -> Oid {
    let mut bytes = Vec::new();
    for (mode, name, oid) in entries {
        bytes.extend_from_slice(mode.as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(oid.as_bytes());
    }
    repo.odb().unwrap().write(ObjectType::Tree, &bytes).unwrap()
}

fn commit_tree(repo: &Repository, tree: Oid) -> CommitId {
    let who = Signature::new("m", "m@example.com", &Time::new(0, 0)).unwrap();
    let tree = repo.find_tree(tree).unwrap();
    commit_id(&repo.commit(None, &who, &who, "hostile", &tree, &[]).unwrap().to_string())
}

async fn check_out(fixture: &GitFixture, commit: &CommitId) -> Result<Checkout, VcsError> {
    fixture.provider().checkout(&fixture.reference(), commit, &test_context()).await
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn filters_hooks_and_monitors_never_run() {
    let fixture = GitFixture::new();
    let repository = fixture.repository.clone();
    let canary = fixture.root().join("canary");
    let script = fixture.root().join("evil.sh");
    fs::write(&script, format!("#!/bin/sh\necho ran >> '{}'\ncat\n", canary.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    write(&repository, ".gitattributes", b"* filter=evil diff=evil merge=evil text eol=crlf ident\n");
    write(&repository, "id.txt", b"$Id$\nline\n");
    let submodule = format!("[submodule \"x\"]\n\tpath = x\n\turl = ext::{}\n", script.display());
    write(&repository, ".gitmodules", submodule.as_bytes());
    fixture.git(&["add", "-A"]);
    fixture.git(&["commit", "-qm", "attributes"]);
    let tip = commit_id(&fixture.git(&["rev-parse", "HEAD"]));
    let command = script.to_string_lossy();
    for key in [
        "filter.evil.smudge",
        "filter.evil.clean",
        "filter.evil.process",
        "diff.evil.command",
        "diff.evil.textconv",
        "merge.evil.driver",
        "core.fsmonitor",
        "core.sshCommand",
        "core.askPass",
        "core.pager",
        "core.editor",
        "gpg.program",
        "credential.helper",
        "uploadpack.packObjectsHook",
    ] {
        fixture.git(&["config", key, &command]);
    }
    fixture.git(&["config", "commit.gpgSign", "true"]);
    fixture.git(&["config", "core.hooksPath", &fixture.root().to_string_lossy()]);
    for hook in ["post-checkout", "pre-commit", "commit-msg", "reference-transaction", "post-index-change"] {
        for directory in [fixture.root().to_owned(), repository.join(".git/hooks")] {
            fs::create_dir_all(&directory).unwrap();
            symlink(&script, directory.join(hook)).unwrap();
        }
    }
    let checkout = check_out(&fixture, &tip).await.unwrap();
    assert_eq!(fs::read(checkout.path.join("id.txt")).unwrap(), b"$Id$\nline\n", "neither CRLF nor ident");
    let provider = fixture.provider();
    let source = SourceRevision { commit: Some(tip), ..fixture.source() };
    provider.resolve(&source, &test_context()).await.unwrap();
    let made = fixture.propose(&provider, "hooks", &[("app/tools.py", "fixed\n")]).await.unwrap();
    provider.proposal_status(&fixture.reference(), &made.branch, &test_context()).await.unwrap();
    assert!(!canary.exists(), "something of the repository ran: {}", fs::read_to_string(&canary).unwrap());
}

#[tokio::test]
async fn names_that_reach_into_git_or_out_of_the_checkout_are_left_out_and_counted() {
    let fixture = GitFixture::bare();
    let repo = Repository::open_bare(&fixture.repository).unwrap();
    let blob = repo.blob(b"evil").unwrap();
    let hooks = raw_tree(&repo, &[("100755", b"post-checkout", blob)]);
    let up = raw_tree(&repo, &[("100644", b"escaped", blob)]);
    let evil: [(&str, &[u8], Oid); 12] = [
        ("40000", b".GIT", hooks),
        ("40000", b".git", hooks),
        ("40000", b"..", up),
        ("40000", b".", up),
        ("100644", b"../escaped", blob),
        ("100644", b"/tmp/escaped", blob),
        ("100644", b"a\\..\\b", blob),
        ("40000", b"git~1", hooks),
        ("40000", ".g\u{200c}it".as_bytes(), hooks),
        ("100644", b"bad\xff", blob),
        ("100644", b"new\nline", blob),
        ("100644", b"good", blob),
    ];
    let commit = commit_tree(&repo, raw_tree(&repo, &evil));
    let checkout = check_out(&fixture, &commit).await.unwrap();
    assert_eq!(names(&checkout.path), ["good"]);
    assert!(!checkout.path.join("../escaped").exists());
    let provider = fixture.provider();
    let tree = provider.list_tree(&fixture.reference(), &commit, 100, &test_context()).await.unwrap();
    assert_eq!(tree.entries.iter().map(|entry| entry.path.as_str()).collect::<Vec<_>>(), ["good"]);
    assert_eq!((tree.unusable_paths, tree.truncated), (11, false));
}

#[tokio::test]
async fn a_link_is_never_followed_by_a_later_entry() {
    let fixture = GitFixture::bare();
    let outside = fixture.root().join("outside");
    fs::create_dir(&outside).unwrap();
    let repo = Repository::open_bare(&fixture.repository).unwrap();
    let link = repo.blob(outside.to_string_lossy().as_bytes()).unwrap();
    let blob = repo.blob(b"evil").unwrap();
    let inner = raw_tree(&repo, &[("100644", b"planted", blob)]);
    for entries in [
        [("120000", b"a".as_slice(), link), ("40000", b"a".as_slice(), inner)],
        [("40000", b"a".as_slice(), inner), ("120000", b"a".as_slice(), link)],
        [("120000", b"a".as_slice(), link), ("100644", b"a".as_slice(), blob)],
    ] {
        let commit = commit_tree(&repo, raw_tree(&repo, &entries));
        let error = check_out(&fixture, &commit).await.unwrap_err();
        assert!(matches!(error, VcsError::Unreadable { .. }), "{error}");
        assert_eq!(names(&outside), [""; 0], "nothing was planted");
    }
    assert_eq!(names(&fixture.data().join("checkouts")), [""; 0], "nothing half-made is left");
}

#[tokio::test]
async fn links_are_data() {
    let fixture = GitFixture::bare();
    let repo = Repository::open_bare(&fixture.repository).unwrap();
    let targets: [(&[u8], &[u8]); 4] =
        [(b"passwd", b"/etc/passwd"), (b"up", b"../../.."), (b"self", b"self"), (b"latin1", b"\xff")];
    let entries: Vec<_> =
        targets.iter().map(|(name, target)| ("120000", *name, repo.blob(target).unwrap())).collect();
    let empty = repo.blob(b"").unwrap();
    let long = repo.blob(&[b'x'; 5000]).unwrap();
    let commit = commit_tree(&repo, raw_tree(&repo, &entries));
    let checkout = check_out(&fixture, &commit).await.unwrap();
    assert_eq!(fs::read_link(checkout.path.join("passwd")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(names(&checkout.path).len(), 4);
    let provider = fixture.provider();
    let at = path("passwd");
    let read = provider.read_file(&fixture.reference(), &commit, &at, 10_000, &test_context()).await;
    assert_eq!(read.unwrap(), FileContent::Symlink { target: "/etc/passwd".to_owned() });
    let commit = commit_tree(&repo, raw_tree(&repo, &[("120000", b"empty", empty)]));
    assert_eq!(names(&check_out(&fixture, &commit).await.unwrap().path), [""; 0], "no file system has it");
    let commit = commit_tree(&repo, raw_tree(&repo, &[("120000", b"long", long)]));
    assert!(matches!(check_out(&fixture, &commit).await, Err(VcsError::TooLarge { .. })));
}

#[tokio::test]
async fn edits_of_links_submodules_and_directories_are_refused() {
    let fixture = GitFixture::new();
    symlink("/etc/passwd", fixture.repository.join("link")).unwrap();
    fixture.git(&["add", "-A"]);
    fixture.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{},dep", fixture.previous)]);
    fixture.git(&["commit", "-qm", "link"]);
    let provider = fixture.provider();
    for at in ["link", "dep", "app", "link/x", "dep/x", "app/agent.py/x"] {
        let refused = fixture.propose(&provider, "refused", &[(at, "evil\n")]).await;
        assert!(matches!(refused, Err(VcsError::InvalidChange { .. })), "{at}: {refused:?}");
    }
    assert_eq!(fixture.git(&["for-each-ref", "refs/heads/fix", "refs/staso"]), "");
}

/// Ten levels of ten equal subtrees: twelve objects, ten thousand million files.
#[tokio::test]
async fn a_tree_that_unfolds_without_end_meets_a_limit() {
    let fixture = GitFixture::bare();
    let repo = Repository::open_bare(&fixture.repository).unwrap();
    let mut bombs = Vec::new();
    for with_file in [true, false] {
        let blob = repo.blob(b"boom").unwrap();
        let mut tree =
            if with_file { raw_tree(&repo, &[("100644", b"f", blob)]) } else { raw_tree(&repo, &[]) };
        for _ in 0..10 {
            let names: Vec<String> = (0..10).map(|name| name.to_string()).collect();
            let entries: Vec<_> = names.iter().map(|name| ("40000", name.as_bytes(), tree)).collect();
            tree = raw_tree(&repo, &entries);
        }
        bombs.push(commit_tree(&repo, tree));
    }
    let limits = GitLimits::default().with_checkout_entries(500);
    let provider = fixture.provider().with_limits(limits);
    for bomb in &bombs {
        let error = provider.checkout(&fixture.reference(), bomb, &test_context()).await.unwrap_err();
        assert!(matches!(error, VcsError::TooLarge { .. }), "{error}");
        let tree = provider.list_tree(&fixture.reference(), bomb, 50, &test_context()).await.unwrap();
        assert!(tree.truncated && tree.entries.len() <= 50);
    }
    assert_eq!(names(&fixture.data().join("checkouts")), [""; 0], "nothing half-made is left");
}

#[tokio::test]
async fn too_many_bytes_are_refused_before_they_are_unpacked() {
    let fixture = GitFixture::bare();
    let repo = Repository::open_bare(&fixture.repository).unwrap();
    let zeros = repo.blob(&vec![0; 3 << 20]).unwrap();
    let commit = commit_tree(&repo, raw_tree(&repo, &[("100644", b"a", zeros), ("100644", b"b", zeros)]));
    for limits in
        [GitLimits::default().with_file_bytes(2 << 20), GitLimits::default().with_checkout_bytes(5 << 20)]
    {
        let provider = fixture.provider().with_limits(limits);
        let error = provider.checkout(&fixture.reference(), &commit, &test_context()).await.unwrap_err();
        assert!(matches!(error, VcsError::TooLarge { .. }), "{error}");
    }
}

/// Objects that are not files are taken into memory as a whole.
#[tokio::test]
async fn a_directory_that_unfolds_to_more_than_memory_is_refused_before_it_is_unpacked() {
    let fixture = GitFixture::bare();
    let repo = Repository::open_bare(&fixture.repository).unwrap();
    let blob = repo.blob(b"x").unwrap();
    let long: Vec<_> = (0..1_200).map(|name| format!("{name:060000}").into_bytes()).collect();
    let files: Vec<_> = long.iter().map(|name| ("100644", name.as_slice(), blob)).collect();
    let large = raw_tree(&repo, &files);
    let below = raw_tree(&repo, &[("40000", b"below", large)]);
    for tree in [large, below] {
        let commit = commit_tree(&repo, tree);
        let error = check_out(&fixture, &commit).await.unwrap_err();
        assert!(matches!(error, VcsError::TooLarge { .. }), "{error}");
        let (reference, ctx) = (fixture.reference(), test_context());
        let error = fixture.provider().list_tree(&reference, &commit, 10, &ctx).await.unwrap_err();
        assert!(matches!(error, VcsError::TooLarge { .. }), "{error}");
        let read = fixture.provider().read_file(&reference, &commit, &path("below/x"), 10, &ctx).await;
        assert!(matches!(read, Err(VcsError::TooLarge { .. } | VcsError::FileNotFound { .. })), "{read:?}");
    }
}

#[tokio::test]
async fn a_damaged_repository_says_what_helps() {
    let fixture = GitFixture::new();
    let blob = fixture.git(&["rev-parse", "HEAD:app/agent.py"]);
    let (directory, file) = blob.split_at(2);
    fs::remove_file(fixture.repository.join(".git/objects").join(directory).join(file)).unwrap();
    let error = check_out(&fixture, &fixture.tip).await.unwrap_err();
    assert!(matches!(error, VcsError::Unreadable { .. }), "{error:?}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_configuration_that_points_elsewhere_has_no_effect() {
    let fixture = GitFixture::new();
    let elsewhere = fixture.root().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fixture.git(&["config", "core.worktree", &elsewhere.to_string_lossy()]);
    fixture.git(&["config", "core.bare", "false"]);
    fixture.git(&["config", "core.symlinks", "false"]);
    let provider = fixture.provider();
    fixture.propose(&provider, "worktree", &[("app/tools.py", "fixed\n")]).await.unwrap();
    assert_eq!(names(&elsewhere), [""; 0]);
}

#[test]
fn addresses_that_run_commands_are_no_addresses() {
    for bad in
        ["ext::sh -c id", "fd::7", "file://-oProxyCommand=id", "https://-x/y", "ssh://-oProxyCommand=id/x"]
    {
        assert!(bad.parse::<RepositoryUrl>().is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_recorded_path_is_not_opened_when_a_fallback_is_set() {
    let fixture = GitFixture::new();
    let secret = GitFixture::new();
    git(&secret.repository, &["commit", "-q", "--allow-empty", "-m", "secret"]);
    let hidden = commit_id(&secret.git(&["rev-parse", "HEAD"]));
    let source = SourceRevision { commit: Some(hidden), ..secret.source() };
    let provider = fixture.provider().with_fallback(&fixture.repository);
    let found = provider.resolve(&source, &test_context()).await;
    assert!(matches!(found, Err(VcsError::CommitNotFound { .. })), "{found:?}");
}
