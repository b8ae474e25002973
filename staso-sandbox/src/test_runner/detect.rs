//! Which command runs a project's tests, by its files.

use std::collections::{BTreeMap, BTreeSet};

use staso_core::code::{CodeSnapshot, RepoPath};
use staso_core::verify::{TestCommand, TestFramework};

/// The project's test command; the first kind of project that fits.
pub(super) fn command(code: &CodeSnapshot) -> Option<TestCommand> {
    python(code).or_else(|| node(code)).or_else(|| others(code))
}

fn new<S: Into<String>>(
    argv: impl IntoIterator<Item = S>,
    framework: TestFramework,
    origin: impl Into<String>,
) -> TestCommand {
    TestCommand { argv: argv.into_iter().map(Into::into).collect(), framework, origin: origin.into() }
}

fn text<'a>(code: &'a CodeSnapshot, path: &str) -> Option<&'a str> {
    let path = RepoPath::new(path).ok()?;
    code.file(&path).map(|file| &*file.text)
}

fn has(code: &CodeSnapshot, path: &str) -> bool {
    code.paths().iter().any(|known| known.as_str() == path)
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// Whether `unittest` and pytest take the file for tests by its name.
fn is_python_test(path: &str) -> bool {
    let name = file_name(path);
    let Some(stem) = name.strip_suffix(".py") else { return false };
    stem.starts_with("test") || stem.ends_with("_test")
}

fn python(code: &CodeSnapshot) -> Option<TestCommand> {
    let paths: Vec<&str> = code.paths().iter().map(RepoPath::as_str).collect();
    let tests: Vec<&str> = paths.iter().copied().filter(|path| is_python_test(path)).collect();
    if let Some(origin) = pytest_sign(code, &paths, &tests) {
        let mut argv = python_path(&paths);
        argv.extend(["python3", "-m", "pytest", "-v", "-rfE", "--color=no", "-p", "no:cacheprovider"]);
        return Some(new(argv, TestFramework::Pytest, origin));
    }
    let origin = (*tests.first()?).to_owned();
    Some(unittest(&paths, &origin))
}

/// The file that says that the project uses pytest.
fn pytest_sign(code: &CodeSnapshot, paths: &[&str], tests: &[&str]) -> Option<String> {
    let by_name =
        paths.iter().find(|path| matches!(file_name(path), "pytest.ini" | ".pytest.ini" | "conftest.py"));
    if let Some(path) = by_name {
        return Some((*path).to_owned());
    }
    let sections =
        [("pyproject.toml", "[tool.pytest"), ("setup.cfg", "[tool:pytest]"), ("tox.ini", "[pytest]")];
    let by_section =
        sections.into_iter().find(|(path, mark)| text(code, path).is_some_and(|text| text.contains(mark)));
    if let Some((path, _)) = by_section {
        return Some(path.to_owned());
    }
    let by_import = tests.iter().find(|path| text(code, path).is_some_and(speaks_pytest));
    by_import.map(|path| (*path).to_owned())
}

/// Whether a test file imports pytest, or has test functions that only pytest finds.
fn speaks_pytest(source: &str) -> bool {
    let imports = |name: &str| {
        source.lines().any(|line| {
            let mut words = line.split_whitespace();
            matches!(words.next(), Some("import" | "from"))
                && words
                    .next()
                    .is_some_and(|module| module.trim_end_matches(',').split('.').next() == Some(name))
        })
    };
    let bare = source.lines().any(|line| line.starts_with("def test") || line.starts_with("async def test"));
    imports("pytest") || (bare && !imports("unittest"))
}

/// Variables for a project that keeps its packages in `src`.
fn python_path(paths: &[&str]) -> Vec<&'static str> {
    let in_src = |path: &&&str| path.starts_with("src/") && path.split('/').count() == 3;
    let packages = paths.iter().filter(in_src).any(|path| path.ends_with("/__init__.py"));
    if packages && !paths.contains(&"src/__init__.py") { vec!["env", "PYTHONPATH=src"] } else { Vec::new() }
}

