//! A run as JUnit XML: what was proved about a service passes or fails, the rest is skipped and says why.

use std::collections::HashMap;
use std::fmt::{self, Display, Write};

use super::conclusion::{Control, NAME, headline};
use super::grid::{Entry, Group, groups};
use super::text::{count, plain};
use super::words;
use crate::case::Case;
use crate::strategy::Strategy;
use crate::verdict::{CaseResult, Conclusion, Outcome, Run};

/// Most characters of a foreign text, and most lines of evidence.
const CHARACTERS: usize = 500;
const LINES: usize = 50;

/// The run as JUnit XML: a suite for each target with a test for each case, then the suite `run` with what the run as a whole says.
///
/// A case fails if it read a service under test, and passes if the service refused, or if it read the negative control.
/// Whatever shows nothing about the service is skipped. So that a run of nothing but skipped cases is not taken for a good one,
/// the test `conclusion` is an error if the run is inconclusive.
#[must_use]
pub fn junit(run: &Run) -> String {
    let mut suites: Vec<_> = groups(run).iter().map(|group| Suite::of_group(run, group)).collect();
    suites.push(Suite::of_run(run));
    let sum = |kind: Kind| suites.iter().map(|suite| suite.count(kind)).sum::<usize>();
    let tests: usize = suites.iter().map(|suite| suite.tests.len()).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "<testsuites name=\"hostbound rebinding lab\" tests=\"{tests}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\">",
        sum(Kind::Failure),
        sum(Kind::Error),
        sum(Kind::Skipped),
        Seconds(run.duration_ms)
    );
    for suite in suites {
        let _ = write!(out, "{suite}");
    }
    out.push_str("</testsuites>\n");
    out
}

struct Suite {
    name: String,
    started: String,
    properties: Vec<(&'static str, String)>,
    tests: Vec<Test>,
}

struct Test {
    class: String,
    name: String,
    time_ms: u64,
    kind: Kind,
    message: String,
    /// One line each.
    evidence: Vec<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Passed,
    Failure,
    Error,
    Skipped,
}

impl Suite {
    fn of_group(run: &Run, group: &Group<'_>) -> Self {
        let mut properties = vec![
            ("browser", run.browser.kind.name().to_owned()),
            ("browser_version", run.browser.version.clone()),
            ("hostbound", run.hostbound.clone()),
        ];
        if let Some(policy) = &run.policy {
            properties.push(("policy", policy.clone()));
        }
        if let Some(service) = group.service {
            properties.push(("target", words::kind(&service.target)));
            properties.push(("own_name_status", words::answer(service.target.own_name_status)));
            properties.push(("foreign_name_status", words::answer(service.target.foreign_name_status)));
            properties.push(("verdict", service.verdict.name().to_owned()));
            properties.push(("summary", service.summary.clone()));
        }
        let mut seen = HashMap::new();
        let test = |entry: &Entry<'_>| Test::of_case(entry.result, group.is_control(), &mut seen);
        Self {
            name: group.name.to_owned(),
            started: run.started.clone(),
            properties,
            tests: group.cases.iter().map(test).collect(),
        }
    }

    fn of_run(run: &Run) -> Self {
        let control = Control::of(run);
        let test = |name: &str, kind, message, evidence| Test {
            class: "run".to_owned(),
            name: name.to_owned(),
            time_ms: 0,
            kind,
            message,
            evidence,
        };
        let conclusion = match run.conclusion {
            Conclusion::Safe => Kind::Passed,
            Conclusion::Vulnerable => Kind::Failure,
            Conclusion::Inconclusive => Kind::Error,
        };
        let rebinds = if control.works() { Kind::Passed } else { Kind::Error };
        Self {
            name: "run".to_owned(),
            started: run.started.clone(),
            properties: vec![("conclusion", run.conclusion.name().to_owned())],
            tests: vec![
                test("the rig can rebind", rebinds, control.sentence(), Vec::new()),
                test("conclusion", conclusion, headline(run), run.reasons.clone()),
            ],
        }
    }

