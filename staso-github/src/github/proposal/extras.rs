//! What is nice to have on a pull request: labels and reviewers. Nothing here fails a proposal.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use staso_core::run::RunContext;
use staso_core::vcs::VcsError;

use super::problem::Problem;
use super::pull::Pull;
use super::target::Target;
use crate::github::client::Repeat;
use crate::github::options::GitHubOptions;

/// Labels of one pull request.
const MAX_LABELS: usize = 100;

/// Adds the labels that are missing, and asks for reviews where nobody is asked. Gives a warning for each that does not
/// work.
pub(super) async fn add(
    target: Target<'_>,
    pull: &Pull,
    labels: &[String],
    options: &GitHubOptions,
    ctx: &RunContext,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let there: BTreeSet<String> = pull.labels.iter().map(|label| label.name.to_lowercase()).collect();
    let missing: BTreeSet<&str> = labels
        .iter()
        .chain(&options.labels)
        .map(|label| label.trim())
        .filter(|label| !label.is_empty() && !there.contains(&label.to_lowercase()))
        .take(MAX_LABELS)
        .collect();
    if !missing.is_empty() {
        let rest = format!("issues/{}/labels", pull.number);
        warnings.extend(post(target, "adding labels", &rest, json!({ "labels": missing }), ctx).await);
    }
    if !pull.has_reviewers() {
        // One name that cannot be asked refuses the whole request, so users and teams are asked apart.
        let rest = format!("pulls/{}/requested_reviewers", pull.number);
        for (kind, names) in [("reviewers", &options.reviewers), ("team_reviewers", &options.team_reviewers)]
        {
            if !names.is_empty() {
                let body = json!({ kind: names });
                warnings.extend(post(target, "asking for reviews", &rest, body, ctx).await);
            }
        }
    }
    warnings
}

/// Doing any of this twice is doing it once.
async fn post(
    target: Target<'_>,
    operation: &'static str,
    rest: &str,
    body: Value,
    ctx: &RunContext,
) -> Option<String> {
    match target.write(operation, Method::POST, rest, body, Repeat::Safe, ctx).await {
        Ok(answer) if answer.is_success() => None,
        Ok(answer) => {
            let text = Problem::of(&answer).text();
            Some(format!("{operation} was refused with status {}: {text}", answer.status))
        }
        Err(failure) => Some(format!("{operation} failed: {}", VcsError::from(failure))),
    }
}
