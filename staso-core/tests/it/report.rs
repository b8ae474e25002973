//! The diagnosis card, the proof table and the pull request.

use staso_core::report::{
    CardStyle, MAX_BODY_BYTES, MAX_TITLE_CHARS, PullRequestOptions, PullRequestText, card, proof_table,
    pull_request,
};
use staso_core::run::RunArtifact;

use crate::report_artifacts as artifacts;
use crate::report_neutralise::{assert_harmless, assert_nothing_hidden};

const MARKER: &str = "<!-- staso:diagnosis=11111111-1111-1111-1111-111111111111 -->";

fn text(run: &RunArtifact) -> PullRequestText {
    pull_request(run, &PullRequestOptions::default()).unwrap()
}

/// The lines that a reader sees before unfolding anything.
fn first_screen(body: &str) -> usize {
    body.lines().take_while(|line| *line != "<details>").count()
}

/// HTML that a body may hold: ours.
fn allowed_html(body: &str) -> Vec<&str> {
    body.lines()
        .filter(|line| line.starts_with("<summary>Evidence: "))
        .chain([
            "<details>",
            "</details>",
            "<summary>What happened, from origin to symptom</summary>",
            "<summary>Explanation and rivals</summary>",
            "<summary>Commands and checks</summary>",
            "<summary>Everything that was not checked</summary>",
            "<summary>Versions and budget</summary>",
            MARKER,
        ])
        .collect()
}

#[test]
fn cards() {
    for (name, run) in [
        ("verified", artifacts::verified()),
        ("unverified_prompt", artifacts::unverified_prompt()),
        ("outage", artifacts::outage()),
        ("not_reproduced", artifacts::not_reproduced()),
        ("cancelled", artifacts::cancelled()),
        ("failed", artifacts::failed()),
        ("hostile", artifacts::hostile()),
    ] {
        let card = card(&run, CardStyle::default());
        assert_nothing_hidden(&card);
        assert!(card.lines().all(|line| line.chars().count() <= 100), "{card}");
        insta::assert_snapshot!(format!("card_{name}"), card);
    }
}

#[test]
fn what_is_missing_is_said_once_and_times_are_to_the_second() {
    let mut run = artifacts::verified();
    run.started_at = "2026-01-01T00:00:59.999999999Z".parse().unwrap();
    let diagnosis = run.diagnosis.as_mut().unwrap();
    let mut later = diagnosis.missing[0].clone();
    "ask the operator".clone_into(&mut later.how_to_get);
    let what = later.what.clone();
    diagnosis.missing.push(later);
    let card = card(&run, CardStyle::default().with_width(400));
    assert!(card.contains("2026-01-01T00:00:59Z"), "{card}");
    let missing: Vec<&str> = card.lines().filter(|line| line.contains(&what)).collect();
    assert!(matches!(missing[..], [line] if line.contains("ask the operator")), "{missing:?}\n{card}");
    assert_eq!(
        text(&run).body.matches(&what).count(),
        text(&artifacts::verified()).body.matches(&what).count()
    );
}

#[test]
fn colours_add_nothing_but_colours() {
    for run in [artifacts::verified(), artifacts::hostile(), artifacts::failed()] {
        let colored = card(&run, CardStyle::default().colored().with_width(60));
        assert!(colored.contains("\u{1b}["));
        let plain = card(&run, CardStyle::default().with_width(60));
        assert_eq!(staso_core::report::neutralise::terminal_block(&colored), plain);
    }
}

#[test]
fn proof_tables() {
    insta::assert_snapshot!("proof_verified", proof_table(&artifacts::verified()));
    insta::assert_snapshot!("proof_not_reproduced", proof_table(&artifacts::not_reproduced()));
    insta::assert_snapshot!("proof_nothing_run", proof_table(&artifacts::outage()));
    assert_nothing_hidden(&proof_table(&artifacts::hostile()));
}

#[test]
fn pull_requests() {
    for (name, run) in [
        ("verified", artifacts::verified()),
        ("unverified_prompt", artifacts::unverified_prompt()),
        ("hostile", artifacts::hostile()),
    ] {
        let text = text(&run);
        assert!(first_screen(&text.body) <= 25, "{}", text.body);
        let whole = format!("{}\n\n{}\n=====\n{}", text.title, text.commit_message, text.body);
        insta::assert_snapshot!(format!("pull_request_{name}"), whole);
    }
}

#[test]
fn the_first_screen_is_one_screen_however_much_there_is() {
    let mut run = artifacts::unverified_prompt();
    let hunk = run.fix.as_ref().unwrap().hunks[0].clone();
    run.fix.as_mut().unwrap().hunks = vec![hunk; 30];
    let check = run.verification.as_ref().unwrap().checks[0].clone();
    for at in 0..30 {
        let mut check = check.clone();
        check.name = format!("check {at}");
        run.verification.as_mut().unwrap().checks.push(check);
    }
    let body = text(&run).body;
    assert!(first_screen(&body) <= 25, "{body}");
    assert!(body.contains("- and 27 more\n"), "{body}");
}

