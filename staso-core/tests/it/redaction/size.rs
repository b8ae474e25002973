//! Hostile text of any size costs time in proportion to its length.

use std::time::{Duration, Instant};

use staso_core::redaction::{Redactor, visible};

const SMALL_BYTES: usize = 8 << 10;
const TIMES: u32 = 16;

fn time(work: impl Fn()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// A search of quadratic cost would take [`TIMES`] times longer still. A busy machine gets several chances, and a slow
/// search uses none of them.
fn grows_linearly(name: &str, piece: &str, work: impl Fn(&str)) {
    let small = piece.repeat(SMALL_BYTES / piece.len() + 1);
    let large = small.repeat(usize::try_from(TIMES).unwrap());
    work("warm");
    let mut seen = Vec::new();
    for _ in 0..8 {
        let (base, whole) = (time(|| work(&small)), time(|| work(&large)));
        if whole < base * TIMES * 5 + Duration::from_millis(20) {
            return;
        }
        seen.push((base, whole));
    }
    panic!("{name}: {seen:?}");
}

#[test]
fn time_is_linear_whatever_is_repeated() {
    let redactor = Redactor::default()
        .with_known_secret("A", "aaaaaaaaaaaaaaaaaaaaaaaa")
        .with_known_secret("B", "horse-staple-99")
        .with_personal_data();
    for piece in [
        "a",
        "ghp_",
        "ghp_1",
        "eyJ.",
        "eyJeyJeyJaa.eyJaaaaaaa",
        "-----BEGIN ",
        "-----BEGIN RSA PRIVATE KEY",
        "password=",
        "://u:",
        "@",
        "a@b.",
        "4 ",
        "41111111",
        "+1 ",
        "DE89 ",
        "sk-1",
        "aB3",
        "\u{200b}a",
        "[secret]",
        "SG.",
        "SG.1",
        "horse-",
        "authorization: bearer ",
        "-----END ",
        "\u{1b}]",
    ] {
        grows_linearly(piece, piece, |text| assert!(redactor.clean(text).len() <= text.len() * 9));
        grows_linearly(piece, piece, |text| assert!(visible(text).len() <= text.len()));
    }
}

#[test]
fn ten_megabytes_are_cleaned_as_a_whole() {
    let secret = "horse-staple-99";
    let redactor = Redactor::default().with_known_secret("B", secret);
    let line = format!("2026-11-22 GET /orders?id=7 {secret} ghp_a1B2c3D4e5F6g7H8i9J0 ok\n");
    let text = line.repeat((10 << 20) / line.len());
    let clean = redactor.clean(&text);
    assert_eq!(clean, "2026-11-22 GET /orders?id=7 [secret] [secret] ok\n".repeat(text.len() / line.len()));
}
