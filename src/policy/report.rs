//! Collects the mistakes of a document and gives them their places.

use std::ops::Range;

use super::diagnostic::{ErrorCode, PolicyError, PolicyErrors};
use crate::place::Position;
use crate::table::Table;
use crate::tree::Path;

/// More mistakes than this are not listed: the first ones explain the rest.
const MAX_ERRORS: usize = 100;

/// Where the values of a document stand.
#[derive(Clone, Debug)]
pub(crate) enum Places {
    /// In this text.
    Text(LineIndex),
    /// In the text from which the document was compiled, by path.
    Map(Table<Position>),
    /// Nowhere: the document came as an object.
    None,
}

impl Places {
    pub(crate) fn of(&self, path: &str, span: &Range<usize>) -> Option<Position> {
        match self {
            Self::Text(lines) => Some(lines.position(span.start)),
            Self::Map(positions) => positions.get(path.as_bytes()).copied(),
            Self::None => None,
        }
    }
}

/// The lines of a text, so that many places are found fast.
#[derive(Clone, Debug)]
pub(crate) struct LineIndex {
    text: String,
    starts: Vec<usize>,
    is_ascii: bool,
}

impl LineIndex {
    pub(crate) fn new(text: &str) -> Self {
        let after_line_feeds = text.match_indices('\n').map(|(at, _)| at.saturating_add(1));
        Self {
            text: text.to_owned(),
            starts: std::iter::once(0).chain(after_line_feeds).collect(),
            is_ascii: text.is_ascii(),
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn position(&self, byte: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= byte);
        let start = line
            .checked_sub(1)
            .and_then(|line| self.starts.get(line))
            .copied()
            .unwrap_or(0);
        let bytes = byte.min(self.text.len()).saturating_sub(start);
        let characters = if self.is_ascii {
            bytes
        } else {
            self.text
                .get(start..byte.min(self.text.len()))
                .map_or(bytes, |text| text.chars().count())
        };
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Position {
            line: number(line),
            column: number(characters.saturating_add(1)),
        }
    }
}

pub(crate) struct Report<'a> {
    file: &'a str,
    places: &'a Places,
    errors: Vec<PolicyError>,
}

impl<'a> Report<'a> {
    pub(crate) const fn new(file: &'a str, places: &'a Places) -> Self {
        Self {
            file,
            places,
            errors: Vec::new(),
        }
    }

    pub(crate) fn error(
        &mut self,
        code: ErrorCode,
        path: &Path<'_>,
        span: Range<usize>,
        message: String,
    ) -> Reported<'_> {
        if self.errors.len() >= MAX_ERRORS {
            return Reported(None);
        }
        let path = path.to_string();
        // What is no value of its key means nothing, so that there is nothing more to say of it.
        let is_spoiled = |error: &PolicyError| error.code == ErrorCode::ValueUnknown && error.path == path;
        if self.errors.iter().any(is_spoiled) {
            return Reported(None);
        }
        let position = self.places.of(&path, &span);
        // In the order of the text. They are few: a sort of its own would weigh more than it saves.
        let order = |position: Option<Position>| position.map(|position| (position.line, position.column));
        let index = self
            .errors
            .partition_point(|error| order(error.position) <= order(position));
        self.errors.insert(
            index,
            PolicyError {
                code,
                path,
                message,
                fix: None,
                position,
                span,
            },
        );
        Reported(self.errors.get_mut(index))
    }

    #[cfg(feature = "authoring")]
    pub(crate) fn position(&self, path: &Path<'_>, span: &Range<usize>) -> Option<Position> {
        self.places.of(&path.to_string(), span)
    }

    /// True if every value has the type that it should have, and no key is missing or unknown.
    pub(crate) fn is_in_shape(&self) -> bool {
        self.errors.iter().all(|error| error.code == ErrorCode::ValueUnknown)
    }

    pub(crate) fn finish(self) -> Result<(), PolicyErrors> {
        if self.errors.is_empty() {
            return Ok(());
        }
        Err(PolicyErrors {
            file: self.file.to_owned(),
            errors: self.errors,
        })
    }
}

/// The error just reported, to add how to mend it.
pub(crate) struct Reported<'a>(Option<&'a mut PolicyError>);

impl Reported<'_> {
    pub(crate) fn fix(self, fix: String) {
        if let Some(error) = self.0 {
            error.fix = Some(fix);
        }
    }

    pub(crate) fn maybe_fix(self, fix: Option<String>) {
        if let Some(fix) = fix {
            self.fix(fix);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters() {
        let lines = LineIndex::new("a\n\u{e9}b\nc");
        for (byte, want) in [(0, "1:1"), (1, "1:2"), (2, "2:1"), (4, "2:2"), (6, "3:1"), (99, "3:2")] {
            assert_eq!(lines.position(byte).to_string(), want, "{byte}");
        }
    }
}
