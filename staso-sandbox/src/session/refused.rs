//! What the agent said, as changes and errors of the trait.

use staso_core::code::RepoPath;
use staso_core::run::Interrupted;
use staso_core::sandbox::{ExecRequest, SandboxError, SessionChange};

use super::connection::Refused;
use super::wire::{change, refusal};

/// All contents of one list of changes together, as the agent bounds them, in bytes.
const CHANGES_BYTES: u64 = 64 << 20;

/// One change as the trait has it.
pub(super) fn session_change(
    path: &[u8],
    kind: u8,
    content: Vec<u8>,
) -> Result<(RepoPath, SessionChange), SandboxError> {
    let shown = String::from_utf8_lossy(path);
    let unsafe_name = |why: String| {
        let shown: String = shown.chars().take(256).collect();
        invalid(
            "list the changes",
            format!("the session made {shown:?}, which cannot be named safely: {why}"),
        )
    };
    let text = std::str::from_utf8(path).map_err(|_| unsafe_name("it is not UTF-8".to_owned()))?;
    let path = RepoPath::new(text).map_err(|error| unsafe_name(error.reason.to_owned()))?;
    let change = match kind {
        change::WRITTEN => SessionChange::Written { content, executable: false },
        change::WRITTEN_EXECUTABLE => SessionChange::Written { content, executable: true },
        change::DELETED => SessionChange::Deleted,
        change::SYMLINK => SessionChange::Symlink { target: content },
        change::REFUSED => SessionChange::Refused { why: String::from_utf8_lossy(&content).into_owned() },
        _ => return Err(SandboxError::Closed),
    };
    Ok((path, change))
}

/// Why a command did not start.
pub(super) fn exec_error(provider: &'static str, request: &ExecRequest, refused: Refused) -> SandboxError {
    if refused.code != refusal::INVALID || refused.errno == 0 {
        return refusal_error(provider, "run the command", None, refused);
    }
    let program: String = request.argv.first().into_iter().flat_map(|name| name.chars()).take(256).collect();
    let cause = std::io::Error::from_raw_os_error(refused.errno);
    invalid("run the command", format!("{program:?} cannot be started in the session: {cause}"))
}

/// Why a request was refused.
pub(super) fn refusal_error(
    provider: &'static str,
    operation: &'static str,
    path: Option<&RepoPath>,
    refused: Refused,
) -> SandboxError {
    match (refused.code, path.cloned()) {
        (refusal::NOT_FOUND, Some(path)) => SandboxError::NotFound { path },
        (refusal::DENIED, Some(path)) => SandboxError::Denied { path, reason: refused.text },
        (refusal::TOO_LARGE, _) => SandboxError::TooLarge { what: refused.text, limit_bytes: CHANGES_BYTES },
        (refusal::SYSTEM, _) => {
            let cause = std::io::Error::from_raw_os_error(refused.errno);
            backend(
                provider,
                operation,
                std::io::Error::new(cause.kind(), format!("{}: {cause}", refused.text)),
            )
        }
        _ => invalid(operation, refused.text),
    }
}

/// Why a wait ended early.
pub(crate) fn interrupted(ended: Interrupted, operation: &'static str) -> SandboxError {
    match ended {
        Interrupted::Cancelled => SandboxError::Cancelled,
        Interrupted::TimedOut { limit_ms } => SandboxError::Timeout { operation, limit_ms },
    }
}

/// A request that makes no sense.
pub(crate) fn invalid(operation: &'static str, reason: impl Into<String>) -> SandboxError {
    SandboxError::InvalidRequest { operation, reason: reason.into() }
}

/// A failure of the operating system or of the engine.
pub(crate) fn backend(
    provider: &'static str,
    operation: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> SandboxError {
    SandboxError::Backend { provider, operation, source: source.into() }
}
