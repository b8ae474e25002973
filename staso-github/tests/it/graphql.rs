//! The document that is sent to GitHub's GraphQL API agrees with GitHub's schema, and what does not is noticed.

use serde_json::{Value, json};

use crate::peer::graphql::{Document, violations};

const DOCUMENT: &str = include_str!("../../src/github/proposal/create_commit.graphql");

fn input() -> Value {
    json!({
        "branch": {"repositoryNameWithOwner": "acme/support", "branchName": "fix/staso-1"},
        "expectedHeadOid": "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d",
        "message": {"headline": "Fix it", "body": ""},
        "fileChanges": {"additions": [{"path": "a", "contents": "YQo="}], "deletions": [{"path": "b"}]},
    })
}

fn of(document: &str, input: &Value) -> Vec<String> {
    violations(&json!({ "query": document, "variables": { "input": input } }))
}

#[test]
fn the_document_agrees_with_the_schema() {
    assert_eq!(of(DOCUMENT, &input()), Vec::<String>::new());
}

#[test]
fn a_document_that_contradicts_the_schema_is_noticed() {
    for (from, to, expected) in [
        ("oid", "oidd", "Commit has no field oidd"),
        ("isValid", "valid", "GitSignature has no field valid"),
        ("createCommitOnBranch", "createCommit", "Mutation has no field createCommit"),
        ("mutation", "query", "Query has no field createCommitOnBranch"),
        (
            "CreateCommitOnBranchInput!",
            "CreateCommitOnBranchInput",
            "Mutation.createCommitOnBranch(input:) is CreateCommitOnBranchInput!, but $input is CreateCommitOnBranchInput",
        ),
        ("CreateCommitOnBranchInput!", "Commit!", "$input: Commit! is OBJECT, not a type of input"),
        ("(input: $input)", "(inputs: $input)", "Mutation.createCommitOnBranch has no argument inputs"),
        ("(input: $input)", "", "Mutation.createCommitOnBranch needs the argument input"),
        ("(input: $input)", "(input: $other)", "$other is not declared"),
        (
            "(input: $input)",
            "(input: $input, input: $input)",
            "Mutation.createCommitOnBranch gets the argument input twice",
        ),
        ("state", "state { x }", "GitSignature.state is GitSignatureState, which has no fields"),
        ("oid", "oid tree", "Commit.tree is Tree: its fields have to be named"),
        ("oid", "oid oid", "Commit.oid is asked for twice"),
    ] {
        let changed = DOCUMENT.replacen(from, to, 1);
        assert_ne!(changed, DOCUMENT);
        let found = of(&changed, &input());
        assert!(found.iter().any(|one| one == expected), "{expected}: {found:?}");
    }
}

#[test]
fn what_is_not_known_of_the_language_is_refused() {
    for (from, to) in [
        ("oid", "id: oid"),
        ("oid", "...more"),
        ("oid", "oid @include(if: $input)"),
        ("$input)", "{})"),
        ("$input)", "\"text\")"),
        ("oid", "oid # why"),
        ("Input!)", "Input! = null)"),
        ("mutation", "subscription"),
        ("mutation", "fragment"),
        ("{", ""),
        ("signature {", "signature {}"),
    ] {
        let changed = DOCUMENT.replacen(from, to, 1);
        assert_ne!(changed, DOCUMENT);
        assert!(Document::parse(&changed).is_err(), "{changed}");
    }
    for cut in 0..DOCUMENT.trim_end().len() {
        assert!(Document::parse(&DOCUMENT[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn variables_that_contradict_the_schema_are_noticed() {
    for (pointer, value, expected) in [
        ("/expectedHeadOid", Value::Null, "$input.expectedHeadOid is missing: it is GitObjectID!"),
        ("/expectedHeadOid", json!("main"), r#"$input.expectedHeadOid: "main" is no GitObjectID"#),
        ("/message/headline", Value::Null, "$input.message.headline is missing: it is String!"),
        ("/message/body", json!(1), "$input.message.body: 1 is no String"),
        ("/message", json!("Fix it"), "$input.message is no CommitMessage"),
        (
            "/fileChanges/additions/0/contents",
            json!("a\n"),
            r#"$input.fileChanges.additions[0].contents: "a\n" is no Base64String"#,
        ),
        (
            "/fileChanges/additions/0/path",
            Value::Null,
            "$input.fileChanges.additions[0].path is missing: it is String!",
        ),
        (
            "/fileChanges/additions/0",
            Value::Null,
            "$input.fileChanges.additions[0] is missing: it is FileAddition!",
        ),
        ("/fileChanges/deletions", json!({"path": "b"}), "$input.fileChanges.deletions is no list"),
        ("/fileChanges", json!({"files": []}), "$input.fileChanges: FileChanges has no field files"),
        (
            "/branch/branchName",
            Value::Null,
            "$input.branch names a branch by its id, or by repositoryNameWithOwner and branchName",
        ),
        ("/branch", Value::Null, "$input.branch is missing: it is CommittableBranch!"),
    ] {
        let mut changed = input();
        *changed.pointer_mut(pointer).unwrap() = value;
        assert_eq!(of(DOCUMENT, &changed), [expected]);
    }
    let input = input();
    let found =
        violations(&json!({ "query": DOCUMENT, "variables": { "input": input, "more": 1 }, "extra": 1 }));
    assert_eq!(found, ["the body has extra", "there is no variable $more"]);
    assert_eq!(
        violations(&json!({ "query": DOCUMENT })),
        ["$input is missing: it is CreateCommitOnBranchInput!"]
    );
}

#[test]
fn an_answer_has_every_scalar_that_was_asked_for_and_no_other() {
    let document = Document::parse(DOCUMENT).unwrap();
    let commit = |name: &str| format!("/createCommitOnBranch/commit/{name}");
    let oid = json!("7638417db6d59f3c431d3e1f261cc637155684cd");
    let answer = document.answer(&[(commit("oid"), oid.clone()), (commit("signature"), Value::Null)].into());
    assert_eq!(
        answer,
        json!({"data": {"createCommitOnBranch": {"commit": {"oid": oid, "signature": null}}}})
    );
    for wrong in [
        vec![(commit("oid"), oid.clone())],
        vec![(commit("oid"), Value::Null), (commit("signature"), Value::Null)],
        vec![(commit("oid"), oid.clone()), (commit("signature"), Value::Null), (commit("url"), json!("x"))],
        vec![
            (commit("oid"), oid.clone()),
            (commit("signature/isValid"), json!(true)),
            (commit("signature/state"), json!("FINE")),
        ],
    ] {
        let values = wrong.into_iter().collect();
        let refused = std::panic::catch_unwind(|| document.answer(&values));
        assert!(refused.is_err(), "{values:?}");
    }
}
