//! What is shown when a run has ended: the card, the diff, the proof and where to look.

use std::io::{self, Write as _};
use std::path::Path;

use staso_core::report::{CardStyle, card, proof_table};
use staso_core::run::RunArtifact;

use crate::terminal::{Look, Tone, printable};

/// The conclusion of a run, for the terminal. `run_json` is where its artifact is.
#[must_use]
pub fn conclusion(artifact: &RunArtifact, run_json: &Path, look: Look) -> String {
    let style = CardStyle::default().with_width(look.width);
    let mut parts = vec![card(artifact, if look.color { style.colored() } else { style })];
    if let Some(fix) = &artifact.fix {
        parts.push(look.diff(&fix.diff));
    }
    if artifact.verification.is_some() {
        parts.push(proof_table(artifact));
    }
    let mut places =
        vec![format!("  phases    {}", phases(artifact)), format!("  artifact  {}", run_json.display())];
    if let Some(command) = branch_command(artifact) {
        places.push(format!("  branch    {}", look.paint(Tone::Strong, &command)));
    }
    parts.push(places.join("\n"));
    parts.iter().map(|part| part.trim_end().to_owned() + "\n").collect::<Vec<_>>().join("\n")
}

fn phases(artifact: &RunArtifact) -> String {
    let times: Vec<_> = artifact.timings_ms.iter().map(|(phase, ms)| format!("{phase} {ms} ms")).collect();
    times.join(", ")
}

/// The git command that shows the branch with the fix, when it is in a repository on this machine.
#[must_use]
pub fn branch_command(artifact: &RunArtifact) -> Option<String> {
    let proposal = artifact.proposal.as_ref()?;
    let path = artifact.source.repository_url.as_ref()?.local_path()?;
    Some(format!("git -C {} show {}", quoted(&printable(path)), quoted(proposal.branch.as_str())))
}

/// The text as one word for a shell.
fn quoted(text: &str) -> String {
    if text.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c)) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// A value as one line of JSON.
pub fn json(value: &impl serde::Serialize) -> String {
    // The types of an artifact have string keys only, so this cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}

/// Whether the reader of the output went away, as `head` does when it has seen enough.
fn reader_is_gone(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |cause| cause.source());
    causes.any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// Says on standard error what went wrong, with its causes. A reader that went away is nothing to complain about.
pub fn complain(error: &(dyn std::error::Error + 'static)) {
    if reader_is_gone(error) {
        return;
    }
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    // When standard error is closed there is nobody left to tell.
    drop(writeln!(io::stderr().lock(), "{}", printable(&text)));
}