    fn count(&self, kind: Kind) -> usize {
        self.tests.iter().filter(|test| test.kind == kind).count()
    }
}

impl Test {
    /// `seen` counts how often a case was met: a test's name must be its own.
    fn of_case(result: &CaseResult, is_control: bool, seen: &mut HashMap<(Strategy, String), usize>) -> Self {
        let case = &result.case;
        let mut name = name(case);
        let repetition = seen.entry((case.strategy, name.clone())).or_insert(0);
        *repetition += 1;
        if *repetition > 1 {
            name.push_str(&format!(", run {repetition}"));
        }
        let kind = match result.outcome {
            Outcome::ReachedReadable if is_control => Kind::Passed,
            Outcome::ReachedReadable => Kind::Failure,
            // The negative control checks nothing: that it refused shows only that something else answered.
            Outcome::ReachedRefused if is_control => Kind::Skipped,
            Outcome::ReachedRefused => Kind::Passed,
            Outcome::BlockedByBrowser
            | Outcome::Prompted
            | Outcome::FilteredByResolver
            | Outcome::NotRequeried
            | Outcome::NotRunning
            | Outcome::Inconclusive => Kind::Skipped,
        };
        let words = words::outcome(result.outcome);
        let name_of_outcome = result.outcome.name();
        let message = match (result.outcome, kind) {
            (Outcome::ReachedReadable, _) if is_control => {
                format!("{name_of_outcome}: the negative control was read, as it should be")
            }
            (Outcome::ReachedRefused, _) if is_control => {
                format!("{name_of_outcome}: the negative control checks nothing and should not refuse")
            }
            (_, Kind::Skipped) => format!("{name_of_outcome}: {} Leaves open: {}", words.proves, words.leaves_open),
            _ => format!("{name_of_outcome}: {}", words.proves),
        };
        let mut evidence = vec![format!("rebound name: {}", result.authority)];
        evidence.extend(result.evidence.iter().cloned());
        Self {
            class: case.strategy.name().to_owned(),
            name,
            time_ms: result.logs.duration_ms,
            kind,
            message,
            evidence,
        }
    }
}

/// `ollama: fetch, Local Network Access off, attacker public`. Some readers know only class and name: the target is part of it.
fn name(case: &Case) -> String {
    let attacker = case.attacker.name();
    let mut name = format!(
        "{}: {}, Local Network Access {}, attacker {attacker}",
        plain(&case.target, NAME),
        case.method.name(),
        case.local_network_access.name()
    );
    if let Some(range) = &case.taken_for_public {
        name.push_str(&format!(", {} taken for public", plain(range, NAME)));
    }
    name
}

impl Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self
            .tests
            .iter()
            .fold(0_u64, |time, test| time.saturating_add(test.time_ms));
        writeln!(
            f,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\" timestamp=\"{}\">",
            Escaped(&self.name),
            self.tests.len(),
            self.count(Kind::Failure),
            self.count(Kind::Error),
            self.count(Kind::Skipped),
            Seconds(time),
            Escaped(&self.started)
        )?;
        writeln!(f, "    <properties>")?;
        for (name, value) in &self.properties {
            writeln!(f, "      <property name=\"{name}\" value=\"{}\"/>", Escaped(value))?;
        }
        writeln!(f, "    </properties>")?;
        for test in &self.tests {
            write!(f, "{test}")?;
        }
        writeln!(f, "  </testsuite>")
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\">",
            Escaped(&self.class),
            Escaped(&self.name),
            Seconds(self.time_ms)
        )?;
        let message = Escaped(&self.message);
        let evidence = Lines(&self.evidence);
        match self.kind {
            Kind::Failure => writeln!(
                f,
                "      <failure message=\"{message}\" type=\"{}\">{evidence}</failure>",
                self.class
            )?,
            Kind::Error => writeln!(
                f,
                "      <error message=\"{message}\" type=\"{}\">{evidence}</error>",
                self.class
            )?,
            Kind::Skipped => writeln!(f, "      <skipped message=\"{message}\"/>")?,
            Kind::Passed => {}
        }
        if matches!(self.kind, Kind::Passed | Kind::Skipped) {
            writeln!(f, "      <system-out>{message}\n{evidence}</system-out>")?;
        }
        writeln!(f, "    </testcase>")
    }
}

/// Milliseconds as seconds.
struct Seconds(u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// A foreign text in an attribute or an element: XML 1.0 §2.4, without the characters that §2.2 excludes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in plain(self.0, CHARACTERS).chars() {
            match character {
                '&' => f.write_str("&amp;"),
                '<' => f.write_str("&lt;"),
                '>' => f.write_str("&gt;"),
                '"' => f.write_str("&quot;"),
                '\'' => f.write_str("&apos;"),
                _ => f.write_char(character),
            }?;
        }
        Ok(())
    }
}

