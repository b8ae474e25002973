//! Finds the cause: rules first; when they are not sure a model reads the same evidence; when it is not sure either, a
//! model reads the code in a sandbox.

use super::HealRequest;
use super::clean;
use super::draft::Draft;
use super::healer::Parts;
use super::preload::add;
use super::rivals::keep_refused;
use super::run::Source;
use super::stop::{Flow, Stop, with_causes};
use crate::code::{CodeSnapshot, RepoPath};
use crate::diagnosis::{
    DiagnoseError, DiagnoseRequest, Diagnoser, Diagnosis, Evidence, MissingEvidence, check_against,
    cited_files,
};
use crate::run::{EventKind, OutcomeState, Phase, RunContext};
use crate::trace::TraceView;
use crate::vcs::{Checkout, VcsError};

/// Files read for the receipts of one diagnosis at most.
const MAX_CITED_FILES: usize = 40;

/// The search for the cause of one failed run.
#[derive(Debug)]
pub(super) struct Inquiry<'r> {
    pub(super) parts: &'r Parts,
    pub(super) request: &'r HealRequest,
    pub(super) trace: &'r TraceView<'r>,
    /// The repository, or why there is none.
    pub(super) source: Result<&'r Source, &'r Stop>,
    pub(super) ctx: &'r RunContext,
}

/// What an inquiry found.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) diagnosis: Diagnosis,
    /// The limit that ended a deeper look before it had an answer.
    pub(super) cut_short: Option<String>,
    /// Why nobody took a deeper look that was needed, when the switch of sandboxes is off.
    pub(super) refused: Option<String>,
}

/// A deeper look, and what it may use.
#[derive(Debug)]
struct Step<'r> {
    diagnoser: &'r dyn Diagnoser,
    checkout: Option<Checkout>,
}

impl<'r> Inquiry<'r> {
    pub(super) async fn run(&self, draft: &mut Draft) -> Flow<Finding> {
        draft.enter(Phase::Quick, self.ctx);
        let diagnosis = self.ask(&*self.parts.quick, None, None).await?;
        let mut finding = Finding { diagnosis, cut_short: None, refused: None };
        draft.diagnosis = Some(finding.diagnosis.clone());
        if let (Some(triage), true) = (&self.parts.triage, self.is_unsure(&finding)) {
            let step = Step { diagnoser: &**triage, checkout: None };
            self.look_deeper(step, &mut finding, draft).await?;
        }
        let allowed = self.request.until >= self.parts.policy.deep_from;
        if let (Some(deep), true, true) = (&self.parts.deep, allowed, self.is_unsure(&finding)) {
            self.read_the_code(&**deep, &mut finding, draft).await?;
        }
        if let Err(Stop(outcome)) = self.source {
            finding.diagnosis.missing.push(MissingEvidence {
                what: "the code at the failing commit".to_owned(),
                how_to_get: outcome.reason.clone(),
            });
        }
        self.ctx.emit(EventKind::DiagnosisReady {
            summary: finding.diagnosis.summary.to_string(),
            confidence: finding.diagnosis.confidence.value(),
        });
        draft.diagnosis = Some(finding.diagnosis.clone());
        Ok(finding)
    }

    fn is_unsure(&self, finding: &Finding) -> bool {
        finding.diagnosis.confidence.value() < self.parts.policy.escalate_below
    }

    /// Asks the diagnoser that works in a sandbox, unless the workspace has none.
    async fn read_the_code(
        &self,
        deep: &dyn Diagnoser,
        finding: &mut Finding,
        draft: &mut Draft,
    ) -> Flow<()> {
        if let Err(refused) = self.parts.policy.sandboxes.check(&self.request.workspace) {
            finding.diagnosis.escalated_because = Some(self.because(&finding.diagnosis));
            finding.refused = Some(refused.to_string());
            self.went_without(finding, deep.name(), &refused);
            return Ok(());
        }
        draft.enter(Phase::Deep, self.ctx);
        match self.checkout().await {
            Ok(checkout) => self.look_deeper(Step { diagnoser: deep, checkout }, finding, draft).await,
            Err(VcsError::Cancelled) => Err(Stop::cancelled()),
            Err(error) => {
                self.went_without(finding, deep.name(), &error);
                Ok(())
            }
        }
    }

    /// Why a deeper look is needed.
    fn because(&self, prior: &Diagnosis) -> String {
        prior.escalated_because.clone().unwrap_or_else(|| {
            let limit = self.parts.policy.escalate_below;
            format!("the confidence of {} is below {limit:.2}", prior.confidence)
        })
    }

    async fn checkout(&self) -> Result<Option<Checkout>, VcsError> {
        let (Some(vcs), Ok(source)) = (&self.parts.vcs, self.source) else { return Ok(None) };
        let resolved = &source.resolved;
        vcs.checkout(&resolved.repository, &resolved.commit, self.ctx).await.map(Some)
    }

