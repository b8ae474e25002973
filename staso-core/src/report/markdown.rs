//! Pieces of Markdown of our own making, and the cut that keeps a text within a limit.

use super::neutralise;

/// One line as code, whatever backticks it holds; a lone blank when there is nothing to show.
pub(super) fn code(text: &str) -> String {
    let text = neutralise::terminal(&neutralise::verbatim(text));
    let longest = longest_run(&text, '`');
    let ticks = "`".repeat(longest + 1);
    let touches = text.starts_with('`') || text.ends_with('`') || text.is_empty();
    let pad = if touches { " " } else { "" };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// Several lines as a fenced block, whose fence is longer than any run of backticks inside.
pub(super) fn fence(text: &str, info: &'static str) -> String {
    let text = neutralise::verbatim(text);
    let text = text.trim_end_matches('\n');
    let ticks = "`".repeat(longest_run(text, '`').max(2) + 1);
    format!("{ticks}{info}\n{text}\n{ticks}")
}

/// A folded part. The title is ours.
pub(super) fn details(title: &str, content: &str) -> String {
    format!("<details>\n<summary>{title}</summary>\n\n{content}\n\n</details>")
}

/// A link of ours, or `None` when the address is not one to link to.
pub(super) fn link(label: &str, address: &str) -> Option<String> {
    let scheme = ["https://", "http://"].iter().any(|scheme| address.starts_with(scheme));
    let plain = address
        .bytes()
        .all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'(' | b')' | b'\\' | b'"'));
    (scheme && plain && address.len() <= 2_048).then(|| format!("[{}]({address})", neutralise::cell(label)))
}

/// At most `max` bytes of a Markdown text, cut at a line; fences and `<details>` that are open at the cut are closed, and
/// `note` says that it was cut. A text that fits is given back as it is.
#[must_use]
pub fn cut_at_line(text: &str, max: usize, note: &str) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut open = Open::default();
    for line in text.lines() {
        let mut then = open.clone();
        then.read(line);
        let ending = then.ending(note);
        if out.len() + line.len() + 1 + ending.len() > max {
            break;
        }
        open = then;
        out.push_str(line);
        out.push('\n');
    }
    out.push_str(&open.ending(note));
    out
}

/// What is open at a line of a Markdown text that this crate made.
#[derive(Debug, Clone, Default)]
struct Open {
    fence: Option<String>,
    details: usize,
}

impl Open {
    fn read(&mut self, line: &str) {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &self.fence {
            Some(fence) if line == fence => self.fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => self.fence = Some(ticks),
            None if line == "<details>" => self.details += 1,
            None if line == "</details>" => self.details = self.details.saturating_sub(1),
            None => {}
        }
    }

    fn ending(&self, note: &str) -> String {
        let fence = self.fence.as_ref().map(|fence| format!("{fence}\n")).unwrap_or_default();
        format!("{fence}\n{note}\n{}", "\n</details>\n".repeat(self.details))
    }
}

fn longest_run(text: &str, wanted: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == wanted { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_and_code_outlast_what_is_inside() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a``b`"), "``` a``b` ```");
        assert_eq!(fence("x\n````\ny", "diff"), "`````diff\nx\n````\ny\n`````");
    }

    #[test]
    fn a_cut_closes_what_is_open_and_says_so() {
        let text = details("t", &fence(&"ä".repeat(40).repeat(4).replace("ää", "ä\n"), ""));
        for max in 60..text.len() {
            let cut = cut_at_line(&text, max, "(cut)");
            assert!(cut.len() <= max, "{max}: {}", cut.len());
            assert!(cut.contains("(cut)"));
            assert_eq!(cut.matches("```").count() % 2, 0, "{cut}");
            assert_eq!(cut.matches("<details>").count(), cut.matches("</details>").count(), "{cut}");
        }
    }

    #[test]
    fn only_plain_web_addresses_become_links() {
        assert!(link("x", "https://host/a?b=c#d").is_some());
        for bad in ["javascript:alert(1)", "https://h/a)b", "https://h/ä", "https://h/a b", "/a"] {
            assert_eq!(link("x", bad), None, "{bad}");
        }
    }
}
