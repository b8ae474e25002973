//! Functions of Python files, found by indentation: enough to know what a line belongs to, without a syntax tree.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::pattern::pattern;
use crate::code::{CodeSnapshot, RepoPath};

/// Larger files are generated or data; functions in them are not looked for.
const MAX_FILE_BYTES: usize = 512 * 1024;

pattern!(CALL = r"([A-Za-z_]\w*)\s*\(");

/// The repository at the failing commit, with its functions at hand.
#[derive(Debug)]
pub(super) struct SourceCode<'a> {
    pub(super) snapshot: &'a CodeSnapshot,
    functions: OnceCell<FunctionIndex>,
}

/// All functions of a repository.
#[derive(Debug, Default)]
pub(super) struct FunctionIndex {
    functions: Vec<Function>,
    by_name: BTreeMap<String, Vec<usize>>,
}

/// One function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) path: RepoPath,
    /// Qualified by its classes.
    pub(super) qualified: String,
    /// The line of `def`, from 1.
    pub(super) first_line: u32,
    /// The last line of its body.
    pub(super) last_line: u32,
    /// The names of its parameters that stand on the line of `def`, without `self`, `cls` and stars.
    pub(super) parameters: Vec<String>,
}

impl Function {
    /// The name without classes.
    pub(super) fn name(&self) -> &str {
        self.qualified.rsplit('.').next().unwrap_or(&self.qualified)
    }
}

impl<'a> SourceCode<'a> {
    pub(super) const fn new(snapshot: &'a CodeSnapshot) -> Self {
        Self { snapshot, functions: OnceCell::new() }
    }

    /// The functions; indexed on first use.
    pub(super) fn functions(&self) -> &FunctionIndex {
        self.functions.get_or_init(|| FunctionIndex::new(self.snapshot))
    }

    /// The numbered lines of a function, the one of `def` included.
    pub(super) fn body(&self, function: &Function) -> Vec<(u32, &'a str)> {
        let Some(file) = self.snapshot.file(&function.path) else { return Vec::new() };
        (1..)
            .zip(file.text.lines())
            .skip_while(|(line, _)| *line < function.first_line)
            .take_while(|(line, _)| *line <= function.last_line)
            .collect()
    }

    /// Functions of the repository that are called in the body, in the order of their calls, each with the line of
    /// the call. A name that several files define is left out.
    pub(super) fn callees(&self, function: &Function) -> Vec<(&Function, u32)> {
        let mut found: Vec<(&Function, u32)> = Vec::new();
        for (line, text) in self.body(function).into_iter().skip(1) {
            for call in CALL.all(strip_comment(text)) {
                let callee =
                    call.get(1).and_then(|name| self.functions().unique(name.as_str(), &function.path));
                if let Some(callee) = callee
                    && callee != function
                    && !found.iter().any(|(known, _)| *known == callee)
                {
                    found.push((callee, line));
                }
            }
        }
        found
    }
}

/// The line without a trailing comment. A `#` inside a text is rare enough not to matter here.
pub(super) fn strip_comment(line: &str) -> &str {
    line.split(" #").next().unwrap_or(line)
}

