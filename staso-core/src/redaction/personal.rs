//! Data about people: addresses, numbers of cards, accounts and telephones.

use super::found::Found;

const EMAIL: &str = "[email]";
const CARD: &str = "[card]";
const IBAN: &str = "[iban]";
const PHONE: &str = "[phone]";

/// Everything of these kinds.
pub(super) fn find(text: &str, all: &mut Vec<Found>) {
    let bytes = text.as_bytes();
    for (at, _) in text.match_indices('@') {
        all.extend(email(bytes, at));
    }
    for (at, byte) in bytes.iter().enumerate() {
        let begins =
            at.checked_sub(1).and_then(|before| bytes.get(before)).is_none_or(|b| !is_word(*b) && *b != b'.');
        let found = match byte {
            b'+' if begins => phone(bytes, at),
            b'0'..=b'9' if begins => card(bytes, at),
            b'A'..=b'Z' if begins => iban(bytes, at),
            _ => None,
        };
        all.extend(found);
    }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn email(bytes: &[u8], at: usize) -> Option<Found> {
    let local = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    let before = bytes.get(..at)?.iter().rev().take(65).take_while(|byte| local(byte)).count();
    let rest = bytes.get(at + 1..)?;
    let mut after =
        rest.iter().take(254).take_while(|b| b.is_ascii_alphanumeric() || b".-".contains(b)).count();
    while after > 0 && rest.get(after - 1).is_some_and(|byte| b".-".contains(byte)) {
        after -= 1;
    }
    let domain = rest.get(..after)?;
    let dot = domain.iter().rposition(|byte| *byte == b'.')?;
    let top = domain.get(dot + 1..)?;
    let valid = dot > 0 && top.len() >= 2 && top.iter().all(u8::is_ascii_alphabetic);
    // `git@host` is how git writes an address of a repository.
    let person = (1..=64).contains(&before) && bytes.get(at - before..at)? != b"git";
    (valid && person).then_some(Found { range: at - before..at + 1 + after, mask: EMAIL })
}

/// The characters that count from `at` on, and where each ends. Between two of them may be one of the signs, or two
/// when there are brackets among those.
fn spaced(bytes: &[u8], at: usize, counts: fn(&u8) -> bool, signs: &[u8], most: usize) -> Vec<(u8, usize)> {
    let mut found = Vec::new();
    let mut gap = 0;
    for (offset, byte) in bytes.get(at..).unwrap_or_default().iter().enumerate() {
        if counts(byte) {
            found.push((*byte, at + offset + 1));
            gap = 0;
        } else if signs.contains(byte) && gap < 1 + usize::from(signs.contains(&b'(')) {
            gap += 1;
        } else {
            break;
        }
        if found.len() > most {
            break;
        }
    }
    found
}

fn ends_word(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_none_or(|byte| !is_word(*byte))
}

/// 13 to 19 digits (ISO/IEC 7812) of a payment card, whose last is right (Luhn).
fn card(bytes: &[u8], at: usize) -> Option<Found> {
    let digits = spaced(bytes, at, u8::is_ascii_digit, b" -", 19);
    if !matches!(bytes.get(at), Some(b'2'..=b'6')) {
        return None;
    }
    (13..=digits.len().min(19)).rev().find_map(|length| {
        let number = digits.get(..length)?;
        let (_, end) = *number.last()?;
        (ends_word(bytes, end) && luhn(number)).then_some(Found { range: at..end, mask: CARD })
    })
}

fn luhn(digits: &[(u8, usize)]) -> bool {
    let value = |(place, (digit, _)): (usize, &(u8, usize))| {
        let digit = u32::from(digit - b'0');
        match (place % 2, digit) {
            (0, digit) => digit,
            (_, digit @ 0..=4) => 2 * digit,
            (_, digit) => 2 * digit - 9,
        }
    };
    let same = digits.iter().all(|(digit, _)| digits.first().is_some_and(|(first, _)| first == digit));
    !same && digits.iter().rev().enumerate().map(value).sum::<u32>() % 10 == 0
}

/// An account number of ISO 13616: country, two check digits, at most 30 letters and digits; 1 modulo 97.
fn iban(bytes: &[u8], at: usize) -> Option<Found> {
    let head = bytes.get(at..at + 4)?;
    let [a, b, c, d] = *head else { return None };
    if !(a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_digit() && d.is_ascii_digit()) {
        return None;
    }
    let counts = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let signs = spaced(bytes, at, counts, b" ", 34);
    (15..=signs.len().min(34)).rev().find_map(|length| {
        let number = signs.get(..length)?;
        let (_, end) = *number.last()?;
        (ends_word(bytes, end) && modulo_97(number) == 1).then_some(Found { range: at..end, mask: IBAN })
    })
}

fn modulo_97(signs: &[(u8, usize)]) -> u32 {
    let rotated = signs.iter().skip(4).chain(signs.iter().take(4));
    rotated.fold(0, |rest, (sign, _)| match sign {
        b'0'..=b'9' => (rest * 10 + u32::from(sign - b'0')) % 97,
        _ => (rest * 100 + u32::from(sign - b'A') + 10) % 97,
    })
}

/// A number of ITU-T E.164: `+`, a country code and 8 to 15 digits altogether.
fn phone(bytes: &[u8], at: usize) -> Option<Found> {
    let digits = spaced(bytes, at + 1, u8::is_ascii_digit, b" -.()/", 15);
    let begins = matches!(bytes.get(at + 1), Some(b'1'..=b'9'));
    let (_, end) = *digits.last()?;
    let fits = (8..=15).contains(&digits.len()) && begins && ends_word(bytes, end);
    fits.then_some(Found { range: at..end, mask: PHONE })
}
