//! A checkout that the host's user alone can reach, as the cache of checkouts keeps them: sessions that are another user get
//! it all the same.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use staso_core::code::RepoPath;
use staso_core::sandbox::{ExecRequest, IsolationTier, Sandbox as _, SandboxSessionExt as _};
use staso_sandbox::{LocalSandbox, LocalSandboxOptions};

use crate::host::Host;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_open_to_sessions_of_every_tier() {
    let host = Host::new();
    fs::set_permissions(host.directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    for tier in [IsolationTier::Full, IsolationTier::LandlockOnly, IsolationTier::None] {
        let sandbox = LocalSandbox::with_options(LocalSandboxOptions::new().with_strongest_tier(tier));
        let session = sandbox.open(&host.spec().with_min_tier(tier), &host.ctx).await.unwrap();
        let script = "cat hello.txt src/deep/two.py && ./run.sh && echo changed > hello.txt";
        let output = session.run(&ExecRequest::new(["sh", "-c", script]), &host.ctx).await.unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "hello\nprint('two')\nran\n",
            "{tier:?}: {output:?}"
        );
        let changes = session.changes(&host.ctx).await.unwrap();
        assert_eq!(
            changes.into_keys().collect::<Vec<_>>(),
            [RepoPath::new("hello.txt").unwrap()],
            "{tier:?}"
        );
        let tree = session.tree(&staso_core::sandbox::TreeLimits::default(), &host.ctx).await.unwrap();
        assert!(tree.entries.values().all(|entry| entry.in_checkout), "{tier:?}");
        session.close().await.unwrap();
    }
}
