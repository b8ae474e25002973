//! Texts that must not leave the place they stand in, and how they are found again in whatever disguise.

use std::sync::atomic::{AtomicU64, Ordering};

use staso::heal::SystemClock;
use staso_core::id::Digest;
use staso_core::run::Clock as _;

/// A word that stands nowhere else on earth.
#[derive(Debug, Clone)]
pub(crate) struct Tag {
    word: String,
    disguises: Vec<(&'static str, String)>,
}

impl Tag {
    /// Another word every time.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let seed = format!("{}:{}:{next}", std::process::id(), SystemClock::default().now().as_nanos());
        Self::of(&Digest::of(seed).hex()[..30])
    }

    fn of(word: &str) -> Self {
        let hex: String = word.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut disguises = vec![
            ("plain", word.to_owned()),
            ("reversed", word.chars().rev().collect()),
            ("hex, reversed", hex.chars().rev().collect()),
            ("hex in capitals", hex.to_uppercase()),
            ("hex", hex),
        ];
        for (shift, name) in
            ["base64", "base64 from the second byte", "base64 from the third byte"].into_iter().enumerate()
        {
            disguises.push((name, base64_middle(word.as_bytes(), shift)));
        }
        let reversed: Vec<u8> = word.bytes().rev().collect();
        disguises.push(("base64, reversed", base64_middle(word.as_bytes(), 0).chars().rev().collect()));
        disguises.push(("reversed, base64", base64_middle(&reversed, 0)));
        Self { word: word.to_owned(), disguises }
    }

    /// A text that holds the word.
    pub(crate) fn canary(&self, name: &str) -> String {
        format!("canary-{name}-{}", self.word)
    }

    /// How the text holds the word; `None` when it does not.
    pub(crate) fn find(&self, text: &str) -> Option<&'static str> {
        self.disguises.iter().find(|(_, disguise)| text.contains(disguise.as_str())).map(|(name, _)| *name)
    }

    /// The same, also in capitals, and when blanks and line ends stand in between, as they are or as JSON writes them.
    pub(crate) fn find_scattered(&self, text: &str) -> Option<&'static str> {
        let squeezed: String = text.replace("\\n", "").split_whitespace().collect();
        let capital = || text.contains(&self.word.to_uppercase()).then_some("capital");
        self.find(text).or_else(|| self.find(&squeezed)).or_else(capital)
    }
}

/// What base64 makes of the bytes wherever they stand: without the characters that depend on what is around them.
fn base64_middle(bytes: &[u8], shift: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let whole: Vec<u8> = bytes.iter().copied().skip((3 - shift) % 3).collect();
    let sextets = whole.chunks_exact(3).flat_map(|three| {
        let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        [18, 12, 6, 0].map(|by| char::from(ALPHABET[usize::try_from(bits >> by & 63).unwrap()]))
    });
    sextets.collect()
}

#[test]
fn a_word_is_found_in_every_disguise() {
    let tag = Tag::of("0123456789abcdef0123456789abcd");
    for (text, disguise) in [
        ("x 0123456789abcdef0123456789abcd y", "plain"),
        ("dcba9876543210fedcba9876543210", "reversed"),
        ("303132333435363738396162636465663031323334353637383961626364", "hex"),
        ("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNk", "base64"),
        ("eDAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZAo=", "base64 from the second byte"),
        ("eHgwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2QK", "base64 from the third byte"),
    ] {
        assert!(tag.find(text).is_some(), "{disguise}");
        assert!(tag.find_scattered(&format!("{}\n {}", &text[..12], &text[12..])).is_some(), "{disguise}");
    }
    assert_eq!(tag.find("0123456789abcdef"), None);
}
