//! Branches through the API.

use staso_core::vcs::{CommitSignature, ProposalAction, VcsError};

use super::*;
use crate::github::proposal::branches::ApiBranches;
use crate::limits::GitLimits;
use crate::publish::{Publication, Published, publish};
use staso_core::vcs::{ProposeRequest, RepositoryRef};

impl Bench {
    async fn publish(&self, changes: &ChangeSet) -> Result<Published, VcsError> {
        self.publish_on(&ApiBranches::new(self.target()), changes).await
    }

    pub(super) async fn publish_on(
        &self,
        host: &ApiBranches<'_>,
        changes: &ChangeSet,
    ) -> Result<Published, VcsError> {
        let ctx = test_context();
        let (base, prefix) = (branch("main"), branch("fix/staso-a"));
        let repository = RepositoryRef {
            id: "github:1296269".to_owned(),
            url: self.name.url.clone(),
            default_branch: base.clone(),
            archived: false,
        };
        let request = ProposeRequest::new(&repository, &base, &prefix, changes, "key", ctx.run_id());
        let publication = Publication::new(&request, &ctx);
        publish(host, &publication, &GitLimits::default(), &ctx).await
    }

    /// What was sent of an operation.
    pub(super) fn sent(&self, operation: &str) -> Vec<Value> {
        self.peer.asked_of(operation).into_iter().filter_map(|asked| asked.body).collect()
    }
}

fn fix() -> ChangeSet {
    changes(vec![edit("file.rb", Some(FILE), "fixed\r\n"), edit("new/ü.txt", None, "\u{feff}new")])
}

/// A branch of this name at a commit.
pub(super) fn at(name: &str, sha: &str) -> Vec<(String, Value)> {
    vec![("/ref".to_owned(), json!(format!("refs/heads/{name}"))), ("/object/sha".to_owned(), json!(sha))]
}

pub(super) fn reference(sha: &str) -> Choice {
    Choice::example().with("/ref", "refs/heads/fix/staso-a-1").with("/object/sha", sha)
}

#[tokio::test]
async fn a_branch_appears_with_its_whole_commit() {
    let bench = Bench::new();
    let published = bench.publish(&fix()).await.unwrap();
    assert_eq!((published.branch, published.head), (branch("fix/staso-a-1"), commit(MADE)));
    assert_eq!(published.action, ProposalAction::Created);
    let unsigned = CommitSignature { verified: false, reason: "unsigned".to_owned() };
    assert_eq!(published.signature, Some(unsigned), "what the answer says is read");
    let tree = &bench.sent(MAKE_TREE)[0];
    assert_eq!(tree["base_tree"], "b4eecafa9be2f2006ce1b709d6857b07069b4608", "of the tip of main");
    assert_eq!(tree["tree"].as_array().unwrap().len(), 2);
    let made = &bench.sent(MAKE_COMMIT)[0];
    assert_eq!((&made["parents"], made.get("author")), (&json!([TIP]), None));
    assert!(made["message"].as_str().unwrap().contains("\nStaso-Key: "));
    assert_eq!(bench.sent(MAKE_BRANCH), [json!({"ref": "refs/heads/fix/staso-a-1", "sha": MADE})]);
    assert_eq!(bench.peer.asked().len(), 8, "branches, base, tree, 2 files, tree, commit, branch");
}

#[tokio::test]
async fn case_41_what_was_there_before_is_held_against_its_id() {
    use base64::Engine as _;
    let bench = Bench::new();
    let secret = format!("KEY = \"ghp_{}\"\n", "a1B2".repeat(9));
    let before = NewContent { bytes: secret.clone().into_bytes(), executable: false };
    let told = base64::engine::general_purpose::STANDARD.encode(&secret);
    bench
        .peer
        .on("GET /repos/{owner}/{repo}/git/blobs/{file_sha}", [Choice::example().with("/content", told)]);
    let passed_off = changes(vec![edit("file.rb", Some(FILE), &secret)]);
    let lied = bench.publish(&passed_off).await;
    assert!(matches!(lied, Err(VcsError::BadAnswer { .. })), "{lied:?}");
    let was_there = changes(vec![edit("file.rb", Some(&blob_id(&before).unwrap()), &format!("{secret}\n"))]);
    let missed = bench.publish(&was_there).await;
    assert!(matches!(missed, Err(VcsError::Conflict { .. })), "only the tree is another: {missed:?}");
    let added = bench.publish(&changes(vec![edit("new.rb", None, &secret)])).await;
    assert!(matches!(added, Err(VcsError::SecretInChange { .. })), "{added:?}");
    assert_eq!(bench.peer.asked().iter().filter(|asked| asked.operation.starts_with("POST")).count(), 0);
}

