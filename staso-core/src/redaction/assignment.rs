//! Credentials that tell by what stands before them: a name, a header, the scheme of an address.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::entropy::bits;
use super::found::Found;

/// Names after which a value is a credential, with the separator that must follow them at once, if any.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "accesskey",
    "access-key",
    "secret_key",
    "secretkey",
    "secret-key",
    "private_key",
    "privatekey",
    "auth_key",
    "accountkey",
    "credential",
    "credentials",
    "authorization",
    "bearer ",
    "?sig=",
    "&sig=",
    "://",
];
/// Longest value that is looked at, in bytes.
const MAX_VALUE_BYTES: usize = 512;
/// Least bits per character of a password; of `aabbccdd` it is 2.
const MIN_BITS: f64 = 2.5;

static NAME: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(NAMES).ok());

/// Every value after such a name.
pub(super) fn find(text: &str, all: &mut Vec<Found>) {
    let Some(names) = &*NAME else {
        return all.push(Found::secret(0..text.len()));
    };
    for name in names.find_overlapping_iter(text) {
        let rest = text.get(name.end()..).unwrap_or_default();
        let near = rest.get(..rest.floor_char_boundary(MAX_VALUE_BYTES + 64)).unwrap_or_default();
        let value = match NAMES.get(name.pattern().as_usize()).copied().unwrap_or_default() {
            "://" => address(near),
            "bearer " => bearer(near),
            "authorization" => header(near),
            "?sig=" | "&sig=" => quoted_or_bare(near).filter(|value| is_random(value)),
            _ => assigned(near),
        };
        if let Some(value) = value.filter(|value| !value.text.is_empty()) {
            let start = name.end() + value.at;
            all.push(Found::secret(start..start + value.text.len()));
        }
    }
}

/// A value, and where it begins behind the name.
#[derive(Debug, Clone, Copy)]
struct Value<'a> {
    at: usize,
    text: &'a str,
    quoted: bool,
}

/// `user:password@` of an address: the password.
fn address(near: &str) -> Option<Value<'_>> {
    let end = near.find(|c: char| c.is_whitespace() || "/\"'<>`".contains(c)).unwrap_or(near.len());
    let (user, password) = near.get(..end)?.rsplit_once('@')?.0.split_once(':')?;
    let known = is_placeholder(password) || password.starts_with('[');
    (!known).then_some(Value { at: user.len() + 1, text: password, quoted: false })
}

fn header(near: &str) -> Option<Value<'_>> {
    let at = separator(near)?;
    let quotes = near.get(at..)?.bytes().take(2).take_while(|byte| b"\\\"'`".contains(byte)).count();
    let at = at + quotes;
    let value = near.get(at..)?;
    let scheme = value.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'-').count();
    let schemes = ["bearer", "basic", "token", "digest", "apikey", "negotiate"];
    let named = value.get(..scheme).is_some_and(|word| schemes.iter().any(|s| s.eq_ignore_ascii_case(word)));
    let skipped = if named { scheme + blanks(value.get(scheme..)?) } else { 0 };
    let value = run(value.get(skipped..)?, at + skipped)?;
    // Without a scheme it may as well be code about headers.
    let fits = if named { !is_placeholder(value.text) } else { is_random(&value) };
    fits.then_some(value)
}

fn bearer(near: &str) -> Option<Value<'_>> {
    run(near, 0).filter(|value| value.text.len() >= 16 && is_random(value))
}

/// The characters of RFC 6750's `b64token` from the beginning.
fn run(text: &str, at: usize) -> Option<Value<'_>> {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let length = text.bytes().take_while(|byte| sign(*byte)).count();
    Some(Value { at, text: text.get(..length)?, quoted: true }).filter(|value| value.text.len() >= 8)
}

fn assigned(near: &str) -> Option<Value<'_>> {
    let at = separator(near)?;
    let value = quoted_or_bare(near.get(at..)?)?;
    // The type of a field stands between its name and its value.
    let after = near.get(at + value.at + value.text.len()..)?;
    let typed = !value.quoted && !value.text.contains('=') && after.starts_with(" = ");
    let (at, value) = if typed {
        let skipped = at + value.at + value.text.len() + 3;
        (skipped, quoted_or_bare(near.get(skipped..)?)?)
    } else {
        (at, value)
    };
    is_random(&value).then_some(Value { at: at + value.at, ..value })
}

/// Length of `=`, `:`, `=>` or `:=` with quotes and blanks around it.
fn separator(text: &str) -> Option<usize> {
    let quote = text.bytes().take(2).take_while(|byte| b"\\\"'`]".contains(byte)).count();
    let before = quote + blanks(text.get(quote..)?);
    let sign = ["=>", ":=", "==", "=", ":"]
        .into_iter()
        .find(|sign| text.get(before..).is_some_and(|rest| rest.starts_with(sign)))?;
    // A comparison assigns nothing.
    if sign == "==" {
        return None;
    }
    let at = before + sign.len();
    Some(at + blanks(text.get(at..)?))
}

fn blanks(text: &str) -> usize {
    text.bytes().take(4).take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

fn quoted_or_bare(text: &str) -> Option<Value<'_>> {
    let opening = text.bytes().take(2).take_while(|byte| b"\\\"'`".contains(byte)).count();
    let body = text.get(opening..)?;
    let ends = |c: char| {
        if opening > 0 { "\\\"'`\n\r".contains(c) } else { c.is_whitespace() || ",;&)}]\"'`<>\\".contains(c) }
    };
    let end = body.find(ends).unwrap_or(body.len());
    (end <= MAX_VALUE_BYTES).then_some(Value { at: opening, text: body.get(..end)?, quoted: opening > 0 })
}

/// Whether a value looks chosen to be hard to guess. Names, calls, dates, numbers and placeholders do not.
fn is_random(value: &Value<'_>) -> bool {
    let text = value.text;
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
    let snake = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.".contains(&b));
    let is_code =
        !value.quoted && (text.contains(['(', '[', '{']) || snake && digits < 3 && text.contains(['_', '.']));
    let is_date = text.bytes().all(|b| b.is_ascii_digit() || b"TZtz:+-. /".contains(&b));
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    text.len() >= 8
        && digits > 0
        && letters > 0
        && plain
        && !is_date
        && !is_code
        && !text.contains("://")
        && !is_placeholder(text)
        && bits(text) >= MIN_BITS
}

fn is_placeholder(text: &str) -> bool {
    text.starts_with(['[', '<', '$', '{', '%', '*'])
        || text.bytes().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'-'))
        || text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}
