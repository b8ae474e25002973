//! The text of a pull request: title, body and commit message.

use super::layout::Style;
use super::markdown::{code, cut_at_line, link};
use super::neutralise::{self, cut, inline};
use super::place::{Permalinks, short_commit, short_span};
use super::{folded, proof, wording};
use crate::diagnosis::{Diagnosis, Locator, Receipt};
use crate::id::TraceId;
use crate::run::{FixRecord, RunArtifact};

/// Longest body, in bytes. GitHub's limit is 65,536 after it has expanded the text.
pub const MAX_BODY_BYTES: usize = 58_000;
/// Longest title, in characters.
pub const MAX_TITLE_CHARS: usize = 72;
/// Longest part that the repository's own template takes, in bytes.
const MAX_TEMPLATE_BYTES: usize = 16_000;
/// Longest phrase on the first screen, in characters.
const MAX_PHRASE_CHARS: usize = 240;
/// Longest path on the first screen, in characters.
const MAX_PATH_CHARS: usize = 200;
/// Changes and open points on the first screen; the rest is folded or counted.
const MAX_LISTED: usize = 3;

/// What surrounds the text of a pull request.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PullRequestOptions<'a> {
    /// Where traces can be read: the trace id is appended after a slash. Default `None`: the id stands there as code.
    pub trace_url_base: Option<&'a str>,
    /// Hosts beside `github.com` that show files at `/blob/<commit>/<path>#L<line>`. Default none.
    pub forge_hosts: Vec<&'a str>,
    /// The repository's own pull request template, which then comes first. Default `None`.
    pub template: Option<&'a str>,
}

impl<'a> PullRequestOptions<'a> {
    /// Sets where traces can be read, e.g. `https://staso.example.com/traces`.
    #[must_use]
    pub const fn with_trace_url_base(mut self, base: &'a str) -> Self {
        self.trace_url_base = Some(base);
        self
    }

    /// Adds a host whose addresses of files have the form of GitHub's.
    #[must_use]
    pub fn with_forge_host(mut self, host: &'a str) -> Self {
        self.forge_hosts.push(host);
        self
    }

    /// Sets the repository's own template. Its comments, mentions and links are made inert: a bot fills it in.
    #[must_use]
    pub const fn with_template(mut self, template: &'a str) -> Self {
        self.template = Some(template);
        self
    }
}

/// The text of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequestText {
    /// Imperative, one line, ≤ [`MAX_TITLE_CHARS`].
    pub title: String,
    /// Markdown, ≤ [`MAX_BODY_BYTES`]. Ends in the hidden marker `<!-- staso:diagnosis=TRACE -->`.
    pub body: String,
    /// The commit message below the title, ending in the trailers of the trace. Those of the run are the provider's.
    pub commit_message: String,
}

/// Makes the text of the pull request for a fix.
///
/// The artifact is a draft: its proposal, timings and digest of events may still be missing and are not read. `None`
/// when it holds no diagnosis or no fix.
#[must_use]
pub fn pull_request(draft: &RunArtifact, options: &PullRequestOptions<'_>) -> Option<PullRequestText> {
    let writer =
        Writer { run: draft, diagnosis: draft.diagnosis.as_ref()?, fix: draft.fix.as_ref()?, options };
    Some(PullRequestText {
        title: title(&writer.fix.title),
        body: writer.body(),
        commit_message: writer.commit_message(),
    })
}

fn title(wanted: &str) -> String {
    let line = neutralise::plain(wanted);
    let line = line.trim_end_matches('.');
    if line.is_empty() { "Fix the cause of a failed run".to_owned() } else { cut(line, MAX_TITLE_CHARS) }
}

/// A phrase of a stranger, short enough for the first screen.
fn phrase(text: &str) -> String {
    inline(&cut(&neutralise::terminal(text), MAX_PHRASE_CHARS))
}

fn path_code(path: &str) -> String {
    code(&cut(&neutralise::terminal(path), MAX_PATH_CHARS))
}

pub(super) struct Writer<'a> {
    pub(super) run: &'a RunArtifact,
    pub(super) diagnosis: &'a Diagnosis,
    pub(super) fix: &'a FixRecord,
    options: &'a PullRequestOptions<'a>,
}