impl FunctionIndex {
    fn new(code: &CodeSnapshot) -> Self {
        let mut index = Self::default();
        for (path, file) in code.files() {
            if path.extension() == Some("py") && file.text.len() <= MAX_FILE_BYTES {
                index.functions.extend(functions_of(path, &file.text));
            }
        }
        for (at, function) in index.functions.iter().enumerate() {
            index.by_name.entry(function.name().to_owned()).or_default().push(at);
        }
        index
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Function> {
        self.by_name.get(name).into_iter().flatten().filter_map(|at| self.functions.get(*at))
    }

    /// The function of this name, preferably of this file.
    pub(super) fn unique(&self, name: &str, near: &RepoPath) -> Option<&Function> {
        let local: Vec<_> = self.named(name).filter(|function| function.path == *near).collect();
        let all: Vec<_> = if local.is_empty() { self.named(name).collect() } else { local };
        match all.as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }

    /// The function that a recorder names: by its name, else by the line.
    pub(super) fn at(&self, path: &RepoPath, name: Option<&str>, line: Option<u32>) -> Option<&Function> {
        let by_line = || {
            let line = line?;
            // Decorators stand above `def`; a recorder may give either line.
            let inside = |f: &&Function| f.path == *path && f.first_line <= line + 5 && line <= f.last_line;
            self.functions.iter().filter(inside).max_by_key(|f| (f.first_line <= line, f.first_line))
        };
        let Some(name) = name else { return by_line() };
        let local = name.replace(".<locals>", "");
        let last = local.rsplit('.').next().unwrap_or(&local);
        let mut found: Vec<_> = self.named(last).filter(|function| function.path == *path).collect();
        if found.len() > 1 {
            found.retain(|function| local.ends_with(&function.qualified));
        }
        match found.as_slice() {
            [one] => Some(*one),
            _ => by_line(),
        }
    }
}

fn functions_of(path: &RepoPath, text: &str) -> Vec<Function> {
    let mut done: Vec<Function> = Vec::new();
    // Open blocks: indentation, name, and the place in `done` for functions.
    let mut open: Vec<(usize, String, Option<usize>)> = Vec::new();
    let mut last_code_line = 0;
    for (line, text) in (1_u32..).zip(text.lines()) {
        let trimmed = text.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let indent = text.len() - text.trim_start().len();
        let closes = !trimmed.starts_with([')', ']', '}']);
        while closes && open.last().is_some_and(|(outer, _, _)| *outer >= indent) {
            close(open.pop(), &mut done, last_code_line);
        }
        last_code_line = line;
        if !trimmed.contains("def ") && !trimmed.starts_with("class ") {
            continue;
        }
        let Some(Definition { is_function, name, list }) = definition(trimmed) else { continue };
        let outer: Vec<&str> = open.iter().map(|(_, name, _)| name.as_str()).collect();
        let qualified = outer.into_iter().chain([name]).collect::<Vec<_>>().join(".");
        let place = is_function.then(|| {
            done.push(Function {
                path: path.clone(),
                qualified,
                first_line: line,
                last_line: line,
                parameters: parameters(list),
            });
            done.len() - 1
        });
        open.push((indent, name.to_owned(), place));
    }
    for block in open.into_iter().rev() {
        close(Some(block), &mut done, last_code_line);
    }
    done
}

/// What a line defines.
struct Definition<'l> {
    is_function: bool,
    name: &'l str,
    /// The parameters, as far as they stand on the line.
    list: &'l str,
}

fn definition(line: &str) -> Option<Definition<'_>> {
    let line = line.strip_prefix("async ").map_or(line, str::trim_start);
    let (is_function, rest) = match line.strip_prefix("def ") {
        Some(rest) => (true, rest),
        None => (false, line.strip_prefix("class ")?),
    };
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (name, list) = rest.split_at_checked(end)?;
    let list = list.trim_start();
    (!name.is_empty()).then_some(Definition {
        is_function,
        name,
        list: if list.starts_with('(') { list } else { "" },
    })
}

fn close(block: Option<(usize, String, Option<usize>)>, done: &mut [Function], last_line: u32) {
    if let Some(function) = block.and_then(|(_, _, place)| place).and_then(|at| done.get_mut(at)) {
        function.last_line = last_line.max(function.first_line);
    }
}

/// `(self, order_id: str, limit=3)` → `order_id`, `limit`.
fn parameters(list: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut names = Vec::new();
    let mut current = String::new();
    for c in list.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if (c == ',' && depth == 1) || (c == ')' && depth == 0) {
            names.push(std::mem::take(&mut current));
            if c == ')' {
                break;
            }
        } else if !(c == '(' && depth == 1) {
            current.push(c);
        }
    }
    let name = |text: &String| {
        let name = text.split([':', '=']).next().unwrap_or_default().trim().to_owned();
        let plain = !name.is_empty() && !name.starts_with(['*', '/']);
        (plain && name != "self" && name != "cls").then_some(name)
    };
    names.iter().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_have_classes_ends_and_parameters() {
        let path = RepoPath::new("a.py").unwrap();
        let text = "class Tool:\n    def run(self, order_id: str, tags: dict[str, int] = {}, *, limit=3):\n        x = 1\n\n        return x\n\n    async def stop(self): pass\n\ndef main(\n    a,\n):\n    pass\nmain()\n";
        let found = functions_of(&path, text);
        let brief: Vec<_> = found
            .iter()
            .map(|f| (f.qualified.as_str(), f.first_line, f.last_line, f.parameters.join(" ")))
            .collect();
        assert_eq!(
            brief,
            [
                ("Tool.run", 2, 5, "order_id tags limit".to_owned()),
                ("Tool.stop", 7, 7, String::new()),
                ("main", 9, 12, String::new())
            ]
        );
    }
}
