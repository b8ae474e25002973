//! Lines, columns and colours of a terminal.

/// Fewest and most columns of a text.
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=160;
/// Columns before the text of a labelled line.
const LABEL_COLUMNS: usize = 12;

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    color: bool,
    width: usize,
}

/// The few colours in use, by what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Strong,
    Good,
    Bad,
    Quiet,
}

impl Style {
    pub(super) fn new(color: bool, width: usize) -> Self {
        Self { color, width: width.clamp(*WIDTHS.start(), *WIDTHS.end()) }
    }

    pub(super) fn plain() -> Self {
        Self::new(false, 100)
    }

    /// The text in a colour, when colours are wanted. Wrap first: codes have no width.
    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Strong => "1",
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Quiet => "2",
        };
        if self.color && !text.trim().is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// A label in its own column, then the text, wrapped beside it. Nothing for an empty text.
    pub(super) fn labelled(self, label: &str, text: &str) -> String {
        let indent = " ".repeat(LABEL_COLUMNS);
        let first = self.paint(Tone::Quiet, &format!("{label:<LABEL_COLUMNS$}"));
        self.hanging(&first, &indent, text)
    }

    /// A label or nothing in its own column, a mark, then the text, wrapped beside it.
    pub(super) fn item(self, label: &str, mark: &str, text: &str) -> String {
        let label = self.paint(Tone::Quiet, &format!("{label:<LABEL_COLUMNS$}"));
        let indent = " ".repeat(LABEL_COLUMNS + 2);
        self.hanging(&format!("{label}{mark} "), &indent, text)
    }

    /// A wrapped text, every line after `indent`.
    pub(super) fn paragraph(self, indent: &str, text: &str) -> String {
        self.hanging(indent, indent, text)
    }

    fn hanging(self, first: &str, indent: &str, text: &str) -> String {
        let lines = wrap(text, self.width.saturating_sub(indent.chars().count()));
        let mut out = String::new();
        for (at, line) in lines.iter().enumerate() {
            out.push_str(if at == 0 { first } else { indent });
            out.push_str(line);
            out.push('\n');
        }
        out
    }
}

/// Breaks at blanks; a word longer than a line is broken where the line ends. Every character counts as one column.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(10);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut columns = 0;
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        if columns > 0 && columns + 1 + word.len() > width {
            lines.push(std::mem::take(&mut line));
            columns = 0;
        }
        while word.len() > width {
            lines.push(word.drain(..width).collect());
        }
        if columns > 0 {
            line.push(' ');
            columns += 1;
        }
        columns += word.len();
        line.extend(word);
    }
    if columns > 0 {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_longer_than_the_width() {
        let text = "one two three fourteen-letters and averyveryverylongwordthatmustbebroken end";
        let lines = wrap(text, 12);
        assert!(lines.iter().all(|line| line.chars().count() <= 12), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
    }

    #[test]
    fn colours_only_when_asked_for() {
        assert_eq!(Style::new(false, 80).paint(Tone::Good, "x"), "x");
        assert_eq!(Style::new(true, 80).paint(Tone::Good, "x"), "\u{1b}[32mx\u{1b}[0m");
    }
}
