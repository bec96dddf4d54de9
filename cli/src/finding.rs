//! Mistakes and weak choices of a policy, as people and programs read them.

use std::io::{self, Write};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use hostbound::{Lint, PolicyError, PolicyErrors, Position};
use serde::Serialize;
use serde_json::json;

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
        Self { severity, code, path, message, fix, line: None, column: None, span: 0..0 }
    }

    pub(crate) fn at(self, position: Position) -> Self {
        Self { line: Some(position.line), column: Some(position.column), ..self }
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

/// The file in which findings stand, and its text, if the findings' spans are of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: Option<&'a str>,
}

impl Source<'_> {
    /// A finding with the line in which it stands; without a text, in words.
    pub(crate) fn render(self, finding: &Finding) -> String {
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(&finding.message).id(finding.code);
        let excerpt = finding.line.zip(self.text).map(|(line, text)| Excerpt::of(text, finding.span.clone(), line));
        let group = match &excerpt {
            Some(excerpt) => {
                let label = (!finding.path.is_empty()).then_some(finding.path.as_str());
                let annotation = AnnotationKind::Primary.span(excerpt.span.clone()).label(label);
                title.element(
                    Snippet::source(excerpt.line).line_start(excerpt.number).path(self.file).annotation(annotation),
                )
            }
            None => self.without_text(finding, title.elements([] as [Snippet<'_, _>; 0])),
        };
        let group = match &finding.fix {
            Some(fix) => group.element(Level::HELP.message(fix)),
            None => group,
        };
        Renderer::styled().render(&[group])
    }

    fn without_text<'a>(self, finding: &'a Finding, group: Group<'a>) -> Group<'a>
    where
        Self: 'a,
    {
        group
    }
}

/// The line in which a span begins, and the part of the span that lies in it.
struct Excerpt<'a> {
    line: &'a str,
    number: usize,
    span: Range<usize>,
}
