//! Words by which tests are switched off, or made to say nothing.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

/// Marks that skip tests wherever they stand. Compared without blanks and without regard to case.
const SKIPS: &[&str] = &[
    "pytest.mark.skip",
    "pytest.mark.xfail",
    "mark.skipif",
    "pytest.skip(",
    "pytest.xfail(",
    "pytest.importorskip(",
    "unittest.skip",
    "unittest.expectedfailure",
    "@expectedfailure",
    "@skip",
    ".skiptest(",
    "raiseskiptest",
    "skiptest(",
    "collect_ignore",
    "__test__=",
    "__unittest_skip__",
    "pytestmark=",
    "#[ignore",
    "@ignore",
    "@disabled",
    "[ignore]",
    "[fact(skip",
    "testing.short()",
    "cfg(any())",
    "cfg(false)",
];

/// Marks that skip tests in test files; elsewhere they are ordinary calls.
const TEST_SKIPS: &[&str] = &[
    "it.skip",
    "test.skip",
    "describe.skip",
    "context.skip",
    "suite.skip",
    "it.only",
    "test.only",
    "describe.only",
    "context.only",
    "suite.only",
    "it.todo",
    "test.todo",
    "test.fails",
    "test.failing",
    "it.fails",
    "it.failing",
    "test.fixme",
    "describe.fixme",
    "xit(",
    "xtest(",
    "xdescribe(",
    "xcontext(",
    "xspecify(",
    "fit(",
    "fdescribe(",
    "this.skip(",
    "pending(",
    "skip:true",
    "todo:true",
    "only:true",
    "skip=true",
    "t.skip(",
    "t.skipnow(",
    "t.skipf(",
    "b.skip(",
    ".skipif(",
    ".runif(",
];

/// What ends the process of a test run, or leaves a test before its end.
const EXITS: &[&str] = &[
    "sys.exit(",
    "os._exit(",
    "os.abort(",
    "os.kill(",
    "raisesystemexit",
    "process.exit",
    "process.kill(",
    "process::exit(",
    "process::abort(",
    "os.exit(",
    "system.exit(",
    "runtime.goexit(",
    "deno.exit(",
    "pytest.exit(",
    "signal.raise_signal(",
    "goexit()",
];

/// Text as marks are searched in it: without blanks, and without line breaks that separate no statements.
pub(super) fn squeezed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lines = 0;
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            '\n' => lines += 1,
            '\\' => {}
            _ if c.is_whitespace() => {}
            _ => {
                let continues = c == '.' || out.ends_with(['.', '(']);
                if lines > 0 && !continues {
                    out.push('\n');
                }
                lines = 0;
                out.push(c);
            }
        }
    }
    out
}

/// A mark that stands more often in one squeezed text than in the other.
pub(super) fn added_skip(before: &str, after: &str, in_tests: bool) -> Option<&'static str> {
    let tests: &[&str] = if in_tests { TEST_SKIPS } else { &[] };
    let anywhere = |text: &str, mark: &str| text.matches(mark).count();
    more_often(before, after, SKIPS, anywhere).or_else(|| more_often(before, after, tests, count_words))
}

/// An end of the process that stands more often.
pub(super) fn added_exit(before: &str, after: &str) -> Option<&'static str> {
    more_often(before, after, EXITS, |text, mark| text.matches(mark).count())
}

fn more_often(
    before: &str,
    after: &str,
    marks: &[&'static str],
    count: impl Fn(&str, &str) -> usize,
) -> Option<&'static str> {
    marks.iter().copied().find(|mark| count(after, mark) > count(before, mark))
}

/// How often a mark stands at the beginning of a word: `exit(` is no `xit(`, `model.fit(` no `fit(`.
fn count_words(text: &str, mark: &str) -> usize {
    let begins = |at: usize| {
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        mark.starts_with('.') || before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '.')
    };
    text.match_indices(mark).filter(|(at, _)| begins(*at)).count()
}

static VACUOUS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)
        ^assert\(?(true|1|not(false|none|0)|1==1|true==true|true(is|==)true|[\x22'][^\x22',]+[\x22'])\)?(,.*)?;?$
        | ^self\.(asserttrue|assertfalse|assertequal|assertis)\((true|false|1|1,1|true,true|none,none)\)$
        | ^assert!\((true|1==1)(,.*)?\);?$
        | ^assert_eq!\((true,true|1,1|\(\),\(\))\);?$
        | ^expect\((true|1|[\x22']{2})\)\.(tobe|toequal|tobetruthy|toeql|to\.be\.true|to\.equal)\(?(true|1)?\)?;?$
        | ^assert(\.ok|\.istrue|\.equal|true|equals|\.true)\((t,)?(true|1|1,1|true,true)\);?$",
    )
    .ok()
});

/// Whether a line asserts what cannot fail.
pub(super) fn is_vacuous(line: &str) -> bool {
    let line = squeezed(line);
    VACUOUS.as_ref().is_none_or(|vacuous| vacuous.is_match(&line))
}

static TEST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?mx)
        ^[\ \t]*(?:async[\ ]+)?def[\ ]+(test\w*|\w+_test)[\ ]*\(
        | ^[\ \t]*class[\ ]+(Test\w*|\w+Tests?(?:Case)?)\b
        | ^func[\ ]+(?:\([^)]*\)[\ ]*)?((?:Test|Benchmark|Fuzz|Example)\w*)[\ ]*\(
        | \#\[(?:\w+::)*test[^\]]*\]\s*(?:\#\[[^\]]*\]\s*)*(?:pub[\ ]+)?(?:async[\ ]+)?fn[\ ]+(\w+)
        | @Test\b[^\n]*\s+(?:@[^\n]*\s+)*(?:public[\ ]+|private[\ ]+|protected[\ ]+)?void[\ ]+(\w+)
        | \b(?:it|test|describe|context|specify)[\ ]*\([\ \n\t]*["'`]([^"'`\n]{1,200})"#,
    )
    .ok()
});

/// The names of the tests that a text defines, with how often each is.
pub(super) fn tests(text: &str) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for found in TEST.iter().flat_map(|test| test.captures_iter(text)) {
        for name in found.iter().skip(1).flatten() {
            *names.entry(name.as_str().to_owned()).or_insert(0) += 1;
        }
    }
    names
}
