//! What each hosting platform says about the revision: all rows of the table, with what is wrong with the plain variables.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use crate::capture_source::{A, B, detect, found};

/// Variables; then commit, branch and repository.
struct Row {
    variables: &'static [(&'static str, &'static str)],
    expected: (Option<&'static str>, Option<&'static str>, Option<&'static str>),
}

const ACME: Option<&str> = Some("https://github.com/acme/support");
const MAIN: Option<&str> = Some("main");

#[rustfmt::skip]
const GITHUB: &[Row] = &[
    Row {
        variables: &[("GITHUB_ACTIONS", "true"), ("GITHUB_SHA", A), ("GITHUB_REF_NAME", "main"), ("GITHUB_REPOSITORY", "acme/support")],
        expected: (Some(A), MAIN, ACME),
    },
    Row {
        variables: &[
            ("GITHUB_ACTIONS", "true"), ("GITHUB_SHA", A), ("GITHUB_REF_NAME", "7/merge"), ("GITHUB_REF", "refs/pull/7/merge"),
            ("GITHUB_HEAD_REF", "feature/x"), ("GITHUB_REPOSITORY", "acme/support"),
        ],
        expected: (Some(A), Some("feature/x"), ACME),
    },
    Row {
        variables: &[
            ("GITHUB_ACTIONS", "true"), ("GITHUB_SHA", A), ("GITHUB_REF_NAME", "v1"), ("GITHUB_REF_TYPE", "tag"),
            ("GITHUB_REPOSITORY", "acme/support"), ("GITHUB_SERVER_URL", "https://git.example.org"),
        ],
        expected: (Some(A), None, Some("https://git.example.org/acme/support")),
    },
    Row { variables: &[("GITHUB_SHA", A)], expected: (None, None, None) },
    Row {
        variables: &[("GITHUB_ACTIONS", "true"), ("NETLIFY", "true"), ("COMMIT_REF", A)],
        expected: (Some(A), None, None),
    },
];

#[rustfmt::skip]
const HOSTING: &[Row] = &[
    Row {
        variables: &[
            ("VERCEL", "1"), ("VERCEL_GIT_COMMIT_SHA", A), ("VERCEL_GIT_COMMIT_REF", "main"),
            ("VERCEL_GIT_REPO_OWNER", "acme"), ("VERCEL_GIT_REPO_SLUG", "support"),
        ],
        expected: (Some(A), MAIN, ACME),
    },
    Row {
        variables: &[("VERCEL", "1"), ("VERCEL_GIT_COMMIT_SHA", A), ("VERCEL_GIT_REPO_SLUG", "support")],
        expected: (Some(A), None, None),
    },
    Row {
        variables: &[("RAILWAY_ENVIRONMENT", "production"), ("RAILWAY_GIT_COMMIT_SHA", A), ("RAILWAY_GIT_BRANCH", "main")],
        expected: (Some(A), MAIN, None),
    },
    Row { variables: &[("HEROKU_SLUG_COMMIT", A)], expected: (Some(A), None, None) },
    Row {
        variables: &[("NETLIFY", "true"), ("COMMIT_REF", A), ("BRANCH", "main"), ("REPOSITORY_URL", "https://github.com/acme/support")],
        expected: (Some(A), MAIN, ACME),
    },
];

#[rustfmt::skip]
const PIPELINES: &[Row] = &[
    Row {
        variables: &[
            ("GITLAB_CI", "true"), ("CI_COMMIT_SHA", A), ("CI_COMMIT_BRANCH", "main"),
            ("CI_PROJECT_URL", "https://gitlab.com/acme/support"),
        ],
        expected: (Some(A), MAIN, Some("https://gitlab.com/acme/support")),
    },
    Row {
        variables: &[
            ("GITLAB_CI", "true"), ("CI_COMMIT_SHA", A), ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "x"),
            ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", B),
        ],
        expected: (Some(B), Some("x"), None),
    },
    Row {
        variables: &[
            ("CIRCLECI", "true"), ("CIRCLE_SHA1", A), ("CIRCLE_BRANCH", "main"),
            ("CIRCLE_REPOSITORY_URL", "git@github.com:acme/support.git"),
        ],
        expected: (Some(A), MAIN, ACME),
    },
    Row {
        variables: &[
            ("BITBUCKET_COMMIT", A), ("BITBUCKET_BRANCH", "main"),
            ("BITBUCKET_GIT_HTTP_ORIGIN", "http://bitbucket.org/acme/support"),
        ],
        expected: (Some(A), MAIN, Some("https://bitbucket.org/acme/support")),
    },
    Row {
        variables: &[
            ("CODEBUILD_BUILD_ID", "1"), ("CODEBUILD_RESOLVED_SOURCE_VERSION", A),
            ("CODEBUILD_SOURCE_REPO_URL", "https://ghp_token@github.com/acme/support.git"),
        ],
        expected: (Some(A), None, ACME),
    },
    Row {
        variables: &[
            ("TF_BUILD", "True"), ("BUILD_SOURCEVERSION", A), ("BUILD_SOURCEBRANCH", "refs/heads/feature/y"),
            ("BUILD_REPOSITORY_URI", "https://acme@dev.azure.com/acme/shop/_git/support"),
        ],
        expected: (Some(A), Some("feature/y"), Some("https://dev.azure.com/acme/shop/_git/support")),
    },
    Row {
        variables: &[
            ("TF_BUILD", "True"), ("BUILD_SOURCEVERSION", A), ("BUILD_SOURCEBRANCH", "refs/pull/3/merge"),
            ("SYSTEM_PULLREQUEST_SOURCECOMMITID", B), ("SYSTEM_PULLREQUEST_SOURCEBRANCH", "refs/heads/x"),
        ],
        expected: (Some(B), Some("x"), None),
    },
];

#[test]
fn each_platform_names_its_revision() {
    let empty = TempDir::new().unwrap();
    for Row { variables, expected } in [GITHUB, HOSTING, PIPELINES].into_iter().flatten() {
        let source = detect(variables, empty.path());
        assert_eq!(found(&source), *expected, "{variables:?}");
        assert_eq!(source.revision.dirty, None, "the environment cannot tell: {variables:?}");
        assert_eq!(source.warnings, Vec::<String>::new(), "{variables:?}");
    }
}

#[test]
fn a_pull_request_on_github_names_the_commit_that_someone_wrote() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("event.json");
    let repository = json!({"clone_url": "https://github.com/fork/support.git"});
    let event = json!({"pull_request": {"head": {"sha": B, "ref": "feature/x", "repo": repository}}});
    fs::write(&path, event.to_string()).unwrap();
    let variables = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_SHA", A),
        ("GITHUB_REF", "refs/pull/7/merge"),
        ("GITHUB_REF_NAME", "7/merge"),
        ("GITHUB_REPOSITORY", "acme/support"),
        ("GITHUB_EVENT_PATH", path.to_str().unwrap()),
    ];
    let source = detect(&variables, directory.path());
    assert_eq!(found(&source), (Some(B), Some("feature/x"), Some("https://github.com/fork/support")));
}
