//! A fixer that proposes what the test tells it to.

use async_trait::async_trait;

use crate::code::RepoPath;
use crate::diagnosis::FixKind;
use crate::fix::{FixCandidate, FixError, FixRequest, Fixer, Patch, Replacement};
use crate::run::RunContext;

/// Replaces one text in one file by each of a list of others, best first.
#[derive(Debug, Clone)]
pub struct ReplacingFixer {
    path: RepoPath,
    old: String,
    new: Vec<String>,
}

impl ReplacingFixer {
    /// Proposes each of `new` in place of the first `old` in the file. A text that changes nothing is left out.
    pub fn new<S: Into<String>>(path: RepoPath, old: &str, new: impl IntoIterator<Item = S>) -> Self {
        Self { path, old: old.to_owned(), new: new.into_iter().map(Into::into).collect() }
    }

    fn candidate(
        &self,
        request: &FixRequest<'_>,
        at: usize,
        text: &str,
        rank: usize,
    ) -> Option<FixCandidate> {
        let part = Replacement { range: at..at + self.old.len(), text: text.to_owned() };
        let rank = f64::from(u32::try_from(rank).unwrap_or(u32::MAX));
        Some(FixCandidate {
            patch: Patch::replace(request.code, &self.path, vec![part]).ok()?,
            kind: FixKind::Code,
            author: format!("replacing:{text}"),
            title: format!("Write {text} instead of {}", self.old),
            why: format!("{text} is what the test proposes"),
            score: 1.0 / (1.0 + rank),
        })
    }
}

#[async_trait]
impl Fixer for ReplacingFixer {
    fn name(&self) -> &str {
        "replacing"
    }

    async fn propose(
        &self,
        request: &FixRequest<'_>,
        ctx: &RunContext,
    ) -> Result<Vec<FixCandidate>, FixError> {
        if ctx.is_cancelled() {
            return Err(FixError::Cancelled);
        }
        let place = request.code.file(&self.path).and_then(|file| file.text.find(&self.old));
        let Some(at) = place else { return Ok(Vec::new()) };
        let candidates = self.new.iter().enumerate();
        let candidates = candidates.filter_map(|(rank, text)| self.candidate(request, at, text, rank));
        Ok(candidates.take(request.max_candidates).collect())
    }
}
