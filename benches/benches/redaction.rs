//! Redaction of hostile text: the same openings again and again, in 1 MB and in 10 MB, next to harmless text.
//!
//! Time is linear when both sizes have the same throughput.

use std::fmt;

use divan::counter::BytesCount;
use staso_core::redaction::Redactor;

const SIZES: [usize; 2] = [1 << 20, 10 << 20];
const HARMLESS: &str = "def refund(order, amount): return order.total - amount if order else None\n";
/// A name, and the piece that is repeated.
#[derive(Debug, Clone, Copy)]
struct Case(&'static str, &'static str);

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Beginnings of everything that is looked for, and what makes a search begin again.
const CASES: &[Case] = &[
    Case("harmless_code", HARMLESS),
    Case("letters", "a"),
    Case("github_prefix", "ghp_"),
    Case("github_prefix_digit", "ghp_1"),
    Case("github_tokens", "ghp_0123456789abcdefghij "),
    Case("jwt_heads", "eyJ."),
    Case("jwt_nested_heads", "eyJeyJeyJaa.eyJaaaaaaa"),
    Case("jwt_two_parts", "eyJ0123456.eyJ0123456."),
    Case("pem_begin", "-----BEGIN "),
    Case("pem_label_unfinished", "-----BEGIN RSA PRIVATE KEY"),
    Case("pem_begin_private", "-----BEGIN PRIVATE KEY-----"),
    Case("pem_begin_end", "-----BEGIN PRIVATE KEY----------END "),
    Case("pem_end", "-----END "),
    Case("password", "password="),
    Case("password_short", "password=a1"),
    Case("password_quote", "password='"),
    Case("password_typed", "password: x = "),
    Case("address", "://"),
    Case("address_user", "://u:"),
    Case("address_password", "://u:p1@"),
    Case("signature", "?sig="),
    Case("at_sign", "@"),
    Case("mail_short", "a@b."),
    Case("mail_unfinished", "a@b.c-"),
    Case("digits", "4"),
    Case("digits_blanks", "4 "),
    Case("card_heads", "41111111"),
    Case("phone_heads", "+1 "),
    Case("phone_brackets", "+1("),
    Case("iban_heads", "DE89 "),
    Case("iban_run", "DE89A"),
    Case("openai_prefix", "sk-1"),
    Case("mixed_run", "aB3"),
    Case("mixed_run_signs", "aB3+/"),
    Case("random_words", "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5 "),
    Case("zero_width", "\u{200b}a"),
    Case("masks", "[secret]"),
    Case("dotted_runs", "SG.1"),
    Case("dotted_heads", "SG."),
    Case("google_heads", "ya29.a."),
    Case("azure_heads", "~Q~"),
    Case("known_head", "horse-"),
    Case("known_spread", "h o r s e "),
    Case("known_hex", "686f727365"),
    Case("header", "authorization:"),
    Case("header_bearer", "authorization: bearer "),
    Case("bearer", "bearer "),
    Case("escapes", "\\n%3D"),
];

fn main() {
    divan::main();
}

#[divan::bench(args = CASES, consts = SIZES, sample_count = 3, sample_size = 1)]
fn clean<const BYTES: usize>(bencher: divan::Bencher<'_, '_>, case: &Case) {
    let redactor = Redactor::default()
        .with_known_secret("A", "aaaaaaaaaaaaaaaaaaaaaaaa")
        .with_known_secret("B", "horse-staple-99")
        .with_personal_data();
    let Case(_, piece) = case;
    let text = piece.repeat(BYTES / piece.len());
    bencher.counter(BytesCount::of_str(&text)).bench(|| redactor.clean(&text));
}
