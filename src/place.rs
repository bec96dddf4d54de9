//! Where something stands in a text.

use std::fmt;

/// A place in a text, counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The character in the line.
    pub column: u32,
}

impl Position {
    /// That of a byte of a text.
    pub(crate) fn in_text(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let (lines, line) = before.rsplit_once('\n').unwrap_or(("", before));
        let lines = lines
            .matches('\n')
            .count()
            .saturating_add(usize::from(line.len() < before.len()));
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1);
        Self {
            line: number(lines),
            column: number(line.chars().count()),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}
