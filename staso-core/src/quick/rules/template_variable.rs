//! A variable of a prompt template was left unfilled, or the template names one that is not passed (catalogue 40).

mod placeholder;
mod source;

use super::exception;
use crate::diagnosis::{FixKind, FrameRef, RepairHint};
use crate::quick::document::Document;
use crate::quick::failure::{Failure, clip};
use crate::quick::finding::{Finding, Remedy};
use crate::quick::frames::{frame_of, function_of, quoted, unique};
use crate::quick::input::{Facts, RuleInput};
use crate::quick::names::{nearest, similarity};
use crate::quick::oracle;
use crate::quick::rule::{Explains, Reads, Rule};
use crate::quick::tree::outward;
use crate::trace::{Span, SpanKind, Timestamp};
use placeholder::Placeholder;
use source::{Template, templates};

/// How many enclosing steps may have rendered.
const MAX_STEPS: usize = 50;
/// The most variables that are reported.
const MAX_FINDINGS: usize = 5;

pub(super) const RULE: Rule = Rule {
    id: "unfilled_template_variable",
    version: 1,
    number: Some(40),
    generic: false,
    reads: &[Reads::Request, Reads::Output, Reads::Code],
    explains: Explains::Everything,
    detect: |input| {
        let mut found = left_unfilled(input);
        found.extend(
            exception::candidates(input).filter_map(|(number, failure)| not_passed(input, number, failure)),
        );
        found.truncate(MAX_FINDINGS);
        found
    },
};

/// Where a text became visible.
struct Sighting<'i, 'a> {
    at: Timestamp,
    facts: &'i Facts<'a>,
    document: &'i Document<'a>,
}

/// Texts that templates are rendered into: results of steps that are no data sources, and what models were asked.
fn rendered<'i, 'a>(input: &'i RuleInput<'a>) -> Vec<Sighting<'i, 'a>> {
    let sighting = |facts: &'i Facts<'a>| match facts.span.kind {
        SpanKind::Llm => Some(Sighting { at: facts.span.start, facts, document: &facts.input }),
        SpanKind::Chain | SpanKind::Custom => {
            Some(Sighting { at: facts.span.end(), facts, document: &facts.output })
        }
        // An agent's output may be anything; only the code tells whether it is a template's.
        SpanKind::Agent if input.code.is_some() => {
            Some(Sighting { at: facts.span.end(), facts, document: &facts.output })
        }
        _ => None,
    };
    let mut found: Vec<_> = input
        .facts
        .iter()
        .filter_map(sighting)
        .filter(|seen| placeholder::may_hold(seen.document.raw()))
        .collect();
    found.sort_by_cached_key(|seen| {
        let place = input.trace.position(seen.facts.span.span_id).unwrap_or_default();
        (seen.at, std::cmp::Reverse(input.tree.depth(place)), place)
    });
    found
}

fn left_unfilled(input: &RuleInput<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for sighting in rendered(input) {
        for placeholder in placeholder::scan(sighting.document) {
            if found.len() >= MAX_FINDINGS {
                return found;
            }
            if !seen.contains(&placeholder.literal) {
                seen.push(placeholder.literal.clone());
                if !is_data(input, &placeholder.literal, sighting.at) {
                    found.extend(explain(input, &sighting, &placeholder));
                }
            }
        }
    }
    found
}

/// Whether the text came in from outside before: from the user, a tool or a model.
fn is_data(input: &RuleInput<'_>, literal: &str, before: Timestamp) -> bool {
    let root = input.trace.root().map(|root| root.span_id);
    input.facts.iter().any(|facts| {
        let span = facts.span;
        let source = matches!(span.kind, SpanKind::Tool | SpanKind::Retriever | SpanKind::Llm);
        (source && span.end() <= before && facts.output.find(literal).is_some())
            || (root == Some(span.span_id) && facts.input.find(literal).is_some())
    })
}

fn explain(input: &RuleInput<'_>, sighting: &Sighting<'_, '_>, placeholder: &Placeholder) -> Option<Finding> {
    let span = sighting.facts.span;
    let templates = templates(input, placeholder);
    let strength = source::strength(input, placeholder, &templates)?;
    let name = clip(&placeholder.name, 60);
    let available = nearest(&placeholder.name, passed(input, span).iter().map(String::as_str));
    let meant = available.first().filter(|other| similarity(&placeholder.name, other) >= 0.5);
    let file = templates
        .first()
        .map(|template| format!(" of `{}:{}`", template.path, template.line))
        .unwrap_or_default();
    let mut cause =
        format!("The variable `{}`{file} was left unfilled in the prompt", clip(&placeholder.literal, 60));
    if let Some(meant) = meant {
        cause.push_str(&format!("; `{}` is passed", clip(meant, 60)));
    }
    let frames = frames(input, span);
    let remedy = remedy(input, placeholder, &templates, &available, frames).with_oracle(oracle::unfilled(
        input,
        span,
        &placeholder.literal,
    ));
    let mut finding = Finding::new(span.span_id, cause, remedy).with_strength(strength).cite(
        span.span_id,
        placeholder.pointer.clone(),
        placeholder.literal.as_str(),
        "The rendered prompt still holds the variable",
    );
    for template in templates.iter().take(2) {
        finding = finding.cite_line(&template.path, template.line, "The template names the variable");
    }
    if !available.is_empty() {
        let list: Vec<String> =
            available.iter().take(10).map(|name| format!("`{}`", clip(name, 40))).collect();
        finding = finding.with_detail(format!("Passed to the template: {}.", list.join(", ")));
    }
    Some(finding.decided_by(format!("Render the prompt with the recorded values: `{name}` stays in it.")))
}

