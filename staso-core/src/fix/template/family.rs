//! The families of edits and how likely each is, as data.
//!
//! The numbers are priors: which kinds of single edits repair small faults, after the literature on mutation operators
//! and template repair (value, operator and variable misuse before missing and excess logic; see TBar and the study of
//! simple faults in `ManySStuBs4J`). They were set on development data and are frozen with the crate's version.

use super::evidence::Trigger;

/// A family of edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    /// Use a key or attribute that exists.
    WrongKey,
    /// Read a key with a default.
    MissingDefault,
    /// Handle `None` and empty values.
    Guard,
    /// Shift a bound by one.
    OffByOne,
    /// Another operator.
    Operator,
    /// Turn a condition around.
    Condition,
    /// Another variable or attribute.
    Operand,
    /// Another literal.
    Constant,
    /// Another function.
    Callee,
    /// Other arguments.
    Argument,
    /// A call around an expression.
    Wrap,
    /// A conversion between kinds of values.
    Cast,
    /// Less of an expression.
    Reduce,
    /// More of an expression.
    Extend,
    /// No such statement.
    Delete,
    /// One statement more.
    Insert,
    /// A statement one block further in or out, or in another order.
    Move,
    /// Fill a template variable.
    Template,
    /// Escape braces of a template.
    Braces,
    /// Another value of a setting.
    Setting,
    /// A default for an environment variable.
    Environment,
}

struct Row {
    family: Family,
    name: &'static str,
    /// Prior for a wrong result, which says nothing of the kind of fault.
    result: f64,
    /// Prior for an exception that the table does not name.
    exception: f64,
    /// Priors for exceptions that say more.
    special: &'static [(Trigger, f64)],
    reason: &'static str,
}

const fn row(
    family: Family,
    name: &'static str,
    (result, exception): (f64, f64),
    special: &'static [(Trigger, f64)],
    reason: &'static str,
) -> Row {
    Row { family, name, result, exception, special, reason }
}

static TABLE: [Row; 21] = [
    row(
        Family::WrongKey,
        "wrong-key",
        (0.2, 0.3),
        &[(Trigger::Key, 1.0), (Trigger::Nothing, 0.5)],
        "the file uses this name for something similar",
    ),
    row(
        Family::MissingDefault,
        "missing-default",
        (0.05, 0.2),
        &[(Trigger::Key, 0.6)],
        "the key is not always there",
    ),
    row(
        Family::Guard,
        "guard",
        (0.3, 0.4),
        &[(Trigger::Nothing, 1.0), (Trigger::Index, 0.9), (Trigger::Zero, 0.9), (Trigger::Key, 0.3)],
        "an empty or missing value is not handled",
    ),
    row(
        Family::OffByOne,
        "off-by-one",
        (0.9, 0.5),
        &[(Trigger::Index, 1.0), (Trigger::Zero, 0.6)],
        "a bound that is off by one shows in this way",
    ),
    row(
        Family::Operator,
        "operator",
        (1.0, 0.5),
        &[(Trigger::Zero, 0.7), (Trigger::Type, 0.6)],
        "another operator of the same kind fits here",
    ),
    row(
        Family::Condition,
        "condition",
        (0.8, 0.4),
        &[(Trigger::Nothing, 0.5), (Trigger::Index, 0.5)],
        "a condition that is turned around takes the wrong branch",
    ),
    row(
        Family::Operand,
        "operand",
        (0.9, 0.6),
        &[(Trigger::Name, 1.0), (Trigger::Type, 0.7), (Trigger::Key, 0.35), (Trigger::Nothing, 0.3)],
        "another value in scope fits here",
    ),
    row(Family::Constant, "constant", (0.9, 0.4), &[], "another literal fits here"),
    row(
        Family::Callee,
        "callee",
        (0.7, 0.4),
        &[(Trigger::Key, 0.4), (Trigger::Type, 0.4)],
        "a function of the same shape fits here",
    ),
    row(
        Family::Argument,
        "argument",
        (0.5, 0.4),
        &[(Trigger::Arguments, 1.0), (Trigger::Type, 0.5)],
        "the function takes other arguments",
    ),
    row(Family::Wrap, "wrap", (0.6, 0.3), &[(Trigger::Type, 0.6)], "the value needs to be normalised first"),
    row(
        Family::Cast,
        "cast",
        (0.2, 0.3),
        &[(Trigger::Type, 1.0), (Trigger::Key, 0.2)],
        "the values are of kinds that do not fit together",
    ),
    row(Family::Reduce, "reduce", (0.7, 0.2), &[], "a part of the expression is too much"),
    row(Family::Extend, "extend", (0.5, 0.2), &[], "a part of the expression is missing"),
    row(Family::Delete, "delete", (0.7, 0.1), &[], "the statement is too much"),
    row(
        Family::Insert,
        "insert",
        (0.55, 0.2),
        &[(Trigger::Name, 0.6), (Trigger::Nothing, 0.4)],
        "a statement is missing",
    ),
    row(Family::Move, "move", (0.6, 0.2), &[(Trigger::Name, 0.4)], "the statement stands in the wrong place"),
    row(
        Family::Template,
        "template-variable",
        (0.3, 0.3),
        &[(Trigger::Template, 1.0), (Trigger::Key, 0.7)],
        "the template asks for a name that is not passed",
    ),
    row(
        Family::Braces,
        "braces",
        (0.1, 0.1),
        &[(Trigger::Template, 0.6), (Trigger::Key, 0.4)],
        "the braces are meant as text",
    ),
    row(Family::Setting, "setting", (1.0, 1.0), &[], "the value does not work any more"),
    row(
        Family::Environment,
        "environment",
        (0.3, 0.3),
        &[(Trigger::Environment, 1.0), (Trigger::Key, 0.5)],
        "the variable is not set and the repository documents this default",
    ),
];

impl Family {
    fn row(self) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.family == self)
    }

    /// The lasting name.
    pub(crate) fn name(self) -> &'static str {
        self.row().map_or("", |row| row.name)
    }

    /// Why such an edit may help, as half a sentence.
    pub(crate) fn reason(self) -> &'static str {
        self.row().map_or("", |row| row.reason)
    }

    /// The prior of an edit that the repository itself speaks for.
    pub(crate) const BACKED: f64 = 0.95;

    /// How likely the family is for a failure, from 0 to 1. An unfilled variable is filled and a missing setting is
    /// set: other edits could only hide it.
    pub(crate) fn prior(self, trigger: Trigger) -> f64 {
        let Some(row) = self.row() else { return 0.0 };
        let special = row.special.iter().find(|(known, _)| *known == trigger).map(|(_, prior)| *prior);
        special.unwrap_or(match trigger {
            Trigger::Result => row.result,
            Trigger::Template | Trigger::Environment => 0.0,
            _ => row.exception,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_its_own_row() {
        let names: std::collections::BTreeSet<_> = TABLE.iter().map(|row| row.name).collect();
        let families: std::collections::BTreeSet<_> = TABLE.iter().map(|row| row.family).collect();
        assert_eq!((names.len(), families.len()), (TABLE.len(), TABLE.len()));
        for row in &TABLE {
            assert!((0.0..=1.0).contains(&row.result) && (0.0..=1.0).contains(&row.exception));
        }
    }
}
