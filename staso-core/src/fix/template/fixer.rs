//! The [`TemplateFixer`].

use async_trait::async_trait;

use super::check::ParsedFile;
use super::documented;
use super::evidence::{Evidence, Trigger};
use super::family::Family;
use super::language::{KNOWN, language_of};
use super::locate::{ParsedFiles, find_places, parse_files};
use super::mutation::Sink;
use super::pool::Pool;
use super::records::Records;
use super::setting::{self, Setting};
use super::{prompt, python};
use crate::code::{CodeSnapshot, RepoPath, is_test_file};
use crate::diagnosis::{FixKind, FrameRef, RepairHint, SuggestedFix};
use crate::fix::{FixCandidate, FixError, FixRequest, Fixer};
use crate::run::RunContext;

/// Repairs mechanical faults on syntax trees, without a model.
///
/// Candidates are single small edits near the places that the hints of the diagnosis name: another key, a default, a
/// guard, an operator, an operand, a bound, a statement more or less, a template variable, a setting. The same
/// request gives the same candidates in the same order. Files that hold tests are never changed, nor are files over
/// 2 MiB or functions over 128 KiB; the contents of all candidates together stay near 64 MiB.
///
/// Python is repaired as a program; settings and prompt files of any project are edited as text.
///
/// # Errors
/// [`FixError::Cancelled`], or [`FixError::UnsupportedLanguage`] when nothing but a program in another language could
/// be changed.
#[derive(Debug, Clone, Copy, Default)]
pub struct TemplateFixer;

impl TemplateFixer {
    /// The only configuration there is.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

/// Hints that are looked at; the others are less likely.
const MAX_HINTS: usize = 8;
/// Template files that are looked at per hint.
const MAX_TEMPLATES: usize = 8;

#[async_trait]
impl Fixer for TemplateFixer {
    fn name(&self) -> &'static str {
        "template"
    }

    async fn propose(
        &self,
        request: &FixRequest<'_>,
        ctx: &RunContext,
    ) -> Result<Vec<FixCandidate>, FixError> {
        if ctx.is_cancelled() {
            return Err(FixError::Cancelled);
        }
        let Some(fix) = &request.diagnosis.suggested_fix else { return Ok(Vec::new()) };
        let mut work = Work {
            code: request.code,
            ctx,
            fix,
            parsed: ParsedFiles::new(),
            records: Records::of(request.code),
            unknown: None,
        };
        let mut pool = Pool::default();
        for hint in fix.hints.iter().take(MAX_HINTS) {
            work.parse(hint);
            tokio::task::yield_now().await;
            work.check_cancelled()?;
        }
        for (rank, hint) in fix.hints.iter().take(MAX_HINTS).enumerate() {
            let trust = 1.0 / (1.0 + f64::from(u32::try_from(rank).unwrap_or(u32::MAX)) * 0.5);
            work.propose(hint, trust, &mut pool).await?;
        }
        let candidates = pool.into_candidates(work.code, &work.parsed, request.max_candidates, ctx).await?;
        match work.unknown {
            Some(path) if candidates.is_empty() => {
                Err(FixError::UnsupportedLanguage { fixer: "template", path, known: KNOWN })
            }
            _ => Ok(candidates),
        }
    }
}

/// One call of the fixer.
struct Work<'a> {
    code: &'a CodeSnapshot,
    ctx: &'a RunContext,
    fix: &'a SuggestedFix,
    parsed: ParsedFiles,
    records: Records,
    unknown: Option<RepoPath>,
}

impl<'a> Work<'a> {
    fn check_cancelled(&self) -> Result<(), FixError> {
        if self.ctx.is_cancelled() { Err(FixError::Cancelled) } else { Ok(()) }
    }

    fn parse(&mut self, hint: &RepairHint) {
        match hint {
            RepairHint::Setting { path, .. } => self.parse_one(path),
            RepairHint::TemplateVariable { templates, .. } => {
                for path in templates.iter().take(MAX_TEMPLATES) {
                    self.parse_one(path);
                }
            }
            _ => {}
        }
        let unknown = parse_files(frames_of(hint), self.code, self.ctx, &mut self.parsed);
        if self.unknown.is_none() {
            self.unknown = unknown.cloned();
        }
    }

    fn parse_one(&mut self, path: &RepoPath) {
        let Some(language) = language_of(path).filter(|_| !self.parsed.contains_key(path)) else { return };
        if let Some(file) = self.code.file(path)
            && let Some(file) = ParsedFile::new(&file.text, language, self.ctx)
        {
            self.parsed.insert(path.clone(), file);
        }
    }