    /// Asks a deeper diagnoser. When it has no answer, what was found before stands.
    async fn look_deeper(&self, step: Step<'_>, finding: &mut Finding, draft: &mut Draft) -> Flow<()> {
        let prior = &finding.diagnosis;
        let because = self.because(prior);
        match self.ask(step.diagnoser, step.checkout.as_ref(), Some(prior)).await {
            Ok(mut deeper) => {
                if answers(&deeper, prior) {
                    keep_refused(&mut deeper, prior, self.ctx);
                    finding.diagnosis = deeper;
                } else {
                    keep_refused(&mut finding.diagnosis, &deeper, self.ctx);
                    finding.diagnosis.missing.push(MissingEvidence {
                        what: format!("a better supported cause: {} found none", step.diagnoser.name()),
                        how_to_get: "read its transcript; its evidence did not hold or said less".to_owned(),
                    });
                }
                finding.diagnosis.escalated_because = Some(because);
                finding.cut_short = None;
            }
            Err(DiagnoseError::Cancelled) => return Err(Stop::cancelled()),
            Err(error) => {
                if error.is_exhausted() {
                    finding.cut_short = Some(self.parts.redactor.clean(&with_causes(&error)));
                }
                finding.diagnosis.escalated_because = Some(because);
                self.went_without(finding, step.diagnoser.name(), &error);
            }
        }
        draft.diagnosis = Some(finding.diagnosis.clone());
        Ok(())
    }

    fn went_without(&self, finding: &mut Finding, what: &str, error: &dyn std::error::Error) {
        let why = self.parts.redactor.clean(&with_causes(error));
        self.ctx.emit(EventKind::Warning { message: format!("{what} has no answer: {why}") });
        finding
            .diagnosis
            .missing
            .push(MissingEvidence { what: format!("the answer of {what}"), how_to_get: why });
    }

    /// The code with the files that receipts cite and nobody has read yet; `None` when there are none. They are read from
    /// the repository, where no agent can have written.
    async fn with_cited_files(
        &self,
        diagnosis: &Diagnosis,
        code: Option<&CodeSnapshot>,
    ) -> Result<Option<CodeSnapshot>, DiagnoseError> {
        let (Some(code), Some(vcs), Ok(source)) = (code, &self.parts.vcs, self.source) else {
            return Ok(None);
        };
        let cited = cited_files(&diagnosis.receipts).into_iter().filter(|path| code.file(path).is_none());
        let unread: Vec<RepoPath> = cited.take(MAX_CITED_FILES).cloned().collect();
        let mut more = None;
        for path in &unread {
            let (repository, commit) = (&source.resolved.repository, &source.resolved.commit);
            let max_bytes = self.parts.policy.preload.max_file_bytes;
            match vcs.read_file(repository, commit, path, max_bytes, self.ctx).await {
                Ok(content) => add(more.get_or_insert_with(|| code.clone()), path, content),
                Err(VcsError::Cancelled) => return Err(DiagnoseError::Cancelled),
                // Its receipt does not hold then.
                Err(_) => {}
            }
        }
        Ok(more)
    }

    /// Asks one diagnoser and checks every citation of its answer.
    async fn ask(
        &self,
        diagnoser: &dyn Diagnoser,
        checkout: Option<&Checkout>,
        prior: Option<&Diagnosis>,
    ) -> Result<Diagnosis, DiagnoseError> {
        let code = self.source.ok().map(|source| &source.code);
        let request =
            DiagnoseRequest::new(self.trace).with_code(code).with_checkout(checkout).with_prior(prior);
        let mut diagnosis = diagnoser.diagnose(&request, self.ctx).await?;
        clean::diagnosis(&mut diagnosis, &self.parts.redactor);
        let more = self.with_cited_files(&diagnosis, code).await?;
        let events = self.ctx.recorded_events();
        let evidence = Evidence::new(self.trace)
            .with_violations(request.violations)
            .with_code(more.as_ref().or(code))
            .with_events(&events)
            .of_run(self.ctx.run_id())
            .with_redactor(Some(&self.parts.redactor));
        check_against(&mut diagnosis.receipts, &evidence, self.ctx);
        let (verified, all) = diagnosis.verified_receipts();
        if verified < all {
            let share = ratio(verified, all);
            diagnosis.cap(0.9 * share, format!("{} of {all} receipts do not hold", all - verified));
        }
        Ok(diagnosis)
    }
}

/// Whether a deeper diagnosis takes the place of the one before: it names a cause whose evidence holds, and it is not
/// less sure than one that could be acted on.
fn answers(deeper: &Diagnosis, prior: &Diagnosis) -> bool {
    let supported =
        |diagnosis: &Diagnosis| diagnosis.root_cause.is_some() && diagnosis.verified_receipts().0 > 0;
    match (supported(deeper), supported(prior)) {
        (true, true) => deeper.confidence >= prior.confidence,
        (true, false) | (false, false) => true,
        (false, true) => false,
    }
}

/// Why a run ends when its inquiry was cut short and what it found is too little.
pub(super) fn exhausted(why: &str) -> Stop {
    let reason = format!("{why}; what was found until then is too little to act on");
    Stop::new(OutcomeState::BudgetExhausted, "diagnosis_cut_short", reason)
}

fn ratio(part: usize, whole: usize) -> f64 {
    let number = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    number(part) / number(whole).max(1.0)
}
