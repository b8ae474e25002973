//! Text that only a random generator writes.

use super::found::Found;
use super::token::begins_word;

/// Shortest and longest run that counts. Shorter ones are ids of calls and spans, longer ones encoded files.
const LENGTH: std::ops::RangeInclusive<usize> = 32..=128;
/// Least bits per character (Shannon) of a run.
const MIN_BITS: f64 = 4.0;
/// Beginnings of ids and hashes that are no credentials, with what separates them.
const HARMLESS: &[&str] = &[
    "chatcmpl-",
    "cmpl-",
    "call_",
    "toolu_",
    "srvtoolu_",
    "msg_",
    "resp_",
    "req_",
    "run_",
    "thread_",
    "file-",
    "file_",
    "batch_",
    "rs_",
    "fc_",
    "ws_",
    "asst_",
    "step_",
    "gen-",
    "sha256-",
    "sha384-",
    "sha512-",
];
/// How images, fonts, documents, archives and public keys begin in base64.
const FILES: &[&str] = &[
    "iVBORw0KGgo",
    "/9j/",
    "R0lGOD",
    "UklGR",
    "PHN2Z",
    "JVBERi0",
    "AAABAA",
    "d09GR",
    "AGFzb",
    "UEsDB",
    "H4sI",
    "T2dnU",
    "AAAAB3NzaC1",
    "AAAAC3NzaC1",
    "AAAAE2VjZHNh",
];

/// Runs of letters, digits and base64 signs that look drawn at random: both cases and digits mixed without order.
/// Hexadecimal digits alone are no sign of a secret: commits, digests and UUIDs are written so.
pub(super) fn find(text: &str, all: &mut Vec<Found>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        at += escape(bytes, at);
        let length = bytes.get(at..).unwrap_or_default().iter().take_while(|b| is_run_byte(**b)).count();
        let run = text.get(at..at + length).unwrap_or_default();
        if LENGTH.contains(&length)
            && begins_word(bytes, at)
            && !is_data(text.get(..at).unwrap_or_default(), run)
            && is_random(run)
        {
            all.push(Found::secret(at..at + length));
        }
        at += length.max(1);
    }
}

/// Length of what belongs to an escape that began before: the letter of `\n`, the digits of `%3D`.
fn escape(bytes: &[u8], at: usize) -> usize {
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    match (before, bytes.get(at), bytes.get(at + 1)) {
        (Some(b'\\'), Some(b'n' | b'r' | b't'), _) => 1,
        (Some(b'%'), Some(high), Some(low)) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => 2,
        _ => 0,
    }
}

const fn is_run_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-')
}

fn is_data(before: &str, run: &str) -> bool {
    let tail = before.get(before.floor_char_boundary(before.len().saturating_sub(8))..).unwrap_or_default();
    tail.ends_with("base64,")
        || tail.ends_with("h1:")
        || HARMLESS.iter().any(|head| run.starts_with(head))
        || FILES.iter().any(|head| run.starts_with(head))
}

fn is_random(run: &str) -> bool {
    let count = |is: fn(&u8) -> bool| run.as_bytes().iter().filter(|byte| is(byte)).count();
    let (upper, lower, digits) =
        (count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase), count(u8::is_ascii_digit));
    let signs = run.len() - upper - lower - digits;
    let class = |byte: u8| match byte {
        b'A'..=b'Z' => 0,
        b'a'..=b'z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let turns =
        run.as_bytes().windows(2).filter(|pair| matches!(pair, [a, b] if class(*a) != class(*b))).count();
    upper >= 3
        && lower >= 3
        && digits >= 2
        && signs * 8 <= run.len()
        && turns * 5 >= run.len() * 2
        && bits(run) >= MIN_BITS
}

/// Shannon entropy in bits per character.
pub(super) fn bits(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let total = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    let part = |count: &u32| {
        let share = f64::from(*count) / total;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(part).sum()
}
