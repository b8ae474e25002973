//! Facts that parts of a run keep for its artifact.

use std::collections::{BTreeMap, BTreeSet};

use crate::agent::ModelId;
use crate::id::Digest;
use crate::sandbox::Isolation;

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// A model was asked.
    Model(ModelId),
    /// A prompt was used.
    Prompt {
        /// Its name, e.g. `deep/system`.
        name: String,
        /// The digest of its text before anything was filled in.
        digest: Digest,
    },
    /// A tool ran.
    Tool(String),
    /// A file was read for an agent.
    File(String),
    /// A session was confined like this.
    Isolation(Isolation),
}

/// All facts of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunNotes {
    /// The models that were asked.
    pub models: BTreeSet<ModelId>,
    /// The prompts that were used, with their digests.
    pub prompts: BTreeMap<String, Digest>,
    /// The tools that ran.
    pub tools: BTreeSet<String>,
    /// The files that were read for agents.
    pub files: BTreeSet<String>,
    /// What confined the last session.
    pub isolation: Option<Isolation>,
}

impl RunNotes {
    /// Names kept of one kind at most.
    const MAX_NAMES: usize = 10_000;

    pub(super) fn add(&mut self, note: Note) {
        match note {
            Note::Model(id) => {
                self.models.insert(id);
            }
            Note::Prompt { name, digest } => {
                self.prompts.insert(name, digest);
            }
            Note::Tool(name) if self.tools.len() < Self::MAX_NAMES => {
                self.tools.insert(name);
            }
            Note::File(path) if self.files.len() < Self::MAX_NAMES => {
                self.files.insert(path);
            }
            Note::Tool(_) | Note::File(_) => {}
            Note::Isolation(isolation) => self.isolation = Some(isolation),
        }
    }
}