impl Writer<'_> {
    fn body(&self) -> String {
        let ending = self.ending();
        let mut main = String::new();
        if let Some(template) = self.options.template {
            let kept: String = template.chars().take(MAX_TEMPLATE_BYTES).collect();
            main = cut_at_line(&neutralise::block(&kept), MAX_TEMPLATE_BYTES, "_The template is cut here._");
            main.push_str("\n\n");
        }
        main.push_str(&self.first_screen());
        main.push_str("\n\n");
        main.push_str(&folded::parts(self));
        let note = "_Cut here: the whole text is in the artifact of the run._";
        let main = cut_at_line(&main, MAX_BODY_BYTES - ending.len() - 2, note);
        format!("{}\n\n{ending}\n", main.trim_end())
    }

    fn first_screen(&self) -> String {
        [
            self.what_users_saw(),
            proof::markdown(&proof::rows(self.run)),
            format!("**{}**", proof::verdict(self.run)),
            self.cause(),
            self.changes(),
            self.confidence(),
            self.risk(),
            self.not_checked(),
        ]
        .join("\n\n")
    }

    fn what_users_saw(&self) -> String {
        let chain = &self.diagnosis.chain;
        let symptom = chain.last().map_or(self.diagnosis.summary.as_str(), |step| step.what.as_str());
        let symptom = phrase(symptom.trim_end_matches('.'));
        format!("**What users saw.** {symptom}. {}", wording::effect(self.diagnosis.propagation))
    }

    fn cause(&self) -> String {
        let mut places = vec![self.trace_link(self.diagnosis.trace_id)];
        if let Some(root) = &self.diagnosis.root_cause {
            places.push(format!("span {}", code(&short_span(root.span_id))));
        }
        places.extend(self.cited_lines().map(|receipt| self.permalinks().markdown(receipt)));
        format!("**Cause.** {} ({})", inline(self.diagnosis.summary.as_str()), places.join(", "))
    }

    /// The first lines of code whose citation holds.
    fn cited_lines(&self) -> Option<&Receipt> {
        self.diagnosis
            .receipts
            .iter()
            .find(|receipt| receipt.is_verified() && matches!(receipt.locator, Locator::File { .. }))
    }

    pub(super) fn permalinks(&self) -> Permalinks<'_> {
        Permalinks {
            repository: self.run.source.repository_url.as_ref(),
            forge_hosts: &self.options.forge_hosts,
        }
    }

    fn trace_link(&self, trace: TraceId) -> String {
        self.options
            .trace_url_base
            .and_then(|base| link("trace", &format!("{}/{trace}", base.trim_end_matches('/'))))
            .unwrap_or_else(|| format!("trace {}", code(&trace.to_string())))
    }

    fn changes(&self) -> String {
        let mut lines = vec!["**Why each change.**".to_owned()];
        for hunk in self.fix.hunks.iter().take(MAX_LISTED) {
            let needed = match &hunk.needed_by {
                Some(check) => format!("without it fails: {}", phrase(check)),
                None => "not shown to be needed by itself".to_owned(),
            };
            let why = phrase(hunk.why.trim_end_matches('.'));
            lines.push(format!("- {}: {why} ({needed})", path_code(&hunk.file)));
        }
        let more = self.fix.hunks.len().saturating_sub(MAX_LISTED);
        if more > 0 {
            lines.push(format!("- and {more} more"));
        }
        lines.join("\n")
    }

    fn confidence(&self) -> String {
        let diagnosis = self.diagnosis;
        let mut text = format!("**Confidence.** {}: {}.", diagnosis.confidence, wording::support(diagnosis));
        let caps: Vec<String> =
            diagnosis.caps.iter().take(2).map(|cap| phrase(cap.reason.trim_end_matches('.'))).collect();
        if !caps.is_empty() {
            text.push_str(&format!(" Lowered because: {}.", caps.join("; ")));
        }
        if let Some(rival) = diagnosis.hypotheses.get(1) {
            text.push_str(&format!(" Next explanation: {}.", phrase(&wording::rival(rival))));
        }
        text
    }

    fn risk(&self) -> String {
        let fix = self.fix;
        let files = if fix.files.len() == 1 { "1 file" } else { &format!("{} files", fix.files.len()) };
        let focus =
            fix.files.first().map_or_else(String::new, |file| format!(" Look first at {}.", path_code(file)));
        let reach = match fix.kind {
            crate::diagnosis::FixKind::Prompt => " Every run that uses the prompt is affected.",
            crate::diagnosis::FixKind::Code => " Every caller of the changed lines is affected.",
            crate::diagnosis::FixKind::Config => " Every run that reads the setting is affected.",
        };
        format!(
            "**Risk.** A {} change in {files}, +{} −{}.{reach}{focus}{} To roll back, revert the one commit.",
            wording::fix_kind(fix.kind),
            fix.added,
            fix.removed,
            wording::also_passed(self.run).map(|text| format!(" {text}")).unwrap_or_default(),
        )
    }

    fn not_checked(&self) -> String {
        let found = wording::not_checked(self.run);
        let mut shown: Vec<String> =
            found.iter().take(MAX_LISTED).map(|item| phrase(item.trim_end_matches('.'))).collect();
        let more = found.len().saturating_sub(MAX_LISTED);
        if more > 0 {
            shown.push(format!("and {more} more, folded below"));
        }
        format!("**Not checked.** {}.", shown.join("; "))
    }

    fn ending(&self) -> String {
        format!(
            "---\nOpened automatically by Staso for run {}. To redirect it, push to this branch or edit this text: \
             commits are never overwritten. To stop it, close this pull request; Staso merges nothing.\n\n\
             <!-- staso:diagnosis={} -->",
            code(&self.run.run_id.to_string()),
            self.diagnosis.trace_id
        )
    }

    fn commit_message(&self) -> String {
        let style = Style::new(false, 72);
        let mut text = style.paragraph("", &neutralise::plain(self.diagnosis.summary.as_str()));
        text.push('\n');
        text.push_str(&style.paragraph("", proof::verdict(self.run)));
        if let Some(commit) = &self.run.source.commit {
            let at = format!("The failing run was at commit {}.", short_commit(commit));
            text.push_str(&style.paragraph("", &at));
        }
        text.push_str(&format!("\nStaso-Trace: {}\n", self.diagnosis.trace_id));
        if let Some(digest) = &self.run.trace_digest {
            text.push_str(&format!("Staso-Trace-Digest: {digest}\n"));
        }
        text
    }
}
