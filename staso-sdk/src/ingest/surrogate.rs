//! Escapes of half a character: Python and JavaScript write `"\ud83d"` for texts that were cut in the middle of an emoji,
//! and JSON readers refuse the whole document for it.

use std::borrow::Cow;

use super::IngestError;

const REPLACEMENT: &[u8] = br"\ufffd";

/// Reads a document; when that fails and it holds half characters, reads it once more with U+FFFD in their place. Both
/// are six bytes, so that positions in errors hold for the text as sent.
pub(super) fn read_mended<T>(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Result<T, IngestError>,
) -> Result<T, IngestError> {
    match (read(bytes), bytes) {
        (Err(error @ IngestError::Malformed { .. }), bytes) => match mended(bytes) {
            Cow::Owned(mended) => read(&mended),
            Cow::Borrowed(_) => Err(error),
        },
        (read, _) => read,
    }
}

/// JSON inside of a JSON string, with the same mistake one level deeper. Text that is no JSON stays as it is.
pub(super) fn mended_text(text: String) -> String {
    let is_json = text.starts_with(['{', '[', '"']);
    if !is_json || !(text.contains("\\ud") || text.contains("\\uD")) {
        return text;
    }
    match mended(text.as_bytes()) {
        Cow::Owned(mended) => String::from_utf8(mended).unwrap_or(text),
        Cow::Borrowed(_) => text,
    }
}

fn mended(json: &[u8]) -> Cow<'_, [u8]> {
    let mut mended = Cow::Borrowed(json);
    let mut at = 0;
    while let Some(found) = json.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == b'\\')) {
        at += found;
        let is_low = |unit| (0xdc00..0xe000).contains(&unit);
        at += match unit_at(json, at) {
            None => 2,
            Some(0xd800..0xdc00) if unit_at(json, at + 6).is_some_and(is_low) => 12,
            Some(0xd800..0xe000) => {
                if let Some(place) = mended.to_mut().get_mut(at..at + 6) {
                    place.copy_from_slice(REPLACEMENT);
                }
                6
            }
            Some(_) => 6,
        };
    }
    mended
}

/// The code unit of the escape `\uXXXX` that begins here.
fn unit_at(json: &[u8], at: usize) -> Option<u32> {
    let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_half_characters_are_replaced() {
        let cases = [
            (r#""\ud83d\ude9a""#, r#""\ud83d\ude9a""#),
            (r#""\ud83d""#, r#""\ufffd""#),
            (r#""\ud83dx\uDE9A""#, r#""\ufffdx\ufffd""#),
            (r#""\ud83d\ud83d\ude9a""#, r#""\ufffd\ud83d\ude9a""#),
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""\\\ud83d""#, r#""\\\ufffd""#),
            (r#""\u00e4\n\"""#, r#""\u00e4\n\"""#),
            (r"\", r"\"),
            (r"\ud8", r"\ud8"),
        ];
        for (text, expected) in cases {
            assert_eq!(mended(text.as_bytes()), expected.as_bytes(), "{text}");
        }
    }
}
