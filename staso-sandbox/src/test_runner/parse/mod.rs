//! What test tools print, as counts and names. Pure functions over hostile text: they never fail and are bounded.
//!
//! Of a known tool its last summary counts, and names where the tool itself writes them: tests that print something
//! similar are not mistaken for it. A hostile project can still print whatever it likes, also after the last summary; a
//! result read here is a claim of the code that ran, and gains weight only by comparison with a run of the code before
//! the change.

mod cargo;
mod go;
mod node;
mod pytest;
mod unittest;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use staso_core::verify::{TestCounts, TestFramework, TestStatus};

/// Tests by name that are kept.
const MAX_TESTS: usize = 50_000;
/// Longest name that is kept, in bytes.
const MAX_NAME_BYTES: usize = 512;
/// Longest line that is looked at, in bytes.
const MAX_LINE_BYTES: usize = 4_096;

/// What was read from the output of a test command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParsedTests {
    /// How many tests did what; `None` when the output does not say. All zero when it says that none ran.
    pub counts: Option<TestCounts>,
    /// Every test that the output names. A test that failed once failed.
    pub tests: BTreeMap<String, TestStatus>,
}

/// Which summaries of an output count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Summaries {
    /// The last one: the tool ran once and says so at its end.
    Last,
    /// All of them together: nobody knows how many tools ran.
    All,
}

impl ParsedTests {
    /// Notes a result.
    fn add(&mut self, name: impl Into<String>, status: TestStatus) {
        let name = name.into();
        let full = self.tests.len() >= MAX_TESTS && !self.tests.contains_key(&name);
        if full || name.len() > MAX_NAME_BYTES {
            return;
        }
        let kept = self.tests.entry(name).or_insert(status);
        if status == TestStatus::Failed {
            *kept = status;
        }
    }

    /// Notes the numbers of a summary.
    fn count(&mut self, more: TestCounts, summaries: Summaries) {
        if summaries == Summaries::Last {
            self.counts = None;
        }
        let counts = self.counts.get_or_insert_default();
        counts.passed = counts.passed.saturating_add(more.passed);
        counts.failed = counts.failed.saturating_add(more.failed);
        counts.skipped = counts.skipped.saturating_add(more.skipped);
    }

    fn merge(mut self, other: Self) -> Self {
        if let Some(counts) = other.counts {
            self.count(counts, Summaries::All);
        }
        for (name, status) in other.tests {
            self.add(name, status);
        }
        self
    }
}

/// Reads the output of a test command: terminal colours, invalid UTF-8 and unrelated text may be in it. For
/// [`TestFramework::Unknown`] the forms of all known tools are looked for.
#[must_use]
pub fn parse_test_output(framework: TestFramework, output: &[u8]) -> ParsedTests {
    let text = String::from_utf8_lossy(output);
    let text = without_colours(&text);
    let lines: Vec<&str> = text.lines().filter(|line| line.len() <= MAX_LINE_BYTES).collect();
    let last = Summaries::Last;
    match framework {
        TestFramework::Unittest => unittest::parse(&lines, last),
        TestFramework::Pytest => pytest::parse(&lines, last),
        TestFramework::NodeTest => node::parse(&lines, last),
        TestFramework::CargoTest => cargo::parse(&lines, last),
        TestFramework::GoTest => go::parse(&lines, last),
        _ => [unittest::parse, pytest::parse, node::parse, cargo::parse, go::parse]
            .into_iter()
            .fold(ParsedTests::default(), |all, parse| all.merge(parse(&lines, Summaries::All))),
    }
}

fn without_colours(text: &str) -> Cow<'_, str> {
    static COLOUR: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\x1b\[[0-9;]*[A-Za-z]").ok());
    COLOUR.as_ref().map_or(Cow::Borrowed(text), |colour| colour.replace_all(text, ""))
}

