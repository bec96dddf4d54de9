//! Counts tests by what the test runners print: cargo's `test result:` lines and the TAP of Node.

use std::fmt;
use std::process::ExitStatus;

/// What a suite, or all of them, came to.
#[derive(Default, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// What was skipped and why.
    pub(crate) reasons: Vec<String>,
}

/// Whose output is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    Cargo,
    Node,
}

impl Tally {
    /// Reads one line of a runner's output.
    pub(crate) fn read(&mut self, runner: Runner, line: &str) {
        // Node's runner passes on what a test prints behind `# `.
        let said = line.strip_prefix("# ").unwrap_or(line);
        if let Some(reason) = said.strip_prefix("skipped: ") {
            self.skipped += 1;
            self.reasons.push(reason.to_owned());
            return;
        }
        match runner {
            Runner::Cargo => self.read_cargo(line),
            Runner::Node => self.read_node(line),
        }
    }

    /// Holds the runner to its exit code: a failure without a failed test is one, and so is a run without a test.
    pub(crate) fn close(&mut self, status: ExitStatus) -> Result<(), String> {
        if !status.success() && self.failed == 0 {
            self.failed += 1;
            return Err(format!("the runner failed ({status}) and named no test"));
        }
        if status.success() && *self == Self::default() {
            self.failed += 1;
            return Err("the runner ran no test".to_owned());
        }
        Ok(())
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.reasons.extend(other.reasons);
    }

    /// `test result: ok. 5 passed; 0 failed; 1 ignored; …` and `test name ... ignored, reason`.
    fn read_cargo(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("test result: ") {
            let counts = rest.split_once(". ").map_or("", |(_, counts)| counts);
            for part in counts.split("; ") {
                match part.trim().split_once(' ') {
                    Some((number, "passed")) => self.passed += parsed(number),
                    Some((number, "failed")) => self.failed += parsed(number),
                    Some((number, "ignored")) => self.skipped += parsed(number),
                    _ => {}
                }
            }
        } else if let Some((name, rest)) = line
            .strip_prefix("test ")
            .and_then(|test| test.split_once(" ... ignored"))
        {
            self.because(name, rest.strip_prefix(", ").unwrap_or(""));
        }
    }

    /// `# pass 5` at the end, and `ok 3 - name # SKIP reason` at any depth.
    fn read_node(&mut self, line: &str) {
        if let Some((what, number)) = line.strip_prefix("# ").and_then(|s| s.split_once(' ')) {
            match what {
                "pass" => self.passed += parsed(number),
                "fail" | "cancelled" => self.failed += parsed(number),
                "skipped" => self.skipped += parsed(number),
                _ => {}
            }
        } else if let Some((test, reason)) = line.trim_start().split_once(" # SKIP") {
            let name = test.split_once(" - ").map_or(test, |(_, name)| name);
            self.because(name, reason.trim());
        }
    }

    fn because(&mut self, name: &str, reason: &str) {
        let reason = if reason.is_empty() { "no reason given" } else { reason };
        self.reasons.push(format!("{name}: {reason}"));
    }
}

/// The closing line: `5 passed, 0 failed`, and `, 1 skipped` where there is something to say.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

fn parsed(number: &str) -> u64 {
    number.trim().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn tally(runner: Runner, text: &str) -> Tally {
        let mut tally = Tally::default();
        for line in text.lines() {
            tally.read(runner, line);
        }
        tally
    }

    #[test]
    fn cargo_test_is_counted_over_all_its_binaries() {
        let tally = tally(
            Runner::Cargo,
            "\nrunning 3 tests\ntest host::tests::a ... ok\ntest slow ... ignored, takes an hour\n\
             test bare ... ignored\ntest host::tests::b ... FAILED\n\n\
             test result: FAILED. 1 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
             \x20  Doc-tests hostbound\n\
             test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.31s\n",
        );
        assert_eq!((tally.passed, tally.failed, tally.skipped), (5, 1, 2));
        assert_eq!(tally.reasons, ["slow: takes an hour", "bare: no reason given"]);
        assert_eq!(tally.to_string(), "5 passed, 1 failed, 2 skipped");
    }

    #[test]
    fn node_is_counted_by_its_closing_lines() {
        let tally = tally(
            Runner::Node,
            "TAP version 13\n# Subtest: hosts\n    ok 1 - exact\n    ok 2 - wild # SKIP no DNS\n    1..2\n\
             not ok 1 - hosts\n# a test said pass 7\nok 2 - late # SKIP\n1..2\n# tests 6\n# suites 1\n# pass 2\n\
             # fail 1\n# cancelled 1\n# skipped 2\n# todo 0\n# duration_ms 12.5\n",
        );
        assert_eq!((tally.passed, tally.failed, tally.skipped), (2, 2, 2));
        assert_eq!(tally.reasons, ["wild: no DNS", "late: no reason given"]);
    }

    #[test]
    fn a_suite_may_say_what_it_skips() {
        for runner in [Runner::Cargo, Runner::Node] {
            let tally = tally(runner, "skipped: Firefox: not here\n# skipped: IPv6: no ::1\n");
            assert_eq!(tally.skipped, 2);
            assert_eq!(tally.reasons, ["Firefox: not here", "IPv6: no ::1"]);
        }
    }

    #[test]
    fn a_runner_that_fails_or_runs_nothing_has_failed() {
        let (success, failure) = (ExitStatus::from_raw(0), ExitStatus::from_raw(256));
        let mut one = tally(Runner::Node, "# pass 1");
        assert_eq!(one.close(success), Ok(()));
        assert_eq!(one.to_string(), "1 passed, 0 failed");
        assert!(one.close(failure).is_err());
        assert_eq!(one.to_string(), "1 passed, 1 failed");
        assert_eq!(one.close(failure), Ok(()), "the failure has been counted");

        let mut none = Tally::default();
        assert!(none.close(success).is_err());
        assert_eq!(none.to_string(), "0 passed, 1 failed");
    }

    #[test]
    fn tallies_add_up() {
        let mut sum = tally(Runner::Node, "# pass 1\n# fail 1");
        sum.add(tally(Runner::Cargo, "skipped: x: y"));
        assert_eq!(sum.to_string(), "1 passed, 1 failed, 1 skipped");
        assert_eq!(sum.reasons, ["x: y"]);
    }
}
