//! What a fix may change, settled by code on the final change, whoever wrote it.
//!
//! A refusal names its rule:
//!
//! | rule | refuses |
//! |---|---|
//! | `ci-files` | workflows and settings of build services: `.github/`, `.gitlab-ci.yml`, `Jenkinsfile` … |
//! | `code-owners` | `CODEOWNERS` |
//! | `hooks` | git's and other tools' hooks, `.gitmodules`, `.gitattributes` |
//! | `lock-files` | what pins dependencies |
//! | `build-scripts` | what an install, a build, a test run or an editor executes by itself: `package.json`, `setup.py`, `conftest.py`, `Makefile`, `Dockerfile`, `*.pth`, `.vscode/`, `.devcontainer/` … |
//! | `shadowed-modules` | new Python modules with the name of one of the standard library or of a test tool |
//! | `secrets` | where credentials are kept: `.env`, `*.pem`, `id_rsa` … |
//! | `outside-allowed-paths` | what [`PathPolicy::with_allowed`] does not name |
//! | `max-files`, `max-changed-lines`, `max-diff-bytes` | changes that are too large to review |
//! | `secrets-in-diff` | added lines and names of new files that hold a credential |
//! | `secrets-in-text` | titles, messages and names of branches that hold one |
//! | `weakened-tests` | taking away or altering an assertion or a documented example, in whatever file |
//! | `removed-tests` | taking a test away, renaming it or defining it again, in whatever file |
//! | `changed-tests` | taking lines out of an existing test file, or altering them |
//! | `skipped-tests` | marking tests as skipped, expected to fail or alone to be run |
//! | `disabled-tests` | lines in an existing test file that keep what stands there from running: an early return or exit, an open bracket, comment, string or condition; and ending the process from any test file |
//! | `vacuous-tests` | adding an assertion that cannot fail to a test file |
//!
//! Paths are compared as the most forgiving file system would: without regard to case and Unicode form, without
//! characters that show nothing, and without dots and blanks at the end of a name.
//!
//! **Tests.** A maintainer wants a fix that meets the tests as they are. So existing test files may only gain lines,
//! and none that keep the others from running; new test files are welcome. Files that are no tests are held to the same
//! for what they assert. No text rule is complete: it is a fence beside the proof, in which the tests ran before and
//! after, and the person who reviews.

mod allowed;
mod assertions;
mod denied;
mod lines;
mod markers;
mod path_policy;
mod secrets;
mod shadows;
mod tests_kept;
mod violation;

pub use path_policy::PathPolicy;
pub use violation::PolicyViolation;
