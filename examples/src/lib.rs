//! What the example programs share: faults to plant, the agent that shows them, and what stands in the terminal.

pub mod scenario;
pub mod variants;
