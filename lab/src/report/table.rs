//! A run for terminals: at most 100 columns, the conclusion last, where the prompt is.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::conclusion::{Control, NAME, advice, headline};
use super::grid::{Entry, Grid, Group, groups};
use super::text::{count, duration, pad, plain, wrap};
use super::words::{self, Tone};
use crate::verdict::{Outcome, Run, ServiceResult};

const WIDTH: usize = 100;
const STRATEGY: usize = 24;
const METHOD: usize = 10;
const CELL: usize = 21;
const TITLE: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

/// The run as a table in words, coloured with ANSI styles: who prints it takes them away where nobody sees them, as `anstream` does.
///
/// No line is wider than 100 columns.
#[must_use]
pub fn table(run: &Run) -> String {
    let mut out = Out::default();
    let browser = &run.browser;
    out.wrapped(
        "",
        &format!(
            "Rebinding lab: {} {}, {}, {} in {}",
            browser.kind.name(),
            plain(&browser.version, 40),
            plain(&run.started, 30),
            count(run.cases.len(), "case"),
            duration(run.duration_ms)
        ),
        Style::new(),
    );
    if let Some(policy) = &run.policy {
        out.wrapped("", &format!("Policy: {}", plain(policy, 200)), Style::new());
    }
    let groups = groups(run);
    for group in &groups {
        out.group(group);
    }
    out.legend(run);
    out.title("Services");
    for group in groups.iter().filter(|group| !group.is_control()) {
        if let Some(service) = group.service {
            out.service(group, service);
        }
    }
    let control = Control::of(run);
    out.title("Negative control");
    let (mark, tone) = if control.works() {
        ("read", Tone::Control)
    } else {
        ("not read", Tone::Unknown)
    };
    out.marked(mark, tone, &control.sentence());
    out.title("Conclusion");
    let (_, word, tone) = words::conclusion(run.conclusion);
    out.marked(&word.to_uppercase(), tone, &headline(run));
    for reason in &run.reasons {
        out.wrapped("                - ", &plain(reason, 400), Style::new());
    }
    out.title("What to do next");
    for step in advice(run) {
        out.wrapped("  - ", &step.text, Style::new());
        for line in step.policy.iter().flat_map(|policy| policy.lines()) {
            out.line(&format!("        {line}"), Style::new());
        }
    }
    out.0
}

/// The table as far as it is written.
#[derive(Default)]
struct Out(String);

impl Out {
    fn line(&mut self, text: &str, style: Style) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{style}{}{style:#}", text.trim_end());
    }

    fn title(&mut self, text: &str) {
        self.0.push('\n');
        self.line(text, TITLE);
    }

    /// A text over as many lines as it needs; `lead` stands before the first.
    fn wrapped(&mut self, lead: &str, text: &str, style: Style) {
        let indent = lead.chars().count();
        for (number, line) in wrap(text, WIDTH - indent).iter().enumerate() {
            let lead = if number == 0 { lead } else { &" ".repeat(indent) };
            self.line(&format!("{lead}{line}"), style);
        }
    }

    /// A coloured word, and a text beside it.
    fn marked(&mut self, word: &str, tone: Tone, text: &str) {
        let style = style(tone);
        for (number, line) in wrap(text, WIDTH - 16).iter().enumerate() {
            let word = if number == 0 { word } else { "" };
            let _ = writeln!(self.0, "  {style}{}{style:#}{line}", pad(word, 14));
        }
    }

    fn group(&mut self, group: &Group<'_>) {
        self.title(&plain(group.name, NAME));
        if let Some(service) = group.service {
            let target = &service.target;
            let answers = format!(
                "  {}; under its own name: {}; under a foreign name: {}",
                words::kind(target),
                words::answer(target.own_name_status),
                words::answer(target.foreign_name_status)
            );
            self.line(&answers, FAINT);
            if let Some(trouble) = &target.trouble {
                self.wrapped("  trouble: ", &plain(trouble, 200), FAINT);
            }
        }
        if group.cases.is_empty() {
            self.line("  no case", FAINT);
        }
        for grid in group.grids() {
            self.grid(&grid, group.is_control());
        }
        if let Some(note) = group.browser_note() {
            self.wrapped("  ", &note, style(Tone::Browser));
        }
    }

