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

pub use conclusion::{Advice, advice};
pub use html::html;
pub use junit::junit;
pub use table::table;

use serde_json::{Map, Value, json};

use crate::verdict::{Conclusion, Outcome, Run, ServiceVerdict};

/// What outcomes, verdicts and conclusions are called, for pages that show runs: `www/words.json`.
#[must_use]
pub fn words() -> Value {
    let outcomes = Outcome::ALL.map(|outcome| {
        let words = words::outcome(outcome);
        let value = json!({
            "word": words.word,
            "symbol": words.symbol,
            "tone": words.tone.name(),
            "stopped_by": outcome.stopped_by(),
            "proves": words.proves,
            "leaves_open": words.leaves_open,
        });
        (outcome.name().to_owned(), value)
    });
    let short = |(symbol, word, tone): (&str, &str, words::Tone)| json!({ "word": word, "symbol": symbol, "tone": tone.name() });
    let verdicts = ServiceVerdict::ALL.map(|verdict| (verdict.name().to_owned(), short(words::verdict(verdict, 0))));
    let conclusions =
        Conclusion::ALL.map(|conclusion| (conclusion.name().to_owned(), short(words::conclusion(conclusion))));
    json!({
        "outcomes": Map::from_iter(outcomes),
        "verdicts": Map::from_iter(verdicts),
        "conclusions": Map::from_iter(conclusions),
    })
}

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

    #[test]
    fn the_page_has_the_same_words() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../www/words.json");
        let wanted = format!("{:#}\n", words());
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            wanted,
            "write this into www/words.json"
        );
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
