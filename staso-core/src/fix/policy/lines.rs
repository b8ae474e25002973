//! Lines of code, read as far as no grammar is needed.

/// The brackets that a line opens and closes outside of strings and comments, and whether it ends inside of something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Balance {
    /// Brackets opened and not closed, by kind: round, square, curly.
    pub(super) open: [i32; 3],
    /// Triple quotes of both kinds, comment marks and back quotes: how many are open.
    pub(super) quotes: [i32; 4],
}

impl Balance {
    /// Of several lines.
    pub(super) fn of(text: &str) -> Self {
        let mut all = Self::default();
        for line in text.lines() {
            all.add(line);
        }
        all
    }

    pub(super) fn is_even(self) -> bool {
        self.open == [0; 3] && self.quotes == [0; 4]
    }

    fn add(&mut self, line: &str) {
        let [triple, single, comment, back] = &mut self.quotes;
        let odd = |mark: &str| i32::from(line.matches(mark).count() % 2 == 1);
        *triple ^= odd("\"\"\"");
        *single ^= odd("'''");
        *back ^= odd("`");
        let count = |mark| i32::try_from(line.matches(mark).count()).unwrap_or(i32::MAX);
        *comment = comment.saturating_add(count("/*")).saturating_sub(count("*/"));
        let [round, square, curly] = &mut self.open;
        for c in code(line).chars() {
            match c {
                '(' => *round += 1,
                ')' => *round -= 1,
                '[' => *square += 1,
                ']' => *square -= 1,
                '{' => *curly += 1,
                '}' => *curly -= 1,
                _ => {}
            }
        }
    }
}

/// The line without what stands in strings and in a comment at its end.
pub(super) fn code(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut quote = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match quote {
            Some(_) if c == '\\' => {
                chars.next();
            }
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || (c == '\'' && !out.ends_with(['&', '<'])) => quote = Some(c),
            None if c == '#' && chars.peek() != Some(&'[') => break,
            None if c == '/' && chars.peek() == Some(&'/') => break,
            None => out.push(c),
        }
    }
    out
}

/// Columns before the first character, a tab counted as eight.
pub(super) fn indent(line: &str) -> usize {
    line.chars().take_while(|c| c.is_whitespace()).map(|c| if c == '\t' { 8 } else { 1 }).sum()
}
