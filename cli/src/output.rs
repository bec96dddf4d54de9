//! Writing: data to standard output, words to standard error, and foreign text without its control characters.

use std::io::{self, Write};

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

/// A foreign text, fit for one line of a terminal: what moves the cursor or turns the direction of writing is escaped, and past `limit` characters it
/// is cut.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    let is_plain = |character: char| {
        let is_unseen = matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        !character.is_control() && !is_unseen
    };
    let mut characters = text.chars();
    let mut out = String::new();
    for character in characters.by_ref().take(limit) {
        if is_plain(character) {
            out.push(character);
        } else {
            out.extend(character.escape_default());
        }
    }
    if characters.next().is_some() {
        out.push_str("...");
    }
    out
}

/// `1 case`, `2 cases`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_moves_no_cursor() {
        assert_eq!(
            printable("a\u{1b}[31m\u{e9}\u{202e}", 99),
            "a\\u{1b}[31m\u{e9}\\u{202e}"
        );
        assert_eq!(printable("abcdef", 3), "abc...");
        assert_eq!(printable("abc", 3), "abc");
    }
}
