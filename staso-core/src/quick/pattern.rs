//! Regular expressions that are compiled once, on first use.

use regex::{Captures, Regex};

/// A compiled expression. One that does not compile matches nothing; a test compiles each.
#[derive(Debug)]
pub(super) struct Pattern(Option<Regex>);

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self(Regex::new(text).ok())
    }

    #[cfg(test)]
    pub(super) const fn is_valid(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn captures<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        self.0.as_ref()?.captures(text)
    }

    /// The first group of the first match, without white space around it.
    pub(super) fn first<'t>(&self, text: &'t str) -> Option<&'t str> {
        Some(self.captures(text)?.get(1)?.as_str().trim())
    }

    pub(super) fn all<'r, 't>(&'r self, text: &'t str) -> impl Iterator<Item = Captures<'t>> + use<'r, 't> {
        self.0.iter().flat_map(move |regex| regex.captures_iter(text))
    }
}

/// Declares a [`Pattern`] that is compiled on first use.
macro_rules! pattern {
    ($name:ident = $text:expr) => {
        static $name: std::sync::LazyLock<$crate::quick::pattern::Pattern> =
            std::sync::LazyLock::new(|| $crate::quick::pattern::Pattern::new($text));
    };
}
pub(super) use pattern;
