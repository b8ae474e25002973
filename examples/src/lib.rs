//! What the example programs share: faults to plant, the agent that shows them, and what stands in the terminal.

pub mod agent_process;
pub mod agent_repository;
pub mod demo;
pub mod diagnose_program;
pub mod doctor;
pub mod environment;
pub mod follow;
pub mod forge;
pub mod git;
pub mod github_options;
pub mod github_program;
pub mod heal_program;
pub mod interrupt;
pub mod model;
pub mod options;
pub mod own_work;
pub mod progress;
pub mod scenario;
pub mod show;
pub mod station;
pub mod terminal;
pub mod variants;
pub mod verdict;
