//! The `Link` header (RFC 8288).

/// The address of the link whose relation is `rel`. Text that is no list of links has none.
pub(super) fn target<'a>(header: &'a str, rel: &str) -> Option<&'a str> {
    let mut rest = header;
    loop {
        let (_, after) = rest.split_once('<')?;
        let (target, after) = after.split_once('>')?;
        let (parameters, next) = cut(after);
        if parameters.split(';').any(|parameter| is_rel(parameter, rel)) {
            return Some(target);
        }
        rest = next;
    }
}

/// Splits at the first comma outside of quotes.
fn cut(text: &str) -> (&str, &str) {
    let mut quoted = false;
    let end = text.find(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    end.and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""))
}

/// Whether a parameter such as `rel="first prev"` names the relation.
fn is_rel(parameter: &str, rel: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
    name.trim().eq_ignore_ascii_case("rel") && relations.any(|word| word.eq_ignore_ascii_case(rel))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn links_are_found_by_relation() {
        let github = r#"<https://api.github.com/repositories/1/issues?page=1>; rel="prev", <https://api.github.com/repositories/1/issues?page=3>; rel="next""#;
        for (header, expected) in [
            (github, Some("https://api.github.com/repositories/1/issues?page=3")),
            ("<a,b>; title=\"x, y\"; rel=next", Some("a,b")),
            ("<a>; REL=\"prev Next\"", Some("a")),
            ("<a>; rel=\"last\"", None),
            ("<a>; rel=\"nextish\"", None),
            ("<a", None),
            ("", None),
        ] {
            assert_eq!(target(header, "next"), expected, "{header}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(header in "([<>;,\"= ]|rel|next|[a-z/:é]){0,60}") {
            if let Some(found) = target(&header, "next") {
                prop_assert!(header.contains(found));
            }
        }

        #[test]
        fn what_is_written_is_found(pages in proptest::collection::vec("[a-z0-9/?&=,;]{1,20}", 1..6), pick in any::<prop::sample::Index>()) {
            let at = pick.index(pages.len());
            let links: Vec<String> = pages.iter().enumerate().map(|(n, page)| {
                format!("<{page}>; rel=\"{}\"", if n == at { "next" } else { "other" })
            }).collect();
            let header = links.join(", ");
            prop_assert_eq!(target(&header, "next"), pages.get(at).map(String::as_str));
        }
    }
}