struct Lines<'a>(&'a [String]);

impl Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.0.iter().take(LINES) {
            writeln!(f, "{}", Escaped(line))?;
        }
        match self.0.len().saturating_sub(LINES) {
            0 => Ok(()),
            left => writeln!(f, "({} left out)", count(left, "line")),
        }
    }
}

#[cfg(test)]
mod tests {
    use roxmltree::{Document, Node};

    use super::*;
    use crate::report::fixture;

    fn elements<'a>(document: &'a Document<'a>, name: &'static str) -> Vec<Node<'a, 'a>> {
        document.descendants().filter(|node| node.has_tag_name(name)).collect()
    }

    fn number(node: Node<'_, '_>, attribute: &str) -> usize {
        node.attribute(attribute).unwrap().parse().unwrap()
    }

    #[test]
    fn each_outcome_passes_fails_or_is_skipped() {
        for (outcome, under_test, control) in [
            (Outcome::ReachedReadable, Kind::Failure, Kind::Passed),
            (Outcome::ReachedRefused, Kind::Passed, Kind::Skipped),
            (Outcome::BlockedByBrowser, Kind::Skipped, Kind::Skipped),
            (Outcome::Prompted, Kind::Skipped, Kind::Skipped),
            (Outcome::FilteredByResolver, Kind::Skipped, Kind::Skipped),
            (Outcome::NotRequeried, Kind::Skipped, Kind::Skipped),
            (Outcome::NotRunning, Kind::Skipped, Kind::Skipped),
            (Outcome::Inconclusive, Kind::Skipped, Kind::Skipped),
        ] {
            let mut run = fixture::run();
            let mut result = run.cases.remove(0);
            result.outcome = outcome;
            let test = |is_control| Test::of_case(&result, is_control, &mut HashMap::new());
            assert_eq!(test(false).kind, under_test, "{outcome:?}");
            assert_eq!(test(true).kind, control, "{outcome:?}");
            assert!(test(false).message.starts_with(outcome.name()));
        }
    }

    #[test]
    fn the_numbers_are_those_of_the_elements() {
        for run in [fixture::run(), fixture::safe(), fixture::hostile(), fixture::empty()] {
            let xml = junit(&run);
            let document = Document::parse(&xml).unwrap();
            let root = document.root_element();
            assert_eq!(number(root, "tests"), run.cases.len() + 2);
            assert_eq!(elements(&document, "testcase").len(), run.cases.len() + 2);
            assert_eq!(elements(&document, "testsuite").len(), run.services.len() + 1);
            for (attribute, element) in [("failures", "failure"), ("errors", "error"), ("skipped", "skipped")] {
                assert_eq!(number(root, attribute), elements(&document, element).len());
                let suites = elements(&document, "testsuite");
                let sum: usize = suites.into_iter().map(|suite| number(suite, attribute)).sum();
                assert_eq!(number(root, attribute), sum);
            }
        }
    }

    #[test]
    fn every_test_has_a_name_of_its_own() {
        let mut run = fixture::run();
        run.cases.extend(run.cases.clone());
        let xml = junit(&run);
        let document = Document::parse(&xml).unwrap();
        let mut names = std::collections::HashSet::new();
        for test in elements(&document, "testcase") {
            let name = (test.attribute("classname").unwrap(), test.attribute("name").unwrap());
            assert!(names.insert(name), "{name:?}");
        }
    }

    #[test]
    fn an_inconclusive_run_is_an_error() {
        let xml = junit(&fixture::empty());
        assert_eq!(number(Document::parse(&xml).unwrap().root_element(), "errors"), 2);
        let xml = junit(&fixture::safe());
        let root = Document::parse(&xml).unwrap();
        assert_eq!(number(root.root_element(), "errors"), 0);
        assert_eq!(number(root.root_element(), "failures"), 0);
    }

    #[test]
    fn hostile_text_stays_text() {
        let xml = junit(&fixture::hostile());
        let document = Document::parse(&xml).unwrap();
        assert!(elements(&document, "script").is_empty());
        assert!(elements(&document, "img").is_empty());
        assert!(!xml.contains("]]>") && !xml.contains('\u{202e}') && !xml.contains('\u{1b}'));
        let failure = elements(&document, "failure").into_iter().next().unwrap();
        assert!(failure.text().unwrap().contains("<script>alert(1)</script>"));
        assert!(failure.text().unwrap().contains("more)"));
    }
}
