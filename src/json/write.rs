//! JSON, written as it is collected: for what must be small or must be canonical.

use std::fmt::Write;

/// A string with the shortest escapes (RFC 8785 §3.2.2.2), as `serde_json` writes it too.
pub(crate) fn string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    loop {
        let is_special = |byte: u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        let end = rest.bytes().position(is_special).unwrap_or(rest.len());
        let (plain, special) = rest.split_at_checked(end).unwrap_or((rest, ""));
        out.push_str(plain);
        let mut characters = special.chars();
        match characters.next() {
            None => break,
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\t') => out.push_str("\\t"),
            Some('\n') => out.push_str("\\n"),
            Some('\u{c}') => out.push_str("\\f"),
            Some('\r') => out.push_str("\\r"),
            Some(control) => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
        }
        rest = characters.as_str();
    }
    out.push('"');
}

/// An object, member by member, in the order of the calls.
pub(crate) struct Object<'o> {
    out: &'o mut String,
    is_empty: bool,
}

impl<'o> Object<'o> {
    pub(crate) fn new(out: &'o mut String) -> Self {
        out.push('{');
        Self { out, is_empty: true }
    }

    pub(crate) fn end(self) {
        self.out.push('}');
    }

    /// A member whose value the caller writes behind it.
    pub(crate) fn member(&mut self, key: &str) -> &mut String {
        if !self.is_empty {
            self.out.push(',');
        }
        self.is_empty = false;
        string(self.out, key);
        self.out.push(':');
        self.out
    }

    pub(crate) fn text(&mut self, key: &str, text: &str) {
        string(self.member(key), text);
    }

    pub(crate) fn text_or_null(&mut self, key: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(key, text),
            None => self.null(key),
        }
    }

    pub(crate) fn null(&mut self, key: &str) {
        self.member(key).push_str("null");
    }

    pub(crate) fn boolean(&mut self, key: &str, value: bool) {
        self.member(key).push_str(if value { "true" } else { "false" });
    }

    pub(crate) fn number(&mut self, key: &str, number: u16) {
        let _ = write!(self.member(key), "{number}");
    }
}
