//! From the frames of a hint to the parts of files that may be changed.

use std::collections::{BTreeMap, BTreeSet};

use super::check::ParsedFile;
use super::language::language_of;
use super::syntax::Node;
use crate::code::{CodeSnapshot, RepoPath, is_test_file};
use crate::diagnosis::FrameRef;
use crate::run::RunContext;

/// A part of a file that may be changed, and how much speaks for it.
#[derive(Debug)]
pub(crate) struct Place<'s> {
    /// The file.
    pub(crate) path: &'s RepoPath,
    /// The function, or a statement outside of functions.
    pub(crate) region: Node<'s>,
    /// The line at which the failure shows; `None` when all lines are equal.
    pub(crate) focus: Option<u32>,
    /// From 0 to 1: how near it is to the failure.
    pub(crate) weight: f64,
    feeding: BTreeSet<u32>,
}

impl<'s> Place<'s> {
    fn new(path: &'s RepoPath, region: Node<'s>, focus: Option<u32>, weight: f64) -> Self {
        let feeding = focus.map(|line| feeding_lines(region, line)).unwrap_or_default();
        Self { path, region, focus, weight, feeding }
    }

    /// From 0 to 1: how near a line is to the failure.
    pub(crate) fn locality(&self, line: u32) -> f64 {
        let near = match self.focus {
            None => 1.0,
            Some(focus) if focus == line => 1.0,
            Some(_) if self.feeding.contains(&line) => 0.6,
            Some(_) => 0.35,
        };
        near * self.weight
    }
}

/// Files that were parsed, by path.
pub(crate) type ParsedFiles = BTreeMap<RepoPath, ParsedFile>;

/// Parses the files of the frames that are not parsed yet. Returns the first file in a language that is not known.
pub(crate) fn parse_files<'f>(
    frames: &'f [FrameRef],
    code: &CodeSnapshot,
    ctx: &RunContext,
    parsed: &mut ParsedFiles,
) -> Option<&'f RepoPath> {
    let mut unknown = None;
    for frame in frames.iter().take(MAX_FRAMES) {
        let Some(language) = language_of(&frame.path) else {
            unknown = unknown.or(Some(&frame.path));
            continue;
        };
        if parsed.contains_key(&frame.path) || is_test_file(&frame.path) {
            continue;
        }
        if let Some(file) = code.file(&frame.path).and_then(|file| ParsedFile::new(&file.text, language, ctx))
        {
            parsed.insert(frame.path.clone(), file);
        }
    }
    unknown
}

/// Frames further out are not looked at.
const MAX_FRAMES: usize = 8;
/// A function longer than this is not repaired, in bytes.
const MAX_REGION_BYTES: usize = 128 << 10;
/// Functions called by the failing one that are looked at.
const MAX_HELPERS: usize = 6;

/// Finds the places of the frames, nearest first. For a wrong result all lines of the first function are equal and
/// the functions it calls count too.
pub(crate) fn find_places<'s>(
    frames: &[FrameRef],
    wrong_result: bool,
    parsed: &'s ParsedFiles,
) -> Vec<Place<'s>> {
    let mut places: Vec<Place<'s>> = Vec::new();
    for (depth, frame) in frames.iter().take(MAX_FRAMES).enumerate() {
        let Some((path, file)) = parsed.get_key_value(&frame.path) else { continue };
        let (root, language) = (file.syntax.root(), file.language);
        let function = language.function_at(root, frame.line, frame.function.as_deref());
        let Some(region) = function.or_else(|| language.statement_at(root, frame.line)) else { continue };
        let body_begins = region.child("body").map_or(region.line(), Node::line);
        let on_header = function.is_some() && frame.line < body_begins;
        let all_equal = on_header || (wrong_result && depth == 0);
        let focus = (!all_equal).then_some(frame.line);
        add(&mut places, Place::new(path, region, focus, weight_of_depth(depth)));
        if depth == 0 && wrong_result {
            for helper in language.helpers(region).into_iter().take(MAX_HELPERS) {
                add(&mut places, Place::new(path, helper, None, 0.5));
            }
        }
    }
    if !wrong_result {
        add_feeders(frames, parsed, &mut places);
    }
    places
}

/// Adds the functions whose results reach the lines of the frames, and the functions that those call: a wrong value
/// often shows far from where it was made.
fn add_feeders<'s>(frames: &[FrameRef], parsed: &'s ParsedFiles, places: &mut Vec<Place<'s>>) {
    for (depth, frame) in frames.iter().take(MAX_FRAMES).enumerate() {
        let Some((path, file)) = parsed.get_key_value(&frame.path) else { continue };
        let language = file.language;
        let Some(region) = language.function_at(file.syntax.root(), frame.line, frame.function.as_deref())
        else {
            continue;
        };
        let weight = weight_of_depth(depth);
        let feeders = language.feeders(region, frame.line);
        for feeder in feeders.iter().take(MAX_HELPERS) {
            add(places, Place::new(path, *feeder, None, weight * 0.5));
        }
        for helper in feeders.iter().flat_map(|feeder| language.helpers(*feeder)).take(MAX_HELPERS) {
            add(places, Place::new(path, helper, None, weight * 0.3));
        }
    }
}

fn add<'s>(places: &mut Vec<Place<'s>>, place: Place<'s>) {
    let known = places
        .iter()
        .any(|other| other.path == place.path && (other.region == place.region || nested(other, &place)));
    if !known && place.region.range().len() <= MAX_REGION_BYTES {
        places.push(place);
    }
}

fn nested(outer: &Place<'_>, inner: &Place<'_>) -> bool {
    outer.focus.is_none() && outer.region.contains(inner.region)
}

fn weight_of_depth(depth: usize) -> f64 {
    const WEIGHTS: [f64; 4] = [1.0, 0.6, 0.4, 0.3];
    WEIGHTS.get(depth).copied().unwrap_or(0.2)
}

/// Lines of the region that share a name with the line of the failure.
fn feeding_lines(region: Node<'_>, line: u32) -> BTreeSet<u32> {
    let identifiers = || region.subtree().filter(|node| node.kind() == "identifier");
    let used: BTreeSet<&str> = identifiers().filter(|node| node.line() == line).map(Node::text).collect();
    identifiers().filter(|node| used.contains(node.text())).map(Node::line).collect()
}