#[test]
fn a_pull_request_needs_a_diagnosis_and_a_fix() {
    for run in [artifacts::outage(), artifacts::failed(), artifacts::cancelled()] {
        assert_eq!(pull_request(&run, &PullRequestOptions::default()), None);
    }
}

#[test]
fn hostile_words_reach_nobody() {
    let options = PullRequestOptions::default()
        .with_template(artifacts::HOSTILE)
        .with_trace_url_base("https://staso.example/traces/");
    let text = pull_request(&artifacts::hostile(), &options).unwrap();
    let links = ["https://staso.example/traces/11111111", "https://github.com/acme/support/blob/aaaa"];
    assert_harmless(&text.body, &allowed_html(&text.body), &links);
    assert_nothing_hidden(&text.body);
    assert!(text.body.contains("(https://staso.example/traces/11111111-1111"));
    assert_eq!(text.body.matches("<!--").count(), 1, "only the marker");
    assert!(text.body.trim_end().ends_with(MARKER));
    assert!(text.title.chars().count() <= MAX_TITLE_CHARS && !text.title.contains(['@', '\n']));
    let trailers: Vec<&str> = text.commit_message.lines().filter(|line| line.starts_with("Staso-")).collect();
    assert_eq!(trailers.len(), 2, "the trace and its digest, nothing forged: {trailers:?}");
}

#[test]
fn rejected_receipts_leave_the_pull_request() {
    let text = text(&artifacts::verified());
    assert!(!text.body.contains("no such words"));
    assert!(text.body.contains("✗ 1 rejected, only in the artifact: `r3`"));
}

#[test]
fn an_address_that_is_none_becomes_no_link() {
    for base in ["javascript:alert(1)//", "https://x.example/)[y](", "relative"] {
        let options = PullRequestOptions::default().with_trace_url_base(base);
        let text = pull_request(&artifacts::verified(), &options).unwrap();
        assert!(text.body.contains("trace `11111111-1111-1111-1111-111111111111`"), "{base}");
    }
}

#[test]
fn a_local_repository_gets_places_instead_of_links() {
    let mut run = artifacts::verified();
    run.source.repository_url = Some("file:///srv/git/agent".parse().unwrap());
    let text = text(&run);
    assert!(!text.body.contains("]("), "{}", text.body);
    assert!(text.body.contains("`support/tools.py:41-42 at aaaaaaaaaa`"));
}

#[test]
fn the_template_comes_first() {
    let options = PullRequestOptions::default().with_template("## What\n\n- [ ] tests\n");
    let body = pull_request(&artifacts::verified(), &options).unwrap().body;
    assert!(body.starts_with("## What\n\n- [ ] tests\n\n**What users saw.**"), "{body}");
}

#[test]
fn a_long_body_is_cut_and_still_closed() {
    let mut run = artifacts::verified();
    let diagnosis = run.diagnosis.as_mut().unwrap();
    diagnosis.explanation_md = format!("```\n{}\n```", "größer\n".repeat(2_000));
    let receipt = diagnosis.receipts[0].clone();
    diagnosis.receipts = vec![receipt; 60];
    for receipt in &mut diagnosis.receipts {
        (receipt.quote, receipt.claim) = ("ü".repeat(200), "日".repeat(400));
    }
    let template = "x@y `".repeat(20_000);
    let options = PullRequestOptions::default().with_template(&template);
    let body = pull_request(&run, &options).unwrap().body;
    assert!(body.len() <= MAX_BODY_BYTES && body.len() > MAX_BODY_BYTES / 2, "{}", body.len());
    assert!(body.contains("_Cut here: "), "{}", body.len());
    assert!(body.trim_end().ends_with(MARKER));
    assert_eq!(body.lines().filter(|line| line.starts_with("```")).count() % 2, 0);
    assert_eq!(body.matches("<details>").count(), body.matches("</details>").count());
    assert_harmless(&body, &allowed_html(&body), &["https://github.com/acme/support/blob/"]);
}

#[test]
fn the_title_is_one_short_line() {
    let mut run = artifacts::verified();
    for (given, wanted) in [
        ("", "Fix the cause of a failed run".to_owned()),
        ("Read it.", "Read it".to_owned()),
        ("Fixes #12 for @x\n", "Fixes no. 12 for (at)x".to_owned()),
        (&"ü".repeat(90), format!("{}…", "ü".repeat(71))),
    ] {
        run.fix.as_mut().unwrap().title = given.to_owned();
        assert_eq!(text(&run).title, wanted);
    }
}
