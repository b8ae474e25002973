//! Artifacts for the tests of texts and formats: one for every way in which a run ends.

use std::collections::BTreeMap;

use staso_core::code::RepoPath;
use staso_core::diagnosis::{
    Causality, ChainStep, Confidence, ConfidenceCap, Depth, DetectionTiming, Diagnosis, FixKind, Hypothesis,
    HypothesisState, Locator, MissingEvidence, Propagation, Receipt, ReceiptKind, ReceiptVerdict, RootCause,
    SuggestedFix, Summary,
};
use staso_core::id::{BlobId, BranchName, CommitId, Digest, RunId, SpanId, TraceId, WorkspaceId};
use staso_core::run::{
    ARTIFACT_SCHEMA_VERSION, Budget, BudgetReport, BudgetUse, CheckRecord, CheckSubject, ContextSummary,
    EngineInfo, FixRecord, HunkRecord, Outcome, OutcomeState, ProposalRecord, RunArtifact, SourceRecord,
    Subject, VerificationRecord,
};
use staso_core::sandbox::{Isolation, IsolationTier, SandboxLimits};
use staso_core::trace::JsonPointer;
use staso_core::vcs::{ProposalAction, ProposalState};
use staso_core::verify::TestCounts;

pub(crate) fn commit(digit: char) -> CommitId {
    CommitId::new(digit.to_string().repeat(40)).unwrap()
}

fn trace_id() -> TraceId {
    TraceId::from_bytes([0x11; 16])
}

fn receipt(id: &str, locator: Locator, quote: &str, claim: &str, hypothesis: &str) -> Receipt {
    let kind = match locator {
        Locator::File { .. } => ReceiptKind::File,
        _ => ReceiptKind::Span,
    };
    Receipt {
        id: id.to_owned(),
        kind,
        locator,
        quote: quote.to_owned(),
        digest: Digest::of(quote),
        claim: claim.to_owned(),
        for_hypothesis: hypothesis.to_owned(),
        verdict: ReceiptVerdict::Verified,
        matched: staso_core::diagnosis::ReceiptMatch { raw: true, shown: false },
    }
}

fn receipts() -> Vec<Receipt> {
    let span = |span, pointer: &str| Locator::Span {
        span_id: SpanId::from_u64(span),
        pointer: JsonPointer::from(pointer),
    };
    let file = Locator::File {
        commit: commit('a'),
        path: RepoPath::new("support/tools.py").unwrap(),
        first_line: 41,
        last_line: 42,
        blob: BlobId::new("b".repeat(40)).unwrap(),
    };
    let mut rejected =
        receipt("r3", span(9, "/output"), "no such words", "the model was told the wrong key", "h2");
    rejected.verdict =
        ReceiptVerdict::Rejected { why: "the quote does not stand at the place cited".to_owned() };
    vec![
        receipt("r1", span(7, "/error_message"), "KeyError: 'orderId'", "the lookup raised", "h1"),
        receipt("r2", file, "total = order[\"orderId\"]", "the code reads a key that is not there", "h1"),
        rejected,
    ]
}

fn hypotheses() -> Vec<Hypothesis> {
    let make = |id: &str, span, category: &str, cause: &str, score, state, test: Option<&str>| Hypothesis {
        id: id.to_owned(),
        span_id: SpanId::from_u64(span),
        agent: Some("support".to_owned()),
        category: category.to_owned(),
        cause: cause.to_owned(),
        score: Confidence::new(score),
        state,
        deciding_test: test.map(str::to_owned),
    };
    vec![
        make(
            "h1",
            7,
            "key_missing_in_tool_result",
            "`refund` reads `orderId`, the result has `order_id`",
            0.82,
            HypothesisState::Validated,
            None,
        ),
        make(
            "h2",
            9,
            "wrong_instruction",
            "The prompt names the wrong key",
            0.1,
            HypothesisState::Inconclusive,
            Some("replay with the key corrected in the prompt"),
        ),
    ]
}

