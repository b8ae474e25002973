//! Commits by `createCommitOnBranch`. Each request is held against GitHub's GraphQL schema. No example of its answer is
//! published: where the answer is no fault and no refusal, it says of a commit what the REST example of that commit says.

use std::path::Path;

use staso_core::vcs::{CommitSignature, ProposalAction, VcsError};

use super::branches::{at, reference};
use super::*;
use crate::github::proposal::branches::ApiBranches;
use crate::github::proposal::pending::Pending;
use crate::peer::official::GraphQl;
use crate::peer::server::Answer;
use crate::publish::Published;

const OURS: &str = "fix/staso-a-1";

fn with_graphql<const N: usize>(answers: [GraphQl; N]) -> Bench {
    let bench = Bench::new();
    bench.peer.on_graphql(answers);
    bench
}

impl Bench {
    async fn mutate(&self, data: &Path) -> Result<Published, VcsError> {
        let changes = changes(vec![edit("file.rb", Some(FILE), "fixed\n")]);
        let pending = Pending::new(data, "github:1296269", "key");
        self.publish_on(&ApiBranches::new(self.target()).with_mutations(pending), &changes).await
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
async fn case_16_a_branch_that_waits_for_its_commit_is_taken_up_by_the_next_run_of_this_machine() {
    let data = tempfile::tempdir().unwrap();
    let unavailable = Reply::Answer(Answer::new(502, ""));
    let bench = with_graphql([GraphQl::Fault(unavailable), GraphQl::Fault(Reply::Dropped)]);
    bench.peer.on(REFERENCE, [reference(TIP)]);
    let died = bench.mutate(data.path()).await.unwrap_err();
    assert!(died.is_retryable(), "{died}");
    assert_eq!(bench.sent(MAKE_BRANCH), [json!({"ref": format!("refs/heads/{OURS}"), "sha": TIP})]);
    let input = &bench.inputs()[0];
    assert_eq!((&input["expectedHeadOid"], &input["branch"]["branchName"]), (&json!(TIP), &json!(OURS)));
    assert_eq!(input["fileChanges"]["additions"], json!([{"path": "file.rb", "contents": "Zml4ZWQK"}]));

    bench.peer.on(BRANCHES, [Choice::example().with_entries("", vec![at(OURS, TIP)])]);
    bench.peer.on(MAKE_BRANCH, [Choice::status(422).message("Reference already exists")]);
    bench.peer.on(REFERENCE, [reference(TIP), reference(MADE)]);
    bench.is_made(&message(input));
    let made = bench.mutate(data.path()).await.unwrap();
    assert_eq!((made.branch, made.head), (branch(OURS), commit(MADE)));
    assert_eq!((made.action, bench.inputs().len()), (ProposalAction::Created, 2));
    assert_eq!(std::fs::read_dir(data.path().join("pending")).unwrap().count(), 0, "no record stays");
}

#[tokio::test]
async fn the_commit_that_the_mutation_tells_of_is_the_proposal_s() {
    let data = tempfile::tempdir().unwrap();
    let place = |field: &str| format!("/createCommitOnBranch/commit/{field}");
    let (oid, valid) = ((place("oid"), json!(MADE)), (place("signature/isValid"), json!(false)));
    let unsigned = GraphQl::Data([oid.clone(), valid, (place("signature/state"), json!("UNSIGNED"))].into());
    let unknown = GraphQl::Data([oid, (place("signature"), Value::Null)].into());
    for (answer, signature) in [
        (unsigned, Some(CommitSignature { verified: false, reason: "unsigned".to_owned() })),
        (unknown, None),
    ] {
        let bench = with_graphql([answer]);
        bench.peer.on(REFERENCE, [reference(TIP)]);
        let made = bench.mutate(data.path()).await.unwrap();
        assert_eq!((made.action, made.head), (ProposalAction::Created, commit(MADE)));
        assert_eq!((made.signature, bench.inputs().len()), (signature, 1));
        assert_eq!(std::fs::read_dir(data.path().join("pending")).unwrap().count(), 0, "no record stays");
    }
}

#[tokio::test]
async fn case_30_without_a_record_a_branch_at_the_base_is_foreign() {
    let data = tempfile::tempdir().unwrap();
    let bench = with_graphql([GraphQl::Fault(Reply::Dropped)]);
    bench.peer.on(BRANCHES, [Choice::example().with_entries("", vec![at(OURS, TIP)])]);
    bench.peer.on(REFERENCE, [reference(TIP)]);
    bench.mutate(data.path()).await.unwrap_err();
    assert_eq!(bench.sent(MAKE_BRANCH)[0]["ref"], "refs/heads/fix/staso-a-2");
}

#[tokio::test]
async fn case_36_what_the_mutation_is_refused_for_is_said_in_words() {
    let data = tempfile::tempdir().unwrap();
    let rule = "Repository rule violations found: Changes must be made through a pull request.";
    let bench = with_graphql([
        GraphQl::Refused("UNPROCESSABLE", rule),
        GraphQl::Refused("FORBIDDEN", "Resource not accessible by personal access token"),
    ]);
    match bench.mutate(data.path()).await {
        Err(VcsError::PolicyRejected { rule, .. }) => {
            assert!(rule.contains("through a pull request"), "{rule}");
        }
        other => panic!("{other:?}"),
    }
    match bench.mutate(data.path()).await {
        Err(VcsError::MissingPermission { permission, .. }) => assert_eq!(permission, "contents: write"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn case_46_what_a_mutation_cannot_carry_is_made_of_blobs_and_trees() {
    let data = tempfile::tempdir().unwrap();
    let bench = Bench::new();
    let mut script = edit("exec_file", Some(EXEC_FILE), "#!/bin/sh\n");
    script.after = Some(NewContent { bytes: b"#!/bin/sh\n".to_vec(), executable: true });
    let host = ApiBranches::new(bench.target()).with_mutations(Pending::new(data.path(), "id", "key"));
    bench.publish_on(&host, &changes(vec![script])).await.unwrap();
    assert_eq!((bench.count(MAKE_COMMIT), bench.count(MAKE_BRANCH)), (1, 1));
}
