//! Commits by `createCommitOnBranch`. Each request is held against GitHub's GraphQL schema. No example of its answer is
//! published: where the answer is no fault and no refusal, it says of a commit what the REST example of that commit says.

use staso_core::vcs::{CommitSignature, ProposalAction, VcsError};

use super::branches::{at, reference};
use super::*;
use crate::github::proposal::branches::ApiBranches;
use crate::peer::official::GraphQl;
use crate::peer::server::Answer;
use crate::publish::Published;

const OURS: &str = "fix/staso-a-1";
const REMOVE: &str = "DELETE /repos/{owner}/{repo}/git/refs/{ref}";

fn with_graphql<const N: usize>(answers: [GraphQl; N]) -> Bench {
    let bench = Bench::new();
    bench.peer.on_graphql(answers);
    bench
}

/// The branch that the run makes its commit on.
fn scratch() -> String {
    format!("fix/staso-a-commit-{}-{TIP}", test_context().run_id())
}

/// A branch that is asked for.
fn put(name: &str, sha: &str) -> Value {
    json!({"ref": format!("refs/heads/{name}"), "sha": sha})
}

impl Bench {
    async fn mutate(&self) -> Result<Published, VcsError> {
        let changes = changes(vec![edit("file.rb", Some(FILE), "fixed\n")]);
        let host = ApiBranches::new(self.target()).with_mutations(branch("fix/staso-a"));
        self.publish_on(&host, &changes).await
    }

    /// The variable of each mutation.
    fn inputs(&self) -> Vec<Value> {
        let asked = self.peer.asked_of_graphql().into_iter();
        asked.map(|asked| asked.body.unwrap()["variables"]["input"].clone()).collect()
    }

    /// The branch is at the commit that the mutation of this message makes.
    fn is_made(&self, message: &str) {
        self.peer.on(COMMIT, [Choice::example().with("/message", message).with("/parents/0/sha", TIP)]);
        let new = NewContent { bytes: b"fixed\n".to_vec(), executable: false };
        let file =
            vec![("/path".to_owned(), json!("file.rb")), ("/sha".to_owned(), json!(blob_id(&new).unwrap()))];
        let others = [
            ("subdir", "040000", "f484d249c660418515fb01c2b9662073663c242e"),
            ("exec_file", "100755", EXEC_FILE),
        ];
        let others = others.map(|(path, mode, sha)| {
            vec![
                ("/path".to_owned(), json!(path)),
                ("/mode".to_owned(), json!(mode)),
                ("/sha".to_owned(), json!(sha)),
            ]
        });
        let entries = [vec![file], others.to_vec()].concat();
        let tree = Choice::example_named("default-response").with_entries("/tree", entries);
        self.peer.on_where(TREE, &[("tree_sha", MADE)], [tree]);
    }
}

/// The message that the mutation was asked to write.
fn message(input: &Value) -> String {
    let message = &input["message"];
    format!("{}\n\n{}", message["headline"].as_str().unwrap(), message["body"].as_str().unwrap())
}

#[tokio::test]
async fn case_16_a_commit_whose_answer_is_lost_is_found_on_the_branch_of_the_run() {
    let unavailable = Reply::Answer(Answer::new(502, ""));
    let bench = with_graphql([GraphQl::Fault(unavailable), GraphQl::Fault(Reply::Dropped)]);
    bench.peer.on(REFERENCE, [reference(TIP)]);
    let died = bench.mutate().await.unwrap_err();
    assert!(died.is_retryable(), "{died}");
    assert_eq!(bench.sent(MAKE_BRANCH), [put(&scratch(), TIP)], "none of the proposal's names");
    let input = &bench.inputs()[0];
    assert_eq!(input["expectedHeadOid"], TIP);
    assert_eq!(input["branch"]["branchName"], scratch());
    assert_eq!(input["fileChanges"]["additions"], json!([{"path": "file.rb", "contents": "Zml4ZWQK"}]));

    let exists = || Choice::status(422).message("Reference already exists");
    bench.is_made(&message(input));
    for (there, mutations) in [(vec![reference(TIP), reference(MADE)], 2), (vec![reference(MADE)], 2)] {
        bench.peer.on(MAKE_BRANCH, [exists(), Choice::example()]);
        bench.peer.on(REFERENCE, there);
        let made = bench.mutate().await.unwrap();
        assert_eq!((made.branch, made.head), (branch(OURS), commit(MADE)));
        assert_eq!((made.action, bench.inputs().len()), (ProposalAction::Created, mutations));
        assert_eq!(bench.sent(MAKE_BRANCH).last(), Some(&put(OURS, MADE)), "it appears with its commit");
    }
    let removed = bench.peer.asked_of(REMOVE);
    let removed: Vec<&str> = removed.iter().map(|asked| asked.parameter("ref")).collect();
    assert_eq!(removed, [format!("heads/{}", scratch()), format!("heads/{}", scratch())]);
}

