//! A diff of one file as git writes it.

use std::fmt::Write as _;

use similar::TextDiff;

use super::PatchFile;
use crate::code::RepoPath;

/// The lines of both contents compared. Lines end at `\n` only, as git sees them.
pub(super) fn compare<'a>(before: &'a str, after: &'a str) -> TextDiff<'a, 'a, str> {
    let (old, new): (Vec<&str>, Vec<&str>) =
        (before.split_inclusive('\n').collect(), after.split_inclusive('\n').collect());
    TextDiff::configure().newline_terminated(true).diff_slices(&old, &new)
}

/// The unified diff with three lines of context.
pub(super) fn diff(path: &RepoPath, file: &PatchFile) -> String {
    let (old, new) = (quoted("a", path), quoted("b", path));
    let mut text = format!("diff --git {old} {new}\n");
    let old = if file.is_new() {
        text.push_str("new file mode 100644\n");
        "/dev/null"
    } else {
        &old
    };
    let lines = compare(file.before(), file.after());
    let mut hunks = lines.unified_diff();
    let mut headed = false;
    for hunk in hunks.context_radius(3).iter_hunks() {
        if !headed {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "--- {old}\n+++ {new}");
            headed = true;
        }
        let _ = writeln!(text, "{}", hunk.header());
        for change in hunk.iter_changes() {
            let _ = write!(text, "{}{}", change.tag(), change.value());
            if !change.value().ends_with('\n') {
                text.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    text
}

/// The name as git writes it in a diff: quoted when it holds a quote or a character outside of ASCII.
fn quoted(side: &str, path: &RepoPath) -> String {
    if path.as_str().bytes().all(|b| (b' '..0x7f).contains(&b) && b != b'"') {
        return format!("{side}/{path}");
    }
    let mut text = format!("\"{side}/");
    for byte in path.as_str().bytes() {
        let _ = match byte {
            b'"' => write!(text, "\\\""),
            b' '..0x7f => write!(text, "{}", char::from(byte)),
            _ => write!(text, "\\{byte:03o}"),
        };
    }
    text.push('"');
    text
}
