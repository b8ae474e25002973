//! Commands in comments. Comments are anyone's text: a command is found in them, nothing of them is carried out.

use staso_core::redaction::visible;

/// What a person writes at the start of a line to ask for another try.
const RETRY: &str = "/staso retry";
/// Longest text that is taken along, in characters.
const MAX_CHARS: usize = 1_000;

/// What surrounds a line so that it is not said by the author, or not seen by readers.
#[derive(Clone, Copy)]
enum Around {
    Nothing,
    /// A block of code, until as many of the same marks.
    Fence {
        mark: char,
        length: usize,
    },
    /// A quote or block of HTML, until an empty line.
    Block,
    /// A hidden comment or preformatted text, until this.
    Until(&'static str),
}

/// The text behind the first command to try again: the rest of its line and of the lines up to the next empty one,
/// quote, block or comment. `None` without a command.
///
/// Errs towards no command: a line right below a quote or HTML counts as part of it.
pub(super) fn retry(comment: &str) -> Option<String> {
    let mut around = Around::Nothing;
    let mut text: Option<String> = None;
    for line in comment.lines() {
        let before = around;
        around = next(around, line);
        let plain = matches!((before, around), (Around::Nothing, Around::Nothing)) && !line.contains("<!--");
        match &mut text {
            None if plain => text = argument(line).map(str::to_owned),
            None => {}
            Some(_) if !plain || line.trim().is_empty() => break,
            Some(text) => {
                text.push('\n');
                text.push_str(line);
            }
        }
    }
    let text = visible(&text?);
    Some(text.trim().chars().take(MAX_CHARS).collect())
}

fn argument(line: &str) -> Option<&str> {
    line.strip_prefix(RETRY).filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}

fn next(around: Around, line: &str) -> Around {
    let text = line.trim_start_matches(' ');
    let indented = line.len() - text.len() > 3;
    match around {
        Around::Fence { mark, length } => {
            let marks = text.chars().take_while(|c| *c == mark).count();
            let closes = !indented && marks >= length && text.trim_start_matches(mark).trim().is_empty();
            if closes { Around::Nothing } else { around }
        }
        Around::Until(end) if line.contains(end) => Around::Block,
        Around::Until(_) => around,
        Around::Block if line.trim().is_empty() => Around::Nothing,
        Around::Block | Around::Nothing => opened(text, indented).unwrap_or(around),
    }
}

/// What a line opens.
fn opened(text: &str, indented: bool) -> Option<Around> {
    if let Some((_, rest)) = text.split_once("<!--") {
        return (!rest.contains("-->")).then_some(Around::Until("-->"));
    }
    if indented {
        return None;
    }
    let mark = text.chars().next()?;
    let length = text.chars().take_while(|c| *c == mark).count();
    match mark {
        '`' | '~' if length >= 3 => Some(Around::Fence { mark, length }),
        '<' if text.to_ascii_lowercase().starts_with("<pre") && !text.contains("</pre>") => {
            Some(Around::Until("</pre>"))
        }
        '>' | '<' => Some(Around::Block),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_at_the_start_of_a_line_is_found() {
        for (comment, expected) in [
            ("/staso retry", ""),
            (
                "Thanks!\n\n/staso retry  look at the cache \nand the clock\n\nBye",
                "look at the cache \nand the clock",
            ),
            ("/staso retry\r\nuse the second parser\r\n", "use the second parser"),
            ("```\ncode\n```\n\n/staso retry", ""),
            ("~~~~\n~~~\n/staso retry\n~~~~\n\n/staso retry now", "now"),
            ("> quoted\n\n/staso retry", ""),
            ("<!-- hidden -->\n/staso retry", ""),
            ("/staso retry $(id); `rm -rf /`", "$(id); `rm -rf /`"),
            ("/staso retry a\u{1b}[31mb\u{202e}c", "abc"),
            ("/staso retry text\n> quote", "text"),
            ("/staso retry text\n<!-- hidden", "text"),
            ("/staso retry one\n\n/staso retry two", "one"),
        ] {
            assert_eq!(retry(comment).as_deref(), Some(expected), "{comment:?}");
        }
    }

    #[test]
    fn what_is_quoted_shown_as_code_hidden_or_not_exact_is_none() {
        for comment in [
            "",
            "please /staso retry",
            " /staso retry",
            "    /staso retry",
            "/staso  retry",
            "/Staso retry",
            "/staso retryx",
            "/staso retry-all",
            "`/staso retry`",
            "> /staso retry",
            "> quoted\n/staso retry",
            "```\n/staso retry\n```",
            "``` sh\n/staso retry",
            "   ~~~\n/staso retry\n~~~",
            "````\n```\n/staso retry\n````",
            "<!--\n/staso retry\n-->",
            "<!--\n\n/staso retry\n\n-->",
            "text <!-- \n/staso retry",
            "<pre>\n\n/staso retry\n</pre>",
            "<details>\n/staso retry",
            "/staso retry <!-- hidden -->",
        ] {
            assert_eq!(retry(comment), None, "{comment:?}");
        }
    }

    #[test]
    fn the_text_is_cut_at_a_character() {
        let text = retry(&format!("/staso retry {}", "ä".repeat(5_000))).unwrap();
        assert_eq!(text.chars().count(), 1_000);
    }
}
