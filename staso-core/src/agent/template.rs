//! Fills prompts.

/// Fills `{{name}}` in a template, once: what is filled in is not looked at again.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        let Some((name, tail)) = after.split_once("}}") else { break };
        text.extend(values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value));
        rest = tail;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_not_a_template() {
        assert_eq!(fill("a {{x}} {{y}}{{z}}", &[("x", "{{y}}"), ("y", "2")]), "a {{y}} 2");
    }
}
