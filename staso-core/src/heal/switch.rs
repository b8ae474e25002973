//! Whether code of a workspace may run at all.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::id::WorkspaceId;
use crate::sandbox::SandboxError;

/// Which workspaces may run code in sandboxes. Default: all.
///
/// Off means for a workspace that no session is opened: the diagnoser of
/// [`with_deep`](super::HealerBuilder::with_deep) is not asked, no change of program text is written, and nothing is
/// proven or published. All of that is refused before a model is asked, with
/// [`SandboxError::Disabled`], whose sentence says where the switch is. Rules, and diagnosers that need no sandbox,
/// still answer; a change of a prompt or a setting may still be suggested.
///
/// ```
/// use staso_core::heal::{HealPolicy, SandboxSwitch};
/// use staso_core::id::WorkspaceId;
///
/// let acme = WorkspaceId::new("acme")?;
/// let switch = SandboxSwitch::off()
///     .with_workspace_on(acme.clone())
///     .with_place("Settings › Sandbox");
/// assert!(switch.is_on(&acme) && !switch.is_on(&WorkspaceId::new("other")?));
/// let policy = HealPolicy::default().with_sandboxes(switch);
/// # let _ = policy;
/// # Ok::<(), staso_core::id::InvalidId>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxSwitch {
    others: bool,
    workspaces: BTreeMap<WorkspaceId, bool>,
    place: Cow<'static, str>,
}

impl SandboxSwitch {
    /// On for every workspace that is not named.
    #[must_use]
    pub const fn on() -> Self {
        Self::for_others(true)
    }

    /// Off for every workspace that is not named.
    #[must_use]
    pub const fn off() -> Self {
        Self::for_others(false)
    }

    const fn for_others(others: bool) -> Self {
        Self { others, workspaces: BTreeMap::new(), place: Cow::Borrowed("HealPolicy::with_sandboxes") }
    }

    /// Switches one workspace on.
    #[must_use]
    pub fn with_workspace_on(mut self, workspace: WorkspaceId) -> Self {
        self.workspaces.insert(workspace, true);
        self
    }

    /// Switches one workspace off.
    #[must_use]
    pub fn with_workspace_off(mut self, workspace: WorkspaceId) -> Self {
        self.workspaces.insert(workspace, false);
        self
    }

    /// Names where a person switches sandboxes on, as it follows "switch them on in" in every refusal. Default
    /// `HealPolicy::with_sandboxes`, which is where a programmer does.
    #[must_use]
    pub fn with_place(mut self, place: impl Into<Cow<'static, str>>) -> Self {
        self.place = place.into();
        self
    }

    /// Whether code of the workspace may run.
    #[must_use]
    pub fn is_on(&self, workspace: &WorkspaceId) -> bool {
        self.workspaces.get(workspace).copied().unwrap_or(self.others)
    }

    /// Refuses what needs a sandbox in a workspace whose sandboxes are off.
    ///
    /// # Errors
    /// [`SandboxError::Disabled`].
    pub fn check(&self, workspace: &WorkspaceId) -> Result<(), SandboxError> {
        if self.is_on(workspace) {
            return Ok(());
        }
        Err(SandboxError::Disabled { place: self.place.clone().into_owned() })
    }
}

impl Default for SandboxSwitch {
    fn default() -> Self {
        Self::on()
    }
}
