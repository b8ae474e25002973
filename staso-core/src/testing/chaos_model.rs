//! A model that misbehaves.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::pieces::{estimated_usage, stream};
use crate::agent::{
    LanguageModel, ModelError, ModelId, ModelLimits, ModelReply, ModelRequest, StopReason, ToolCall,
};
use crate::run::{Interrupted, RunContext};

/// Bytes of a giant output.
const GIANT_BYTES: usize = 1 << 20;
/// Pieces of a slow drip, and the wait before each.
const DRIPS: usize = 40;
const DRIP: Duration = Duration::from_secs(1);

/// One way to misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Chaos {
    /// Arguments that break off or are no object.
    MalformedJson,
    /// A tool that nobody offered.
    UnknownTool,
    /// A tool that was offered, without arguments.
    NoArguments,
    /// A megabyte of text, or of arguments.
    GiantOutput,
    /// No answer until the run is cancelled.
    Silence,
    /// Text that comes so slowly that it takes 40 s.
    SlowDrip,
    /// The connection is lost in the middle of an answer.
    Disconnect,
    /// Nothing at all.
    Empty,
    /// A stop reason that does not fit the reply.
    WrongStop,
}

impl Chaos {
    /// Every way.
    pub const ALL: [Self; 9] = [
        Self::MalformedJson,
        Self::UnknownTool,
        Self::NoArguments,
        Self::GiantOutput,
        Self::Silence,
        Self::SlowDrip,
        Self::Disconnect,
        Self::Empty,
        Self::WrongStop,
    ];
}

/// A model that answers every request in one of several bad ways. The seed decides which: the same seed and requests
/// give the same answers. It keeps the contract of [`LanguageModel`] all the same. Clones share what was played.
#[derive(Debug, Clone)]
pub struct ChaosModel {
    id: ModelId,
    ways: Vec<Chaos>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    random: u64,
    played: Vec<Chaos>,
}

impl ChaosModel {
    /// Misbehaves in every way.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::only(seed, Chaos::ALL)
    }

    /// Misbehaves in these ways.
    ///
    /// # Panics
    /// When there is none.
    pub fn only(seed: u64, ways: impl IntoIterator<Item = Chaos>) -> Self {
        let ways: Vec<Chaos> = ways.into_iter().collect();
        assert!(!ways.is_empty(), "a chaos model needs a way to misbehave");
        let Ok(id) = ModelId::new("chaos/model") else { panic!("the id is valid") };
        Self { id, ways, state: Arc::new(Mutex::new(State { random: seed, played: Vec::new() })) }
    }

    /// What was played so far, in order.
    #[must_use]
    pub fn played(&self) -> Vec<Chaos> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).played.clone()
    }

    /// The next way, and a number for its details.
    fn next(&self) -> (Chaos, u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let count = u64::try_from(self.ways.len()).unwrap_or(1);
        let pick = usize::try_from(next_random(&mut state.random) % count).unwrap_or_default();
        let way = self.ways.get(pick).copied().unwrap_or(Chaos::Empty);
        state.played.push(way);
        (way, next_random(&mut state.random))
    }
}

/// splitmix64 (Steele, Lea and Flood, 2014).
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[async_trait]
impl LanguageModel for ChaosModel {
    fn id(&self) -> &ModelId {
        &self.id
    }

    fn limits(&self) -> ModelLimits {
        ModelLimits::default()
    }

    async fn complete(&self, request: &ModelRequest<'_>, ctx: &RunContext) -> Result<ModelReply, ModelError> {
        if ctx.is_cancelled() {
            return Err(ModelError::Cancelled);
        }
        let (way, number) = self.next();
        let mut reply = match way {
            Chaos::Silence => {
                ctx.cancellation().cancelled().await;
                return Err(ModelError::Cancelled);
            }
            Chaos::Disconnect => {
                stream("I think that the cause is in the fi", request);
                return Err(ModelError::Network {
                    what: "the connection was closed in the middle of a reply",
                });
            }
            Chaos::SlowDrip => drip(request, ctx).await?,
            other => at_once(other, number, request),
        };
        if way != Chaos::SlowDrip {
            stream(&reply.text, request);
        }
        reply.usage = estimated_usage(&reply, request);
        Ok(reply)
    }
}

/// The answers that need no time.
fn at_once(way: Chaos, number: u64, request: &ModelRequest<'_>) -> ModelReply {
    let count = u64::try_from(request.tools.len()).unwrap_or_default();
    let pick = usize::try_from(number.checked_rem(count).unwrap_or_default()).unwrap_or_default();
    let offered = request.tools.get(pick).map_or("none", |tool| tool.name.as_str());
    let call = |name: &str, arguments: String| {
        let id = format!("chaos_{number:x}");
        ModelReply::calls(vec![ToolCall { id, name: name.to_owned(), arguments }])
    };
    match way {
        Chaos::MalformedJson => {
            const BROKEN: [&str; 5] = ["{\"path\": \"a", "[1, 2]", "null", "{'path': 'a'}", "}{\u{1b}[0m"];
            let pick = usize::try_from(number % 5).unwrap_or_default();
            call(offered, BROKEN.get(pick).copied().unwrap_or_default().to_owned())
        }
        Chaos::UnknownTool if number.is_multiple_of(2) => call("sudo", "{}".to_owned()),
        Chaos::UnknownTool => call("\u{202e}rm -rf /\n", "{}".to_owned()),
        Chaos::NoArguments => call(offered, String::new()),
        Chaos::GiantOutput if number.is_multiple_of(2) => ModelReply::text("word ".repeat(GIANT_BYTES / 5)),
        Chaos::GiantOutput => {
            call(offered, serde_json::json!({ "path": "x".repeat(GIANT_BYTES) }).to_string())
        }
        Chaos::WrongStop if number.is_multiple_of(2) => {
            ModelReply::text("I call a tool now").with_stop(StopReason::ToolCalls)
        }
        Chaos::WrongStop => call(offered, "{}".to_owned()).with_stop(StopReason::End),
        _ => ModelReply::default(),
    }
}

async fn drip(request: &ModelRequest<'_>, ctx: &RunContext) -> Result<ModelReply, ModelError> {
    let mut text = String::new();
    for number in 0..DRIPS {
        // The wait is meant to run out; only its other end means something.
        if ctx.bounded(DRIP, std::future::pending::<()>()).await == Err(Interrupted::Cancelled) {
            return Err(ModelError::Cancelled);
        }
        let piece = format!("{number} ");
        request.deltas.text(&piece);
        text.push_str(&piece);
    }
    Ok(ModelReply::text(text))
}
