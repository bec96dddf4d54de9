//! Foreign text made fit for a report, numbers in words, and lists cut in the middle.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::verdict::{CaseResult, Outcome};

/// A foreign text in one line: what moves the cursor, turns the direction of writing or cannot stand in XML is escaped,
/// and past `limit` characters it is cut, with the number of those left out.
pub(super) fn plain(text: &str, limit: usize) -> String {
    let mut characters = text.chars();
    let mut out = String::new();
    for character in characters.by_ref().take(limit) {
        if is_plain(character) {
            out.push(character);
        } else {
            out.extend(character.escape_default());
        }
    }
    match characters.count() {
        0 => {}
        left => out.push_str(&format!("… ({left} more)")),
    }
    out
}

/// Neither a control character, nor one that is not seen, nor one that XML 1.0 §2.2 excludes.
fn is_plain(character: char) -> bool {
    let is_unseen = matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}');
    !character.is_control() && !is_unseen
}

/// `1 case`, `2 cases`.
pub(super) fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [word] => word.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `0.5 s`.
pub(super) fn seconds(milliseconds: u64) -> String {
    let tenths = milliseconds.saturating_add(50) / 100;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

/// `42 ms`, `0.5 s`.
pub(super) fn moment(milliseconds: u64) -> String {
    match milliseconds {
        0..100 => format!("{milliseconds} ms"),
        _ => seconds(milliseconds),
    }
}

/// `12.3 s`, `3 min 12 s`, `1 h 4 min`.
pub(super) fn duration(milliseconds: u64) -> String {
    let whole = milliseconds / 1000;
    match whole {
        0..60 => seconds(milliseconds),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

/// `blocked by the browser`; where the page read it, how fast, and whether it wrote too.
pub(super) fn outcome(result: &CaseResult) -> String {
    let word = super::words::outcome(result.outcome).word;
    if result.outcome != Outcome::ReachedReadable {
        return word.to_owned();
    }
    let page = result.logs.page.as_ref();
    let wrote = match page.and_then(|page| page.wrote) {
        Some(true) => "+wrote",
        _ => "",
    };
    match page.and_then(|page| page.rebind_ms) {
        Some(time) => format!("{word}{wrote} in {}", moment(time)),
        None => format!("{word}{wrote}"),
    }
}

/// The first and the last of a list, as many as `limit` together, and how many lie between.
pub(super) fn ends<T>(all: &[T], limit: usize) -> (&[T], usize, &[T]) {
    if all.len() <= limit {
        return (all, 0, &[]);
    }
    let (first, rest) = all.split_at(limit.div_ceil(2));
    let (between, last) = rest.split_at(rest.len().saturating_sub(limit / 2));
    (first, between.len(), last)
}

/// Lines of at most `width` columns. Words that are longer are broken.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !line.is_empty() && line.width() + 1 + word.width() <= width {
            line.push(' ');
        } else if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for character in word.chars() {
            if line.width() + character.width().unwrap_or(0) > width {
                lines.push(std::mem::take(&mut line));
            }
            line.push(character);
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Cut to `width` columns, or filled up to them.
pub(super) fn pad(text: &str, width: usize) -> String {
    let mut out = String::new();
    if text.width() > width {
        for character in text.chars() {
            if out.width() + character.width().unwrap_or(0) + 1 > width {
                break;
            }
            out.push(character);
        }
        out.push('…');
    } else {
        out.push_str(text);
    }
    let missing = width.saturating_sub(out.width());
    out.extend(std::iter::repeat_n(' ', missing));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_moves_no_cursor_and_turns_no_line() {
        for (text, limit, want) in [
            ("a\u{1b}[31m\u{e9}\u{202e}", 99, "a\\u{1b}[31m\u{e9}\\u{202e}"),
            ("one\ntwo\r\t\0", 99, "one\\ntwo\\r\\t\\u{0}"),
            ("\u{fffe}\u{ffff}\u{85}", 99, "\\u{fffe}\\u{ffff}\\u{85}"),
            ("abcdef", 3, "abc… (3 more)"),
            ("abc", 3, "abc"),
        ] {
            assert_eq!(plain(text, limit), want);
        }
    }

    #[test]
    fn times_in_words() {
        for (milliseconds, want) in [
            (0, "0.0 s"),
            (530, "0.5 s"),
            (2950, "3.0 s"),
            (60_300, "1 min 0 s"),
            (192_000, "3 min 12 s"),
            (3_840_000, "1 h 4 min"),
        ] {
            assert_eq!(duration(milliseconds), want);
        }
        assert_eq!(moment(42), "42 ms");
        assert_eq!(moment(530), "0.5 s");
        assert_eq!(seconds(60_300), "60.3 s");
        assert_eq!(seconds(u64::MAX), "18446744073709551.6 s");
    }

    #[test]
    fn lists_are_cut_in_the_middle() {
        let all = [1, 2, 3, 4, 5, 6, 7];
        for (limit, want) in [
            (7, (&all[..], 0, &[][..])),
            (3, (&[1, 2][..], 4, &[7][..])),
            (2, (&[1][..], 5, &[7][..])),
            (1, (&[1][..], 6, &[][..])),
            (0, (&[][..], 7, &[][..])),
        ] {
            assert_eq!(ends(&all, limit), want, "{limit}");
        }
    }

    #[test]
    fn no_line_is_wider() {
        assert_eq!(wrap("to be or not to be", 9), ["to be or", "not to be"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("漢字漢字", 5), ["漢字", "漢字"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(pad("abc", 5), "abc  ");
        assert_eq!(pad("abcdef", 5), "abcd…");
        assert_eq!(pad("漢字漢", 5), "漢字…");
    }
}
