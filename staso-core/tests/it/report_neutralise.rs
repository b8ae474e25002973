//! What strangers write is harmless once it is rendered.

use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use staso_core::report::neutralise;

use crate::report_artifacts::HOSTILE;

/// Asserts that a Markdown text, rendered, holds no image, no HTML but `allowed_html`, no link but those that begin
/// with one of `allowed_links`, and outside of code nothing that a forge turns into a reference.
#[track_caller]
pub(crate) fn assert_harmless(markdown: &str, allowed_html: &[&str], allowed_links: &[&str]) {
    let mut words = String::new();
    let mut in_code_block = false;
    for event in Parser::new_ext(markdown, Options::all()) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => {
                let html = html.trim();
                assert!(allowed_html.contains(&html), "HTML {html:?} in\n{markdown}");
            }
            Event::Start(Tag::Image { .. }) => panic!("an image in\n{markdown}"),
            Event::Start(Tag::Link { dest_url, .. }) => {
                let ours = allowed_links.iter().any(|allowed| dest_url.starts_with(allowed));
                assert!(ours, "a link to {dest_url} in\n{markdown}");
            }
            Event::Start(Tag::CodeBlock(_)) => in_code_block = true,
            Event::End(TagEnd::CodeBlock) => in_code_block = false,
            Event::Start(Tag::FootnoteDefinition(_) | Tag::MetadataBlock(_))
            | Event::FootnoteReference(_) => {
                panic!("a footnote or metadata in\n{markdown}")
            }
            Event::Text(text) if !in_code_block => words.push_str(&text),
            Event::Code(_) | Event::SoftBreak | Event::HardBreak | Event::End(_) => words.push('\n'),
            _ => {}
        }
    }
    assert_no_reference(&words, markdown);
}

#[track_caller]
fn assert_no_reference(words: &str, source: &str) {
    let chars: Vec<char> = words.to_lowercase().chars().collect();
    for (at, c) in chars.iter().enumerate() {
        let next = chars.get(at + 1).copied().unwrap_or(' ');
        let rest: String = chars[at..].iter().take(4).collect();
        assert!(*c != '@' || !(next.is_alphanumeric() || "_-.".contains(next)), "a mention in\n{source}");
        assert!(*c != '#' || !next.is_ascii_digit(), "an issue reference in\n{source}");
        assert!(!rest.starts_with("://") && rest != "www.", "an address in\n{source}");
        let issue = rest.starts_with("gh-") && rest.ends_with(|last: char| last.is_ascii_digit());
        assert!(!issue, "an issue reference in\n{source}");
    }
}

#[track_caller]
pub(crate) fn assert_nothing_hidden(text: &str) {
    for c in text.chars() {
        let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{e0000}'..='\u{e0fff}');
        assert!(!hidden && (c == '\n' || c == '\t' || !c.is_control()), "hidden {c:?} in\n{text}");
    }
}

#[test]
fn texts_of_strangers_keep_their_words() {
    insta::assert_snapshot!(neutralise::inline(HOSTILE));
    insta::assert_snapshot!(neutralise::cell(HOSTILE));
    insta::assert_snapshot!(neutralise::plain(HOSTILE));
    insta::assert_snapshot!(neutralise::terminal(HOSTILE));
}

#[test]
fn ordinary_text_is_left_readable() {
    for text in [
        "`refund` reads `orderId`, the order has order_id",
        "a snake_case_name (50% of 12) is 3.5",
        "Größe → ü",
    ] {
        assert_eq!(neutralise::inline(text), text);
    }
    assert_eq!(neutralise::inline("1. not a list"), "1\\. not a list");
    assert_eq!(neutralise::inline("a * b < c"), "a \\* b \\< c");
}

#[test]
fn raised_text_does_not_join_what_was_kept_apart() {
    for text in [":^//^evil.example", "www^.^x", "GH-^7^", "a^@b^"] {
        assert_harmless(&neutralise::inline(text), &[], &[]);
    }
}

#[test]
fn a_template_keeps_its_form_but_not_its_reach() {
    let template = "<!-- Read this\nfirst -->\n## What\n\nFixes #12, cc @acme/owners\n\n- [ ] tests\n* docs at https://x.example\n\n```sh\nmake @all\n```\n";
    insta::assert_snapshot!(neutralise::block(template));
}

