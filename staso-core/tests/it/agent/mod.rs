//! The agent loop and the model doubles, through their public API.

mod cancel;
mod cassettes;
mod chaos;
mod contracts;
mod desk;
mod limits;
mod secrets;
mod turns;
