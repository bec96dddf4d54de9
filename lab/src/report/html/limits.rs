//! How much of the logs a page holds.

use maud::{Markup, html};

use crate::report::text::{count, ends, plain};

/// A page stays below this, unless its cases alone, without any log, are more.
const MAX_BYTES: usize = 2_000_000;

/// Most lines of a log, and most characters of a foreign text in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Limits {
    lines: usize,
    characters: usize,
}

impl Limits {
    /// From what one likes to read down to what says only that there was something.
    const STEPS: [Self; 7] = [
        Self::new(50, 300),
        Self::new(24, 300),
        Self::new(12, 200),
        Self::new(6, 120),
        Self::new(3, 80),
        Self::new(1, 40),
        Self::new(0, 20),
    ];

    const fn new(lines: usize, characters: usize) -> Self {
        Self { lines, characters }
    }

    /// The page with the widest limits that keep it small.
    pub(super) fn fit(page: impl Fn(Self) -> String) -> String {
        let mut text = String::new();
        for limits in Self::STEPS {
            text = page(limits);
            if text.len() < MAX_BYTES {
                break;
            }
        }
        text
    }

    pub(super) fn text(self, text: &str) -> String {
        plain(text, self.characters)
    }

    /// The beginning and the end of a log, and between them how much was left out.
    pub(super) fn lines<T>(
        self,
        all: &[T],
        line: impl Fn(&T) -> Markup,
        left_out: impl Fn(String) -> Markup,
    ) -> Markup {
        let (first, between, last) = ends(all, self.lines);
        html! {
            @for item in first { (line(item)) }
            @if between > 0 { (left_out(format!("{} left out", count(between, "line")))) }
            @for item in last { (line(item)) }
        }
    }
}
