//! Diagnosis by models: what they are shown, what is believed of what they say.

mod citations;
mod deep_run;
mod desk;
mod openings;
mod settlement;
mod submissions;
mod triage_run;
