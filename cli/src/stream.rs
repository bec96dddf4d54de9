//! Judging a stream: one request a line in, one verdict a line out, in order and in constant memory.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::path::PathBuf;

use clap::Args;
use hostbound::{Check, Decision, Guard, Reason, RequestDocumentError, VerdictDocument};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::args::Format;
use crate::exit::{Exit, Failure};
use crate::input::{Input, Line, Lines};
use crate::output::say;
use crate::policy::PolicyArgs;

/// So many lines that are no requests are told one by one.
const MAX_MESSAGES: u64 = 20;

/// The progress is drawn anew after so many lines.
const LINES_A_TICK: u64 = 4096;

const BUFFER: usize = 256 * 1024;

/// The verdict on one line.
pub(crate) trait JudgedLine: Serialize {
    fn decision(&self) -> Decision;

    /// Allowed because of report mode alone.
    fn is_reported(&self) -> bool;

    /// For people, in one line.
    fn summary(&self) -> String;
}

/// Which requests, and by which policy.
#[derive(Args, Debug)]
pub(crate) struct StreamArgs {
    /// The requests [default: standard input]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) policy: PolicyArgs,

    /// How to print the verdicts [default: json]
    #[arg(long, value_enum)]
    format: Option<Format>,
}

impl StreamArgs {
    /// A refused policy is told in JSON only to those who asked for JSON by name.
    pub(crate) fn format_of_words(&self) -> Format {
        self.format.unwrap_or(Format::Human)
    }

    /// Judges every line.
    pub(crate) fn run<V: JudgedLine>(
        &self,
        guard: &Guard,
        judge: impl FnMut(&[u8]) -> Result<V, RequestDocumentError>,
    ) -> Result<Exit, Failure> {
        let input = Input::open(self.file.as_deref())?;
        let mut run = Run {
            guard,
            judge,
            format: self.format.unwrap_or(Format::Json),
            out: BufWriter::with_capacity(BUFFER, io::stdout().lock()),
            progress: progress(&input),
            count: Count::default(),
        };
        let outcome = run.judge_all(&mut input.lines());
        // Whatever was decided before a failure is written.
        let flushed = run.out.flush().map_err(Failure::Output);
        run.progress.finish_and_clear();
        outcome.and(flushed)?;
        run.count.tell(run.format);
        Ok(run.count.exit())
    }
}

/// Shown only where it is neither in the way of the verdicts nor without an end.
fn progress(input: &Input) -> ProgressBar {
    match input.length {
        Some(length) if io::stderr().is_terminal() && !io::stdout().is_terminal() => {
            let style = "{bytes} of {total_bytes} {wide_bar} {bytes_per_sec}, {eta} left";
            ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr())
                .with_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()))
        }
        _ => ProgressBar::hidden(),
    }
}

struct Run<'a, J> {
    guard: &'a Guard,
    judge: J,
    format: Format,
    out: BufWriter<StdoutLock<'a>>,
    progress: ProgressBar,
    count: Count,
}

impl<V: JudgedLine, J: FnMut(&[u8]) -> Result<V, RequestDocumentError>> Run<'_, J> {
    fn judge_all(&mut self, lines: &mut Lines) -> Result<(), Failure> {
        loop {
            // Nobody waits for a verdict that is made: before this waits for input, it is written.
            if !lines.has_next_at_hand() {
                self.out.flush().map_err(Failure::Output)?;
            }
            let Some((number, line)) = lines.next()? else {
                return Ok(());
            };
            self.answer(number, line).map_err(Failure::Output)?;
            if number % LINES_A_TICK == 0 {
                self.progress.set_position(lines.bytes());
            }
        }
    }

    /// Writes the verdict of a line; none for a blank one.
    fn answer(&mut self, number: u64, line: Line<'_>) -> io::Result<()> {
        let judged = match line {
            Line::Whole(line) if line.trim_ascii().is_empty() => return Ok(()),
            Line::Whole(line) => (self.judge)(line).map_err(|error| error.to_string()),
            Line::TooLong => Err("it is longer than 4 MiB".to_owned()),
        };
        match judged {
            Ok(verdict) => {
                match (verdict.decision(), verdict.is_reported()) {
                    (Decision::Deny, _) => self.count.denied += 1,
                    (Decision::Allow, false) => self.count.allowed += 1,
                    (Decision::Allow, true) => self.count.reported += 1,
                }
                self.write(&verdict)
            }
            Err(why) => {
                self.count.malformed += 1;
                let detail = format!("line {number} is no request: {why}");
                if self.count.malformed <= MAX_MESSAGES {
                    self.progress.suspend(|| say(&format!("error: {detail}")));
                }
                self.write(&self.no_request(detail))
            }
        }
    }

    /// What stands in the place of a verdict where there is nothing to judge.
    fn no_request(&self, detail: String) -> VerdictDocument {
        let policy = self.guard.policy();
        VerdictDocument {
            id: None,
            decision: Decision::Deny,
            status: Reason::RequestMalformed.status(),
            check: Some(Check::Request),
            reason: Some(Reason::RequestMalformed),
            public_reason: Some(Reason::RequestMalformed.public()),
            rule: None,
            detail: Some(detail),
            mode: policy.mode().as_str(),
            policy: policy.digest().to_owned(),
            identity: None,
            reported: Vec::new(),
        }
    }

    fn write(&mut self, verdict: &impl JudgedLine) -> io::Result<()> {
        match self.format {
            Format::Json => serde_json::to_writer(&mut self.out, verdict)?,
            Format::Human => self.out.write_all(verdict.summary().as_bytes())?,
        }
        self.out.write_all(b"\n")
    }
}

#[derive(Default)]
struct Count {
    allowed: u64,
    denied: u64,
    reported: u64,
    malformed: u64,
}

impl Count {
    fn tell(&self, format: Format) {
        if self.malformed > MAX_MESSAGES {
            say(&format!(
                "error: {} lines are no requests; the first {MAX_MESSAGES} are listed above",
                self.malformed
            ));
        }
        if format == Format::Human {
            let Self {
                allowed,
                denied,
                reported,
                malformed,
            } = self;
            say(&format!(
                "{allowed} allowed, {reported} reported, {denied} denied, {malformed} no requests"
            ));
        }
    }

    const fn exit(&self) -> Exit {
        match self {
            Self { malformed: 1.., .. } => Exit::Unknown,
            Self { denied: 1.., .. } => Exit::Findings,
            _ => Exit::Clean,
        }
    }
}
