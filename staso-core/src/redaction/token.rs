//! Tokens that tell by their form who issued them.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::found::Found;

/// Where a prefix counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Also behind other letters, such as the `n` of an escaped line break.
    Anywhere,
    /// At the beginning of a word only: `task-…` is no `sk-…`.
    Word,
}

use Place::{Anywhere, Word};

/// Prefixes, where they count, and how many characters of the token alphabet must follow.
const PREFIXES: &[(&str, Place, usize)] = &[
    // GitHub, GitLab.
    ("ghp_", Anywhere, 20),
    ("gho_", Anywhere, 20),
    ("ghu_", Anywhere, 20),
    ("ghs_", Anywhere, 20),
    ("ghr_", Anywhere, 20),
    ("github_pat_", Anywhere, 20),
    ("glpat-", Anywhere, 16),
    ("gldt-", Anywhere, 16),
    ("glrt-", Anywhere, 16),
    ("glptt-", Anywhere, 16),
    // OpenAI, Anthropic, OpenRouter, DeepSeek; Hugging Face, Groq, xAI, Perplexity, Replicate.
    ("sk-", Word, 16),
    ("hf_", Word, 30),
    ("gsk_", Word, 30),
    ("xai-", Word, 30),
    ("pplx-", Word, 30),
    ("r8_", Word, 30),
    // Slack.
    ("xoxa-", Anywhere, 10),
    ("xoxb-", Anywhere, 10),
    ("xoxe-", Anywhere, 10),
    ("xoxo-", Anywhere, 10),
    ("xoxp-", Anywhere, 10),
    ("xoxr-", Anywhere, 10),
    ("xoxs-", Anywhere, 10),
    ("xapp-", Anywhere, 10),
    // Stripe.
    ("sk_live_", Anywhere, 16),
    ("sk_test_", Anywhere, 16),
    ("rk_live_", Anywhere, 16),
    ("rk_test_", Anywhere, 16),
    ("whsec_", Anywhere, 16),
    // AWS, Google, DigitalOcean.
    ("AKIA", Word, 16),
    ("ASIA", Word, 16),
    ("ABIA", Word, 16),
    ("ACCA", Word, 16),
    ("AIza", Anywhere, 30),
    ("GOCSPX-", Anywhere, 20),
    ("dop_v1_", Anywhere, 30),
    // Package registries.
    ("npm_", Word, 30),
    ("pypi-", Word, 30),
    ("dckr_pat_", Anywhere, 20),
    // Others.
    ("shpat_", Anywhere, 20),
    ("shpss_", Anywhere, 20),
    ("lin_api_", Anywhere, 20),
    ("AGE-SECRET-KEY-1", Anywhere, 30),
];

/// Tokens of which a dot is a part: what stands before the first dot, and how much must follow it.
const DOTTED: &[(&str, usize)] = &[("ya29", 20), ("SG", 16), ("hvs", 20), ("hvb", 20)];

static PREFIX: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::new(PREFIXES.iter().map(|(prefix, ..)| prefix)).ok());

/// Every token of a known form.
pub(super) fn find(text: &str, all: &mut Vec<Found>) {
    let Some(prefix) = &*PREFIX else {
        return all.push(Found::secret(0..text.len()));
    };
    let bytes = text.as_bytes();
    let mut chain = Chain::default();
    let mut at = 0;
    while at < bytes.len() {
        let end = at + run(bytes, at);
        if end == at {
            at += 1;
            continue;
        }
        let taken = if end - at >= 15 { prefixed(prefix, text, at, end) } else { None };
        if let Some(start) = taken.or_else(|| azure(bytes, at, end)) {
            all.push(Found::secret(start..end));
        }
        at = match jwt(text, at, end).or_else(|| dotted(text, at, end, &mut chain)) {
            Some((start, end)) => {
                all.push(Found::secret(start..end));
                end
            }
            None => end,
        };
    }
}

pub(super) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Length of the run of token characters from here.
fn run(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..).unwrap_or_default().iter().take_while(|byte| is_token_byte(**byte)).count()
}

/// Where the first token with a known prefix begins within a run.
fn prefixed(prefix: &AhoCorasick, text: &str, from: usize, end: usize) -> Option<usize> {
    let run = text.get(from..end)?;
    // A real key is random: it has digits. Names such as `sk-learn-compatible-model` have none.
    let last_digit = run.bytes().rposition(|byte| byte.is_ascii_digit())?;
    prefix.find_overlapping_iter(run).find_map(|found| {
        let (_, place, least) = PREFIXES.get(found.pattern().as_usize())?;
        let long = run.len() - found.end() >= *least && last_digit >= found.end();
        let upper = !run.get(found.range())?.bytes().all(|byte| byte.is_ascii_uppercase())
            || run
                .get(found.end()..)?
                .bytes()
                .take(*least)
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        let start = from + found.start();
        (long && upper && (*place == Anywhere || begins_word(text.as_bytes(), start))).then_some(start)
    })
}

