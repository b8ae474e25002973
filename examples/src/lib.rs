//! What the example programs share: faults to plant, the agent that shows them, and what stands in the terminal.

pub mod agent_process;
pub mod agent_repository;
pub mod demo;
pub mod environment;
pub mod follow;
pub mod git;
pub mod interrupt;
pub mod options;
pub mod own_work;
pub mod progress;
pub mod run_directory;
pub mod scenario;
pub mod station;
pub mod terminal;
pub mod variants;
pub mod verdict;
