//! What must not be seen is taken out, what may be seen stays, and hostile text costs no more than its length.

mod forms;
mod harmless;
mod known;
mod personal;
mod size;
