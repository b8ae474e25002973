//! The provider forgets what an event makes stale.

use super::WebhookEvent;
use crate::github::GitHub;

impl GitHub {
    /// Forgets what [`invalidation`](WebhookEvent::invalidation) says, so that the next call asks GitHub again. Clones of
    /// the provider forget it too; runs at work keep the tokens they hold.
    ///
    /// Without it, what is known of an installation is up to an hour old.
    pub fn apply(&self, event: &WebhookEvent) {
        let stale = event.invalidation();
        let of_repositories = stale.repositories.iter().filter_map(|name| name.split('/').next());
        for owner in stale.owners.iter().map(String::as_str).chain(of_repositories) {
            self.parts.api.forget_owner(owner);
        }
        if let Some(id) = stale.installation {
            self.parts.api.forget_installation(id);
        }
    }
}
