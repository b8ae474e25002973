//! What the host says to agents while they work.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// A queue of texts for the agent at work; it reads them before its next turn. Clones share the queue.
#[derive(Debug, Clone, Default)]
pub struct Redirections {
    waiting: Arc<Mutex<VecDeque<String>>>,
}

/// A text was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// It is empty or too long.
    #[error("a redirection has 1 to {} characters", Redirections::MAX_CHARS)]
    Length,
    /// Too many wait already.
    #[error("{} redirections wait already; wait until the agent has read them", Redirections::MAX_WAITING)]
    Full,
}

impl Redirections {
    /// Longest text, in characters.
    pub const MAX_CHARS: usize = 4_000;
    /// Texts that wait at most.
    pub const MAX_WAITING: usize = 16;

    /// Adds a text for the agent at work.
    ///
    /// # Errors
    /// When it is empty or too long, or too many wait.
    pub fn send(&self, text: impl Into<String>) -> Result<(), RedirectError> {
        let text = text.into();
        if text.trim().is_empty() || text.chars().count() > Self::MAX_CHARS {
            return Err(RedirectError::Length);
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= Self::MAX_WAITING {
            return Err(RedirectError::Full);
        }
        waiting.push_back(text);
        Ok(())
    }

    /// Takes everything that waits, oldest first.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }
}