/// The numbers before or after words, as in `2 passed; 1 failed` or `failures=2`.
fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(framework: TestFramework, output: &str) -> String {
        use std::fmt::Write as _;
        let parsed = parse_test_output(framework, output.as_bytes());
        let mut text = match parsed.counts {
            Some(counts) => {
                format!("{} passed, {} failed, {} skipped\n", counts.passed, counts.failed, counts.skipped)
            }
            None => "no counts\n".to_owned(),
        };
        for (name, status) in parsed.tests {
            let _ = writeln!(text, "{status:?} {name}");
        }
        text
    }

    macro_rules! recording {
        ($name:literal) => {
            include_str!(concat!("../../../tests/recordings/", $name, ".txt"))
        };
    }

    #[test]
    fn unittest_output_is_read() {
        insta::assert_snapshot!(shown(TestFramework::Unittest, recording!("unittest")), @r"
        4 passed, 3 failed, 1 skipped
        Passed test_a.Adds.test_adds
        Passed test_a.Adds.test_doc
        Failed test_a.Adds.test_error
        Passed test_a.Adds.test_expected
        Passed test_a.Adds.test_prints
        Skipped test_a.Adds.test_skipped
        Failed test_a.Adds.test_sub
        Failed test_a.Adds.test_wrong
        ");
        insta::assert_snapshot!(shown(TestFramework::Unittest, recording!("unittest_none")), @"0 passed, 0 failed, 0 skipped");
        insta::assert_snapshot!(shown(TestFramework::Unittest, recording!("unittest_import")), @r"
        0 passed, 1 failed, 0 skipped
        Failed unittest.loader._FailedTest.test_import
        ");
    }

    #[test]
    fn pytest_output_is_read() {
        insta::assert_snapshot!(shown(TestFramework::Pytest, recording!("pytest")), @r"
        7 passed, 5 failed, 2 skipped
        Passed tests/test_a.py::Adds::test_adds
        Passed tests/test_a.py::Adds::test_doc
        Failed tests/test_a.py::Adds::test_error
        Passed tests/test_a.py::Adds::test_expected
        Passed tests/test_a.py::Adds::test_prints
        Skipped tests/test_a.py::Adds::test_skipped
        Failed tests/test_a.py::Adds::test_sub
        Failed tests/test_a.py::Adds::test_wrong
        Passed tests/test_b.py::test_param[1]
        Failed tests/test_b.py::test_param[2]
        Failed tests/test_b.py::test_setup
        Skipped tests/test_b.py::test_skip
        Passed tests/test_b.py::test_xfail
        ");
        insta::assert_snapshot!(shown(TestFramework::Pytest, recording!("pytest_quiet")), @r"
        7 passed, 5 failed, 2 skipped
        Failed tests/test_a.py::Adds::test_error
        Failed tests/test_a.py::Adds::test_sub
        Failed tests/test_a.py::Adds::test_wrong
        Failed tests/test_b.py::test_param[2]
        Failed tests/test_b.py::test_setup
        ");
        insta::assert_snapshot!(shown(TestFramework::Pytest, recording!("pytest_none")), @"0 passed, 0 failed, 0 skipped");
    }

    #[test]
    fn node_output_is_read_in_both_forms() {
        insta::assert_snapshot!(shown(TestFramework::NodeTest, recording!("node_tap")), @r"
        2 passed, 2 failed, 2 skipped
        Passed adds
        Failed group > inner bad
        Passed group > inner ok
        Skipped is skipped
        Skipped is todo
        Failed is wrong
        ");
        assert_eq!(
            shown(TestFramework::NodeTest, recording!("node_spec")),
            shown(TestFramework::NodeTest, recording!("node_tap"))
        );
    }

    #[test]
    fn cargo_output_is_read() {
        insta::assert_snapshot!(shown(TestFramework::CargoTest, recording!("cargo")), @r"
        2 passed, 1 failed, 1 skipped
        Passed tests::adds
        Skipped tests::is_left_out
        Failed tests::is_wrong
        Passed tests::panics
        ");
    }

    #[test]
    fn go_output_is_read() {
        insta::assert_snapshot!(shown(TestFramework::GoTest, recording!("go")), @r"
        2 passed, 4 failed, 1 skipped
        Passed TestAdds
        Failed TestGroup
        Failed TestGroup/bad
        Passed TestGroup/ok
        Skipped TestSkipped
        Failed TestWrong
        Failed example.com/rec/broken
        ");
    }

    #[test]
    fn npm_and_make_print_what_their_tools_print() {
        insta::assert_snapshot!(shown(TestFramework::NodeTest, recording!("npm")), @r"
        1 passed, 1 failed, 0 skipped
        Failed fails
        Passed passes
        ");
        insta::assert_snapshot!(shown(TestFramework::Unknown, recording!("make")), @r"
        2 passed, 1 failed, 0 skipped
        Passed test_a.A.test_one
        Failed test_b.B.test_three
        Passed test_b.B.test_two
        ");
    }

    #[test]
    fn pytest_in_several_processes_is_read() {
        insta::assert_snapshot!(shown(TestFramework::Pytest, recording!("pytest_parallel")), @r"
        1 passed, 1 failed, 0 skipped
        Failed tests/test_lies.py::test_fails
        Passed tests/test_lies.py::test_passes
        ");
    }

    /// The tests of these recordings print summaries and results of tests that are none.
    #[test]
    fn what_tests_print_is_not_taken_for_the_word_of_the_tool() {
        insta::assert_snapshot!(shown(TestFramework::Pytest, recording!("pytest_lies")), @r"
        1 passed, 1 failed, 0 skipped
        Failed tests/test_lies.py::test_fails
        Passed tests/test_lies.py::test_passes
        ");
        insta::assert_snapshot!(shown(TestFramework::NodeTest, recording!("node_lies_tap")), @r"
        1 passed, 1 failed, 0 skipped
        Failed fails
        Passed passes
        ");
        insta::assert_snapshot!(shown(TestFramework::NodeTest, recording!("node_lies_spec")), @r"
        1 passed, 1 failed, 0 skipped
        Failed fails
        Passed passes
        ");
        insta::assert_snapshot!(shown(TestFramework::CargoTest, recording!("cargo_lies")), @r"
        3 passed, 1 failed, 0 skipped
        Passed passes
        Passed src/lib.rs - (line 1)
        Failed tests::lies
        Passed tests::passes
        ");
    }

    /// A test prints the end of its part and begins another one, which the tool's own summary does not fit.
    #[test]
    fn a_failure_that_cargo_counts_is_not_lost_to_a_part_that_a_test_began() {
        let lies = "running 2 tests\ntest a ... ok\n\
                    test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n\nrunning 9 tests\n\
                    test b ... FAILED\n\nfailures:\n    b\n\n\
                    test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let counts = parse_test_output(TestFramework::CargoTest, lies.as_bytes()).counts.unwrap();
        assert_eq!(counts.failed, 1, "{counts:?}");
    }

    /// A test prints the heading after which node says nothing new, with a summary before it.
    #[test]
    fn a_failure_that_node_counts_is_not_lost_behind_a_heading_that_a_test_printed() {
        let lies = "✔ a (0.5ms)\nℹ tests 1\nℹ pass 1\nℹ fail 0\n✖ failing tests:\n✖ b (0.6ms)\nℹ tests 2\nℹ pass 1\n\
                    ℹ fail 1\n\n✖ failing tests:\n\ntest at a.js:1:1\n✖ b (0.6ms)\n";
        insta::assert_snapshot!(shown(TestFramework::NodeTest, lies), @r"
        1 passed, 1 failed, 0 skipped
        Passed a
        Failed b
        ");
    }

    #[test]
    fn a_result_of_go_counts_once_and_behind_what_a_test_printed_before_it() {
        let lies = "=== RUN   TestA\n--- PASS: TestA (0.00s)\n--- PASS: TestA (0.00s)\nno newline--- FAIL: TestA (0.00s)\n\
                    a line with --- PASS: TestInvented (0.00s)\n=== RUN   TestB\n--- PASS: TestB (0.00s)\nFAIL\n\
                    FAIL\texample.com/a\t0.01s\n=== RUN   TestB\n--- PASS: TestB (0.00s)\nPASS\n\
                    ok  \texample.com/b\t0.01s\n";
        insta::assert_snapshot!(shown(TestFramework::GoTest, lies), @r"
        2 passed, 1 failed, 0 skipped
        Failed TestA
        Passed TestB
        ");
    }

    /// A test of `unittest` that writes to the stream of the tool can invent names, but no numbers, and hides no failure.
    #[test]
    fn what_tests_print_among_the_words_of_the_tool_changes_no_numbers() {
        insta::assert_snapshot!(shown(TestFramework::Unittest, recording!("unittest_lies")), @r"
        1 passed, 1 failed, 0 skipped
        Failed test_lies.Lies.test_fails
        Passed test_lies.Lies.test_invented
        ");
    }

    #[test]
    fn names_and_their_number_are_bounded() {
        let long = format!("test {} ... ok\ntest short ... ok\n", "x".repeat(MAX_NAME_BYTES + 1));
        assert_eq!(parse_test_output(TestFramework::CargoTest, long.as_bytes()).tests.len(), 1);
        let many: String = (0..MAX_TESTS + 9).map(|number| format!("test t{number} ... ok\n")).collect();
        assert_eq!(parse_test_output(TestFramework::CargoTest, many.as_bytes()).tests.len(), MAX_TESTS);
    }

    #[test]
    fn an_unknown_tool_is_read_like_the_known_ones() {
        for (framework, output) in [
            (TestFramework::Unittest, recording!("unittest")),
            (TestFramework::Pytest, recording!("pytest")),
            (TestFramework::NodeTest, recording!("node_tap")),
            (TestFramework::NodeTest, recording!("node_spec")),
            (TestFramework::CargoTest, recording!("cargo")),
        ] {
            assert_eq!(shown(TestFramework::Unknown, output), shown(framework, output), "{framework:?}");
        }
    }

    #[test]
    fn colours_do_not_hide_a_result() {
        assert_eq!(
            shown(TestFramework::CargoTest, "test a ... \u{1b}[32mok\u{1b}[0m\n"),
            shown(TestFramework::CargoTest, "test a ... ok\n")
        );
    }

    const FRAMEWORKS: [TestFramework; 6] = [
        TestFramework::Unittest,
        TestFramework::Pytest,
        TestFramework::NodeTest,
        TestFramework::CargoTest,
        TestFramework::GoTest,
        TestFramework::Unknown,
    ];

    /// What holds for every output.
    fn check(framework: TestFramework, output: &[u8]) {
        let parsed = parse_test_output(framework, output);
        assert_eq!(parsed, parse_test_output(framework, output), "the same each time");
        let lines = output.split(|byte| *byte == b'\n').count();
        assert!(parsed.tests.len() <= lines, "a line names one test");
        assert!(parsed.tests.keys().all(|name| name.len() <= MAX_NAME_BYTES));
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            for framework in FRAMEWORKS {
                check(framework, &bytes);
            }
        }

        #[test]
        fn pieces_of_real_output_in_any_order_do_no_harm(
            pieces in proptest::collection::vec((0usize..9, 0usize..200, "[ -~\u{e9}\u{2714}]{0,8}"), 0..40)
        ) {
            let recordings = [
                recording!("unittest"), recording!("pytest"), recording!("node_tap"), recording!("node_spec"),
                recording!("cargo"), recording!("cargo_lies"), recording!("go"), recording!("pytest_lies"),
                recording!("pytest_parallel"),
            ];
            let mut text = String::new();
            for (which, line, noise) in pieces {
                text.push_str(recordings[which].lines().nth(line).unwrap_or(" ... ok"));
                text.push_str(&noise);
                text.push('\n');
            }
            for framework in FRAMEWORKS {
                check(framework, text.as_bytes());
            }
        }
    }
}