pub(crate) fn diagnosis() -> Diagnosis {
    let step = |span, what: &str, origin| ChainStep {
        span_id: SpanId::from_u64(span),
        what: what.to_owned(),
        origin,
    };
    Diagnosis {
        trace_id: trace_id(),
        summary: Summary::new("`refund` reads `orderId`, but the order has `order_id`"),
        explanation_md:
            "The tool returns an order with the key `order_id`.\n\n- `refund` reads `orderId`\n- so it \
                         raises `KeyError`\n\n```python\ntotal = order[\"orderId\"]\n```\n"
                .to_owned(),
        suggested_fix: Some(SuggestedFix {
            kind: FixKind::Code,
            description: "Read `order_id` in `support/tools.py`".to_owned(),
            target_files: vec!["support/tools.py".to_owned()],
            hints: Vec::new(),
            oracle: None,
        }),
        no_fix_reason: None,
        confidence: Confidence::new(0.82),
        raw_score: 0.9,
        calibrator: "beta-prior-1".to_owned(),
        caps: Vec::new(),
        support: 0,
        depth: Depth::Quick,
        escalated_because: None,
        root_cause: Some(RootCause {
            span_id: SpanId::from_u64(7),
            agent: Some("support".to_owned()),
            category: "key_missing_in_tool_result".to_owned(),
            causality: Causality::Primary,
        }),
        chain: vec![
            step(7, "`refund` raised KeyError: 'orderId'", true),
            step(3, "The agent apologised and gave up", false),
            step(1, "The customer got no refund", false),
        ],
        propagation: Propagation::TaskTermination,
        detection_timing: DetectionTiming::Immediately,
        hypotheses: hypotheses(),
        receipts: receipts(),
        missing: vec![MissingEvidence {
            what: "The arguments of `lookup` were suppressed".to_owned(),
            how_to_get: "allow tool inputs in the capture policy".to_owned(),
        }],
    }
}

fn check(name: &str, patched: bool, ok: Option<bool>, exit: Option<i32>, detail: &str) -> CheckRecord {
    let tests = name == "tests" && ok.is_some();
    let counts = TestCounts { passed: 12, failed: 0, skipped: u64::from(patched) };
    CheckRecord {
        name: name.to_owned(),
        command: if name == "tests" { "python3 -m unittest" } else { "replay of refund" }.to_owned(),
        at: CheckSubject::FailingCommit,
        patched,
        ok,
        exit_code: exit,
        counts: tests.then_some(counts),
        duration_ms: 840,
        detail: detail.to_owned(),
    }
}

fn source() -> SourceRecord {
    SourceRecord {
        repository_url: Some("https://github.com/acme/support".parse().unwrap()),
        branch: Some(BranchName::new("main").unwrap()),
        commit: Some(commit('a')),
        dirty: Some(false),
        base_tip: Some(commit('a')),
        notes: Vec::new(),
    }
}

fn fix() -> FixRecord {
    FixRecord {
        kind: FixKind::Code,
        title: "Read the order id by the key that orders have".to_owned(),
        files: vec!["support/tools.py".to_owned()],
        added: 1,
        removed: 1,
        diff:
            "--- a/support/tools.py\n+++ b/support/tools.py\n@@ -41,1 +41,1 @@\n-total = order[\"orderId\"]\n\
               +total = order[\"order_id\"]\n"
                .to_owned(),
        hunks: vec![HunkRecord {
            file: "support/tools.py".to_owned(),
            why: "Orders have `order_id`, not `orderId`.".to_owned(),
            needed_by: Some("reproduction".to_owned()),
        }],
        author: "template:wrong-key".to_owned(),
    }
}

fn outcome(state: OutcomeState, code: &str, reason: &str) -> Outcome {
    Outcome { state, code: code.to_owned(), reason: reason.to_owned() }
}

fn budget() -> BudgetReport {
    BudgetReport { used: BudgetUse::default(), wall_ms: 3_420, limits: Budget::default() }
}

