//! Makes text of strangers harmless before it is shown: in Markdown, in a commit message, in a terminal.
//!
//! What comes out mentions nobody, closes nothing, links nowhere, loads no image, hides no character and keeps no HTML.
//! Text of strangers never gets a link of its own; links are made by this crate, to configured hosts only. Every
//! function is idempotent and takes time linear in its input. This is not for secrets: they are redacted before text
//! gets here.

mod hidden;

use hidden::strip_comments;
pub(crate) use hidden::visible;

/// Breaks a token apart where a forge would read it as a reference; shows nothing. An entity, not the character itself,
/// so that a reader of the source sees it.
pub(super) const BREAK: &str = "&#8203;";

/// Whether backticks may make code in the result.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CodeSpans {
    Kept,
    Escaped,
}

/// One line of Markdown. Line breaks become blanks; `` `code` `` stays code; all else that Markdown would read is shown
/// as it is written.
#[must_use]
pub fn inline(text: &str) -> String {
    escape(&literal(text), CodeSpans::Kept)
}

/// One cell of a Markdown table: as [`inline`], but without code.
#[must_use]
pub fn cell(text: &str) -> String {
    escape(&literal(text), CodeSpans::Escaped)
}

/// Several lines of Markdown. Paragraphs, headings, bullets, check boxes and fenced code keep their form; the words in
/// them are treated as [`inline`] does. Comments, also those over several lines, are gone.
#[must_use]
pub fn block(text: &str) -> String {
    let text = strip_comments(&visible(text));
    let mut out: Vec<String> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if let Some(fence) = Fence::open(line) {
            let content: Vec<&str> = lines.by_ref().take_while(|line| !fence.closes(line)).collect();
            out.push(super::markdown::fence(&content.join("\n"), ""));
        } else if line.is_empty() {
            if out.last().is_some_and(|last| !last.is_empty()) {
                out.push(String::new());
            }
        } else {
            out.extend(block_line(line));
        }
    }
    while out.last().is_some_and(String::is_empty) {
        out.pop();
    }
    out.join("\n")
}

/// One line of plain text, for titles and commit messages: `@` becomes `(at)`, `#1` becomes `no. 1`, addresses are
/// broken visibly.
#[must_use]
pub fn plain(text: &str) -> String {
    let chars: Vec<char> = fold(&strip_comments(&visible(text))).chars().collect();
    let mut out = String::with_capacity(chars.len());
    for (at, &c) in chars.iter().enumerate() {
        let next_is_digit = chars.get(at + 1).is_some_and(char::is_ascii_digit);
        match c {
            '@' => out.push_str("(at)"),
            '#' if next_is_digit => {
                let glued = at.checked_sub(1).and_then(|before| chars.get(before));
                let glued = glued.is_some_and(|before| before.is_alphanumeric());
                out.push_str(if glued { " no. " } else { "no. " });
            }
            '-' if next_is_digit && ends_with_word(&chars, at, "gh") => out.push(' '),
            ':' if starts_address(&chars, at) => out.push_str("[:]"),
            '.' if ends_with_word(&chars, at, "www") => out.push_str("[.]"),
            _ => out.push(c),
        }
    }
    out
}

/// One line for a terminal: escape sequences, control and hidden characters are gone, line breaks are blanks.
#[must_use]
pub fn terminal(text: &str) -> String {
    fold(&visible(text))
}

/// Several lines for a terminal, e.g. a diff: as [`terminal`], but line breaks and tabs stay.
#[must_use]
pub fn terminal_block(text: &str) -> String {
    visible(text)
}

/// What goes between the marks of code: as it is, but no comment can be forged in it.
pub(super) fn verbatim(text: &str) -> String {
    strip_comments(&visible(text))
}

/// At most `max` characters, cut at a blank where one is near, with an ellipsis.
pub(super) fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max.saturating_sub(1)).collect();
    let end = kept.rfind(char::is_whitespace).filter(|at| *at > kept.len() / 2).unwrap_or(kept.len());
    format!("{}…", kept.get(..end).unwrap_or(&kept).trim_end())
}

fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a reader of the rendered text would see, as one line without comments.
fn literal(text: &str) -> String {
    fold(&strip_comments(&unescape(&visible(text))))
}

struct Fence {
    mark: char,
    length: usize,
}

impl Fence {
    fn open(line: &str) -> Option<Self> {
        let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let length = line.chars().take_while(|c| *c == mark).count();
        let rest_is_info = !line.chars().skip(length).any(|c| c == mark);
        (length >= 3 && rest_is_info).then_some(Self { mark, length })
    }

    fn closes(&self, line: &str) -> bool {
        let line = line.trim();
        line.chars().count() >= self.length && line.chars().all(|c| c == self.mark)
    }
}

