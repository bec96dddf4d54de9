//! Writing: data to standard output, words to standard error, and foreign text without its control characters.

use std::fmt::Write as _;
use std::io::{self, Write as _};

/// Writes one line of data.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Says something to the user. Nothing can be done if nobody listens.
pub(crate) fn say(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// A text that came with a request, fit for one line of a terminal: what does not print is escaped, and past `limit` characters it is cut.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    let mut out = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == limit {
            out.push_str("...");
            break;
        }
        match character {
            ' '..='~' => out.push(character),
            // Writing to a string cannot fail.
            _ => drop(write!(out, "{}", character.escape_default())),
        }
    }
    out
}

/// `1 case`, `2 cases`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_moves_no_cursor() {
        assert_eq!(printable("a\u{1b}[31m\u{e9}\u{202e}", 99), "a\\u{1b}[31m\\u{e9}\\u{202e}");
        assert_eq!(printable("abcdef", 3), "abc...");
        assert_eq!(printable("abc", 3), "abc");
    }
}
