//! What hosting and CI platforms say about the revision, in their own variables.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::Claim;
use crate::environment::{Environment, non_empty};

type Read = fn(&Variables<'_>) -> Claim;

/// Guard variable, name for messages, reader. The first whose guard is set and that names a commit counts.
const PLATFORMS: [(&str, &str, Read); 10] = [
    ("GITHUB_ACTIONS", "GitHub Actions", github),
    ("VERCEL", "Vercel", vercel),
    ("RAILWAY_ENVIRONMENT", "Railway", railway),
    ("HEROKU_SLUG_COMMIT", "Heroku", |v| v.claim("HEROKU_SLUG_COMMIT", None, None)),
    ("GITLAB_CI", "GitLab CI", gitlab),
    ("CIRCLECI", "CircleCI", |v| {
        v.claim("CIRCLE_SHA1", Some("CIRCLE_BRANCH"), Some("CIRCLE_REPOSITORY_URL"))
    }),
    ("BITBUCKET_COMMIT", "Bitbucket", |v| {
        v.claim("BITBUCKET_COMMIT", Some("BITBUCKET_BRANCH"), Some("BITBUCKET_GIT_HTTP_ORIGIN"))
    }),
    ("CODEBUILD_BUILD_ID", "CodeBuild", |v| {
        v.claim("CODEBUILD_RESOLVED_SOURCE_VERSION", None, Some("CODEBUILD_SOURCE_REPO_URL"))
    }),
    ("NETLIFY", "Netlify", |v| v.claim("COMMIT_REF", Some("BRANCH"), Some("REPOSITORY_URL"))),
    ("TF_BUILD", "Azure Pipelines", azure),
];

const MAX_EVENT_BYTES: u64 = 4 << 20;

struct Variables<'e>(&'e dyn Environment);

impl Variables<'_> {
    fn get(&self, name: &str) -> Option<String> {
        non_empty(self.0, name)
    }

    fn claim(&self, commit: &str, branch: Option<&str>, repository: Option<&str>) -> Claim {
        Claim {
            commit: self.get(commit),
            branch: branch.and_then(|name| self.get(name)),
            repository: repository.and_then(|name| self.get(name)),
            ..Claim::default()
        }
    }
}

pub(super) fn claim(environment: &dyn Environment) -> Claim {
    let variables = Variables(environment);
    PLATFORMS
        .iter()
        .filter(|(guard, ..)| variables.get(guard).is_some())
        .map(|&(_, origin, read)| Claim { origin, ..read(&variables) })
        .find(|claim| claim.commit.is_some())
        .unwrap_or_default()
}

/// On pull requests `GITHUB_SHA` is a merge commit that GitHub makes up and `GITHUB_REF_NAME` is `N/merge`; the commit
/// that someone wrote is in the event. The merge was what ran, so nothing is claimed about dirtiness.
fn github(variables: &Variables<'_>) -> Claim {
    let mut claim = variables.claim("GITHUB_SHA", Some("GITHUB_REF_NAME"), None);
    let server = variables.get("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".to_owned());
    claim.repository = variables.get("GITHUB_REPOSITORY").map(|name| format!("{server}/{name}"));
    match variables.get("GITHUB_REF_TYPE").as_deref() {
        Some("tag") => claim.branch = None,
        _ if variables.get("GITHUB_REF").is_some_and(|name| name.starts_with("refs/pull/")) => {
            claim.branch = variables.get("GITHUB_HEAD_REF");
            if let Some(head) = variables.get("GITHUB_EVENT_PATH").and_then(|path| pull_request_head(&path)) {
                claim.commit = Some(head.sha);
                claim.branch = Some(head.name);
                claim.repository = head.repo.map(|repo| repo.clone_url).or(claim.repository);
            }
        }
        _ => {}
    }
    claim
}

#[derive(Deserialize)]
struct Event {
    pull_request: PullRequest,
}

#[derive(Deserialize)]
struct PullRequest {
    head: Head,
}

#[derive(Deserialize)]
struct Head {
    sha: String,
    #[serde(rename = "ref")]
    name: String,
    repo: Option<HeadRepository>,
}

#[derive(Deserialize)]
struct HeadRepository {
    clone_url: String,
}

fn pull_request_head(event_path: &str) -> Option<Head> {
    let path = Path::new(event_path);
    let size = fs::metadata(path).ok().filter(fs::Metadata::is_file)?.len();
    let text = if size <= MAX_EVENT_BYTES { fs::read_to_string(path).ok()? } else { return None };
    serde_json::from_str::<Event>(&text).ok().map(|event| event.pull_request.head)
}

/// The slug alone names no repository; the owner and the provider make it one.
fn vercel(variables: &Variables<'_>) -> Claim {
    let mut claim = variables.claim("VERCEL_GIT_COMMIT_SHA", Some("VERCEL_GIT_COMMIT_REF"), None);
    let host = match variables.get("VERCEL_GIT_PROVIDER").as_deref() {
        Some("gitlab") => "gitlab.com",
        Some("bitbucket") => "bitbucket.org",
        None | Some("github") => "github.com",
        Some(_) => return claim,
    };
    claim.repository = variables
        .get("VERCEL_GIT_REPO_OWNER")
        .zip(variables.get("VERCEL_GIT_REPO_SLUG"))
        .map(|(owner, slug)| format!("https://{host}/{owner}/{slug}"));
    claim
}

/// Railway deploys from GitHub only.
fn railway(variables: &Variables<'_>) -> Claim {
    let mut claim = variables.claim("RAILWAY_GIT_COMMIT_SHA", Some("RAILWAY_GIT_BRANCH"), None);
    claim.repository = variables
        .get("RAILWAY_GIT_REPO_OWNER")
        .zip(variables.get("RAILWAY_GIT_REPO_NAME"))
        .map(|(owner, name)| format!("https://github.com/{owner}/{name}"));
    claim
}

/// Merge-request pipelines have no `CI_COMMIT_BRANCH`, and those on merged results run a commit that GitLab makes up.
fn gitlab(variables: &Variables<'_>) -> Claim {
    let mut claim = variables.claim("CI_COMMIT_SHA", Some("CI_COMMIT_BRANCH"), Some("CI_PROJECT_URL"));
    claim.commit = variables.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA").or(claim.commit);
    claim.branch = claim.branch.or_else(|| variables.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"));
    claim
}

/// Branches come as `refs/heads/…`; pull-request builds run a commit that Azure makes up.
fn azure(variables: &Variables<'_>) -> Claim {
    let mut claim =
        variables.claim("BUILD_SOURCEVERSION", Some("BUILD_SOURCEBRANCH"), Some("BUILD_REPOSITORY_URI"));
    let is_branch = claim.branch.as_ref().is_some_and(|name| name.starts_with("refs/heads/"));
    if !is_branch {
        claim.branch = variables.get("SYSTEM_PULLREQUEST_SOURCEBRANCH");
        claim.commit = variables.get("SYSTEM_PULLREQUEST_SOURCECOMMITID").or(claim.commit);
    }
    claim
}