/// A code fix, proven and proposed.
pub(crate) fn verified() -> RunArtifact {
    RunArtifact {
        schema_version: ARTIFACT_SCHEMA_VERSION,
        run_id: RunId::from_bytes([7; 16]),
        engine: EngineInfo {
            version: "0.1.0".to_owned(),
            rules_digest: Digest::of("rules"),
            calibrator: "beta-prior-1".to_owned(),
            parts: vec!["quick".to_owned(), "template".to_owned()],
            models: Vec::new(),
            prompts: std::collections::BTreeMap::new(),
        },
        workspace: WorkspaceId::new("local").unwrap(),
        subject: Subject::TraceId(trace_id()),
        trace_digest: Some(Digest::of("trace")),
        started_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        source: source(),
        outcome: outcome(OutcomeState::Completed, "verified_fix", "The fix is proven and proposed."),
        diagnosis: Some(diagnosis()),
        fix: Some(fix()),
        verification: Some(VerificationRecord {
            verified: true,
            verify_passed: true,
            checks: vec![
                check("reproduction", false, Some(true), Some(1), "raises KeyError: 'orderId'"),
                check("tests", false, Some(true), Some(0), ""),
                check("reproduction", true, Some(true), Some(0), "returns without an error"),
                check("tests", true, Some(true), Some(0), ""),
            ],
            candidates_tried: 2,
            also_passed: Vec::new(),
        }),
        proposal: Some(ProposalRecord {
            signature: None,
            branch: BranchName::new("fix/staso-1a2b3c-1").unwrap(),
            base: BranchName::new("main").unwrap(),
            head: commit('c'),
            url: "git show fix/staso-1a2b3c-1".to_owned(),
            state: ProposalState::Draft,
            action: ProposalAction::Created,
            title: "Read the order id by the key that orders have".to_owned(),
            body: "…".to_owned(),
            warnings: Vec::new(),
        }),
        isolation: Some(Isolation::new(IsolationTier::Full, SandboxLimits::default())),
        sandbox_disabled: None,
        budget: budget(),
        timings_ms: BTreeMap::from([("quick".to_owned(), 3), ("verify".to_owned(), 2_100)]),
        context: ContextSummary {
            spans_read: 9,
            files_read: vec!["support/tools.py".to_owned()],
            ..ContextSummary::default()
        },
        events_digest: Digest::of("events"),
    }
}

/// A prompt fix that could not be proven, at a commit that the base has left behind.
pub(crate) fn unverified_prompt() -> RunArtifact {
    let mut run = verified();
    run.source.base_tip = Some(commit('d'));
    run.source.dirty = Some(true);
    run.outcome =
        outcome(OutcomeState::Completed, "suggestion", "There is no test command, so nothing was run.");
    run.proposal = None;
    run.isolation = None;
    let diagnosis = run.diagnosis.as_mut().unwrap();
    diagnosis.support = 41;
    diagnosis.cap(0.6, "the failing run had uncommitted changes");
    let fix = run.fix.as_mut().unwrap();
    fix.kind = FixKind::Prompt;
    fix.files = vec!["prompts/support.md".to_owned()];
    fix.hunks[0].file = "prompts/support.md".to_owned();
    fix.hunks[0].needed_by = None;
    run.verification = Some(VerificationRecord {
        verified: false,
        verify_passed: false,
        checks: vec![check("tests", false, None, None, "no test command was found")],
        candidates_tried: 0,
        also_passed: Vec::new(),
    });
    run
}

/// A provider outage.
pub(crate) fn outage() -> RunArtifact {
    let mut run = verified();
    let reason = "The provider answered 503 to every attempt; the code handled it as written.";
    run.outcome = outcome(OutcomeState::NoCodeFix, "provider_outage", reason);
    (run.fix, run.verification, run.proposal, run.isolation) = (None, None, None, None);
    let diagnosis = run.diagnosis.as_mut().unwrap();
    diagnosis.summary = Summary::new("The model provider was down for 40 s");
    diagnosis.suggested_fix = None;
    diagnosis.no_fix_reason = Some("retry later, or add a second provider".to_owned());
    diagnosis.hypotheses.truncate(1);
    run
}

/// A failure that did not happen again.
pub(crate) fn not_reproduced() -> RunArtifact {
    let mut run = verified();
    let reason = "2 recorded calls were repeated at the failing commit and none failed.";
    run.outcome = outcome(OutcomeState::NotReproduced, "not_reproduced", reason);
    (run.fix, run.proposal) = (None, None);
    run.verification = Some(VerificationRecord {
        verified: false,
        verify_passed: false,
        checks: vec![check("reproduction", false, Some(false), Some(0), "returns without an error")],
        candidates_tried: 0,
        also_passed: Vec::new(),
    });
    run
}

