//! A model that misbehaves in every way ends the agent, never the host.

use std::collections::BTreeSet;
use std::time::Duration;

use staso_core::agent::{AgentEnd, AgentError, AgentLimits, ModelError};
use staso_core::run::verify_transcript;
use staso_core::testing::{Chaos, ChaosModel};

use super::desk::{Desk, look, strict_submit};

#[tokio::test(start_paused = true)]
async fn every_seed_ends_within_every_limit() {
    let mut played = BTreeSet::new();
    for seed in 0..60 {
        let model = ChaosModel::new(seed);
        let desk = Desk::new().limits(AgentLimits::default());
        let started = tokio::time::Instant::now();
        let submit = strict_submit(usize::MAX);
        let run = desk.run(&model, &[&look(), &submit]).await;
        assert!(!matches!(run.end, AgentEnd::Submitted), "seed {seed}");
        assert!(run.turns <= 20 && started.elapsed() <= Duration::from_secs(601), "seed {seed}");
        let kept: usize = run.messages.iter().map(staso_core::agent::Message::text_bytes).sum();
        assert!(kept < 20 << 20, "seed {seed}: {kept}");
        let transcript = desk.sink.transcript();
        verify_transcript(&transcript, &desk.ctx.events_digest()).unwrap();
        assert!(!transcript.contains(['\u{202e}', '\u{1b}']), "seed {seed}");
        played.extend(model.played());
    }
    assert_eq!(played.len(), Chaos::ALL.len(), "{played:?}");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_transcript() {
    let mut transcripts = BTreeSet::new();
    for _ in 0..3 {
        let desk = Desk::new();
        desk.run(&ChaosModel::new(11), &[&look(), &strict_submit(usize::MAX)]).await;
        transcripts.insert(desk.sink.transcript());
    }
    assert_eq!(transcripts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_way_has_its_end() {
    for (way, wanted) in [
        (Chaos::MalformedJson, "Malformed"),
        (Chaos::UnknownTool, "Malformed"),
        (Chaos::Silence, "Model(Timeout"),
        (Chaos::SlowDrip, "Stuck"),
        (Chaos::Disconnect, "Model(Network"),
        (Chaos::Empty, "Stuck"),
    ] {
        let model = ChaosModel::only(3, [way]);
        let run = Desk::new().run(&model, &[&look(), &strict_submit(usize::MAX)]).await;
        let end = format!("{:?}", run.end);
        assert!(end.starts_with(wanted), "{way:?} ends with {end}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_drip_that_is_too_slow_is_cut_off() {
    let mut limits = AgentLimits::default();
    limits.reply_timeout = Duration::from_secs(10);
    let desk = Desk::new().limits(limits);
    let run = desk.run(&ChaosModel::only(1, [Chaos::SlowDrip]), &[&look()]).await;
    assert!(matches!(run.end, AgentEnd::Model(ModelError::Timeout { limit_ms: 10_000 })));
}

#[tokio::test(start_paused = true)]
async fn at_any_moment_a_cancelled_run_ends_at_once() {
    for seed in 0..200_u64 {
        let desk = Desk::new();
        let token = desk.ctx.cancellation().clone();
        let model = ChaosModel::only(seed, [Chaos::Silence, Chaos::SlowDrip, Chaos::NoArguments]);
        let at = Duration::from_millis(seed * 37 % 9_000);
        let cancel = async {
            tokio::time::sleep(at).await;
            token.cancel();
            tokio::time::Instant::now()
        };
        let slow = super::desk::ClosureTool::hanging("slow");
        let submit = strict_submit(usize::MAX);
        let tools: [&dyn staso_core::agent::Tool; 2] = [&slow, &submit];
        let work = async { (desk.try_run(&model, &tools).await, tokio::time::Instant::now()) };
        let ((ended, over), cancelled) = tokio::join!(work, cancel);
        if over > cancelled {
            assert!(matches!(ended, Err(AgentError::Cancelled)), "seed {seed}: {ended:?}");
        }
        let time = over.saturating_duration_since(cancelled);
        assert!(time < Duration::from_secs(2), "seed {seed}: {time:?}");
    }
}
