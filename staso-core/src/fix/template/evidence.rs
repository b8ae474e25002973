//! What a hint says, in the form in which families of edits ask for it.

/// The kind of failure: decides how likely each family of edits is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// A wrong result without an error.
    Result,
    /// A key or attribute that the data does not have.
    Key,
    /// Something was `None`.
    Nothing,
    /// An index outside of a sequence, or an empty sequence.
    Index,
    /// Values of kinds that do not fit.
    Type,
    /// A call with arguments that the function does not take.
    Arguments,
    /// A name that does not exist.
    Name,
    /// A division by zero.
    Zero,
    /// An unfilled template variable.
    Template,
    /// An environment variable that is not set.
    Environment,
    /// Any other exception.
    Other,
}

/// What a hint says about the failure. The texts come from a trace and are untrusted.
#[derive(Debug, Clone)]
pub(crate) struct Evidence<'a> {
    /// The kind of failure.
    pub(crate) trigger: Trigger,
    /// The key, name, variable or argument that does not exist.
    pub(crate) missing: Option<&'a str>,
    /// What exists instead, nearest first.
    pub(crate) available: Vec<&'a str>,
    /// The message of the exception.
    pub(crate) message: &'a str,
    /// A default that the repository documents, as Python would write it.
    pub(crate) documented: Option<String>,
}

impl<'a> Evidence<'a> {
    /// Evidence without details.
    pub(crate) const fn of(trigger: Trigger) -> Self {
        Self { trigger, missing: None, available: Vec::new(), message: "", documented: None }
    }

    /// With what is missing and what there is instead.
    pub(crate) fn missing(trigger: Trigger, name: &'a str, available: &'a [String]) -> Self {
        let available = available.iter().take(MAX_NAMES).map(String::as_str).collect();
        Self { missing: Some(name), available, ..Self::of(trigger) }
    }

    /// Whether a fraction came where only whole numbers go.
    pub(crate) fn is_about_fractions(&self) -> bool {
        self.trigger == Trigger::Type && self.message.contains("float")
    }

    /// Reads the class and message of an exception.
    pub(crate) fn exception(class: &'a str, message: &'a str) -> Self {
        let trigger = trigger(class.rsplit('.').next().unwrap_or(class), message);
        let missing = match trigger {
            Trigger::Key | Trigger::Name | Trigger::Arguments => missing_name(message),
            _ => None,
        };
        let available = suggestion(message).into_iter().collect();
        Self { missing, available, message, ..Self::of(trigger) }
    }
}

/// More names than this are not tried.
const MAX_NAMES: usize = 24;

fn trigger(class: &str, message: &str) -> Trigger {
    if message.contains("NoneType") {
        return Trigger::Nothing;
    }
    match class {
        "AssertionError" => Trigger::Result,
        "KeyError" | "AttributeError" => Trigger::Key,
        "IndexError" | "StopIteration" => Trigger::Index,
        "ZeroDivisionError" => Trigger::Zero,
        "NameError" | "UnboundLocalError" => Trigger::Name,
        "TypeError" if is_about_signature(message) => Trigger::Arguments,
        "TypeError" => Trigger::Type,
        "ValueError" if message.contains("empty") => Trigger::Index,
        "ValueError" if message.contains("for object of type") => Trigger::Type,
        _ => Trigger::Other,
    }
}

/// Whether a function was called with other arguments than it has, and not with values that do not fit.
fn is_about_signature(message: &str) -> bool {
    let words = ["positional argument", "keyword argument", "multiple values for", "() takes "];
    message.contains("()") && words.iter().any(|word| message.contains(word))
}

/// The last quoted name before a suggestion: `'Order' object has no attribute 'state'`, `'state'`,
/// `name 'x' is not defined`.
fn missing_name(message: &str) -> Option<&str> {
    let message = message.split(". Did you mean").next().unwrap_or(message);
    let mut quoted = message.split('\'');
    let mut last = None;
    while let (Some(_), Some(inside)) = (quoted.next(), quoted.next()) {
        last = Some(inside);
    }
    last.filter(|name| !name.is_empty())
}

fn suggestion(message: &str) -> Option<&str> {
    message.split_once("Did you mean: '")?.1.split('\'').next().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_what_is_missing() {
        let evidence = Evidence::exception("KeyError", "'state'");
        assert_eq!((evidence.trigger, evidence.missing), (Trigger::Key, Some("state")));
        let evidence = Evidence::exception(
            "builtins.AttributeError",
            "'Order' object has no attribute 'state'. Did you mean: 'status'?",
        );
        assert_eq!(evidence.missing, Some("state"));
        assert_eq!(evidence.available, ["status"]);
        let evidence =
            Evidence::exception("TypeError", "send() got an unexpected keyword argument 'to_addr'");
        assert_eq!((evidence.trigger, evidence.missing), (Trigger::Arguments, Some("to_addr")));
        let evidence = Evidence::exception("TypeError", "int() argument must be a string");
        assert_eq!((evidence.trigger, evidence.missing), (Trigger::Type, None));
        let evidence = Evidence::exception("TypeError", "'NoneType' object is not subscriptable");
        assert_eq!((evidence.trigger, evidence.missing), (Trigger::Nothing, None));
        assert_eq!(Evidence::exception("TypeError", "'").trigger, Trigger::Type);
    }
}
