//! From the score of a rule to a probability, and what became of earlier diagnoses.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Confidence, Diagnosis};

/// Turns the score of a rule into a probability: a Beta prior per rule, updated with labelled cases.
///
/// `confidence = (hits + a) / (cases + a + b)`. With no labels this is the prior of the catalogue; the number of labels
/// is always reported beside it.
///
/// Labels come from [`observe`](Self::observe). Nothing keeps them but this value: serialize it, which gives the table
/// that [`from_json`](Self::from_json) reads, or observe the stored artifacts again.
///
/// ```
/// use staso_core::quick::QuickDiagnoser;
///
/// let mut calibrator = QuickDiagnoser::new().calibrator().clone();
/// // … `calibrator.observe(&diagnosis, label)` for each diagnosis of which it is known whether it was right …
/// let learnt = QuickDiagnoser::new().with_calibrator(calibrator);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibrator {
    /// Name and version, as the artifact records it. Labels do not change it; how many there are stands beside it.
    pub id: String,
    rules: BTreeMap<String, RuleCalibration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct RuleCalibration {
    a: f64,
    b: f64,
    #[serde(default)]
    hits: u32,
    #[serde(default)]
    cases: u32,
}

/// Whether a diagnosis turned out to be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CaseLabel {
    /// The named cause was the cause.
    Right,
    /// It was not.
    Wrong,
}

/// A calibrated score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// The probability.
    pub confidence: Confidence,
    /// How many labelled cases stand behind it.
    pub support: u32,
}

impl Calibrator {
    /// Reads a table: `{"id": …, "rules": {rule: {"a": …, "b": …, "hits": …, "cases": …}}}`.
    ///
    /// # Errors
    /// When the text is not of that form.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The probability that a finding of `rule` is right. `strength` from 0 to 1 says how clear the finding is and
    /// scales the result; an unknown rule gets 0.3.
    #[must_use]
    pub fn calibrate(&self, rule: &str, strength: f64) -> Calibration {
        let Some(entry) = self.rules.get(rule) else {
            return Calibration { confidence: Confidence::new(0.3 * strength), support: 0 };
        };
        let mean = (f64::from(entry.hits) + entry.a) / (f64::from(entry.cases) + entry.a + entry.b);
        Calibration { confidence: Confidence::new(mean * strength), support: entry.cases }
    }

    /// Counts one labelled case of the rule that made `diagnosis`. `false`, and nothing changes, when it names no cause, when
    /// this calibrator's table has no such rule or did not make its confidence (another [`id`](Self::id), or none, as when
    /// a model settled it), and after 4,294,967,295 cases.
    ///
    /// A case counts in full however clear the finding was, so that rules whose findings are often vague come out less
    /// sure, never surer. Count each diagnosis once: nothing here knows which were counted.
    pub fn observe(&mut self, diagnosis: &Diagnosis, label: CaseLabel) -> bool {
        let cause = diagnosis.root_cause.as_ref().filter(|_| diagnosis.calibrator == self.id);
        let Some(entry) = cause.and_then(|cause| self.rules.get_mut(&cause.category)) else { return false };
        let Some(cases) = entry.cases.checked_add(1) else { return false };
        entry.cases = cases;
        entry.hits = entry.hits.saturating_add(u32::from(label == CaseLabel::Right));
        true
    }
}
