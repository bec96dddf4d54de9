//! `hostbound test`: runs the cases that policies carry.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use hostbound::{Case, CaseMismatch, Memory, Timestamp, VerdictDocument};
use serde::Serialize;
use serde_json::Value;

use crate::args::Format;
use crate::color::{BAD, GOOD};
use crate::exit::{Exit, Failure};
use crate::output::{count, printable, say};
use crate::policy::{Additions, DEFAULT_FILE, PolicyFile};
use crate::secrets::SecretsArgs;

/// Run the `[[cases]]` of policies
///
/// Ends with 0 if every case is as expected, 1 if one is not, 2 if a policy is refused, 3 if a policy has no cases.
#[derive(Args, Debug)]
pub(crate) struct Test {
    /// The policies, in TOML or JSON
    #[arg(value_name = "FILE", default_value = DEFAULT_FILE)]
    files: Vec<PathBuf>,

    #[command(flatten)]
    additions: Additions,

    #[command(flatten)]
    secrets: SecretsArgs,

    /// How to print; `json` is one object a line for each case
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
}

/// A case and what became of it.
struct Tried<'a> {
    file: &'a str,
    case: &'a Case,
    verdict: VerdictDocument,
    mismatches: Vec<CaseMismatch>,
}

impl Test {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let mut exit = Exit::Clean;
        for file in &self.files {
            exit = exit.max(match self.test(file) {
                Ok(exit) => exit,
                // The other policies have their turn all the same.
                Err(failure @ Failure::Policy(_)) => failure.report(self.format),
                Err(failure) => return Err(failure),
            });
        }
        Ok(exit)
    }

    fn test(&self, path: &Path) -> Result<Exit, Failure> {
        let file = PolicyFile::read(path)?;
        let document = file.document(&self.additions)?;
        let guard = self.secrets.guard(file.compile(&document)?, path, document.text())?;
        // Of the whole policy, as of a service: a case can replay an earlier one.
        let mut memory = Memory::new(Timestamp(0));
        let cases = guard.policy().cases();
        if cases.is_empty() {
            say(&format!(
                "{}: no cases, so nothing is known; add a [[cases]] table",
                file.name()
            ));
            return Ok(Exit::Unknown);
        }
        let mut failed = 0;
        let mut out = anstream::stdout().lock();
        for case in cases {
            let verdict = guard.decide(case.request(), &mut memory);
            let mismatches = case.mismatches(&verdict);
            failed += usize::from(!mismatches.is_empty());
            let tried = Tried {
                file: file.name(),
                case,
                verdict,
                mismatches,
            };
            match self.format {
                Format::Human => tried.print(&mut out),
                Format::Json => tried
                    .to_json()
                    .map_err(io::Error::from)
                    .and_then(|json| writeln!(out, "{json}")),
            }
            .map_err(Failure::Output)?;
        }
        if self.format == Format::Human {
            let passed = cases.len() - failed;
            writeln!(
                out,
                "{}: {}, {passed} ok, {failed} failed",
                file.name(),
                count(cases.len(), "case")
            )
            .map_err(Failure::Output)?;
        }
        out.flush().map_err(Failure::Output)?;
        Ok(if failed == 0 { Exit::Clean } else { Exit::Findings })
    }
}

impl Tried<'_> {
    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let name = printable(self.case.name(), 200);
        if self.mismatches.is_empty() {
            return writeln!(out, "{GOOD}ok{GOOD:#} {name}");
        }
        let place = match self.case.position() {
            Some(position) => format!("{}:{}", self.file, position.line),
            None => self.file.to_owned(),
        };
        writeln!(out, "{BAD}FAILED{BAD:#} {name} ({place})")?;
        for CaseMismatch { field, expected, found } in &self.mismatches {
            writeln!(out, "  {field}: expected {expected}, found {found}")?;
        }
        match (&self.verdict.detail, self.verdict.reported.first()) {
            (Some(detail), _) => writeln!(out, "  detail: {detail}"),
            (None, Some(report)) => writeln!(out, "  reported: {}: {}", report.reason, report.detail),
            (None, None) => Ok(()),
        }
    }

    fn to_json(&self) -> Result<String, serde_json::Error> {
        let mismatches = self
            .mismatches
            .iter()
            .map(|CaseMismatch { field, expected, found }| Mismatch { field, expected, found });
        serde_json::to_string(&Report {
            file: self.file,
            name: self.case.name(),
            line: self.case.position().map(|position| position.line),
            passed: self.mismatches.is_empty(),
            mismatches: mismatches.collect(),
            verdict: &self.verdict,
        })
    }
}

/// What is printed of a case in JSON.
#[derive(Serialize)]
struct Report<'a> {
    file: &'a str,
    name: &'a str,
    line: Option<u32>,
    passed: bool,
    mismatches: Vec<Mismatch<'a>>,
    verdict: &'a VerdictDocument,
}

#[derive(Serialize)]
struct Mismatch<'a> {
    field: &'a str,
    expected: &'a Value,
    found: &'a Value,
}
