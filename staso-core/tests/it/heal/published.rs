//! What a proposal says.

use staso_core::id::BranchName;
use staso_core::testing::memory_commit;

use super::world::{World, path, request, url};

#[tokio::test]
async fn the_template_of_a_large_repository_is_honoured() {
    let mut world = World::new();
    world.policy.preload.max_files = 2;
    world.vcs.change(&url(), |repository| {
        let mut files = repository.files(&memory_commit(1)).unwrap().clone();
        let mut template = files[&path("tools.py")].clone();
        template.bytes = b"## What changed\n\n## Checklist\n".to_vec();
        files.insert(path(".github/PULL_REQUEST_TEMPLATE.md"), template.clone());
        template.bytes = b"## Not where GitHub looks\n".to_vec();
        files.insert(path(".github/docs/pull_request_template.md"), template);
        repository.commit_files(memory_commit(1), BranchName::new("main").unwrap(), files);
    });
    let proposal = world.healer().await.heal(request()).await.proposal.unwrap();
    assert!(proposal.body.starts_with("## What changed\n\n## Checklist\n"), "{}", proposal.body);
    assert!(proposal.body.contains("**What users saw.**") && !proposal.body.contains("Not where"));
}
