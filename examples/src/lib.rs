//! What the example programs share: faults to plant, the agent that shows them, and what stands in the terminal.

pub mod agent_process;
pub mod agent_repository;
pub mod environment;
pub mod git;
pub mod scenario;
pub mod variants;