#[tokio::test]
async fn the_commit_that_the_mutation_tells_of_is_the_proposal_s() {
    let place = |field: &str| format!("/createCommitOnBranch/commit/{field}");
    let (oid, valid) = ((place("oid"), json!(MADE)), (place("signature/isValid"), json!(false)));
    let unsigned = GraphQl::Data([oid.clone(), valid, (place("signature/state"), json!("UNSIGNED"))].into());
    let unknown = GraphQl::Data([oid, (place("signature"), Value::Null)].into());
    for (answer, signature) in [
        (unsigned, Some(CommitSignature { verified: false, reason: "unsigned".to_owned() })),
        (unknown, None),
    ] {
        let bench = with_graphql([answer]);
        // A branch that stays does no harm.
        bench.peer.on(REMOVE, [Choice::status(422).message("Reference does not exist")]);
        let made = bench.mutate().await.unwrap();
        assert_eq!((made.action, made.head), (ProposalAction::Created, commit(MADE)));
        assert_eq!((made.signature, bench.inputs().len()), (signature, 1));
        assert_eq!(bench.sent(MAKE_BRANCH), [put(&scratch(), TIP), put(OURS, MADE)]);
    }
}

#[tokio::test]
async fn case_30_a_branch_of_ours_without_a_commit_of_ours_is_foreign() {
    let place = |field: &str| format!("/createCommitOnBranch/commit/{field}");
    let made = [(place("oid"), json!(MADE)), (place("signature"), Value::Null)];
    let bench = with_graphql([GraphQl::Data(made.into())]);
    bench.peer.on(BRANCHES, [Choice::example().with_entries("", vec![at(OURS, TIP), at(&scratch(), TIP)])]);
    let made = bench.mutate().await.unwrap();
    assert_eq!(made.branch, branch("fix/staso-a-2"));
    assert_eq!(bench.count(REMOVE), 1);
}

#[tokio::test]
async fn case_36_what_the_mutation_is_refused_for_is_said_in_words() {
    let rule = "Repository rule violations found: Changes must be made through a pull request.";
    let bench = with_graphql([
        GraphQl::Refused("UNPROCESSABLE", rule),
        GraphQl::Refused("FORBIDDEN", "Resource not accessible by personal access token"),
    ]);
    match bench.mutate().await {
        Err(VcsError::PolicyRejected { rule, .. }) => {
            assert!(rule.contains("through a pull request"), "{rule}");
        }
        other => panic!("{other:?}"),
    }
    match bench.mutate().await {
        Err(VcsError::MissingPermission { permission, .. }) => assert_eq!(permission, "contents: write"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn case_46_what_a_mutation_cannot_carry_is_made_of_blobs_and_trees() {
    let bench = Bench::new();
    let mut script = edit("exec_file", Some(EXEC_FILE), "#!/bin/sh\n");
    script.after = Some(NewContent { bytes: b"#!/bin/sh\n".to_vec(), executable: true });
    let host = ApiBranches::new(bench.target()).with_mutations(branch("fix/staso-a"));
    bench.publish_on(&host, &changes(vec![script])).await.unwrap();
    assert_eq!((bench.count(MAKE_COMMIT), bench.count(MAKE_BRANCH)), (1, 1));
}
