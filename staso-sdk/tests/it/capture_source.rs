//! Where the revision comes from.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use git2::{IndexAddOption, Repository, Signature};
use serde_json::json;
use staso::BuildFacts;
use staso::capture::{DetectedSource, SourceDetector};
use tempfile::TempDir;

use crate::capture_fixture::variables;

pub(crate) const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub(crate) const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

pub(crate) fn detect(pairs: &[(&str, &str)], directory: &Path) -> DetectedSource {
    SourceDetector::new(Arc::new(variables(pairs))).with_directory(directory).detect()
}

/// Commit, branch, repository.
pub(crate) fn found(source: &DetectedSource) -> (Option<&str>, Option<&str>, Option<&str>) {
    let revision = &source.revision;
    (
        revision.commit.as_ref().map(staso_core::id::CommitId::as_str),
        revision.branch.as_ref().map(staso_core::id::BranchName::as_str),
        revision.repository_url.as_ref().map(staso_core::trace::RepositoryUrl::as_str),
    )
}

#[test]
fn variables_win_over_the_build_over_the_platform() {
    let empty = TempDir::new().unwrap();
    let platform = ("HEROKU_SLUG_COMMIT", A);
    let facts = BuildFacts::new("app", "1.0.0", "/nowhere").with_revision(Some(B), Some("built"), None);
    let built = |pairs: &[(&str, &str)]| {
        SourceDetector::new(Arc::new(variables(pairs)))
            .with_directory(empty.path())
            .with_facts(facts)
            .detect()
    };
    assert_eq!(found(&built(&[platform])), (Some(B), Some("built"), None));
    let said = [
        platform,
        ("STASO_VCS_COMMIT_SHA", &A.to_uppercase()),
        ("STASO_VCS_REPO_URL", "git@github.com:acme/x"),
    ];
    let source = built(&said);
    assert_eq!(found(&source), (Some(A), None, Some("https://github.com/acme/x")));
    assert_eq!(source.warnings.len(), 1, "the build names another commit: {:?}", source.warnings);

    let source = built(&[("STASO_VCS_COMMIT_SHA", "abc123")]);
    assert_eq!(found(&source).0, Some(B), "a short commit is none");
    assert!(source.warnings[0].starts_with("STASO_VCS_COMMIT_SHA names an unusable commit"));
}

#[test]
fn the_build_info_file_comes_last() {
    let directory = TempDir::new().unwrap();
    let info = json!({"commit_sha": A, "branch": "main", "repo_url": "https://u:secret@github.com/acme/support.git"});
    fs::write(directory.path().join(".staso-build-info"), info.to_string()).unwrap();
    let source = detect(&[], directory.path());
    assert_eq!(found(&source), (Some(A), Some("main"), Some("https://github.com/acme/support")));
    assert_eq!(found(&detect(&[("HEROKU_SLUG_COMMIT", B)], directory.path())), (Some(B), None, None));

    fs::write(directory.path().join(".staso-build-info"), "not json").unwrap();
    let source = detect(&[], directory.path());
    assert_eq!(found(&source), (None, None, None));
    assert_eq!(source.warnings, [".staso-build-info is not the JSON object it should be"]);
}

/// A repository with one commit on `trunk`.
fn repository() -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    let mut options = git2::RepositoryInitOptions::new();
    let repository = Repository::init_opts(directory.path(), options.initial_head("trunk")).unwrap();
    fs::create_dir(directory.path().join("src")).unwrap();
    fs::write(directory.path().join("src/agent.py"), "print('hi')\n").unwrap();
    fs::write(directory.path().join(".gitignore"), "*.log\n").unwrap();
    let mut index = repository.index().unwrap();
    index.add_all(["*"], IndexAddOption::DEFAULT, None).unwrap();
    index.write().unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let author = Signature::now("A", "a@example.org").unwrap();
    let commit = repository.commit(Some("HEAD"), &author, &author, "first", &tree, &[]).unwrap();
    (directory, commit.to_string())
}

