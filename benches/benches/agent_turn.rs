//! What the engine costs beside model and tools: a conversation of 20 turns, next to its doubles alone.
//!
//! `agent_loop` is the loop with a scripted model, a tool that hands out a text it has, and a listener that writes every
//! event as a line. `doubles_alone` asks the same model the same requests and calls the same tool. A turn of the engine is a
//! twentieth of the difference. Outputs are of 20 KB and of 10 MB. `max alloc` is what all 20 turns hold at most at a time:
//! one output, and what is kept of the others.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use divan::AllocProfiler;
use divan::counter::ItemsCount;
use serde_json::{Value, json};
use staso_core::agent::{
    AgentEnd, AgentLimits, AgentLoop, AgentRun, LanguageModel as _, Message, ModelRequest, Shown, Tool,
    ToolChoice, ToolError, ToolReply, ToolScope, ToolSpec,
};
use staso_core::id::RunId;
use staso_core::redaction::Redactor;
use staso_core::run::{Budget, Clock, EventSink, RunContext, RunEvent, Sleep};
use staso_core::testing::ScriptedModel;
use staso_core::trace::Timestamp;
use tokio::runtime::Runtime;

const TURNS: usize = 20;
const OUTPUT_BYTES: [usize; 2] = [20 << 10, 10 << 20];
const SYSTEM: &str = "You look for the cause of a failure. End with submit.";

#[global_allocator]
static MEMORY: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Stands still: limits on time cannot end a bench.
#[derive(Debug)]
struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(1_767_225_600_000_000_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _duration: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }
}

/// Writes events as a transcript has them.
#[derive(Debug, Default)]
struct Lines(Mutex<Vec<u8>>);

impl EventSink for Lines {
    fn emit(&self, event: &RunEvent) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::to_writer(&mut *lines, event).unwrap_or_default();
        lines.push(b'\n');
    }
}

/// Answers with what it has.
#[derive(Debug)]
struct Output {
    spec: ToolSpec,
    text: String,
    accepts: bool,
}

#[async_trait]
impl Tool for Output {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, _: Value, _: &ToolScope<'_>, _: &RunContext) -> Result<ToolReply, ToolError> {
        let text = self.text.clone();
        Ok(if self.accepts { ToolReply::Accepted(text) } else { ToolReply::Text(text) })
    }
}

struct Bench {
    runtime: Runtime,
    look: Output,
    submit: Output,
    limits: AgentLimits,
    redactor: Redactor,
}

impl Bench {
    fn new(output_bytes: usize) -> Self {
        let spec = |name: &str| ToolSpec {
            name: name.to_owned(),
            description: "What a file holds.".to_owned(),
            parameters: json!({ "type": "object", "properties": { "path": { "type": "string" } } }),
        };
        let look = Output { spec: spec("look"), text: output(output_bytes), accepts: false };
        let submit = Output { spec: spec("submit"), text: "accepted".to_owned(), accepts: true };
        let limits = AgentLimits::default().with_tokens(100_000_000, 1_000_000);
        let redactor = Redactor::default()
            .with_known_secret("MODEL_KEY", "bench-7c9e6679-7425-40de")
            .with_known_secret("FORGE_TOKEN", "bench-0f1d2c3b4a59-token");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        #[expect(clippy::expect_used, reason = "a bench without a runtime measures nothing")]
        let runtime = runtime.expect("a runtime");
        Self { runtime, look, submit, limits, redactor }
    }

    fn model() -> ScriptedModel {
        let looks = (1..TURNS).fold(ScriptedModel::new(), |model, turn| {
            model.then_call("look", &json!({ "path": format!("src/part_{turn}.py") }))
        });
        looks.then_call("submit", &json!({ "path": "src/part_7.py" }))
    }

    fn context() -> RunContext {
        let mut budget = Budget::default();
        (budget.input_tokens, budget.output_tokens) = (100_000_000, 1_000_000);
        RunContext::new(RunId::from_bytes([7; 16]), Arc::new(StoppedClock))
            .with_budget(budget)
            .with_sinks(vec![Arc::new(Lines::default())])
    }

    /// The loop, to its end.
    fn run(&self, model: &ScriptedModel, ctx: &RunContext) -> Option<AgentRun> {
        let agent = AgentLoop::new("deep", model, SYSTEM, "submit", &self.limits, &self.redactor)
            .with_tools(vec![&self.look, &self.submit]);
        let opening = vec![Message::user("Why did order 7 get no refund?")];
        let run = self.runtime.block_on(agent.run(opening, ctx)).ok()?;
        (matches!(run.end, AgentEnd::Submitted) && usize::try_from(run.turns) == Ok(TURNS)).then_some(run)
    }

    /// What the loop asks of model and tools, without the loop.
    fn replay(&self, model: &ScriptedModel, ctx: &RunContext, messages: &[Message]) -> usize {
        let shown = Shown::default();
        let specs = [&self.look.spec, &self.submit.spec];
        let replay = async {
            let mut bytes = 0;
            for (at, message) in messages.iter().enumerate() {
                let Message::Assistant { calls, .. } = message else { continue };
                let request = ModelRequest::new(SYSTEM, messages.get(..at).unwrap_or_default())
                    .with_tools(&specs, ToolChoice::Auto);
                let reply = model.complete(&request, ctx).await;
                let scope = ToolScope::new("t1", &shown, Duration::from_secs(60));
                for call in calls {
                    let tool = if call.name == "look" { &self.look } else { &self.submit };
                    if let Ok(ToolReply::Text(text) | ToolReply::Accepted(text)) =
                        tool.call(Value::Null, &scope, ctx).await
                    {
                        bytes += divan::black_box(text).len();
                    }
                }
                drop(divan::black_box(reply));
            }
            bytes
        };
        self.runtime.block_on(replay)
    }
}

/// Lines of a log, which hold what redaction looks for.
fn output(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 200);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!(
            "2026-11-22T09:14:{:02} INFO shop.orders refund(order={}, token: Optional[str] = None) -> https://shop.example/o/{:x}\n",
            state >> 58,
            state >> 50,
            state >> 24,
        ));
    }
    text
}

#[divan::bench(args = OUTPUT_BYTES, sample_count = 30, sample_size = 1)]
fn agent_loop(bencher: divan::Bencher<'_, '_>, output_bytes: usize) {
    let bench = Bench::new(output_bytes);
    assert!(bench.run(&Bench::model(), &Bench::context()).is_some(), "the loop ends otherwise");
    bencher
        .counter(ItemsCount::new(TURNS))
        .with_inputs(|| (Bench::model(), Bench::context()))
        .bench_refs(|(model, ctx)| bench.run(model, ctx));
}

#[divan::bench(args = OUTPUT_BYTES, sample_count = 30, sample_size = 1)]
fn doubles_alone(bencher: divan::Bencher<'_, '_>, output_bytes: usize) {
    let bench = Bench::new(output_bytes);
    let run = bench.run(&Bench::model(), &Bench::context());
    let messages = run.map(|run| run.messages).unwrap_or_default();
    assert!(messages.len() > TURNS, "the loop ends otherwise");
    bencher
        .counter(ItemsCount::new(TURNS))
        .with_inputs(|| (Bench::model(), Bench::context()))
        .bench_refs(|(model, ctx)| bench.replay(model, ctx, &messages));
}