/// Whether a word begins here, also behind an escaped line break (`\n`) or an escape of an address (`%3D`).
pub(super) fn begins_word(bytes: &[u8], at: usize) -> bool {
    let back = |steps: usize| at.checked_sub(steps).and_then(|place| bytes.get(place)).copied();
    let hex = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
    match back(1) {
        None => true,
        Some(byte) if !is_token_byte(byte) => true,
        Some(b'n' | b'r' | b't' | b'b' | b'f') if back(2) == Some(b'\\') => true,
        Some(_) => back(3) == Some(b'%') && hex(back(2)) && hex(back(1)),
    }
}

/// `eyJ….eyJ….…`: three base64url parts, of which the first two are JSON objects (RFC 7519).
fn jwt(text: &str, from: usize, end: usize) -> Option<(usize, usize)> {
    let start = from + text.get(from..end)?.find("eyJ")?;
    let bytes = text.as_bytes();
    let second = dot(bytes, end)?;
    let body = run(bytes, second);
    let third = dot(bytes, second + body)?;
    let signature = run(bytes, third);
    let whole = end - start >= 10 && body >= 10 && signature >= 10;
    (whole && text.get(second..)?.starts_with("eyJ")).then_some((start, third + signature))
}

fn dotted(text: &str, from: usize, end: usize, chain: &mut Chain) -> Option<(usize, usize)> {
    let (head, least) =
        DOTTED.iter().find(|(head, _)| text.get(from..end).is_some_and(|r| r.ends_with(head)))?;
    let start = end - head.len();
    let bytes = text.as_bytes();
    chain.reach(bytes, end);
    let random = chain.last_digit.is_some_and(|digit| digit >= end);
    (begins_word(bytes, start) && random && chain.end - end > *least).then_some((start, chain.end))
}

/// Runs of token characters with a dot between each two. Kept from run to run: all runs of a chain end where it ends, and a
/// chain made of heads is walked once.
#[derive(Debug, Default)]
struct Chain {
    end: usize,
    /// The last digit of the chain, when there is one behind the run where its walk began.
    last_digit: Option<usize>,
}

impl Chain {
    /// Makes this the chain of the run that ends at `end`. Runs come in order.
    fn reach(&mut self, bytes: &[u8], end: usize) {
        if end <= self.end {
            return;
        }
        *self = Self { end, last_digit: None };
        while let Some(next) = dot(bytes, self.end) {
            let length = run(bytes, next);
            if length == 0 {
                break;
            }
            let digit =
                bytes.get(next..next + length).and_then(|run| run.iter().rposition(u8::is_ascii_digit));
            self.last_digit = digit.map(|digit| next + digit).or(self.last_digit);
            self.end = next + length;
        }
    }
}

fn dot(bytes: &[u8], at: usize) -> Option<usize> {
    (bytes.get(at) == Some(&b'.')).then_some(at + 1)
}

/// Client secrets of Azure: three characters, a digit, `Q~`, 31 to 34 characters. The run ends at the tilde.
fn azure(bytes: &[u8], from: usize, end: usize) -> Option<usize> {
    let tilde = from.checked_sub(1).filter(|at| bytes.get(*at) == Some(&b'~'))?;
    let start = tilde.checked_sub(5)?;
    let head = bytes.get(start..tilde)?;
    let form = head.last() == Some(&b'Q') && head.get(3).is_some_and(u8::is_ascii_digit);
    (form && (28..=40).contains(&(end - from))).then_some(start)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As [`dotted`] is meant, walked anew for every run.
    fn walked(text: &str, from: usize, end: usize) -> Option<(usize, usize)> {
        let (head, least) = DOTTED.iter().find(|(head, _)| text[from..end].ends_with(head))?;
        let (bytes, start) = (text.as_bytes(), end - head.len());
        let mut last = end;
        while let Some(next) = dot(bytes, last).filter(|next| run(bytes, *next) > 0) {
            last = next + run(bytes, next);
        }
        let random = text[end..last].bytes().any(|byte| byte.is_ascii_digit());
        (begins_word(bytes, start) && random && last - end > *least).then_some((start, last))
    }

    proptest! {
        #[test]
        fn a_chain_that_is_kept_is_the_chain_walked_anew(
            text in "(SG|ya29|hvs|a|1|b2c|\\.|\\.\\.| |[a-z]{20}){0,40}",
        ) {
            let (mut chain, mut at) = (Chain::default(), 0);
            while at < text.len() {
                let end = at + run(text.as_bytes(), at);
                prop_assert_eq!(dotted(&text, at, end, &mut chain), walked(&text, at, end));
                at = end.max(at + 1);
            }
        }
    }
}