    async fn propose(&self, hint: &RepairHint, trust: f64, pool: &mut Pool) -> Result<(), FixError> {
        let evidence = self.evidence(hint);
        let wrong_result = evidence.trigger == Trigger::Result;
        for place in find_places(frames_of(hint), wrong_result, &self.parsed) {
            tokio::task::yield_now().await;
            self.check_cancelled()?;
            let Some(file) = self.parsed.get(place.path) else { continue };
            let mut sink = Sink::new(self.ctx.cancellation().clone());
            file.language.propose(&place, &evidence, &self.records, &mut sink);
            let function = file.language.name_of(place.region);
            pool.add(&place, function, evidence.trigger, trust, sink.into_mutations());
        }
        match hint {
            RepairHint::TemplateVariable { name, templates, .. } => {
                self.edit_templates(name, &evidence.available, templates, trust, pool);
            }
            RepairHint::Setting { path, line, key, current, proposed } => {
                let setting = Setting { path, line: *line, key, current, proposed };
                self.edit_setting(setting, trust, pool);
            }
            _ => {}
        }
        Ok(())
    }

    fn evidence<'h>(&self, hint: &'h RepairHint) -> Evidence<'h> {
        match hint {
            RepairHint::Exception { exception, message, .. } => {
                let mut evidence = Evidence::exception(exception, message);
                evidence.documented = evidence.missing.and_then(|name| self.documented(name));
                if evidence.missing.is_some_and(|name| self.is_environment(name)) {
                    evidence.trigger = Trigger::Environment;
                }
                evidence
            }
            RepairHint::WrongKey { used, available, .. } => Evidence::missing(Trigger::Key, used, available),
            RepairHint::TemplateVariable { name, available, .. } => {
                Evidence::missing(Trigger::Template, name, available)
            }
            RepairHint::EnvironmentVariable { name, .. } => {
                let mut evidence = Evidence::missing(Trigger::Environment, name, &[]);
                evidence.documented = self.documented(name);
                evidence
            }
            RepairHint::WrongResult { .. } => Evidence::of(Trigger::Result),
            RepairHint::Setting { .. } => Evidence::of(Trigger::Other),
        }
    }

    /// Whether another hint says that a name is one of an environment variable.
    fn is_environment(&self, wanted: &str) -> bool {
        self.fix
            .hints
            .iter()
            .any(|hint| matches!(hint, RepairHint::EnvironmentVariable { name, .. } if name == wanted))
    }

    fn documented(&self, name: &str) -> Option<String> {
        documented::default_of(name, self.code).map(|value| python::quoted(&value))
    }

    fn edit_templates(
        &self,
        name: &str,
        available: &[&str],
        templates: &[RepoPath],
        trust: f64,
        pool: &mut Pool,
    ) {
        let targets: Vec<RepoPath> =
            self.fix.target_files.iter().filter_map(|path| RepoPath::new(path).ok()).collect();
        let paths = if templates.is_empty() { &targets } else { templates };
        for (rank, path) in paths.iter().take(MAX_TEMPLATES).enumerate() {
            let Some(file) = self.code.file(path).filter(|file| file.text.len() <= ParsedFile::MAX_BYTES)
            else {
                continue;
            };
            if is_test_file(path) {
                continue;
            }
            let kind = if language_of(path).is_some() { FixKind::Code } else { FixKind::Prompt };
            let trust = trust / (1.0 + f64::from(u32::try_from(rank).unwrap_or(u32::MAX)) * 0.5);
            for mutation in prompt::propose(&file.text, name, available) {
                let prior = mutation.family.prior(Trigger::Template) * trust;
                pool.add_text(path, kind, prior, mutation);
            }
        }
    }

    fn edit_setting(&self, setting: Setting<'_>, trust: f64, pool: &mut Pool) {
        let Some(file) = self.code.file(setting.path).filter(|file| file.text.len() <= ParsedFile::MAX_BYTES)
        else {
            return;
        };
        let prior = Family::Setting.prior(Trigger::Other) * trust;
        for mutation in setting::propose(&file.text, setting) {
            pool.add_text(setting.path, setting::kind_of(setting.path), prior, mutation);
        }
    }
}

fn frames_of(hint: &RepairHint) -> &[FrameRef] {
    match hint {
        RepairHint::Exception { frames, .. }
        | RepairHint::WrongKey { frames, .. }
        | RepairHint::TemplateVariable { frames, .. }
        | RepairHint::EnvironmentVariable { frames, .. }
        | RepairHint::WrongResult { frames } => frames,
        RepairHint::Setting { .. } => &[],
    }
}