/// Texts made of the pieces that matter, so that they meet.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("`"),
        Just("``"),
        Just("```"),
        Just("\n```\n"),
        Just("~~~"),
        Just("\\"),
        Just("@"),
        Just("@a"),
        Just("#"),
        Just("#1"),
        Just("GH-"),
        Just("7"),
        Just("://"),
        Just("https"),
        Just(":"),
        Just("/"),
        Just("www"),
        Just("."),
        Just("<!--"),
        Just("-->"),
        Just("<"),
        Just(">"),
        Just("!"),
        Just("["),
        Just("]"),
        Just("("),
        Just(")"),
        Just("a"),
        Just("_"),
        Just("*"),
        Just(" "),
        Just("\n"),
        Just("\n\n"),
        Just("    "),
        Just("- "),
        Just("1. "),
        Just("# "),
        Just("&#8203;"),
        Just("&#64;"),
        Just("&"),
        Just("#x40;"),
        Just("\u{200b}"),
        Just("\u{1b}["),
        Just("\u{1b}]"),
        Just("\u{202e}"),
        Just("|"),
        Just("|-|-|\n"),
        Just("<b>"),
        Just("<details>"),
        Just("</details>"),
        Just("[a]: b\n"),
        Just("[^1]: x"),
        Just("---\n"),
        Just("===\n"),
        Just("$"),
        Just("^"),
        Just("{"),
        Just("}"),
        Just("é"),
        Just("\r"),
        Just("\t"),
        Just("="),
        Just("+ "),
        Just("-"),
    ];
    prop_oneof![prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat()), any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rendered_text_is_harmless(text in nasty()) {
        for markdown in [neutralise::inline(&text), neutralise::block(&text)] {
            assert_harmless(&markdown, &[], &[]);
            assert_nothing_hidden(&markdown);
        }
        let cell = neutralise::cell(&text);
        assert_harmless(&format!("| a | b |\n|---|---|\n| {cell} | end |\n\nafter"), &[], &[]);
        let plain = neutralise::plain(&text);
        assert_no_reference(&plain, &plain);
        prop_assert!(!plain.contains(['@', '\n']));
        assert_nothing_hidden(&neutralise::terminal(&text));
        assert_nothing_hidden(&neutralise::terminal_block(&text));
    }

    #[test]
    fn a_cell_stays_one_cell(text in nasty()) {
        let table = format!("| a | b |\n|---|---|\n| {} | end |", neutralise::cell(&text));
        let cells = Parser::new_ext(&table, Options::all())
            .filter(|event| matches!(event, Event::End(TagEnd::TableCell)))
            .count();
        prop_assert_eq!(cells, 4);
        let row = Parser::new_ext(&table, Options::all())
            .filter_map(|event| if let Event::Text(text) = event { Some(text) } else { None });
        let last = row.last();
        prop_assert_eq!(last.as_deref(), Some("end"));
    }

    #[test]
    fn doing_it_again_changes_nothing(text in nasty()) {
        let functions = [
            neutralise::inline, neutralise::cell, neutralise::block, neutralise::plain, neutralise::terminal,
            neutralise::terminal_block,
        ];
        for (at, function) in functions.into_iter().enumerate() {
            let once = function(&text);
            prop_assert_eq!(function(&once), once, "function {} of {:?}", at, text);
        }
    }
}

#[test]
fn long_texts_take_no_long_time() {
    let started = std::time::Instant::now();
    for piece in [
        "<!--",
        "-->",
        "`",
        "``a",
        "\u{1b}]",
        "\u{1b}[",
        "&#8203;",
        "\\",
        "@",
        "<!-- <!--",
        "`a",
        "- ",
        "```\n",
        "1",
    ] {
        let text = piece.repeat(100_000 / piece.len());
        for function in [neutralise::inline, neutralise::cell, neutralise::block, neutralise::plain] {
            assert!(function(&text).len() < 1_000_000);
        }
    }
    assert!(started.elapsed().as_secs() < 120, "took {:?}", started.elapsed());
}
