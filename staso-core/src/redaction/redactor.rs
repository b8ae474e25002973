//! The [`Redactor`].

use std::fmt;
use std::sync::{Arc, LazyLock};

use super::found::{Found, SECRET, merge};
use super::known::Known;
use super::view::View;
use super::{assignment, entropy, is_hidden, pem, personal, token};

/// How often a text is searched again after something was taken out of it, before all of it goes.
const MAX_PASSES: usize = 8;

static DEFAULT: LazyLock<Redactor> = LazyLock::new(Redactor::default);

/// Whether the text holds something that looks like a credential: [`Redactor::finds`] of the default.
#[must_use]
pub fn contains_secret(text: &str) -> bool {
    DEFAULT.finds(text)
}

/// The text with everything that looks like a credential replaced by `[secret]`: [`Redactor::clean`] of the default.
#[must_use]
pub fn redact(text: &str) -> String {
    DEFAULT.clean(text)
}

/// Takes credentials, and on request personal data, out of text.
///
/// The default knows the forms of common issuers' tokens, private keys, headers and addresses with a password, values
/// that a name such as `password` announces, and text that only a random generator writes. It leaves hashes, UUIDs,
/// ids of calls and the beginnings of encoded files alone. Known credentials of the host are found whatever they look
/// like, also encoded, backwards, cut or spread.
///
/// The same text always comes out the same, what came out comes out again as it is, and time is linear, so that
/// citations of cleaned text can be checked again. A redactor never shows what it knows.
///
/// ```
/// use staso_core::redaction::Redactor;
///
/// let redactor = Redactor::default().with_known_secret("DATABASE_PASSWORD", "correct-horse");
/// assert_eq!(redactor.clean("the password is c-o-r-r-e-c-t-h-o-r-s-e"), "the password is [secret]");
/// ```
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Vec<(String, String)>,
    known: Option<Arc<Known>>,
    personal_data: bool,
}

impl Redactor {
    /// Shortest credential that can be told from other text, in bytes.
    pub const MIN_SECRET_BYTES: usize = 8;

    /// Also finds this credential of the host: as it is, percent-encoded, in base64 (wherever it begins, also for
    /// addresses) and hexadecimal, backwards, without its first seven characters, in capitals or small letters, and with
    /// blanks, hidden characters or other signs in between. `name` is shown, the value never. A value shorter than
    /// [`MIN_SECRET_BYTES`](Self::MIN_SECRET_BYTES) is ignored: it would be found in every text.
    #[must_use]
    pub fn with_known_secret(mut self, name: impl Into<String>, value: impl AsRef<str>) -> Self {
        let value = value.as_ref().trim();
        if value.len() >= Self::MIN_SECRET_BYTES && !SECRET.contains(value) {
            self.secrets.push((name.into(), value.to_owned()));
            self.known = Some(Arc::new(Known::new(self.secrets.iter().map(|(_, value)| value.as_str()))));
        }
        self
    }

    /// Also takes out e-mail addresses, card numbers (Luhn), account numbers (IBAN) and telephone numbers in
    /// international form: `[email]`, `[card]`, `[iban]`, `[phone]`. Default off, because a failure is often about
    /// exactly such a value; switch it on where a trace may not leave with them.
    #[must_use]
    pub const fn with_personal_data(mut self) -> Self {
        self.personal_data = true;
        self
    }

    /// The names of the known credentials that are looked for.
    pub fn known_names(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(|(name, _)| name.as_str())
    }

    /// The text without what must not leave.
    #[must_use]
    pub fn clean(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for _ in 0..MAX_PASSES {
            let found = self.find(&clean);
            if found.is_empty() {
                return clean;
            }
            clean = masked(&clean, &found);
        }
        SECRET.to_owned()
    }

    /// Whether the text holds something that must not leave.
    #[must_use]
    pub fn finds(&self, text: &str) -> bool {
        text != SECRET && !self.find(text).is_empty()
    }

    fn find(&self, text: &str) -> Vec<Found> {
        let mut all = Vec::new();
        if let Some(known) = &self.known {
            known.find(text, &mut all);
        }
        let view = View::without(text, is_hidden);
        let mut seen = Vec::new();
        pem::find(view.text(), &mut seen);
        token::find(view.text(), &mut seen);
        assignment::find(view.text(), &mut seen);
        entropy::find(view.text(), &mut seen);
        if self.personal_data {
            personal::find(view.text(), &mut seen);
        }
        let original = |found: Found| Found { range: view.original(&found.range), ..found };
        all.extend(seen.into_iter().filter(|found| !found.range.is_empty()).map(original));
        merge(all)
    }
}

fn masked(text: &str, found: &[Found]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for part in found {
        out.push_str(text.get(at..part.range.start).unwrap_or_default());
        out.push_str(part.mask);
        at = part.range.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor")
            .field("known", &self.known_names().collect::<Vec<_>>())
            .field("personal_data", &self.personal_data)
            .finish_non_exhaustive()
    }
}