fn remedy(
    input: &RuleInput<'_>,
    placeholder: &Placeholder,
    templates: &[Template],
    available: &[String],
    frames: Vec<FrameRef>,
) -> Remedy {
    let name = clip(&placeholder.name, 60);
    let prompt_file = templates.first().is_none_or(|template| !template.is_code);
    let kind = if prompt_file { FixKind::Prompt } else { FixKind::Code };
    let meant = available.first().filter(|other| similarity(&placeholder.name, other) >= 0.5);
    let description = match meant {
        Some(meant) => format!(
            "Name the variable `{}` in the template, as the code passes it, or pass `{name}`.",
            clip(meant, 60)
        ),
        None => format!("Pass `{name}` to the template, or remove it from the template."),
    };
    let mut files: Vec<_> = templates.iter().map(|template| template.path.clone()).collect();
    files.extend(frames.iter().map(|frame| frame.path.clone()));
    let mut template_files: Vec<_> = templates.iter().map(|template| template.path.clone()).collect();
    template_files.dedup();
    let available =
        if available.is_empty() { source::names_in_code(input, &frames) } else { available.to_vec() };
    Remedy::change(kind, description, files).with_hint(RepairHint::TemplateVariable {
        name: placeholder.name.clone(),
        available,
        templates: template_files,
        frames,
    })
}

/// The code that renders: the step itself, then the enclosing ones.
fn frames(input: &RuleInput<'_>, span: &Span) -> Vec<FrameRef> {
    let Some(code) = &input.code else { return Vec::new() };
    let steps = std::iter::once(span).chain(outward(input.trace, span).take(MAX_STEPS));
    let mut found = Vec::new();
    for step in steps {
        if let Some(function) = function_of(step, code) {
            let fills =
                code.body(function).into_iter().filter(|(_, text)| source::fills(text)).map(|(line, _)| line);
            found.extend(fills.map(|line| FrameRef {
                path: function.path.clone(),
                line,
                function: Some(function.qualified.clone()),
            }));
        }
        found.extend(frame_of(step, code));
    }
    unique(found)
}

/// Names that the rendering step and its surroundings were given.
fn passed(input: &RuleInput<'_>, span: &Span) -> Vec<String> {
    let mut names = Vec::new();
    for step in std::iter::once(span).chain(outward(input.trace, span).take(2)) {
        if let Some(facts) = input.facts_of(step.span_id).filter(|facts| facts.span.kind != SpanKind::Llm) {
            facts.input.objects(|path, object| {
                if path.len() <= 2 {
                    names.extend(object.keys().take(100).cloned());
                }
            });
        }
        if !names.is_empty() {
            break;
        }
    }
    names
}

/// A `KeyError` out of formatting a template.
fn not_passed(input: &RuleInput<'_>, number: usize, failure: &Failure<'_>) -> Option<Finding> {
    if !failure.is_kind(&["KeyError"]) {
        return None;
    }
    let name = quoted(&failure.root_message).unwrap_or(failure.root_message.trim()).to_owned();
    let code = input.code.as_ref()?;
    let formats = failure
        .frames
        .first()
        .and_then(|frame| code.snapshot.line(&frame.path, frame.line))
        .is_some_and(source::formats);
    let literals =
        [format!("{{{name}}}"), format!("{{{{{name}}}}}"), format!("${{{name}}}"), format!("${name}")];
    let placeholders =
        literals.map(|literal| Placeholder::named(&name, literal, failure.message_pointer.clone()));
    let (placeholder, templates) = placeholders
        .into_iter()
        .map(|placeholder| {
            let found = templates(input, &placeholder);
            (placeholder, found)
        })
        .find(|(_, found)| !found.is_empty())?;
    let renders = formats
        || failure.frames.iter().take(3).any(|frame| {
            code.functions()
                .at(&frame.path, frame.function.as_deref(), Some(frame.line))
                .is_some_and(|function| code.body(function).iter().any(|(_, text)| source::formats(text)))
        });
    if !renders {
        return None;
    }
    let mut available = passed(input, failure.span);
    available.extend(source::names_in_code(input, &failure.frames));
    let available = nearest(&name, available.iter().map(String::as_str));
    let template = templates.first()?;
    let cause = format!(
        "The template `{}:{}` names `{}`, which is not passed",
        template.path,
        template.line,
        clip(&name, 60)
    );
    let mut frames = failure.frames.clone();
    frames.extend(frames_of_failure(input, failure));
    let remedy = remedy(input, &placeholder, &templates, &available, unique(frames))
        .with_oracle(oracle::raises(input, failure));
    let finding = exception::finding(input, number, cause, remedy)?;
    Some(finding.cite_line(&template.path, template.line, "The template names the variable"))
}

fn frames_of_failure(input: &RuleInput<'_>, failure: &Failure<'_>) -> Vec<FrameRef> {
    frames(input, failure.span)
}
