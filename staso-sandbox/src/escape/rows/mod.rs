//! The rows, by number. 1 to 70 are those of the project's threat model; the others were found missing there.

mod abuse;
mod files;
mod network;
mod privileges;
mod processes;

use super::row::Row;

/// Every row, by number.
pub(super) fn all() -> Vec<&'static Row> {
    let groups = [files::ROWS, processes::ROWS, privileges::ROWS, network::ROWS, abuse::ROWS];
    let mut all: Vec<&Row> = groups.into_iter().flatten().collect();
    all.sort_by_key(|row| row.number);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::escape::row::Kind;

    #[test]
    fn rows_are_numbered_without_gaps_and_all_try_something() {
        let all = all();
        for (number, row) in (1..).zip(&all) {
            assert_eq!(row.number, number, "{}", row.title);
            assert!(!matches!(row.kind, Kind::Attempts([])), "{}", row.title);
        }
        assert!(all.len() >= 70, "the rows of the threat model");
    }
}
