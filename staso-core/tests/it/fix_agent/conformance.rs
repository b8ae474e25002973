//! The contract of fixers.

use serde_json::json;
use staso_core::agent::ModelReply;
use staso_core::conformance::fixer::{is_deterministic, keeps_the_contract};
use staso_core::testing::{ScriptedModel, tool_call};

use super::world::{World, submission};

/// A model that mends whenever it is asked, by what it was told so far.
fn tireless() -> ScriptedModel {
    ScriptedModel::new().forever(|request| {
        let edit = json!({ "path": "tools.py", "old_str": "'old'", "new_str": "'new'" });
        Ok(ModelReply::calls(vec![match request.results().len() {
            0 => tool_call("edit_file", &edit),
            _ => tool_call("submit_fix", &submission("Read the key that orders have")),
        }]))
    })
}

#[tokio::test]
async fn the_fixer_keeps_the_contract() {
    let world = World::new();
    let fixer = world.fixer(&tireless());
    keeps_the_contract(&fixer, &world.request()).await;
    is_deterministic(&fixer, &world.request()).await;
}

#[tokio::test]
async fn several_attempts_keep_the_contract() {
    let world = World::new();
    keeps_the_contract(&world.fixer(&tireless()).with_samples(3), &world.request()).await;
}
