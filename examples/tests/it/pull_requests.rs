//! The pull requests of the demo, as a maintainer would read them: what differs from run to run is replaced, the rest is
//! the text.

use regex::Regex;
use staso_core::run::RunArtifact;

/// What differs from run to run, and what stands for it.
const VARYING: [(&str, &str); 7] = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
    (r"sha256:[0-9a-f]{16,64}", "sha256:DIGEST"),
    (r"\b[0-9a-f]{40}\b", "COMMIT"),
    (r"\b[0-9a-f]{16}\b", "SPAN"),
    (r" at [0-9a-f]{10}\b", " at COMMIT"),
    (r"\b\d+(\.\d+)? (ms|s)\b", "N ms"),
    // The recorded stack names the folder that the demo ran in, and a quote is cut at a number of characters.
    (r"(?m)(/error_stack`: )`.*` — ", "$1`…` — "),
];

/// Compares title and text with those that are checked in.
pub(crate) fn assert_reads_as_before(name: &str, artifact: &RunArtifact) {
    let proposal = artifact.proposal.as_ref().unwrap_or_else(|| panic!("{name} has no proposal"));
    let mut text = format!("{}\n\n{}", proposal.title, proposal.body);
    for (pattern, replacement) in VARYING {
        text = Regex::new(pattern).unwrap().replace_all(&text, replacement).into_owned();
    }
    insta::assert_snapshot!(format!("pull_request_{name}"), text);
}
