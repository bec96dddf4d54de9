//! The reports of a run: JSON, a table for terminals, JUnit XML, and a page of HTML.
//!
//! They say again what the run says, in words and shapes; they decide no outcome and no verdict.

mod conclusion;
mod grid;
mod html;
mod junit;
mod table;
mod text;
mod words;

#[cfg(test)]
mod fixture;

pub use html::html;
pub use junit::junit;
pub use table::table;

use crate::verdict::Run;

/// The run itself, with a line feed at the end.
#[must_use]
pub fn json(run: &Run) -> String {
    // Strings, numbers and maps with keys of text: serializing them cannot fail.
    let mut json = serde_json::to_string_pretty(run).unwrap_or_default();
    json.push('\n');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_holds_the_whole_run() {
        for run in [fixture::run(), fixture::hostile(), fixture::empty()] {
            let read: Run = serde_json::from_str(&json(&run)).unwrap();
            assert_eq!(read, run);
        }
    }

    /// `HOSTBOUND_LAB_REPORTS=DIRECTORY cargo test -p hostbound-lab -- --ignored look_at`
    #[test]
    #[ignore = "writes the reports of the fixtures into a directory, to be looked at"]
    fn look_at() {
        let directory = std::path::PathBuf::from(std::env::var_os("HOSTBOUND_LAB_REPORTS").unwrap());
        for (name, run) in [
            ("run", fixture::run()),
            ("safe", fixture::safe()),
            ("hostile", fixture::hostile()),
            ("empty", fixture::empty()),
        ] {
            for (ending, report) in [
                ("html", html(&run)),
                ("xml", junit(&run)),
                ("txt", table(&run)),
                ("json", json(&run)),
            ] {
                std::fs::write(directory.join(format!("{name}.{ending}")), report).unwrap();
            }
        }
    }
}
