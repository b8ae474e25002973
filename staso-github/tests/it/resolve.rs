//! What a trace names, in all the states that a repository can be in.

use std::fs;

use staso_core::testing::test_context;
use staso_core::trace::SourceRevision;
use staso_core::vcs::{FileContent, ResolvedSource, VcsError, VcsProvider as _};
use staso_github::LocalGit;

use crate::fixture::{GitFixture, branch, commit_id, git, path, url_of, write};

async fn resolve(provider: &LocalGit, source: &SourceRevision) -> Result<ResolvedSource, VcsError> {
    provider.resolve(source, &test_context()).await
}

#[tokio::test]
async fn an_absent_or_empty_repository_has_its_own_error() {
    let fixture = GitFixture::new();
    let provider = fixture.provider();
    let empty = fixture.root().join("empty");
    git(fixture.root(), &["init", "-q", "empty"]);
    let plain = fixture.root().join("plain");
    fs::create_dir(&plain).unwrap();
    let at = |directory| SourceRevision { repository_url: Some(url_of(directory)), ..fixture.source() };
    assert!(matches!(resolve(&provider, &at(&empty)).await, Err(VcsError::Empty { .. })));
    assert!(matches!(resolve(&provider, &at(&plain)).await, Err(VcsError::RepositoryNotFound { .. })));
    let gone = fixture.root().join("gone");
    assert!(matches!(resolve(&provider, &at(&gone)).await, Err(VcsError::RepositoryNotFound { .. })));
    let remote = SourceRevision {
        repository_url: Some("https://github.com/acme/support".parse().unwrap()),
        ..fixture.source()
    };
    assert!(matches!(resolve(&provider, &remote).await, Err(VcsError::Unsupported { .. })));
    let nowhere = SourceRevision { repository_url: None, ..fixture.source() };
    assert!(matches!(resolve(&provider, &nowhere).await, Err(VcsError::NoRepository)));
}

#[tokio::test]
async fn a_fallback_serves_every_address_and_says_so() {
    let fixture = GitFixture::new();
    let provider = fixture.provider().with_fallback(&fixture.repository);
    for (url, notes) in [
        (None, 0),
        (Some("https://github.com/acme/support".parse().unwrap()), 1),
        (Some("file:///nowhere/at/all".parse().unwrap()), 1),
        (Some(url_of(&fixture.repository)), 0),
    ] {
        let source = SourceRevision { repository_url: url, ..fixture.source() };
        let found = resolve(&provider, &source).await.unwrap();
        assert_eq!(found.notes.len(), notes, "{:?}", found.notes);
        let checkout = provider.checkout(&found.repository, &found.commit, &test_context()).await.unwrap();
        assert!(checkout.path.join("app/agent.py").is_file());
    }
}

#[tokio::test]
async fn the_default_branch_is_found_without_a_head_that_names_one() {
    let fixture = GitFixture::new();
    let provider = fixture.provider();
    let base = async || resolve(&provider, &fixture.source()).await.map(|found| found.base_branch);
    fixture.git(&["checkout", "-q", "--detach"]);
    fixture.git(&["branch", "other"]);
    assert_eq!(base().await.unwrap(), branch("main"));
    fixture.git(&["branch", "-m", "main", "master"]);
    assert_eq!(base().await.unwrap(), branch("master"));
    fixture.git(&["branch", "-m", "master", "trunk"]);
    assert!(matches!(base().await, Err(VcsError::Unreadable { .. })), "two branches, none of a usual name");
    fixture.git(&["branch", "-D", "other"]);
    assert_eq!(base().await.unwrap(), branch("trunk"), "the only one");
    fixture.git(&["symbolic-ref", "HEAD", "refs/heads/unborn"]);
    assert_eq!(base().await.unwrap(), branch("trunk"), "HEAD names a branch without commits");
}

#[tokio::test]
async fn a_detached_clone_without_branches_uses_what_it_fetched() {
    let fixture = GitFixture::new();
    let clone = fixture.root().join("ci");
    git(fixture.root(), &["clone", "-q", &fixture.repository.to_string_lossy(), "ci"]);
    git(&clone, &["checkout", "-q", "--detach"]);
    git(&clone, &["branch", "-qD", "main"]);
    let source = SourceRevision { repository_url: Some(url_of(&clone)), ..fixture.source() };
    let found = resolve(&fixture.provider(), &source).await.unwrap();
    assert_eq!((found.base_branch, found.base_tip), (branch("main"), fixture.tip.clone()));
}