/// A line outside of fenced code; `None` when nothing of it is left.
fn block_line(line: &str) -> Option<String> {
    let hashes = line.chars().take_while(|c| *c == '#').count();
    let heading = line.get(hashes..).and_then(|rest| rest.strip_prefix(' ')).filter(|_| hashes <= 6);
    if let Some(text) = heading.filter(|_| hashes > 0) {
        return worded(&format!("{} ", "#".repeat(hashes)), text);
    }
    let Some(item) = ["- ", "* ", "+ "].iter().find_map(|bullet| line.strip_prefix(bullet)) else {
        return worded("", line);
    };
    let item = item.trim_start();
    for (open, mark) in [("[ ] ", "- [ ] "), ("[x] ", "- [x] "), ("[X] ", "- [x] ")] {
        if let Some(text) = item.strip_prefix(open) {
            return worded(mark, text);
        }
    }
    worded("- ", item)
}

fn worded(mark: &str, text: &str) -> Option<String> {
    let text = inline(text);
    (!text.is_empty()).then(|| format!("{mark}{text}"))
}

/// Takes backslash escapes away outside of code, so that nothing hides behind them.
fn unescape(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let next = chars.get(at + 1).copied().filter(char::is_ascii_punctuation);
        if let ('\\', Some(escaped)) = (c, next) {
            out.push(escaped);
            at += 2;
        } else if let Some(end) = code_span_end(&chars, at) {
            out.extend(chars.get(at..end).unwrap_or_default());
            at = end;
        } else {
            out.push(c);
            at += 1;
        }
    }
    out
}

/// Where the code span that begins at `at` ends: one backtick, no backtick inside, one backtick.
fn code_span_end(chars: &[char], at: usize) -> Option<usize> {
    let is_tick = |at: usize| chars.get(at) == Some(&'`');
    if !is_tick(at) || is_tick(at + 1) || at.checked_sub(1).is_some_and(is_tick) {
        return None;
    }
    let content = chars.get(at + 1..)?;
    let length = content.iter().position(|c| *c == '`')?;
    let end = at + 1 + length;
    let content = content.get(..length)?;
    let comment = |mark: &str| content.windows(mark.len()).any(|part| part.iter().copied().eq(mark.chars()));
    (!is_tick(end + 1) && !content.contains(&'\n') && !comment("<!--") && !comment("-->")).then_some(end + 1)
}

fn escape(text: &str, spans: CodeSpans) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 16);
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let span = (spans == CodeSpans::Kept).then(|| code_span_end(&chars, at)).flatten();
        if let Some(end) = span {
            out.extend(chars.get(at..end).unwrap_or_default());
            at = end;
        } else {
            escape_char(&mut out, &chars, at, c);
            at += 1;
        }
    }
    out
}

fn escape_char(out: &mut String, chars: &[char], at: usize, c: char) {
    let before = at.checked_sub(1).and_then(|before| chars.get(before)).copied();
    let next = chars.get(at + 1).copied();
    let starts_block = match c {
        '#' | '-' | '+' | '=' => at == 0,
        '.' | ')' => {
            at > 0 && at < 12 && chars.get(..at).is_some_and(|all| all.iter().all(char::is_ascii_digit))
        }
        _ => false,
    };
    let escaped = match c {
        '\\' => next.is_none_or(|next| next.is_ascii_punctuation()),
        '`' | '*' | '[' | ']' | '<' | '>' | '~' | '|' | '&' | '$' | '^' => true,
        '!' => before == Some('<'),
        '_' => !(before.is_some_and(char::is_alphanumeric) && next.is_some_and(char::is_alphanumeric)),
        _ => starts_block,
    };
    if escaped {
        out.push('\\');
    }
    if c == '.' && ends_with_word(chars, at, "www") {
        out.push_str(BREAK);
    }
    out.push(c);
    let reference = match c {
        '@' | '#' => true,
        '-' => next.is_some_and(|next| next.is_ascii_digit()) && ends_with_word(chars, at, "gh"),
        ':' => starts_address(chars, at),
        _ => false,
    };
    if reference {
        out.push_str(BREAK);
    }
}

/// Whether `word` stands right before `at`, in any case.
fn ends_with_word(chars: &[char], at: usize, word: &str) -> bool {
    let found = at.checked_sub(word.len()).and_then(|start| chars.get(start..at));
    found.is_some_and(|found| found.iter().map(char::to_ascii_lowercase).eq(word.chars()))
}

/// Whether `://` begins at `at`.
fn starts_address(chars: &[char], at: usize) -> bool {
    chars.get(at + 1..at + 3) == Some(&['/', '/'])
}
