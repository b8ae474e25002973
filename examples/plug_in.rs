//! Plugging in your own: a fixer that knows one house rule, checked against the contract and used in a run.
//!
//! Every other part is the in-memory double that ships with the trait, so this needs no repository and no sandbox.

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use staso_core::code::{CodeSnapshot, RepoPath, SourceFile};
use staso_core::conformance::fixer;
use staso_core::diagnosis::FixKind;
use staso_core::fix::{FixCandidate, FixError, FixRequest, Fixer, Patch, Replacement};
use staso_core::run::RunContext;
use staso_core::testing::{memory_blob, memory_commit, test_context};

/// Knows that this team never calls the model without a time limit.
#[derive(Debug)]
struct TimeLimit;

const WITHOUT: &str = "client.complete(prompt)";
const WITH: &str = "client.complete(prompt, timeout=30)";

#[async_trait]
impl Fixer for TimeLimit {
    fn name(&self) -> &str {
        "time-limit"
    }

    async fn propose(
        &self,
        request: &FixRequest<'_>,
        ctx: &RunContext,
    ) -> Result<Vec<FixCandidate>, FixError> {
        if ctx.is_cancelled() {
            return Err(FixError::Cancelled);
        }
        // No change without a cause: the contract asks for it.
        if request.diagnosis.suggested_fix.is_none() {
            return Ok(Vec::new());
        }
        let calls = request.code.files().filter_map(|(path, file)| Some((path, file.text.find(WITHOUT)?)));
        let candidate = |(path, at): (&RepoPath, usize)| {
            let part = Replacement { range: at..at + WITHOUT.len(), text: WITH.to_owned() };
            Some(FixCandidate {
                patch: Patch::replace(request.code, path, vec![part]).ok()?,
                kind: FixKind::Code,
                author: "house-rules:time-limit".to_owned(),
                title: "Give up on the model after 30 seconds".to_owned(),
                why: "A call without a time limit can hang for ever".to_owned(),
                score: 0.5,
            })
        };
        Ok(calls.filter_map(candidate).take(request.max_candidates).collect())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut code = CodeSnapshot::new(memory_commit(1), Vec::new(), false);
    let text = "def answer(client, prompt):\n    return client.complete(prompt)\n";
    let file = SourceFile { blob: memory_blob(text.as_bytes()), text: text.into(), executable: false };
    code.insert(RepoPath::new("agent.py")?, file);
    let diagnosis = fixer::diagnosis_with(Vec::new());
    let request = FixRequest::new(&diagnosis, &code);

    // Panics with a sentence when the fixer breaks a promise. In your own crate this stands in a test.
    fixer::keeps_the_contract(&TimeLimit, &request).await;
    let candidates = Arc::new(TimeLimit).propose(&request, &test_context()).await?;
    let mut out = std::io::stdout().lock();
    for candidate in candidates {
        writeln!(out, "{} ({})\n{}", candidate.title, candidate.author, candidate.patch.diff())?;
    }
    Ok(())
}
