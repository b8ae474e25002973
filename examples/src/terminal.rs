//! What stands on the screen: lines that stay, and one line that is redrawn where the output is a terminal.

use std::io::{self, Write};

use crate::environment::Environment;

/// Columns taken when nobody says how wide the terminal is.
const DEFAULT_WIDTH: usize = 100;
const ERASE_LINE: &str = "\r\x1b[2K";

/// How text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether colours are used.
    pub color: bool,
    /// Whether a line can be redrawn.
    pub redraw: bool,
    /// Columns.
    pub width: usize,
}

/// What a piece of text says beside its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It went well.
    Good,
    /// It went wrong.
    Bad,
    /// It matters less.
    Dim,
    /// It matters most.
    Strong,
}

/// A screen to write to.
#[derive(Debug)]
pub struct Terminal<W> {
    out: W,
    look: Look,
    status_shown: bool,
}

impl Look {
    /// For files and pipes: lines without colours.
    #[must_use]
    pub const fn plain() -> Self {
        Self { color: false, redraw: false, width: DEFAULT_WIDTH }
    }

    /// For an output that is a terminal or not, as the user's environment asks for it.
    #[must_use]
    pub fn choose(is_terminal: bool, environment: &Environment) -> Self {
        let width = environment.columns.unwrap_or(DEFAULT_WIDTH).clamp(40, 160);
        Self { color: is_terminal && !environment.no_color, redraw: is_terminal, width }
    }

    /// The text in the colour of its tone, when colours are used.
    #[must_use]
    pub fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Dim => "2",
            Tone::Strong => "1",
        };
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A unified diff, its added and removed lines in colour.
    #[must_use]
    pub fn diff(self, diff: &str) -> String {
        let line = |line: &str| {
            let text = printable(line);
            match line.as_bytes().first() {
                Some(b'+') => self.paint(Tone::Good, &text),
                Some(b'-') => self.paint(Tone::Bad, &text),
                Some(b'@' | b'd') => self.paint(Tone::Dim, &text),
                _ => text,
            }
        };
        diff.lines().map(line).collect::<Vec<_>>().join("\n")
    }
}

impl<W: Write> Terminal<W> {
    /// Writes to `out`.
    pub const fn new(out: W, look: Look) -> Self {
        Self { out, look, status_shown: false }
    }

    /// What it wrote to.
    pub fn into_inner(self) -> W {
        self.out
    }

    /// How text is shown.
    pub const fn look(&self) -> Look {
        self.look
    }

    /// Writes text that stays, with a line break after it.
    ///
    /// # Errors
    /// When the output is closed.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        self.clear()?;
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// Writes what is going on right now. It is replaced by whatever comes next; where nothing can be redrawn it stays
    /// as a line. Text of strangers may be in it: control characters become blanks.
    ///
    /// # Errors
    /// When the output is closed.
    pub fn status(&mut self, text: &str) -> io::Result<()> {
        let text = printable(text);
        if !self.look.redraw {
            return self.line(&text);
        }
        let shown: String = text.chars().take(self.look.width.saturating_sub(1)).collect();
        write!(self.out, "{ERASE_LINE}{}", self.look.paint(Tone::Dim, &shown))?;
        self.status_shown = true;
        self.out.flush()
    }

    /// Takes away what [`status`](Self::status) wrote last.
    ///
    /// # Errors
    /// When the output is closed.
    pub fn clear(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.status_shown) {
            write!(self.out, "{ERASE_LINE}")?;
        }
        Ok(())
    }
}

/// One line of a stranger's text: control characters and characters that reorder or hide text become blanks.
#[must_use]
pub fn printable(text: &str) -> String {
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().map(|c| if hides(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(look: Look, write: impl FnOnce(&mut Terminal<&mut Vec<u8>>)) -> String {
        let mut out = Vec::new();
        write(&mut Terminal::new(&mut out, look));
        String::from_utf8(out).unwrap()
    }

    fn talk(terminal: &mut Terminal<&mut Vec<u8>>) {
        terminal.status("trying 1").unwrap();
        terminal.status("trying 2").unwrap();
        terminal.line("done").unwrap();
    }

    #[test]
    fn a_terminal_redraws_its_last_line() {
        let look = Look { color: false, redraw: true, width: 8 };
        assert_eq!(written(look, talk), "\r\x1b[2Ktrying \r\x1b[2Ktrying \r\x1b[2Kdone\n");
    }

    #[test]
    fn files_get_plain_lines() {
        assert_eq!(written(Look::plain(), talk), "trying 1\ntrying 2\ndone\n");
    }

    #[test]
    fn no_color_keeps_redrawing_but_drops_colours() {
        let environment = Environment { no_color: true, columns: Some(7), ..Environment::default() };
        assert_eq!(Look::choose(true, &environment), Look { color: false, redraw: true, width: 40 });
        assert!(!Look::choose(false, &Environment::default()).color);
    }

    #[test]
    fn a_diff_of_strangers_moves_no_cursor() {
        let look = Look { color: true, redraw: true, width: 80 };
        assert_eq!(look.diff("+a\x1b[2J\n b\u{202e}"), "\x1b[32m+a [2J\x1b[0m\n b ");
    }
}