/// `unittest` discovery over the files of a project.
///
/// Discovery descends into packages only, and imports test files relative to its top directory. So it starts where the
/// tests are: at the root when all of them can be reached from there, else in the directory that holds most of them,
/// with the root as top directory when that directory is a package.
pub(super) fn unittest(paths: &[&str], origin: &str) -> TestCommand {
    let tests: Vec<&str> = paths.iter().copied().filter(|path| is_python_test(path)).collect();
    let packages: BTreeSet<&str> =
        paths.iter().filter_map(|path| path.strip_suffix("/__init__.py")).collect();
    let is_package = |directory: &str| packages.contains(directory);
    // How many tests can be reached from a directory that has some itself, or from the root.
    let mut reached: BTreeMap<&str, usize> = tests.iter().map(|path| (directory(path), 0)).collect();
    reached.insert("", 0);
    for test in &tests {
        let mut at = directory(test);
        loop {
            if let Some(count) = reached.get_mut(at) {
                *count += 1;
            }
            if at.is_empty() || !is_package(at) {
                break;
            }
            at = directory(at);
        }
    }
    // Sorted by name, a directory comes before what is in it: of equals the outermost wins.
    let best = reached.iter().rev().max_by_key(|(_, count)| **count).map_or("", |(start, _)| *start);
    let mut argv = python_path(paths);
    argv.extend(["python3", "-m", "unittest", "discover", "-v"]);
    if !best.is_empty() {
        argv.extend(["-s", best]);
        let chain = std::iter::successors(Some(best), |at| Some(directory(at)).filter(|up| !up.is_empty()));
        if chain.into_iter().all(is_package) {
            argv.extend(["-t", "."]);
        }
    }
    if !tests.is_empty() && tests.iter().all(|path| !file_name(path).starts_with("test")) {
        argv.extend(["-p", "*_test.py"]);
    }
    new(argv, TestFramework::Unittest, origin)
}

fn node(code: &CodeSnapshot) -> Option<TestCommand> {
    let script = text(code, "package.json").and_then(|package| {
        let package: serde_json::Value = serde_json::from_str(package).ok()?;
        let script = package.get("scripts")?.get("test")?.as_str()?.trim().to_owned();
        // What `npm init` writes.
        (!script.is_empty() && !script.contains("no test specified")).then_some(script)
    });
    if let Some(script) = script {
        let own = script.starts_with("node ") && script.split_whitespace().any(|word| word == "--test");
        let framework = if own { TestFramework::NodeTest } else { TestFramework::Unknown };
        return Some(new(["npm", "test"], framework, "package.json"));
    }
    let test = code.paths().iter().find(|path| is_node_test(path.as_str()))?;
    Some(new(["node", "--test"], TestFramework::NodeTest, test.as_str()))
}

/// Whether `node --test` takes the file for a test by its name and place.
fn is_node_test(path: &str) -> bool {
    if path.split('/').any(|part| part == "node_modules") {
        return false;
    }
    let Some((stem, extension)) = file_name(path).rsplit_once('.') else { return false };
    let marked = stem == "test"
        || stem.starts_with("test-")
        || [".test", "-test", "_test"].iter().any(|mark| stem.ends_with(mark));
    matches!(extension, "js" | "mjs" | "cjs")
        && (marked || path.split('/').rev().skip(1).any(|part| part == "test"))
}

fn others(code: &CodeSnapshot) -> Option<TestCommand> {
    if has(code, "Cargo.toml") {
        return Some(new(["cargo", "test", "--offline"], TestFramework::CargoTest, "Cargo.toml"));
    }
    if has(code, "go.mod") {
        return Some(new(["go", "test", "-v", "./..."], TestFramework::GoTest, "go.mod"));
    }
    let makefile = ["Makefile", "makefile", "GNUmakefile"].into_iter().find(|name| has(code, name))?;
    let tests =
        text(code, makefile)?.lines().any(|line| line.starts_with("test:") || line.starts_with("test :"));
    tests.then(|| new(["make", "test"], TestFramework::Unknown, makefile))
}

#[cfg(test)]
mod tests {
    use super::*;
    use staso_core::code::SourceFile;
    use staso_core::id::{BlobId, CommitId};

