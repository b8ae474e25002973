//! What a model may have meant by a path that is not there.

use crate::code::RepoPath;
use crate::sandbox::SessionTree;

const MOST: usize = 3;
/// Names are compared up to this length; paths that are compared at most.
const COMPARED_CHARS: usize = 64;
const COMPARED_PATHS: usize = 20_000;
/// Less than this has nothing to do with it.
const LEAST_SCORE: f64 = 0.6;

/// The nearest paths, best first; of files, or of directories.
pub(super) fn nearest(wanted: &RepoPath, tree: &SessionTree, directories: bool) -> Vec<String> {
    let mut scored: Vec<(f64, &str)> = Vec::new();
    let mut last = "";
    for path in tree.entries.keys().take(COMPARED_PATHS) {
        let path = path.as_str();
        let candidate =
            if directories { path.rsplit_once('/').map_or("", |(parent, _)| parent) } else { path };
        if candidate.is_empty() || candidate == last {
            continue;
        }
        last = candidate;
        let score = score(wanted.as_str(), candidate);
        if score >= LEAST_SCORE {
            scored.push((score, candidate));
        }
    }
    scored.sort_by(|(one, a), (two, b)| two.total_cmp(one).then(a.cmp(b)));
    scored.dedup_by_key(|(_, path)| *path);
    scored.into_iter().take(MOST).map(|(_, path)| path.to_owned()).collect()
}

/// How near two paths are: their names count most, then the directories.
fn score(wanted: &str, candidate: &str) -> f64 {
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_lowercase();
    let (wanted_name, name) = (name(wanted), name(candidate));
    let names = similarity(&wanted_name, &name);
    if names < LEAST_SCORE {
        return 0.0;
    }
    let suffix = candidate.ends_with(wanted) || wanted.ends_with(candidate);
    0.7 * names + 0.2 * similarity(wanted, candidate) + if suffix { 0.1 } else { 0.0 }
}

fn similarity(one: &str, two: &str) -> f64 {
    // The end of a path tells more than its start.
    let end = |text: &str| super::clip::tail(text, COMPARED_CHARS, usize::MAX).to_owned();
    strsim::normalized_damerau_levenshtein(&end(one), &end(two))
}

/// A hint that names the nearest paths.
pub(super) fn hint(wanted: &RepoPath, tree: &SessionTree, directories: bool) -> String {
    let nearest = nearest(wanted, tree, directories);
    if nearest.is_empty() {
        return "look for it with list_files or search_code".to_owned();
    }
    format!("the nearest paths are: {}", nearest.join(", "))
}