#[tokio::test]
async fn case_46_the_executable_bit_and_deletions_are_said_in_the_tree() {
    let bench = Bench::new();
    let script = NewContent { bytes: b"#!/bin/sh\n".to_vec(), executable: true };
    let mode = FileEdit { after: Some(script), ..edit("exec_file", Some(EXEC_FILE), "") };
    let gone = FileEdit { after: None, ..edit("file.rb", Some(FILE), "") };
    bench.publish(&changes(vec![mode, gone])).await.unwrap();
    let tree = &bench.sent(MAKE_TREE)[0]["tree"];
    assert_eq!((&tree[0]["mode"], &tree[1]["sha"]), (&json!("100755"), &Value::Null));

    let bench = Bench::new();
    for (mode, what) in
        [("120000", "a symbolic link"), ("160000", "another repository"), ("040000", "a directory")]
    {
        let entry = vec![("/path".to_owned(), json!("file.rb")), ("/mode".to_owned(), json!(mode))];
        bench.peer.on(TREE, [Choice::example_named("default-response").with_entries("/tree", vec![entry])]);
        match bench.publish(&fix()).await {
            Err(VcsError::InvalidChange { reason }) => assert!(reason.contains(what), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(bench.count(MAKE_BLOB), 0);
}

#[tokio::test]
async fn case_29_a_change_that_does_not_fit_names_its_files_and_sends_nothing() {
    let bench = Bench::new();
    let moved = changes(vec![edit("exec_file", Some(FILE), "x"), edit("file.rb", Some(FILE), "y")]);
    match bench.publish(&moved).await {
        Err(VcsError::Conflict { branch, paths }) => {
            assert_eq!((branch.as_str(), paths[0].as_str(), paths.len()), ("main", "exec_file", 1));
        }
        other => panic!("{other:?}"),
    }
    let below = changes(vec![edit("file.rb/x", None, "y")]);
    assert!(matches!(bench.publish(&below).await, Err(VcsError::InvalidChange { .. })));
    assert_eq!(bench.peer.asked().iter().filter(|asked| asked.operation.starts_with("POST")).count(), 0);
}

#[tokio::test]
async fn case_16_a_lost_answer_is_read_back_from_the_branch() {
    let bench = Bench::new();
    bench.peer.on(MAKE_BRANCH, [lost()]);
    bench.peer.on(REFERENCE, [reference(MADE)]);
    let published = bench.publish(&fix()).await.unwrap();
    assert_eq!((published.action, bench.count(MAKE_BRANCH)), (ProposalAction::Created, 1));

    let bench = Bench::new();
    bench.peer.on(MAKE_BRANCH, [lost(), Choice::example()]);
    bench.peer.on(REFERENCE, [Choice::status(404)]);
    let published = bench.publish(&fix()).await.unwrap();
    assert_eq!(
        (published.action, bench.count(MAKE_BRANCH)),
        (ProposalAction::Created, 2),
        "it was not there"
    );
}

#[tokio::test]
async fn case_30_a_foreign_branch_is_left_alone_and_the_next_number_taken() {
    let bench = Bench::new();
    bench.peer.on(BRANCHES, [Choice::example().with_entries("", vec![at("fix/staso-a-1", FILE)])]);
    let published = bench.publish(&fix()).await.unwrap();
    assert_eq!(published.branch, branch("fix/staso-a-2"), "the one that stood there");

    let bench = Bench::new();
    bench.peer.on(MAKE_BRANCH, [Choice::status(422).message("Reference already exists"), Choice::example()]);
    bench.peer.on(REFERENCE, [reference(FILE)]);
    let published = bench.publish(&fix()).await.unwrap();
    assert_eq!(published.branch, branch("fix/staso-a-2"), "the one that came in between");
    assert_eq!(bench.count(MAKE_COMMIT), 1, "the commit is made once");
}

#[tokio::test]
async fn case_30_our_own_branch_is_found_by_its_commit() {
    let bench = Bench::new();
    let first = bench.publish(&fix()).await.unwrap();
    let message = bench.sent(MAKE_COMMIT)[0]["message"].clone();
    let bench = Bench::new();
    bench.peer.on(BRANCHES, [Choice::example().with_entries("", vec![at("fix/staso-a-1", MADE)])]);
    bench.peer.on(COMMIT, [Choice::example().with("/message", message).with("/parents/0/sha", TIP)]);
    let changed = |path: &str, mode: &str, sha: String| {
        vec![
            ("/path".to_owned(), json!(path)),
            ("/mode".to_owned(), json!(mode)),
            ("/sha".to_owned(), json!(sha)),
        ]
    };
    let files = fix();
    let id = |at: usize| blob_id(files.edits[at].after.as_ref().unwrap()).unwrap();
    let before = vec![
        changed("file.rb", "100644", FILE.to_owned()),
        changed("exec_file", "100755", EXEC_FILE.to_owned()),
    ];
    let mut after = before.clone();
    after[0] = changed("file.rb", "100644", id(0));
    after.push(changed("new", "040000", MADE.to_owned()));
    after.push(changed("new/ü.txt", "100644", id(1)));
    let tree = |entries| Choice::example_named("default-response").with_entries("/tree", entries);
    bench.peer.on(TREE, [tree(before)]);
    bench.peer.on_where(TREE, &[("tree_sha", MADE)], [tree(after.clone())]);
    let again = bench.publish(&fix()).await.unwrap();
    assert_eq!((again.action, again.branch, again.head), (ProposalAction::Reused, first.branch, first.head));
    assert_eq!(bench.peer.asked().len(), 4, "branches, the commit, two trees");
    assert!(bench.peer.asked().iter().all(|asked| asked.operation.starts_with("GET")));

    after.push(changed("backdoor", "100644", FILE.to_owned()));
    bench.peer.on_where(TREE, &[("tree_sha", MADE)], [tree(after)]);
    let other = bench.publish(&fix()).await.unwrap();
    assert_eq!(other.branch, branch("fix/staso-a-2"), "a commit that does more is not ours");
}

#[tokio::test]
async fn case_31_a_race_is_read_again_and_tried_once_more() {
    let bench = Bench::new();
    bench.peer.on(MAKE_BRANCH, [Choice::status(409), Choice::example()]);
    bench.peer.on(REFERENCE, [Choice::status(404)]);
    bench.publish(&fix()).await.unwrap();
    assert_eq!(bench.count(MAKE_BRANCH), 2);
    let bench = Bench::new();
    bench.peer.on(MAKE_BRANCH, [Choice::status(409)]);
    bench.peer.on(REFERENCE, [Choice::status(404)]);
    let error = bench.publish(&fix()).await.unwrap_err();
    assert!(error.is_retryable() && bench.count(MAKE_BRANCH) == 2, "{error}");
}

#[tokio::test]
async fn case_36_rules_of_the_repository_are_repeated() {
    let bench = Bench::new();
    let rule = "Repository rule violations found\n\nCannot create ref due to creations being restricted.";
    bench.peer.on(MAKE_BRANCH, [Choice::status(422).message(rule)]);
    bench.peer.on(REFERENCE, [Choice::status(404)]);
    match bench.publish(&fix()).await {
        Err(VcsError::PolicyRejected { branch, rule }) => {
            assert_eq!(branch.as_str(), "fix/staso-a-1");
            assert!(rule.contains("creations being restricted") && !rule.contains('\n'), "{rule}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_tree_that_is_too_large_for_one_answer_is_walked() {
    let bench = Bench::new();
    bench.peer.on_where(
        TREE,
        &[("recursive", "1")],
        [Choice::example_named("default-response").with("/truncated", true)],
    );
    let below = changes(vec![edit("subdir/new.rb", None, "x")]);
    bench.publish(&below).await.unwrap();
    let walked: Vec<String> =
        bench.peer.asked_of(TREE).into_iter().map(|asked| asked.parameter("tree_sha").to_owned()).collect();
    assert_eq!(walked, [TIP, TIP, "f484d249c660418515fb01c2b9662073663c242e"]);
}

#[tokio::test]
async fn nothing_is_made_where_a_directory_is_not_listed_whole() {
    let bench = Bench::new();
    bench.peer.on(TREE, [Choice::example_named("default-response").with("/truncated", true)]);
    let published = bench.publish(&changes(vec![edit("subdir/new.rb", None, "x")])).await;
    assert!(matches!(published, Err(VcsError::TooLarge { .. })), "{published:?}");
    assert_eq!(bench.count(MAKE_COMMIT), 0);
}

#[tokio::test]
async fn a_file_that_arrives_as_another_is_noticed() {
    let bench = Bench::new();
    bench.peer.on(MAKE_BLOB, [Choice::example()]);
    assert!(matches!(bench.publish(&fix()).await, Err(VcsError::BadAnswer { .. })));
    assert_eq!(bench.count(MAKE_COMMIT), 0);
}
