//! Words of commands that people paste into a shell. Nothing here runs one.

/// A word as a POSIX shell takes it.
pub(crate) fn quoted(text: &str) -> String {
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./@:=+,".contains(&b)) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_survives_a_shell() {
        assert_eq!(quoted("/srv/a-b.git"), "/srv/a-b.git");
        assert_eq!(quoted("/srv/it's $(x)"), r"'/srv/it'\''s $(x)'");
    }
}
