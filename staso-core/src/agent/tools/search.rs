//! The engine of `search_code`: ripgrep's searcher over contents in memory.

use std::io::{self, Read};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{
    BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkContextKind, SinkMatch,
};

use super::clip;
use crate::code::RepoPath;

/// Bounds of a compiled pattern, in bytes, and of its nesting.
const REGEX_BYTES: usize = 1 << 20;
const REGEX_CACHE_BYTES: usize = 8 << 20;
const REGEX_NESTING: u32 = 64;
/// Files above this are searched piece by piece, so that a stop is noticed in between.
const WHOLE_BYTES: usize = 64 << 10;
/// Less than this is not worth another thread.
const BYTES_PER_THREAD: usize = 512 << 10;
const MAX_THREADS: usize = 4;
/// Matches that are counted; there may be more.
pub(super) const MAX_COUNTED: usize = 1_000;
const MAX_LINE_CHARS: usize = 500;
/// Shown before a match that stands far inside of a long line.
const LEAD_CHARS: usize = 100;

/// A file to search.
pub(super) type Candidate = (RepoPath, Arc<[u8]>);

/// What is looked for.
#[derive(Debug)]
pub(super) struct Query {
    /// The pattern.
    pub(super) matcher: RegexMatcher,
    /// Lines shown around a match.
    pub(super) context: usize,
    /// Matches shown at most.
    pub(super) most: usize,
}

/// A line of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundLine {
    pub(super) number: u64,
    pub(super) is_match: bool,
    pub(super) text: String,
}

/// What one file holds.
#[derive(Debug)]
pub(super) struct FoundFile {
    pub(super) path: RepoPath,
    pub(super) lines: Vec<FoundLine>,
    pub(super) matches: usize,
}

/// What was found, sorted by path, as far as it is to be shown.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<FoundFile>,
    /// All matches; when there are more than [`MAX_COUNTED`], at least that many.
    pub(super) matches: usize,
}

/// Compiles a pattern that a model wrote. Time and memory are bounded by the limits on size.
pub(super) fn compile(pattern: &str) -> Result<RegexMatcher, String> {
    let mut builder = RegexMatcherBuilder::new();
    builder.multi_line(true).line_terminator(Some(b'\n')).nest_limit(REGEX_NESTING);
    builder.size_limit(REGEX_BYTES).dfa_size_limit(REGEX_CACHE_BYTES);
    builder.build(pattern).map_err(|error| error.to_string())
}

/// Searches files that are sorted by path. Ends early when `stop` is set.
///
/// Files are taken in order, so what was taken when enough was found is the start of the list: what is shown does not
/// depend on the number of threads.
pub(super) fn run(candidates: &[Candidate], query: &Query, stop: &AtomicBool) -> Found {
    let (next, counted) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results = Mutex::new(Vec::new());
    let work = || {
        let mut searcher = searcher(query);
        let mut found = Vec::new();
        while counted.load(Ordering::Relaxed) <= MAX_COUNTED && !stop.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((path, content)) = candidates.get(at) else { break };
            let mut hits = Hits { query, lines: Vec::new(), matches: 0 };
            // What fails is a stop or a file in a broken encoding; what was found before stands.
            drop(search_one(&mut searcher, query, content, stop, &mut hits));
            if hits.matches > 0 {
                counted.fetch_add(hits.matches, Ordering::Relaxed);
                let Hits { lines, matches, .. } = hits;
                found.push((at, FoundFile { path: path.clone(), lines, matches }));
            }
        }
        results.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
    };
    std::thread::scope(|scope| {
        for _ in 1..threads(candidates) {
            scope.spawn(work);
        }
        work();
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    shown(results, query)
}

fn threads(candidates: &[Candidate]) -> usize {
    let bytes: usize = candidates.iter().map(|(_, content)| content.len()).sum();
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    cores.min(MAX_THREADS).min(bytes / BYTES_PER_THREAD + 1)
}

fn searcher(query: &Query) -> Searcher {
    SearcherBuilder::new()
        .line_number(true)
        .before_context(query.context)
        .after_context(query.context)
        .binary_detection(BinaryDetection::quit(0))
        .build()
}

fn search_one(
    searcher: &mut Searcher,
    query: &Query,
    content: &[u8],
    stop: &AtomicBool,
    hits: &mut Hits<'_>,
) -> io::Result<()> {
    if content.len() <= WHOLE_BYTES {
        return searcher.search_slice(&query.matcher, content, hits);
    }
    searcher.search_reader(&query.matcher, Stoppable { rest: content, stop }, hits)
}

/// Reads a content in pieces until it is told to stop.
struct Stoppable<'a> {
    rest: &'a [u8],
    stop: &'a AtomicBool,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("stopped"));
        }
        self.rest.read(buffer)
    }
}

/// The first matches of one file, and how many there are.
struct Hits<'a> {
    query: &'a Query,
    lines: Vec<FoundLine>,
    matches: usize,
}

impl Hits<'_> {
    fn keep(&mut self, number: Option<u64>, text: String, is_match: bool) {
        self.lines.push(FoundLine { number: number.unwrap_or(0), is_match, text });
    }
}

impl Sink for Hits<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> io::Result<bool> {
        self.matches += 1;
        if self.matches <= self.query.most {
            let text = around_match(found.bytes(), &self.query.matcher);
            self.keep(found.line_number(), text, true);
        }
        Ok(self.matches <= MAX_COUNTED)
    }

    fn context(&mut self, _: &Searcher, line: &SinkContext<'_>) -> io::Result<bool> {
        let follows = matches!(line.kind(), SinkContextKind::After);
        if self.matches < self.query.most || (follows && self.matches == self.query.most) {
            let text = clip::line(&without_end(line.bytes()), MAX_LINE_CHARS);
            self.keep(line.line_number(), text, false);
        }
        Ok(true)
    }
}

