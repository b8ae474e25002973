//! What is nice to have on a pull request: labels and reviewers. Nothing here fails a proposal.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use staso_core::run::RunContext;
use staso_core::vcs::VcsError;

use super::preview::RequestPreview;
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
    let there: BTreeSet<String> = pull.labels.iter().map(|label| label.name.to_lowercase()).collect();
    let mut warnings = Vec::new();
    for Extra { operation, rest, body } in
        extras(&pull.number.to_string(), labels, options, |label| there.contains(label))
    {
        let is_review = rest.starts_with("pulls/");
        if !(is_review && pull.has_reviewers()) {
            warnings.extend(post(target, operation, &rest, body, ctx).await);
        }
    }
    warnings
}

/// The requests that would be sent for a pull request that is new.
pub(super) fn requests(
    target: Target<'_>,
    labels: &[String],
    options: &GitHubOptions,
) -> impl Iterator<Item = RequestPreview> {
    let extras = extras("{number}", labels, options, |_| false);
    extras.into_iter().map(move |extra| RequestPreview::post(target.path(&extra.rest), extra.body))
}

/// One request beside the pull request itself.
struct Extra {
    operation: &'static str,
    rest: String,
    body: Value,
}

fn extras(
    number: &str,
    labels: &[String],
    options: &GitHubOptions,
    is_there: impl Fn(&str) -> bool,
) -> Vec<Extra> {
    let mut extras = Vec::new();
    let missing: BTreeSet<&str> = labels
        .iter()
        .chain(&options.labels)
        .map(|label| label.trim())
        .filter(|label| !label.is_empty() && !is_there(&label.to_lowercase()))
        .take(MAX_LABELS)
        .collect();
    if !missing.is_empty() {
        let rest = format!("issues/{number}/labels");
        extras.push(Extra { operation: "adding labels", rest, body: json!({ "labels": missing }) });
    }
    // One name that cannot be asked refuses the whole request, so users and teams are asked apart.
    for (kind, names) in [("reviewers", &options.reviewers), ("team_reviewers", &options.team_reviewers)] {
        if !names.is_empty() {
            let rest = format!("pulls/{number}/requested_reviewers");
            extras.push(Extra { operation: "asking for reviews", rest, body: json!({ kind: names }) });
        }
    }
    extras
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
