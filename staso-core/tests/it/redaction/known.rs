//! Credentials of the host, in every form in which they could leave.

use std::fmt::Write as _;

use proptest::prelude::*;
use staso_core::redaction::Redactor;

/// A plain encoder of base64, written apart from that of the crate.
fn base64(bytes: &[u8], url: bool) -> String {
    let alphabet: Vec<char> = ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .chain(if url { ['-', '_'] } else { ['+', '/'] })
        .collect();
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let mut text = String::new();
    for start in (0..bits.len()).step_by(6) {
        let group = format!("{:0<6}", bits.get(start..bits.len().min(start + 6)).unwrap());
        text.push(*alphabet.get(usize::from_str_radix(&group, 2).unwrap()).unwrap());
    }
    while !url && !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

fn hex(text: &str, before: &str, upper: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if upper { write!(out, "{before}{byte:02X}") } else { write!(out, "{before}{byte:02x}") }.unwrap();
    }
    out
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

fn spread(text: &str, between: &str) -> String {
    text.chars().map(String::from).collect::<Vec<_>>().join(between)
}

fn encodings(secret: &str, around: &str) -> Vec<(&'static str, String)> {
    let backwards: String = secret.chars().rev().collect();
    let cut: String = secret.chars().skip(7).collect();
    let inside = format!("{around}{secret}{around}");
    let mut all = vec![
        ("exact", secret.to_owned()),
        ("backwards", backwards.clone()),
        ("cut", cut.clone()),
        ("capitals", secret.to_uppercase()),
        ("small letters", secret.to_lowercase()),
        ("cut backwards", cut.chars().rev().collect()),
        ("percent", percent(secret)),
        ("base64 within", base64(inside.as_bytes(), false)),
        ("base64url within", base64(inside.as_bytes(), true)),
        ("base64 alone", base64(secret.as_bytes(), false)),
        ("base64 of the cut", base64(cut.as_bytes(), false)),
        ("base64 backwards", base64(backwards.as_bytes(), false)),
        ("hex", hex(secret, "", false)),
        ("HEX", hex(secret, "", true)),
        ("hex of the cut", hex(&cut, "", false)),
        ("escapes", hex(secret, "\\x", false)),
        ("all percent", hex(secret, "%", true)),
        ("hex dump", hex(secret, " ", false)),
    ];
    for (name, between) in
        [("blanks", " "), ("lines", "\r\n"), ("zero width", "\u{200b}"), ("tags", "\u{e0041}")]
    {
        all.push((name, spread(secret, between)));
        all.push(("base64 spread", spread(&base64(secret.as_bytes(), false), between)));
    }
    for (name, between) in [("dashes", "-"), ("dots", "."), ("literals", "\" + \"")] {
        if secret.chars().filter(|c| c.is_alphanumeric()).count() >= 12 {
            all.push((name, spread(secret, between)));
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_form_of_a_planted_secret_survives(
        secret in "[A-Za-z0-9!#%&*+/=?_~.-]{15,40}",
        other in "[A-Za-z0-9]{8,20}",
        around in "[ a-z\\n]{0,4}",
        before in "(x = \"|say |é|)",
        after in "(\"|, then|)",
    ) {
        prop_assume!(secret.chars().filter(char::is_ascii_alphanumeric).count() >= 8);
        let redactor = Redactor::default().with_known_secret("OTHER", &other).with_known_secret("PLANTED", &secret);
        for (name, form) in encodings(&secret, &around) {
            let text = format!("{before}{form}{after}");
            let clean = redactor.clean(&text);
            prop_assert!(redactor.finds(&text) && clean.contains("[secret]"), "{}: {} -> {}", name, text, clean);
            // A few characters at the edge of an encoding belong to its neighbours as well.
            let core = form.get(form.floor_char_boundary(form.len() / 3)..form.ceil_char_boundary(form.len() * 2 / 3)).unwrap();
            prop_assert!(core.len() < 4 || !clean.contains(core), "{}: {} -> {}", name, text, clean);
        }
    }
}

#[test]
fn the_whole_of_it_goes_and_nothing_else() {
    let redactor = Redactor::default().with_known_secret("K", "horse-staple-99");
    assert_eq!(redactor.clean("a horse-staple-99b"), "a [secret]b");
    assert_eq!(redactor.clean("a h o r s e - s t a p l e - 9 9 b"), "a [secret] b");
    assert_eq!(redactor.clean("a horse, a staple, 98"), "a horse, a staple, 98");
    assert_eq!(redactor.clean("horse-staple-9999-elpats-esroh"), "[secret][secret]");
}

#[test]
fn what_is_too_short_to_tell_is_not_looked_for() {
    let redactor =
        Redactor::default().with_known_secret("PIN", "1234567").with_known_secret("KEY", "12345678");
    assert_eq!(redactor.known_names().collect::<Vec<_>>(), ["KEY"]);
    assert_eq!(redactor.clean("1234567 12345678"), "1234567 [secret]");
}
