//! Recognises credentials in text, so that no diagnosis repeats one.
//!
//! Knows the fixed prefixes of common issuers; it is a last line of defence and no replacement for capture redaction.

/// What stands in the place of a removed credential.
const MASK: &str = "[secret]";

/// Prefixes of credentials, and how many characters of the token alphabet must follow.
const PREFIXES: &[(&str, usize)] = &[
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("sk-", 16),
    ("sk_live_", 16),
    ("rk_live_", 16),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xoxa-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("hf_", 30),
    ("npm_", 30),
];

const PEM_BEGIN: &str = "-----BEGIN ";
const PEM_END: &str = "-----END ";

/// Whether the text holds something that looks like a credential.
#[must_use]
pub fn contains_secret(text: &str) -> bool {
    next_secret(text, 0).is_some()
}

/// The text with everything that looks like a credential replaced by `[secret]`.
#[must_use]
pub fn redact(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut at = 0;
    while let Some((start, end)) = next_secret(text, at) {
        clean.push_str(text.get(at..start).unwrap_or_default());
        clean.push_str(MASK);
        at = end;
    }
    clean.push_str(text.get(at..).unwrap_or_default());
    clean
}

/// Byte range of the first credential at or after `from`.
fn next_secret(text: &str, from: usize) -> Option<(usize, usize)> {
    let rest = text.get(from..)?;
    let token = PREFIXES.iter().filter_map(|(prefix, least)| prefixed(rest, prefix, *least));
    token.chain(jwt(rest)).chain(pem(rest)).min().map(|(start, end)| (from + start, from + end))
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// A token may not begin in the middle of a word: `task-…` is no `sk-…`.
fn begins_word(text: &str, at: usize) -> bool {
    at.checked_sub(1).and_then(|before| text.as_bytes().get(before)).is_none_or(|byte| !is_token_byte(*byte))
}

fn token_length(text: &str) -> usize {
    text.bytes().take_while(|byte| is_token_byte(*byte)).count()
}

fn prefixed(text: &str, prefix: &str, least: usize) -> Option<(usize, usize)> {
    text.match_indices(prefix).find_map(|(start, _)| {
        let body = text.get(start + prefix.len()..)?;
        let length = token_length(body);
        let token = body.get(..length)?;
        // A real key is random: it has digits. Names such as `sk-learn-compatible-model` have none.
        let random = token.bytes().any(|byte| byte.is_ascii_digit());
        (length >= least && random && begins_word(text, start))
            .then_some((start, start + prefix.len() + length))
    })
}

/// `eyJ….eyJ….…`: three base64url parts, of which the first two are JSON objects.
fn jwt(text: &str) -> Option<(usize, usize)> {
    text.match_indices("eyJ").find_map(|(start, _)| {
        let head = token_length(text.get(start..)?);
        let second = text.get(start + head..)?.strip_prefix('.')?;
        let body = token_length(second);
        let third = second.get(body..)?.strip_prefix('.')?;
        let signature = token_length(third);
        let whole = head >= 10 && body >= 10 && signature >= 10 && second.starts_with("eyJ");
        (whole && begins_word(text, start)).then_some((start, start + head + body + signature + 2))
    })
}

fn pem(text: &str) -> Option<(usize, usize)> {
    let start = text.match_indices(PEM_BEGIN).map(|(at, _)| at).find(|at| {
        text.get(at + PEM_BEGIN.len()..).is_some_and(|label| {
            label.split("-----").next().is_some_and(|name| name.ends_with("PRIVATE KEY"))
        })
    })?;
    let after = text.get(start..)?;
    let end = after.find(PEM_END).map_or(after.len(), |at| {
        let tail = after.get(at + PEM_END.len()..).and_then(|tail| tail.find("-----"));
        tail.map_or(after.len(), |tail| at + PEM_END.len() + tail + 5)
    });
    Some((start, start + end))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Put together here, so that no scanner takes this file for a leak.
    fn samples() -> Vec<String> {
        let digits = "0123456789abcdefABCDEF0123456789abcd";
        vec![
            format!("ghp_{digits}"),
            format!("github_pat_{digits}"),
            format!("sk-proj-{digits}"),
            format!("AKIA{}", "IOSFODNN7EXAMPLE"),
            format!("xoxb-{digits}"),
            format!("eyJ{digits}.eyJ{digits}.{digits}"),
            format!("-----BEGIN RSA {0}-----\n{digits}\n-----END RSA {0}-----", "PRIVATE KEY"),
        ]
    }

    #[test]
    fn every_kind_is_found_and_masked() {
        for secret in samples() {
            let text = format!("key é={secret}; next");
            assert!(contains_secret(&text), "{secret}");
            assert_eq!(redact(&text), "key é=[secret]; next");
        }
    }

    #[test]
    fn ordinary_words_are_left_alone() {
        for text in
            ["task-0123456789abcdef0123", "sk-learn-compatible-estimators", "risk-free", "eyJ", "AKIA", ""]
        {
            assert!(!contains_secret(text), "{text}");
            assert_eq!(redact(text), text);
        }
    }
}
