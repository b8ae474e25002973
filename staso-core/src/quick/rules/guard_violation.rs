//! A guard rule fired (catalogue 45 and 46).

use crate::diagnosis::FixKind;
use crate::guard::Severity;
use crate::quick::failure::clip;
use crate::quick::finding::{Evidence, Finding, Place, Remedy};
use crate::quick::rule::{Explains, Rule};

/// The most violations that are reported.
const MAX_FINDINGS: usize = 5;

pub(super) const RULE: Rule = Rule {
    id: "guard_violation",
    version: 1,
    number: Some(45),
    generic: false,
    reads: &[],
    explains: Explains::Nothing,
    detect: |input| {
        let mut violations: Vec<_> = input
            .violations
            .iter()
            .filter(|violation| input.trace.span(violation.span_id).is_some())
            .collect();
        violations.sort_by(|a, b| {
            let place = |id| input.trace.position(id);
            b.severity.cmp(&a.severity).then(place(a.span_id).cmp(&place(b.span_id))).then(a.id.cmp(&b.id))
        });
        let mut found = Vec::new();
        for violation in violations.into_iter().take(MAX_FINDINGS) {
            let rule = clip(&violation.rule, 60);
            let cause = format!("The guard rule `{rule}` fired: {}", clip(&violation.reason, 120));
            let description = format!("Keep what the rule `{rule}` forbids out of this step.");
            let evidence = Evidence {
                place: Place::Violation(violation.id.clone()),
                needle: String::new(),
                claim: "The guard rule says so".to_owned(),
            };
            let strength = match violation.severity {
                Severity::Low => 0.5,
                Severity::Medium => 0.7,
                Severity::High | Severity::Critical => 1.0,
            };
            found.push(
                Finding::new(
                    violation.span_id,
                    cause,
                    Remedy::change(FixKind::Code, description, Vec::new()),
                )
                .with_strength(strength)
                .with_evidence([evidence])
                .decided_by(format!("Evaluate `{rule}` on the step after the change: it does not fire.")),
            );
        }
        found
    },
};