    fn grid(&mut self, grid: &Grid<'_>, is_control: bool) {
        self.wrapped("  ", &grid.place(), FAINT);
        let mut head = format!("  {}{}", pad("strategy", STRATEGY), pad("method", METHOD));
        for setting in &grid.columns {
            head.push_str(&pad(&format!("LNA {}", setting.name()), CELL));
        }
        self.line(&head, FAINT);
        let mut before = None;
        for row in &grid.rows {
            // A strategy is named once: what follows without a name is its own.
            let strategy = if before == Some(row.strategy) {
                ""
            } else {
                row.strategy.name()
            };
            before = Some(row.strategy);
            let mut line = format!("  {}{}", pad(strategy, STRATEGY), pad(row.method.name(), METHOD));
            for cell in &row.cells {
                match cell {
                    Some(entry) => line.push_str(&self::cell(*entry, is_control)),
                    None => line.push_str(&pad("", CELL)),
                }
            }
            self.line(&line, Style::new());
        }
    }

    /// The exact name of each outcome in this run, for those who look it up.
    fn legend(&mut self, run: &Run) {
        let is_seen = |outcome: &Outcome| run.cases.iter().any(|case| case.outcome == *outcome);
        let seen: Vec<_> = Outcome::ALL.into_iter().filter(is_seen).collect();
        if seen.is_empty() {
            return;
        }
        self.title("Outcomes (LNA: the browser's Local Network Access)");
        for outcome in seen {
            let words = words::outcome(outcome);
            let style = style(words.tone);
            let _ = writeln!(
                self.0,
                "  {style}{}{style:#}{}stopped by: {}",
                pad(words.word, 18),
                pad(outcome.name(), 23),
                outcome.stopped_by()
            );
        }
    }

    fn service(&mut self, group: &Group<'_>, service: &ServiceResult) {
        let (_, word, tone) = words::verdict(service.verdict, group.count(Outcome::BlockedByBrowser));
        let text = format!("{}: {}", plain(group.name, NAME), plain(&service.summary, 400));
        self.marked(word, tone, &text);
    }
}

fn cell(entry: Entry<'_>, is_control: bool) -> String {
    let (_, tone) = words::at(entry.result.outcome, is_control);
    let style = style(tone);
    let text = pad(&super::text::outcome(entry.result), CELL);
    let word = text.trim_end();
    // The blanks stand outside the style, so that those at the end of a line can go.
    let blanks = text.strip_prefix(word).unwrap_or_default();
    format!("{style}{word}{style:#}{blanks}")
}

fn style(tone: Tone) -> Style {
    match tone {
        Tone::Bad => AnsiColor::Red.on_default().bold(),
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Browser => AnsiColor::Yellow.on_default(),
        Tone::Elsewhere => AnsiColor::Magenta.on_default(),
        Tone::Unknown => FAINT,
        Tone::Control => AnsiColor::Cyan.on_default(),
    }
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use unicode_width::UnicodeWidthStr;

    use super::*;
    use crate::report::fixture;
    use crate::verdict::{Conclusion, ServiceVerdict};

    #[test]
    fn fits_a_hundred_columns_and_moves_no_cursor() {
        for run in [fixture::run(), fixture::safe(), fixture::hostile(), fixture::empty()] {
            let table = strip_str(&table(&run)).to_string();
            for line in table.lines() {
                assert!(line.width() <= WIDTH, "{} columns: {line}", line.width());
                assert!(!line.contains(|character: char| character.is_control()), "{line:?}");
                assert_eq!(line, line.trim_end());
            }
        }
    }

    #[test]
    fn words_say_what_colours_say() {
        let text = strip_str(&table(&fixture::run())).to_string();
        for outcome in Outcome::ALL {
            assert!(text.contains(outcome.name()), "{}", outcome.name());
            assert!(text.contains(words::outcome(outcome).word), "{}", outcome.name());
        }
        for line in [
            "read in 0.5 s",
            "read+wrote in 2.1 s",
            "vulnerable    ollama: ",
            "refuses       guarded: ",
            "not tested    comfyui: ",
            "VULNERABLE    A web page can read ollama.",
            "this rig can rebind",
            "says nothing about the service",
            "allow = [\"localhost:11434\", \"127.0.0.1:11434\"]",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn what_the_browser_hid_is_yellow_and_never_green() {
        let mut run = fixture::run();
        for case in &mut run.cases {
            case.outcome = Outcome::BlockedByBrowser;
        }
        for service in &mut run.services {
            service.verdict = ServiceVerdict::NotTested;
        }
        run.conclusion = Conclusion::Inconclusive;
        let table = table(&run);
        assert!(!table.contains(&style(Tone::Good).to_string()));
        assert!(table.contains(&format!("{}not tested", style(Tone::Browser))));
        assert!(table.contains(&format!("{}browser blocked", style(Tone::Browser))));
    }

    #[test]
    fn an_empty_run_says_that_nothing_is_known() {
        let text = strip_str(&table(&fixture::empty())).to_string();
        assert!(text.contains("INCONCLUSIVE"), "{text}");
        assert!(text.contains("0 cases"), "{text}");
    }
}
