//! The contracts of fixers and tools.

use serde_json::json;
use std::collections::BTreeSet;

use staso_core::agent::tools::{EditFile, Reproduce, RunTests, WriteFile, WrittenFiles};
use staso_core::agent::{ModelReply, Tool};
use staso_core::conformance::fixer::{is_deterministic, keeps_the_contract};
use staso_core::conformance::tool;
use staso_core::testing::{ScriptedModel, tool_call};
use staso_core::verify::VerifyLimits;

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

#[tokio::test]
async fn the_tools_keep_the_contract() {
    let world = World::new();
    let session = world.session().await;
    let limits = VerifyLimits::default();
    let edit = EditFile::new(WrittenFiles::default(), BTreeSet::new());
    let write = WriteFile::new(WrittenFiles::default());
    let tests = RunTests::new(&*world.runner, &world.command);
    let reproduce = Reproduce::new(world.reproduction.as_ref().unwrap(), &limits);
    let tools: [&dyn Tool; 4] = [&edit, &write, &tests, &reproduce];
    for offered in tools {
        tool::keeps_the_contract(offered, Some(&*session)).await;
    }
}

#[tokio::test]
async fn the_tools_of_the_fixer_can_be_sent_to_every_provider() {
    let model = tireless();
    let world = World::new();
    world.mend(&model).await.unwrap();
    let requests = model.requests();
    let own = ["edit_file", "write_file", "run_tests", "reproduce", "submit_fix"];
    let offered = requests.first().unwrap().tools.iter();
    let offered: Vec<_> = offered.filter(|spec| own.contains(&spec.name.as_str())).collect();
    assert_eq!(offered.len(), own.len());
    offered.into_iter().for_each(tool::schema_survives_strict);
}