    fn snapshot(files: &[(&str, &str)]) -> CodeSnapshot {
        let mut code = CodeSnapshot::new(CommitId::new("a".repeat(40)).unwrap(), Vec::new(), false);
        for (path, text) in files {
            let blob = BlobId::new("b".repeat(40)).unwrap();
            let file = SourceFile { blob, text: (*text).into(), executable: false };
            code.insert(RepoPath::new(path).unwrap(), file);
        }
        code
    }

    fn found(files: &[(&str, &str)]) -> String {
        command(&snapshot(files)).map_or_else(|| "none".to_owned(), |command| command.display())
    }

    const CASE: &str = "import unittest\n";

    #[test]
    fn unittest_starts_where_the_tests_are() {
        assert_eq!(found(&[("test_a.py", CASE)]), "python3 -m unittest discover -v");
        assert_eq!(
            found(&[("app.py", ""), ("tests/test_a.py", CASE)]),
            "python3 -m unittest discover -v -s tests"
        );
        assert_eq!(
            found(&[("tests/__init__.py", ""), ("tests/test_a.py", CASE), ("tests/sub/test_b.py", CASE)]),
            "python3 -m unittest discover -v"
        );
        assert_eq!(
            found(&[("pkg/__init__.py", ""), ("pkg/tests/__init__.py", ""), ("pkg/tests/test_a.py", CASE)]),
            "python3 -m unittest discover -v"
        );
        assert_eq!(
            found(&[("src/app/__init__.py", ""), ("tests/a_test.py", CASE)]),
            "env PYTHONPATH=src python3 -m unittest discover -v -s tests -p *_test.py"
        );
        assert_eq!(
            found(&[("a/test_x.py", CASE), ("b/test_y.py", CASE), ("b/test_z.py", CASE)]),
            "python3 -m unittest discover -v -s b"
        );
    }

    #[test]
    fn pytest_is_known_by_configuration_imports_and_style() {
        let pytest = "python3 -m pytest -v -rfE --color=no -p no:cacheprovider";
        assert_eq!(found(&[("pytest.ini", ""), ("a.py", "")]), pytest);
        assert_eq!(found(&[("pyproject.toml", "[tool.pytest.ini_options]\n"), ("test_a.py", CASE)]), pytest);
        assert_eq!(found(&[("test_a.py", "import os\nfrom pytest import raises\n")]), pytest);
        assert_eq!(found(&[("test_a.py", "def test_a():\n    pass\n")]), pytest);
        assert_ne!(found(&[("test_a.py", "import unittest\n# import pytest\n")]), pytest);
        assert_eq!(command(&snapshot(&[("tests/conftest.py", "")])).unwrap().origin, "tests/conftest.py");
    }

    /// What a session lists may be made to be slow.
    #[test]
    fn many_directories_of_tests_take_no_more_than_their_number() {
        let mut paths: Vec<String> = (0..3_000).map(|at| format!("d{at}/test_a.py")).collect();
        paths.extend((0..3_000).map(|at| format!("d{at}/__init__.py")));
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let started = std::time::Instant::now();
        assert_eq!(unittest(&paths, "x").display(), "python3 -m unittest discover -v");
        assert!(started.elapsed() < std::time::Duration::from_secs(10), "{:?}", started.elapsed());
    }

    #[test]
    fn other_projects_are_known_by_their_files() {
        assert_eq!(found(&[("package.json", r#"{"scripts":{"test":"node --test"}}"#)]), "npm test");
        let initial = r#"{"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}"#;
        assert_eq!(found(&[("package.json", initial)]), "none");
        assert_eq!(found(&[("package.json", initial), ("lib/a.test.mjs", "")]), "node --test");
        assert_eq!(found(&[("package.json", "{"), ("node_modules/x/test/a.js", "")]), "none");
        assert_eq!(found(&[("Cargo.toml", "")]), "cargo test --offline");
        assert_eq!(found(&[("go.mod", "")]), "go test -v ./...");
        assert_eq!(found(&[("Makefile", "all:\n\ntest: all\n")]), "make test");
        assert_eq!(found(&[("Makefile", "all:\n"), ("README.md", "")]), "none");
    }
}