#[tokio::test]
async fn a_commit_outside_of_the_base_is_noted() {
    let fixture = GitFixture::new();
    fixture.git(&["checkout", "-q", "-b", "side"]);
    write(&fixture.repository, "side.txt", b"side\n");
    fixture.git(&["add", "-A"]);
    fixture.git(&["commit", "-qm", "side"]);
    let side = commit_id(&fixture.git(&["rev-parse", "HEAD"]));
    fixture.git(&["checkout", "-q", "main"]);
    fixture.git(&["branch", "-qD", "side"]);
    let source =
        SourceRevision { commit: Some(side.clone()), branch: Some(branch("side")), ..fixture.source() };
    let found = resolve(&fixture.provider(), &source).await.unwrap();
    assert_eq!(found.notes.len(), 2, "{:?}", found.notes);
    assert!(found.notes[0].contains("side is gone"), "{:?}", found.notes);
    assert!(found.notes[1].contains("never merged"), "{:?}", found.notes);
}

#[tokio::test]
async fn a_shallow_clone_serves_what_it_has() {
    let fixture = GitFixture::new();
    let shallow = fixture.root().join("shallow");
    let from = url_of(&fixture.repository);
    git(fixture.root(), &["clone", "-q", "--depth", "1", from.as_str(), "shallow"]);
    let provider = fixture.provider();
    let source = SourceRevision { repository_url: Some(url_of(&shallow)), ..fixture.source() };
    let found = resolve(&provider, &source).await.unwrap();
    assert!(found.notes.is_empty(), "{:?}", found.notes);
    provider.checkout(&found.repository, &fixture.tip, &test_context()).await.unwrap();
    let older = SourceRevision { commit: Some(fixture.previous.clone()), ..source };
    assert!(matches!(resolve(&provider, &older).await, Err(VcsError::CommitNotFound { .. })));
}

#[tokio::test]
async fn other_object_formats_are_refused_by_name() {
    let fixture = GitFixture::new();
    for (name, arguments) in [
        ("sha256", ["init", "-q", "--object-format=sha256"]),
        ("reftable", ["init", "-q", "--ref-format=reftable"]),
    ] {
        let directory = fixture.root().join(name);
        fs::create_dir(&directory).unwrap();
        git(&directory, &arguments);
        write(&directory, "a", b"a");
        git(&directory, &["add", "-A"]);
        git(&directory, &["commit", "-qm", "a"]);
        let source = SourceRevision { repository_url: Some(url_of(&directory)), ..fixture.source() };
        match resolve(&fixture.provider(), &source).await {
            Err(error @ VcsError::Unreadable { .. }) => {
                assert!(error.to_string().contains("not supported yet"), "{name}: {error}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_unusable_object_id_is_a_commit_that_is_not_there() {
    let fixture = GitFixture::new();
    let blob = fixture.git(&["rev-parse", "HEAD:app/agent.py"]);
    for id in [blob, "ab".repeat(32)] {
        let source = SourceRevision { commit: Some(commit_id(&id)), ..fixture.source() };
        let found = resolve(&fixture.provider(), &source).await;
        assert!(matches!(found, Err(VcsError::CommitNotFound { .. })), "{id}: {found:?}");
    }
}

#[tokio::test]
async fn every_kind_of_file_is_told_apart() {
    let fixture = GitFixture::new();
    let repository = &fixture.repository;
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    write(repository, "model.bin", pointer.as_bytes());
    write(repository, "nul", b"a\0b");
    write(repository, "latin1", b"\xe4");
    std::os::unix::fs::symlink("/etc/passwd", repository.join("link")).unwrap();
    fixture.git(&["add", "-A"]);
    let gitlink = format!("160000,{},lib/dep", fixture.previous);
    fixture.git(&["update-index", "--add", "--cacheinfo", &gitlink]);
    fixture.git(&["commit", "-qm", "kinds"]);
    let commit = commit_id(&fixture.git(&["rev-parse", "HEAD"]));
    let provider = fixture.provider();
    let read = async |at: &str| {
        provider.read_file(&fixture.reference(), &commit, &path(at), 1000, &test_context()).await.unwrap()
    };
    assert_eq!(read("model.bin").await, FileContent::LfsPointer);
    assert_eq!(read("nul").await, FileContent::Binary { size_bytes: 3 });
    assert_eq!(read("latin1").await, FileContent::Binary { size_bytes: 1 });
    assert_eq!(read("link").await, FileContent::Symlink { target: "/etc/passwd".to_owned() });
    assert_eq!(read("lib/dep").await, FileContent::Submodule);
    let directory =
        provider.read_file(&fixture.reference(), &commit, &path("app"), 10, &test_context()).await;
    assert!(matches!(directory, Err(VcsError::FileNotFound { .. })));
    let checkout = provider.checkout(&fixture.reference(), &commit, &test_context()).await.unwrap();
    assert_eq!(fs::read(checkout.path.join("model.bin")).unwrap(), pointer.as_bytes());
    assert_eq!(fs::read_link(checkout.path.join("link")).unwrap().to_str(), Some("/etc/passwd"));
    assert_eq!(fs::read_dir(checkout.path.join("lib/dep")).unwrap().count(), 0);
}
