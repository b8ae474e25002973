//! Edits beside the expression that failed come after edits of it.

use std::ops::Range;

use super::super::evidence::Trigger;
use super::super::family::Family;
use super::super::mutation::Mutation;
use super::super::syntax::Node;
use super::Site;
use super::fields::object_of;
use super::function::statement_of;
use super::literal::plain_value;

/// What is left of the closeness of an edit that leaves the failing expression as it is.
const BESIDE: f64 = 0.3;
/// What is left of the closeness of an edit of the words with which a check complains.
const COMPLAINT: f64 = 0.2;

/// Lowers edits on the line of the failure that cannot change what failed there.
pub(super) fn weigh(site: &Site<'_, '_>, mutations: &mut [Mutation]) {
    let Some(focus) = site.focus else { return };
    let failing: Vec<Range<usize>> = site
        .function
        .nodes()
        .filter(|node| site.is_focus(*node) && fails(site, *node))
        .map(Node::range)
        .collect();
    let complaint = site.function.statements().find(|statement| {
        statement.kind() == "raise_statement"
            && site.is_focus(*statement)
            && site.evidence.trigger == Trigger::Other
    });
    // An undefined name fails wherever else the code goes.
    let everywhere = site.evidence.trigger == Trigger::Name;
    for mutation in mutations.iter_mut().filter(|mutation| everywhere || mutation.line == focus) {
        let within = |range: &Range<usize>| mutation.parts.iter().any(|part| touches(&part.range, range));
        if complaint.is_some_and(|complaint| within(&complaint.range())) {
            mutation.closeness *= COMPLAINT;
        } else if !failing.is_empty() && !around_statement(mutation.family) && !failing.iter().any(within) {
            mutation.closeness *= BESIDE;
        }
    }
}

fn touches(edited: &Range<usize>, range: &Range<usize>) -> bool {
    edited.start < range.end && range.start < edited.end
        || edited.is_empty() && range.start < edited.start && edited.end < range.end
}

/// Families that change what runs before the line, or whether it runs.
const fn around_statement(family: Family) -> bool {
    matches!(family, Family::Guard | Family::Insert | Family::Move | Family::Condition | Family::Environment)
}

/// Whether the message of the exception is about this expression.
fn fails(site: &Site<'_, '_>, node: Node<'_>) -> bool {
    let missing = site.evidence.missing;
    match site.evidence.trigger {
        Trigger::Name => node.kind() == "identifier" && Some(node.text()) == missing,
        Trigger::Key => match node.kind() {
            "subscript" => {
                node.child("subscript").is_some_and(|key| missing.is_some() && plain_value(key) == missing)
            }
            "attribute" => node.child("attribute").is_some_and(|name| Some(name.text()) == missing),
            _ => false,
        },
        Trigger::Type => operator_of(site.evidence.message).is_some_and(|operator| match node.kind() {
            "binary_operator" => node.child("operator").is_some_and(|token| token.text() == operator),
            "augmented_assignment" => {
                node.child("operator").is_some_and(|token| token.text().strip_suffix('=') == Some(operator))
            }
            "comparison_operator" => node.children().any(|child| child.text() == operator),
            _ => false,
        }),
        _ => false,
    }
}

/// The operator of `unsupported operand type(s) for *: …` and `'<=' not supported between …`.
fn operator_of(message: &str) -> Option<&str> {
    if let Some((_, rest)) = message.split_once("operand type(s) for ") {
        return rest.split(':').next()?.split(" or ").next().map(str::trim);
    }
    message.strip_prefix('\'')?.split_once("' not supported between").map(|(operator, _)| operator)
}

/// Whether a key is only written: that cannot fail for want of it.
pub(super) fn is_written(key: Node<'_>) -> bool {
    let target = statement_of(key).named().next().filter(|inner| inner.kind() == "assignment");
    object_of(key).is_some()
        && target
            .and_then(|inner| inner.child("left"))
            .is_some_and(|left| left.kind() == "subscript" && left.child("subscript") == Some(key))
        || key.parent().is_some_and(|pair| pair.kind() == "pair" && key.role() == Some("key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_operators() {
        assert_eq!(operator_of("unsupported operand type(s) for *: 'int' and 'dict'"), Some("*"));
        assert_eq!(operator_of("unsupported operand type(s) for ** or pow(): 'int' and 'str'"), Some("**"));
        assert_eq!(operator_of("'<=' not supported between instances of 'str' and 'int'"), Some("<="));
        assert_eq!(operator_of("'NoneType' object is not subscriptable"), None);
    }

    #[test]
    fn insertions_touch_what_they_stand_in() {
        assert!(touches(&(3..3), &(1..5)) && !touches(&(5..5), &(1..5)) && !touches(&(5..8), &(1..5)));
    }
}