#[test]
fn a_checkout_names_commit_branch_and_dirtiness() {
    let (directory, commit) = repository();
    let inner = directory.path().join("src");
    let clean = detect(&[], &inner);
    let own = format!("file://{}", directory.path().canonicalize().unwrap().display());
    assert_eq!(found(&clean), (Some(commit.as_str()), Some("trunk"), Some(own.as_str())));
    assert_eq!((clean.revision.dirty, &clean.diff_digest), (Some(false), &None));

    fs::write(directory.path().join("ignored.log"), "x").unwrap();
    assert_eq!(detect(&[], &inner).revision.dirty, Some(false));

    fs::write(directory.path().join("src/agent.py"), "print('ho')\n").unwrap();
    let changed = detect(&[], &inner);
    assert_eq!(changed.revision.dirty, Some(true));
    assert!(changed.diff_digest.as_ref().unwrap().starts_with("sha256:"));

    fs::write(directory.path().join("src/agent.py"), "print('hi')\n").unwrap();
    fs::write(directory.path().join("new.py"), "").unwrap();
    let untracked = detect(&[], &inner);
    assert_eq!(untracked.revision.dirty, Some(true));
    assert_ne!(untracked.diff_digest, changed.diff_digest);
}

#[test]
fn a_checkout_names_its_remote_without_credentials_and_no_branch_when_detached() {
    let (directory, commit) = repository();
    let repository = Repository::open(directory.path()).unwrap();
    repository.remote("origin", "https://me:ghp_secret@GitHub.com/acme/support.git").unwrap();
    repository.set_head_detached(git2::Oid::from_str(&commit).unwrap()).unwrap();
    let source = detect(&[], directory.path());
    assert_eq!(found(&source), (Some(commit.as_str()), None, Some("https://github.com/acme/support")));
}

#[test]
fn a_stale_variable_is_reported_and_does_not_borrow_from_the_checkout() {
    let (directory, _) = repository();
    let source = detect(&[("STASO_VCS_COMMIT_SHA", A)], directory.path());
    assert_eq!(found(&source), (Some(A), None, None));
    assert_eq!(source.revision.dirty, None);
    assert!(source.warnings[0].contains("the checkout names"), "{:?}", source.warnings);

    let (directory, commit) = repository();
    let source = detect(&[("STASO_VCS_COMMIT_SHA", &commit)], directory.path());
    assert_eq!((found(&source).1, source.revision.dirty), (Some("trunk"), Some(false)));
}

#[test]
fn the_repository_that_an_agent_works_on_is_not_its_own() {
    let (directory, _) = repository();
    let built_in: &'static str = env!("CARGO_MANIFEST_DIR");
    let source = SourceDetector::new(Arc::new(variables(&[])))
        .with_directory(directory.path())
        .with_facts(BuildFacts::new("app", "1.0.0", built_in))
        .detect();
    assert_eq!(found(&source), (None, None, None));
    assert!(source.warnings[0].contains("not built from"), "{:?}", source.warnings);
}

#[test]
fn an_unborn_branch_is_no_revision() {
    let directory = TempDir::new().unwrap();
    Repository::init(directory.path()).unwrap();
    assert_eq!(found(&detect(&[], directory.path())), (None, None, None));
}

#[cfg(feature = "build")]
#[test]
fn a_build_script_puts_the_revision_into_the_program() {
    let (directory, commit) = repository();
    let repository = Repository::open(directory.path()).unwrap();
    repository.remote("origin", "https://me:ghp_secret@github.com/acme/support.git").unwrap();
    let lines =
        |pairs: &[(&str, &str)]| staso::build::lines(&variables(pairs), &directory.path().join("src"));
    let value = |name: &str| {
        let prefix = format!("cargo:rustc-env={name}=");
        lines(&[]).iter().find_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
    };
    assert_eq!(value("STASO_VCS_COMMIT_SHA").as_deref(), Some(commit.as_str()));
    assert_eq!(value("STASO_VCS_BRANCH").as_deref(), Some("trunk"));
    assert_eq!(value("STASO_VCS_REPO_URL").as_deref(), Some("https://github.com/acme/support.git"));
    let given = lines(&[("STASO_VCS_COMMIT_SHA", A)]);
    assert!(given.iter().all(|line| line.starts_with("cargo:rerun-if")), "{given:?}");
    assert!(given.iter().any(|line| line.ends_with(".git/refs/heads/trunk")), "{given:?}");

    let head = git2::Oid::from_str(&commit).unwrap();
    let object = repository.find_commit(head).unwrap();
    repository.branch("packed", &object, false).unwrap();
    fs::write(directory.path().join(".git/packed-refs"), format!("{commit} refs/heads/packed\n")).unwrap();
    fs::remove_file(directory.path().join(".git/refs/heads/packed")).unwrap();
    repository.set_head("refs/heads/packed").unwrap();
    assert_eq!(value("STASO_VCS_BRANCH").as_deref(), Some("packed"));
    assert_eq!(value("STASO_VCS_COMMIT_SHA").as_deref(), Some(commit.as_str()));
}
