//! The orchestrator: one failed run in, one [`RunArtifact`](crate::run::RunArtifact) out.
