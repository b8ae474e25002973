//! Which tiers promise a property.

use staso_core::sandbox::IsolationTier;

/// The tiers that promise a property. [`IsolationTier::None`] promises nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claims(u8);

impl Claims {
    /// Every tier that isolates at all.
    pub(super) const ALL: Self = Self(7);
    /// Where processes, network and file systems are a session's own.
    pub(super) const NAMESPACES: Self = Self(3);
    /// Where this crate's own filter of system calls stands.
    pub(super) const FILTER: Self = Self(5);

    /// Where files are the host's own, and rules of Landlock stand before them.
    pub(super) const LANDLOCK: Self = Self(4);

    /// Whether a session of the tier promises the property.
    pub(super) const fn include(self, tier: IsolationTier) -> bool {
        let bit = match tier {
            IsolationTier::Full => 1,
            IsolationTier::Container => 2,
            IsolationTier::LandlockOnly => 4,
            IsolationTier::None => 0,
        };
        self.0 & bit != 0
    }
}

/// The name of a tier as the reports have it.
pub(super) const fn tier_name(tier: IsolationTier) -> &'static str {
    match tier {
        IsolationTier::Full => "Full",
        IsolationTier::Container => "Container",
        IsolationTier::LandlockOnly => "LandlockOnly",
        IsolationTier::None => "None",
    }
}
