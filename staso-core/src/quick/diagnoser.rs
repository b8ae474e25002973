//! [`QuickDiagnoser`].

use async_trait::async_trait;

use super::assemble;
use super::input::RuleInput;
use super::rank;
use super::rules::REGISTRY;
use crate::diagnosis::{Calibrator, DiagnoseError, DiagnoseRequest, Diagnoser, Diagnosis};
use crate::id::Digest;
use crate::run::RunContext;

/// The calibration that ships with the rules: priors without labels.
const PRIORS: &str = include_str!("priors.json");

/// The most findings of one rule that are compared.
const MAX_FINDINGS_OF_RULE: usize = 50;

/// Finds causes with rules, without a model. Deterministic: equal requests give equal diagnoses.
///
/// ```
/// use staso_core::diagnosis::Diagnoser as _;
/// use staso_core::quick::QuickDiagnoser;
///
/// assert_eq!(QuickDiagnoser::new().name(), "quick");
/// ```
#[derive(Debug, Clone)]
pub struct QuickDiagnoser {
    calibrator: Calibrator,
}

impl Default for QuickDiagnoser {
    fn default() -> Self {
        Self::new()
    }
}

impl QuickDiagnoser {
    /// With the calibration that ships with the rules: priors, behind which no labelled case stands.
    #[must_use]
    pub fn new() -> Self {
        Self { calibrator: Calibrator::from_json(PRIORS).unwrap_or_default() }
    }

    /// Uses another calibration, for example one fitted on labelled cases.
    #[must_use]
    pub fn with_calibrator(mut self, calibrator: Calibrator) -> Self {
        self.calibrator = calibrator;
        self
    }

    /// Which calibration turns scores into confidence.
    #[must_use]
    pub const fn calibrator(&self) -> &Calibrator {
        &self.calibrator
    }

    fn run(&self, request: &DiagnoseRequest<'_>, ctx: &RunContext) -> Result<Diagnosis, DiagnoseError> {
        let input = RuleInput::new(request);
        let mut findings = Vec::new();
        for (order, rule) in REGISTRY.iter().enumerate() {
            if ctx.is_cancelled() {
                return Err(DiagnoseError::Cancelled);
            }
            let mut found = (rule.detect)(&input);
            if found.len() > MAX_FINDINGS_OF_RULE {
                // The first may be the cause and the last what ended the run; those between repeat them.
                found.drain(MAX_FINDINGS_OF_RULE / 2..found.len() - MAX_FINDINGS_OF_RULE / 2);
            }
            findings.extend(found.into_iter().map(|finding| (order, finding)));
        }
        let ranked = rank::rank(&input, findings, &self.calibrator);
        Ok(assemble::diagnosis(&input, request, &ranked, &self.calibrator, ctx))
    }
}

#[async_trait]
impl Diagnoser for QuickDiagnoser {
    fn name(&self) -> &'static str {
        "quick"
    }

    async fn diagnose(
        &self,
        request: &DiagnoseRequest<'_>,
        ctx: &RunContext,
    ) -> Result<Diagnosis, DiagnoseError> {
        if ctx.is_cancelled() {
            return Err(DiagnoseError::Cancelled);
        }
        self.run(request, ctx)
    }
}

/// A digest over the rules, their versions and the shipped calibration: two engines with the same digest give the same
/// diagnosis.
#[must_use]
pub fn rules_digest() -> Digest {
    let mut text = String::new();
    for rule in REGISTRY {
        text.push_str(&format!("{}@{}#{}\n", rule.id, rule.version, rule.number.unwrap_or_default()));
    }
    text.push_str(PRIORS);
    Digest::of(text)
}

/// The name and version of the calibration that ships with the rules.
#[must_use]
pub fn calibrator_id() -> String {
    QuickDiagnoser::new().calibrator.id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_prior_and_a_name_of_its_own() {
        let calibrator = Calibrator::from_json(PRIORS).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for rule in REGISTRY {
            assert!(seen.insert(rule.id), "{} twice", rule.id);
            let calibration = calibrator.calibrate(rule.id, 1.0);
            assert!(calibration.confidence.value() > 0.4, "{} has no prior", rule.id);
            assert_eq!(calibration.support, 0);
        }
    }
}
