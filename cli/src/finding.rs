//! Mistakes and weak choices of a policy, as people and programs read them.

use std::io::{self, Write};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use hostbound::{Lint, PolicyError, PolicyErrors, Position};
use serde::Serialize;

use crate::output::printable;

/// Whether a finding refuses the policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Severity {
    Error,
    Warning,
}

/// One mistake, or one weak choice.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    #[serde(skip)]
    severity: Severity,
    /// The stable name of the error or lint.
    code: &'static str,
    path: String,
    message: String,
    fix: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
    #[serde(skip)]
    span: Range<usize>,
}

impl Finding {
    /// A mistake that is no mistake of a policy's text: the engine never saw it.
    pub(crate) fn outside(code: &'static str, message: String, fix: Option<String>) -> Self {
        let (path, severity) = (String::new(), Severity::Error);
        Self {
            severity,
            code,
            path,
            message,
            fix,
            line: None,
            column: None,
            span: 0..0,
        }
    }

    pub(crate) fn at(self, position: Position) -> Self {
        Self {
            line: Some(position.line),
            column: Some(position.column),
            ..self
        }
    }
}

impl From<&PolicyError> for Finding {
    fn from(error: &PolicyError) -> Self {
        Self {
            severity: Severity::Error,
            code: error.code().as_str(),
            path: error.path().to_owned(),
            message: error.message().to_owned(),
            fix: error.fix().map(Into::into),
            line: error.position().map(|position| position.line),
            column: error.position().map(|position| position.column),
            span: error.span(),
        }
    }
}

impl From<&Lint> for Finding {
    fn from(lint: &Lint) -> Self {
        Self {
            severity: Severity::Warning,
            code: lint.id().as_str(),
            path: lint.path().to_owned(),
            message: lint.message().to_owned(),
            fix: lint.fix().map(Into::into),
            line: lint.position().map(|position| position.line),
            column: lint.position().map(|position| position.column),
            span: lint.span(),
        }
    }
}

/// A longer line, as of JSON without line feeds, is not laid out.
const MAX_LINE: usize = 4096;

/// The file in which findings stand, and its text, if the findings' spans are of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: Option<&'a str>,
}

impl Source<'_> {
    /// A finding with the line in which it stands; without a text, or in a line that nobody reads, in one line of words.
    pub(crate) fn render(self, finding: &Finding) -> String {
        let place = finding.line.zip(self.text);
        match place.map(|(line, text)| Excerpt::of(text, &finding.span, line)) {
            Some(excerpt) if excerpt.line.len() <= MAX_LINE => self.render_excerpt(finding, &excerpt),
            _ => self.render_words(finding),
        }
    }

    fn render_excerpt(self, finding: &Finding, excerpt: &Excerpt<'_>) -> String {
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let label = (!finding.path.is_empty()).then_some(finding.path.as_str());
        let annotation = AnnotationKind::Primary.span(excerpt.span.clone()).label(label);
        let snippet = Snippet::source(excerpt.line)
            .line_start(excerpt.number)
            .path(self.file)
            .annotation(annotation);
        let group = level.primary_title(&finding.message).id(finding.code).element(snippet);
        let group = match &finding.fix {
            Some(fix) => group.element(Level::HELP.message(fix)),
            None => group,
        };
        format!("{}\n\n", Renderer::styled().render(&[group]))
    }

    /// `file:line:column: error[code]: path: message; fix`
    fn render_words(self, finding: &Finding) -> String {
        let mut words = printable(self.file, usize::MAX);
        if let Some((line, column)) = finding.line.zip(finding.column) {
            words.push_str(&format!(":{line}:{column}"));
        }
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        words.push_str(&format!(": {severity}[{}]: ", finding.code));
        if !finding.path.is_empty() {
            words.push_str(&format!("{}: ", printable(&finding.path, usize::MAX)));
        }
        words.push_str(&finding.message);
        if let Some(fix) = &finding.fix {
            words.push_str(&format!("; {fix}"));
        }
        words.push('\n');
        words
    }
}

/// The line in which a span begins, and what of the span lies in it. A policy may be long: only this is laid out.
struct Excerpt<'a> {
    line: &'a str,
    number: usize,
    span: Range<usize>,
}

impl<'a> Excerpt<'a> {
    fn of(text: &'a str, span: &Range<usize>, number: u32) -> Self {
        let (before, after) = text.split_at_checked(span.start).unwrap_or((text, ""));
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let end = after.find('\n').map_or(text.len(), |at| before.len() + at);
        let line = text.get(start..end).unwrap_or_default().trim_end_matches('\r');
        let clipped = |at: usize| at.saturating_sub(start).min(line.len());
        Self {
            line,
            number: usize::try_from(number).unwrap_or_default(),
            span: clipped(span.start)..clipped(span.end),
        }
    }
}

/// A policy that is refused: where it came from, and every mistake.
#[derive(Debug)]
pub(crate) struct Refusal {
    file: String,
    text: Option<String>,
    findings: Vec<Finding>,
}

impl Refusal {
    pub(crate) fn new(file: &str, finding: Finding) -> Self {
        Self::many(file, vec![finding])
    }

    pub(crate) fn many(file: &str, findings: Vec<Finding>) -> Self {
        Self {
            file: file.to_owned(),
            text: None,
            findings,
        }
    }

    /// The engine's refusal of a text; of a compiled policy, there is no text.
    pub(crate) fn of_policy(errors: &PolicyErrors, text: Option<&str>) -> Self {
        let findings = errors.errors().iter().map(Finding::from).collect();
        Self {
            file: errors.file().to_owned(),
            text: text.map(Into::into),
            findings,
        }
    }

    pub(crate) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let source = Source {
            file: &self.file,
            text: self.text.as_deref(),
        };
        for finding in &self.findings {
            write!(out, "{}", source.render(finding))?;
        }
        Ok(())
    }

    /// `{"file": …, "errors": […]}`
    pub(crate) fn to_json(&self) -> Result<String, serde_json::Error> {
        #[derive(Serialize)]
        struct Report<'a> {
            file: &'a str,
            errors: &'a [Finding],
        }
        serde_json::to_string(&Report {
            file: &self.file,
            errors: &self.findings,
        })
    }
}