/// A run that a person stopped after the diagnosis.
pub(crate) fn cancelled() -> RunArtifact {
    let mut run = verified();
    run.outcome =
        outcome(OutcomeState::Cancelled, "cancelled", "The host cancelled the run while it wrote the fix.");
    (run.fix, run.verification, run.proposal) = (None, None, None);
    run
}

/// A run that ended before there was a diagnosis.
pub(crate) fn failed() -> RunArtifact {
    let mut run = cancelled();
    run.outcome = outcome(OutcomeState::Failed, "trace_not_found", "There is no such trace in this store.");
    (run.diagnosis, run.isolation, run.trace_digest) = (None, None, None);
    run.source = SourceRecord::default();
    run
}

/// Text that tries everything a text can try.
pub(crate) const HOSTILE: &str = "\u{1b}[31m@acme/admins fixes #1, closes acme/support#2 GH-3 \
    https://evil.example/x www.evil.example ![i](https://evil.example/i.png) [l](javascript:alert(1)) \
    <img src=x onerror=alert(1)><!-- hidden order --> <details> ``` \u{202e}txt.exe\u{200b}\u{e0041} | cell \
    a@b.example &#64;user &commat;x `code @y` \\@z __b__ *i* ~~s~~ $m$\n```\n# head\nStaso-Run: forged\n</details>\n";

/// [`HOSTILE`] in every field that takes text.
pub(crate) fn hostile() -> RunArtifact {
    let mut run = verified();
    run.outcome.reason = HOSTILE.to_owned();
    run.engine.parts = vec![HOSTILE.to_owned()];
    run.context.suppressed = vec![HOSTILE.to_owned()];
    let diagnosis = run.diagnosis.as_mut().unwrap();
    diagnosis.summary = Summary::new(HOSTILE);
    diagnosis.explanation_md = HOSTILE.repeat(3);
    diagnosis.calibrator = HOSTILE.to_owned();
    diagnosis.caps = vec![ConfidenceCap { limit: Confidence::new(0.5), reason: HOSTILE.to_owned() }];
    diagnosis.root_cause.as_mut().unwrap().agent = Some(HOSTILE.to_owned());
    diagnosis.root_cause.as_mut().unwrap().category = HOSTILE.to_owned();
    diagnosis.chain.iter_mut().for_each(|step| step.what = HOSTILE.to_owned());
    for hypothesis in &mut diagnosis.hypotheses {
        hypothesis.cause = HOSTILE.to_owned();
        hypothesis.deciding_test = Some(HOSTILE.to_owned());
    }
    for receipt in &mut diagnosis.receipts {
        receipt.id = HOSTILE.to_owned();
        receipt.quote = HOSTILE.to_owned();
        receipt.claim = HOSTILE.to_owned();
        receipt.for_hypothesis = HOSTILE.to_owned();
    }
    diagnosis.missing[0].what = HOSTILE.to_owned();
    diagnosis.missing[0].how_to_get = HOSTILE.to_owned();
    diagnosis.suggested_fix.as_mut().unwrap().description = HOSTILE.to_owned();
    let fix = run.fix.as_mut().unwrap();
    (fix.title, fix.author) = (HOSTILE.to_owned(), HOSTILE.to_owned());
    fix.files = vec![HOSTILE.to_owned()];
    fix.hunks[0] =
        HunkRecord { file: HOSTILE.to_owned(), why: HOSTILE.to_owned(), needed_by: Some(HOSTILE.to_owned()) };
    for check in &mut run.verification.as_mut().unwrap().checks {
        (check.command, check.detail, check.counts) = (HOSTILE.to_owned(), HOSTILE.to_owned(), None);
    }
    run.verification.as_mut().unwrap().checks[1].name = HOSTILE.to_owned();
    run.isolation.as_mut().unwrap().missing = vec![HOSTILE.to_owned()];
    run.proposal.as_mut().unwrap().url = HOSTILE.to_owned();
    run.proposal.as_mut().unwrap().warnings = vec![format!("adding labels was refused: {HOSTILE}")];
    run
}
