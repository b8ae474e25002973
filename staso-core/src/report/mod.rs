//! Texts made from an artifact: the diagnosis card and the pull request.

/// Placeholder.
#[derive(Debug)]
pub struct PullRequestText {
    /// t
    pub title: String,
    /// b
    pub body: String,
    /// c
    pub commit_message: String,
}
/// Placeholder.
pub fn pull_request(a: &crate::run::RunArtifact, _b: Option<&str>) -> PullRequestText {
    PullRequestText { title: a.outcome.code.clone(), body: String::new(), commit_message: String::new() }
}
