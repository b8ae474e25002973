//! What goes wrong in one run.

use std::time::Duration;

use super::dice::Dice;
use crate::peer::fault::{Fault, Gate, Plan, bad_gateway, limited};
use crate::peer::server::Answer;

/// Longest time of one request of the provider under test.
pub(super) const REQUEST: Duration = Duration::from_secs(2);
/// Longer than that.
const TOO_LONG: Duration = Duration::from_millis(2_400);

/// A fault at one request.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) name: String,
    pub(super) plan: Plan,
    /// Whether it hits requests to git.
    pub(super) to_git: bool,
}

fn json(status: u16, message: &str, headers: &[(&str, &str)]) -> Fault {
    Fault::Refuse(limited(status, message, headers))
}

fn status(status: u16) -> Answer {
    Answer { status, ..bad_gateway() }
}

/// What can happen to any request.
fn anywhere(dice: &mut Dice) -> Vec<(&'static str, Fault)> {
    vec![
        ("500 before", Fault::Refuse(status(500))),
        ("502 before", Fault::Refuse(status(502))),
        ("503 before", Fault::Refuse(status(503))),
        ("504 before", Fault::Refuse(status(504))),
        ("500 after", Fault::Replace(status(500))),
        ("502 after", Fault::Replace(status(502))),
        ("503 after", Fault::Replace(status(503))),
        ("504 after", Fault::Replace(status(504))),
        ("drop", Fault::Drop),
        ("lost answer", Fault::Lose),
        ("lost answer", Fault::Lose),
        ("cut answer", Fault::Cut(dice.roll(600))),
        ("cut request", Fault::CutRequest(dice.roll(400))),
        ("garbled", Fault::Garble),
        ("401", json(401, "Bad credentials", &[])),
        ("429 with retry-after", json(429, "Too many requests", &[("retry-after", "2")])),
        ("slow request", Fault::Delay(TOO_LONG)),
        ("slow answer", Fault::DelayAnswer(TOO_LONG)),
    ]
}

/// What only the API does.
fn of_the_api(dice: &mut Dice) -> Vec<(&'static str, Fault)> {
    let secondary =
        "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    let hour = dice.pick(&[-3_600, 3_600]);
    let date =
        std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(if hour < 0 { 1 << 30 } else { 1 << 32 });
    let date = httpdate::fmt_http_date(date);
    let exhausted = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1")];
    vec![
        ("429 without retry-after", json(429, "Too many requests", &[])),
        ("403 with retry-after", json(403, secondary, &[("retry-after", "30")])),
        ("403 without retry-after", json(403, secondary, &[])),
        ("403 of the primary limit", json(403, "API rate limit exceeded for installation.", &exhausted)),
        ("403 of a fresh token", json(403, "Resource not accessible by integration", &[])),
        ("date off by an hour", Fault::ShiftDate(hour)),
        ("401 that names exp", json(401, "'Expiration time' claim ('exp') is too far in the future", &[])),
        ("401 that names iat", json(401, "'Issued at' claim ('iat') must be an Integer", &[("date", &date)])),
    ]
}

impl Trouble {
    /// Something at some request of an attempt with so many requests.
    pub(super) fn random(dice: &mut Dice, api: usize, git: usize) -> Self {
        let at = dice.roll(api + git);
        let to_git = at >= api;
        let mut faults = anywhere(dice);
        if to_git {
            faults.push(("411 to chunks", Fault::RefuseChunked));
        } else {
            faults.extend(of_the_api(dice));
        }
        let (name, fault) = dice.pick(&faults);
        let first = match fault {
            // Only requests in chunks count for it.
            Fault::RefuseChunked => 0,
            _ if to_git => at - api,
            _ => at,
        };
        let times = if dice.once_in(6) { 2 } else { 1 };
        let name = format!("{}{name}", if to_git { "git: " } else { "" });
        Self { name, plan: Plan::new(fault).after(first).times(times), to_git }
    }

    /// A request that stands still, before or after it is carried out.
    pub(super) fn standstill(dice: &mut Dice, api: usize, git: usize, gate: &Gate) -> Self {
        let at = dice.roll(api + git);
        let to_git = at >= api;
        let (name, fault) = if dice.once_in(2) {
            ("killed before a request", Fault::HoldRequest(gate.clone()))
        } else {
            ("killed after a request", Fault::HoldAnswer(gate.clone()))
        };
        let plan = Plan::new(fault).after(if to_git { at - api } else { at });
        Self { name: name.to_owned(), plan, to_git }
    }
}
