//! Ranks the edits of all places and turns the best ones into candidates.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::evidence::Trigger;
use super::family::Family;
use super::locate::{ParsedFiles, Place};
use super::mutation::Mutation;
use crate::code::{CodeSnapshot, RepoPath};
use crate::diagnosis::FixKind;
use crate::fix::{FixCandidate, FixError, Patch};
use crate::run::RunContext;

/// Edits waiting to be ranked.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    entries: Vec<Entry>,
    places: u32,
}

#[derive(Debug)]
struct Entry {
    path: RepoPath,
    /// Which of the added places it belongs to.
    place: u32,
    kind: FixKind,
    function: Option<String>,
    score: f64,
    mutation: Mutation,
}

impl Pool {
    /// Contents of all candidates together, in bytes: large files get fewer candidates.
    const MAX_BYTES: usize = 64 << 20;

    /// Adds the edits of a place in a program.
    pub(crate) fn add(
        &mut self,
        place: &Place<'_>,
        function: Option<&str>,
        trigger: Trigger,
        trust: f64,
        mutations: Vec<Mutation>,
    ) {
        self.places += 1;
        for mutation in mutations {
            let family = mutation.family.prior(trigger);
            let prior = if mutation.is_backed { family.max(Family::BACKED) } else { family };
            let prior = prior * place.locality(mutation.line);
            self.add_one(place.path.clone(), FixKind::Code, function, prior * trust, mutation);
        }
    }

    /// Adds an edit of a file that is no program.
    pub(crate) fn add_text(&mut self, path: &RepoPath, kind: FixKind, prior: f64, mutation: Mutation) {
        self.add_one(path.clone(), kind, None, prior, mutation);
    }

    fn add_one(
        &mut self,
        path: RepoPath,
        kind: FixKind,
        function: Option<&str>,
        prior: f64,
        mutation: Mutation,
    ) {
        let score = (prior * mutation.closeness * size_factor(&mutation)).clamp(0.0, 1.0);
        if score > 0.0 {
            let place = self.places;
            self.entries.push(Entry {
                path,
                place,
                kind,
                function: function.map(str::to_owned),
                score,
                mutation,
            });
        }
    }

    /// The best `max` edits, each different from the others and as well-formed as the file was.
    pub(crate) async fn into_candidates(
        self,
        code: &CodeSnapshot,
        parsed: &ParsedFiles,
        max: usize,
        ctx: &RunContext,
    ) -> Result<Vec<FixCandidate>, FixError> {
        let mut candidates = Vec::new();
        let mut seen: BTreeSet<(RepoPath, u64)> = BTreeSet::new();
        let mut bytes = 0;
        for entry in ranked(self.entries) {
            if candidates.len() >= max || bytes > Self::MAX_BYTES {
                break;
            }
            if ctx.is_cancelled() {
                return Err(FixError::Cancelled);
            }
            tokio::task::yield_now().await;
            let Ok(patch) = Patch::replace(code, &entry.path, entry.mutation.parts.clone()) else { continue };
            let Some((_, file)) = patch.files().next() else { continue };
            if !seen.insert((entry.path.clone(), fingerprint(file.after())))
                || !is_well_formed(&entry, file.before(), file.after(), parsed, ctx)
            {
                continue;
            }
            bytes += file.after().len();
            candidates.push(entry.into_candidate(patch));
        }
        Ok(candidates)
    }
}

/// A hash that only tells texts of one call apart.
fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn is_well_formed(entry: &Entry, before: &str, after: &str, parsed: &ParsedFiles, ctx: &RunContext) -> bool {
    if let Some(file) = parsed.get(&entry.path) {
        return file.accepts(&entry.mutation.parts, after, ctx);
    }
    let parses = |text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    entry.path.extension() != Some("json") || !parses(before) || parses(after)
}

/// Best first. Each further edit that a family makes of a place counts less, so that no family crowds out the others
/// and no place the best edits of the places behind it.
fn ranked(mut entries: Vec<Entry>) -> Vec<Entry> {
    sort(&mut entries);
    let mut counts: BTreeMap<(u32, Family), u32> = BTreeMap::new();
    for entry in &mut entries {
        let count = counts.entry((entry.place, entry.mutation.family)).or_default();
        entry.score /= 1.0 + f64::from(*count) / CROWDING;
        *count += 1;
    }
    sort(&mut entries);
    entries
}

/// So many edits of a family halve the score of the next.
const CROWDING: f64 = 30.0;

fn sort(entries: &mut [Entry]) {
    entries.sort_by(|a, b| {
        let key = |entry: &Entry| {
            let part = entry.mutation.parts.first();
            (part.map(|part| (part.range.start, part.range.end)), entry.mutation.family)
        };
        let text = |entry: &Entry| entry.mutation.parts.first().map(|part| part.text.clone());
        b.score
            .total_cmp(&a.score)
            .then_with(|| a.path.cmp(&b.path))
            .then_with(|| key(a).cmp(&key(b)))
            .then_with(|| text(a).cmp(&text(b)))
    });
}

/// Small edits first: 1 for nothing, one half for 160 bytes.
fn size_factor(mutation: &Mutation) -> f64 {
    let bytes: usize = mutation.parts.iter().map(|part| part.range.len().max(part.text.len())).sum();
    1.0 / (1.0 + f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 160.0)
}

impl Entry {
    fn into_candidate(self, patch: Patch) -> FixCandidate {
        let Self { kind, function, score, mutation, path, place: _ } = self;
        let why = mutation.why.unwrap_or_else(|| {
            let place = function.as_deref().map(|name| format!(" of `{name}`")).unwrap_or_default();
            format!("The failure leads to line {}{place}, and {}.", mutation.line, mutation.family.reason())
        });
        let place = function.unwrap_or_else(|| path.file_name().to_owned());
        FixCandidate {
            patch,
            kind,
            author: format!("template:{}", mutation.family.name()),
            title: title(&mutation.title, &place),
            why,
            score,
        }
    }
}

/// Names the place where there is room for it.
fn title(what: &str, place: &str) -> String {
    let full = format!("{what} in `{place}`");
    if full.chars().count() <= MAX_TITLE_CHARS {
        return full;
    }
    if what.chars().count() <= MAX_TITLE_CHARS {
        return what.to_owned();
    }
    let cut: String = what.chars().take(MAX_TITLE_CHARS - 1).collect();
    format!("{}…", cut.trim_end())
}

const MAX_TITLE_CHARS: usize = 72;
