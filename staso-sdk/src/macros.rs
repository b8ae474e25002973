//! The `init!` macro.

/// Like the function [`init`](fn@crate::init), and adds what is known when the caller's crate is compiled: its name and
/// version, and the commit, branch and repository that `staso::build::emit()` or the build environment put into
/// `STASO_VCS_COMMIT_SHA`, `STASO_VCS_BRANCH` and `STASO_VCS_REPO_URL`.
///
/// A binary is usually deployed without its `.git` directory; this is how its traces still name their commit.
///
/// ```
/// let builder = staso::init!().agent("billing-agent");
/// # drop(builder);
/// ```
#[macro_export]
macro_rules! init {
    () => {
        $crate::init().build_facts(
            $crate::BuildFacts::new(
                ::core::env!("CARGO_PKG_NAME"),
                ::core::env!("CARGO_PKG_VERSION"),
                ::core::env!("CARGO_MANIFEST_DIR"),
            )
            .with_revision(
                ::core::option_env!("STASO_VCS_COMMIT_SHA"),
                ::core::option_env!("STASO_VCS_BRANCH"),
                ::core::option_env!("STASO_VCS_REPO_URL"),
            ),
        )
    };
}