fn without_end(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

/// A line, from a little before its first match when that is far inside.
fn around_match(line: &[u8], matcher: &RegexMatcher) -> String {
    use grep_matcher::Matcher as _;
    let text = without_end(line);
    let start = matcher.find(line).ok().flatten().map_or(0, |found| found.start());
    let before = String::from_utf8_lossy(line.get(..start).unwrap_or_default());
    let skipped = before.chars().count().saturating_sub(LEAD_CHARS);
    if skipped + LEAD_CHARS < MAX_LINE_CHARS {
        return clip::line(&text, MAX_LINE_CHARS);
    }
    let rest: String = text.chars().skip(skipped).collect();
    format!("[{skipped} characters]… {}", clip::line(&rest, MAX_LINE_CHARS - LEAD_CHARS))
}

/// The first files in order until enough matches are shown.
fn shown(mut results: Vec<(usize, FoundFile)>, query: &Query) -> Found {
    results.sort_unstable_by_key(|(at, _)| *at);
    let matches = results.iter().map(|(_, file)| file.matches).sum();
    let mut left = query.most;
    let mut files = Vec::new();
    for (_, mut file) in results {
        if left == 0 {
            break;
        }
        first_matches(&mut file.lines, left, query.context);
        left -= left.min(file.matches);
        files.push(file);
    }
    Found { files, matches }
}

/// Keeps the lines of the first matches with what stands around them.
fn first_matches(lines: &mut Vec<FoundLine>, most: usize, context: usize) {
    let is_match = |line: &&FoundLine| line.is_match;
    let Some(last) = lines.iter().filter(is_match).nth(most.saturating_sub(1)).map(|line| line.number) else {
        return;
    };
    let mut seen = 0;
    let end = last.saturating_add(u64::try_from(context).unwrap_or(0));
    lines.retain(|line| {
        seen += usize::from(line.is_match);
        seen <= most && line.number <= end
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(files: usize) -> Vec<Candidate> {
        let content = |file: usize| {
            (0..200).map(|line| format!("line {line} of {file} {}\n", "x".repeat(90))).collect::<String>()
        };
        let path = |file| RepoPath::new(format!("d/{file:04}")).unwrap();
        (0..files).map(|file| (path(file), content(file).into_bytes().into())).collect()
    }

    fn query(pattern: &str, context: usize, most: usize) -> Query {
        Query { matcher: compile(pattern).unwrap(), context, most }
    }

    fn run_all(candidates: &[Candidate], query: &Query) -> Found {
        run(candidates, query, &AtomicBool::new(false))
    }

    #[test]
    fn what_is_shown_does_not_depend_on_threads() {
        let candidates = candidates(120);
        assert!(
            threads(&candidates) > 1 || std::thread::available_parallelism().map_or(1, NonZero::get) == 1
        );
        for _ in 0..20 {
            let found = run_all(&candidates, &query("line 7", 1, 30));
            assert!(found.matches > MAX_COUNTED);
            let names: Vec<&str> = found.files.iter().map(|file| file.path.as_str()).collect();
            assert_eq!(names, ["d/0000", "d/0001", "d/0002"], "11 matches in each of them");
            let matches = found.files.iter().flat_map(|file| &file.lines).filter(|line| line.is_match);
            assert_eq!(matches.count(), 30);
        }
        let found = run_all(&candidates, &query("line 150 of 9", 0, 5));
        assert_eq!(found.matches, 1 + 10, "all are counted");
    }

    #[test]
    fn lines_around_a_match_end_with_the_last_one_that_is_shown() {
        let content: Arc<[u8]> = b"a\nhit\nb\nc\nhit\nd\n".as_slice().into();
        let candidates = [(RepoPath::new("f").unwrap(), content)];
        let lines = |most| {
            let found = run_all(&candidates, &query("hit", 1, most));
            found.files.iter().flat_map(|file| &file.lines).map(|line| line.number).collect::<Vec<_>>()
        };
        assert_eq!(lines(1), [1, 2, 3]);
        assert_eq!(lines(2), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn binary_files_and_stopped_searches_give_nothing() {
        let binary: Arc<[u8]> = b"hit\0hit\n".as_slice().into();
        assert_eq!(run_all(&[(RepoPath::new("f").unwrap(), binary)], &query("hit", 0, 5)).matches, 0);
        let stopped = run(&candidates(3), &query("line", 0, 5), &AtomicBool::new(true));
        assert_eq!(stopped.matches, 0);
    }

    #[test]
    fn large_files_are_searched_in_pieces_with_the_same_result() {
        let mut text = "filler\n".repeat(WHOLE_BYTES / 4);
        text.push_str(&format!("{}hit{}\n", "é".repeat(2_000), "é".repeat(2_000)));
        let lines = text.lines().count();
        let content: Arc<[u8]> = text.into_bytes().into();
        let found = run_all(&[(RepoPath::new("f").unwrap(), content)], &query("h.t", 0, 5));
        let line = found.files.first().and_then(|file| file.lines.first()).unwrap();
        assert_eq!(line.number, lines as u64);
        assert!(line.text.starts_with("[1900 characters]… é") && line.text.contains("hit"), "{}", line.text);
        assert!(line.text.ends_with(" …[+1703 characters]"), "{}", line.text);
    }

    #[test]
    fn patterns_are_bounded() {
        for pattern in [r"\w{1000}{1000}", r"(", r"a\nb", &"(".repeat(100)] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }
}
