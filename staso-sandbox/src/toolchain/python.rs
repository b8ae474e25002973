//! Python with its virtual environment or the packages of the user.

use super::named::{Found, Lacking, place, text};
use super::question::ask;

/// Where the interpreter is installed, where its environment is, and where packages of the user are.
const QUESTION: [&str; 3] = [
    "-I",
    "-c",
    "import site, sys; print(sys.base_prefix, sys.prefix, site.getuserbase(), site.getusersitepackages(), sep='\\n')",
];

pub(super) fn find() -> Result<Found, Lacking> {
    let answer = ask("python3", &QUESTION).unwrap_or_default();
    let mut lines = answer.lines();
    let (Some(base), Some(prefix)) = (lines.next().and_then(place), lines.next().and_then(place)) else {
        return Err(Lacking {
            reason: "`python3` on the PATH of the host's process does not say where it is installed"
                .to_owned(),
            remedy: "install Python 3, and put it on the PATH of the host's process".to_owned(),
        });
    };
    let mut found = Found::default();
    if prefix == base {
        found.install(&base)?;
        if let (Some(user), Some(packages)) = (lines.next(), lines.next().and_then(place)) {
            found.show(&packages)?;
            found.set("PYTHONUSERBASE", user);
        }
    } else {
        found.install(&prefix)?;
        found.install(&base)?;
        found.set("VIRTUAL_ENV", text(&prefix)?);
    }
    Ok(found)
}
