//! The agent loop and the model doubles, through their public API.

mod cancel;
mod desk;
mod limits;
mod turns;
