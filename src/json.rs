//! Strict JSON (RFC 8259) into a tree that knows where each value stands.
//!
//! Refuses duplicate keys, more than 64 levels, and bytes that are not UTF-8. Numbers that are no safe integers are kept as text.

mod document;
mod write;

use std::borrow::Cow;
use std::ops::{Deref, Range};

pub use document::{JsonDocument, JsonValue};
pub(crate) use write::{Object, string};

use crate::table::Table;
use crate::tree::{Entry, MAX_INTEGER, Node, Value};

/// The deepest nesting of lists and objects.
const MAX_DEPTH: usize = 64;

/// As many keys of one table are compared one by one: a set of them would take longer.
const FEW: usize = 32;

/// Why a text is no JSON, and where.
#[derive(Clone, Debug)]
pub(crate) struct JsonError {
    pub(crate) kind: JsonErrorKind,
    pub(crate) span: Range<usize>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum JsonErrorKind {
    Expected(&'static str),
    DuplicateKey(String),
    TooDeep,
}

/// Reads one value, with nothing but white space around it.
pub(crate) fn parse(text: &str) -> Result<Node, JsonError> {
    read(text).map_err(|failure| *failure)
}

/// The same, with strings that are borrowed where they have no escape.
pub(crate) fn parse_borrowed(text: &str) -> Result<Node<Cow<'_, str>>, JsonError> {
    read(text).map_err(|failure| *failure)
}

/// In a box: where nothing fails, values are moved all the time.
type Failure = Box<JsonError>;

fn read<'a, S: Text<'a>>(text: &'a str) -> Result<Node<S>, Failure> {
    let mut reader = Reader { text, at: 0 };
    let mut node = Node::new(Value::Null, 0..0);
    reader.value(0, &mut node)?;
    reader.skip_white_space();
    if reader.at == text.len() {
        Ok(node)
    } else {
        Err(reader.expected("the end"))
    }
}

/// What strings are read into.
trait Text<'a>: From<Cow<'a, str>> + Deref<Target = str> + Eq {}

impl<'a, S: From<Cow<'a, str>> + Deref<Target = str> + Eq> Text<'a> for S {}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads a value into its place, as moving it there would take longer.
    fn value<S: Text<'a>>(&mut self, depth: usize, node: &mut Node<S>) -> Result<(), Failure> {
        self.skip_white_space();
        let start = self.at;
        node.value = match self.peek() {
            Some(b'{') => Value::Table(self.table(depth)?),
            Some(b'[') => Value::List(self.list(depth)?),
            Some(b'"') => Value::String(self.string()?.into()),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ if self.take_word("true") => Value::Boolean(true),
            _ if self.take_word("false") => Value::Boolean(false),
            _ if self.take_word("null") => Value::Null,
            _ => return Err(self.expected("a value")),
        };
        node.span = start..self.at;
        Ok(())
    }

    fn table<S: Text<'a>>(&mut self, depth: usize) -> Result<Vec<Entry<S>>, Failure> {
        let depth = self.deeper(depth)?;
        let mut entries: Vec<Entry<S>> = Vec::new();
        let mut keys = Table::default();
        let mut bits = 0_u64;
        self.skip_white_space();
        if self.take(b'}') {
            return Ok(entries);
        }
        loop {
            self.skip_white_space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.expected("a key in double quotes"));
            }
            let key = S::from(self.string()?);
            let key_span = start..self.at;
            // A key whose bit is not set yet is new.
            let bit = 1_u64.rotate_left(
                key.bytes()
                    .fold(0, |sum, byte| sum.wrapping_mul(7).wrapping_add(byte.into())),
            );
            let is_known = if entries.len() < FEW {
                bits & bit != 0 && entries.iter().any(|entry| entry.key == key)
            } else {
                if keys.is_empty() {
                    for entry in &entries {
                        keys.insert(entry.key.as_bytes(), ());
                    }
                }
                keys.insert(key.as_bytes(), ()).is_some()
            };
            if is_known {
                return Err(Box::new(JsonError {
                    kind: JsonErrorKind::DuplicateKey((*key).to_owned()),
                    span: key_span,
                }));
            }
            bits |= bit;
            self.skip_white_space();
            if !self.take(b':') {
                return Err(self.expected("`:`"));
            }
            let node = Node::new(Value::Null, 0..0);
            let entry = entries.push_mut(Entry { key, key_span, node });
            self.value(depth, &mut entry.node)?;
            self.skip_white_space();
            if self.take(b'}') {
                return Ok(entries);
            }
            if !self.take(b',') {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    fn list<S: Text<'a>>(&mut self, depth: usize) -> Result<Vec<Node<S>>, Failure> {
        let depth = self.deeper(depth)?;
        let mut items = Vec::new();
        self.skip_white_space();
        if self.take(b']') {
            return Ok(items);
        }
        loop {
            self.value(depth, items.push_mut(Node::new(Value::Null, 0..0)))?;
            self.skip_white_space();
            if self.take(b']') {
                return Ok(items);
            }
            if !self.take(b',') {
                return Err(self.expected("`,` or `]`"));
            }
        }
    }

    /// Steps over the opening bracket.
    fn deeper(&mut self, depth: usize) -> Result<usize, Failure> {
        let start = self.at;
        self.at = self.at.saturating_add(1);
        if depth >= MAX_DEPTH {
            return Err(Box::new(JsonError {
                kind: JsonErrorKind::TooDeep,
                span: start..self.at,
            }));
        }
        Ok(depth.saturating_add(1))
    }

    /// Borrowed where there is no escape.
    #[inline]
    fn string(&mut self) -> Result<Cow<'a, str>, Failure> {
        self.at = self.at.saturating_add(1);
        let text = self.plain();
        if self.take(b'"') {
            Ok(Cow::Borrowed(text))
        } else {
            self.escaped(text.to_owned()).map(Cow::Owned)
        }
    }

    /// The rest of a string, behind what is plain.
    #[cold]
    fn escaped(&mut self, mut text: String) -> Result<String, Failure> {
        while self.peek() == Some(b'\\') {
            text.push(self.escape()?);
            text.push_str(self.plain());
        }
        if self.take(b'"') {
            Ok(text)
        } else {
            Err(self.expected("`\"` at the end of the string"))
        }
    }

    /// Up to what ends a string, begins an escape, or may not occur.
    fn plain(&mut self) -> &'a str {
        let rest = self.rest();
        let length = rest
            .bytes()
            .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
            .unwrap_or(rest.len());
        self.at = self.at.saturating_add(length);
        rest.get(..length).unwrap_or_default()
    }

    fn escape(&mut self) -> Result<char, Failure> {
        const SHORT: [(&str, char); 8] = [
            ("\\\"", '"'),
            ("\\\\", '\\'),
            ("\\/", '/'),
            ("\\b", '\u{8}'),
            ("\\f", '\u{c}'),
            ("\\n", '\n'),
            ("\\r", '\r'),
            ("\\t", '\t'),
        ];
        for (escape, character) in SHORT {
            if self.take_word(escape) {
                return Ok(character);
            }
        }
        let start = self.at;
        let bad = |reader: &Self| {
            Box::new(JsonError {
                kind: JsonErrorKind::Expected("an escape of RFC 8259 §7 without lone surrogates"),
                span: start..reader.at.max(start.saturating_add(1)).min(reader.text.len()),
            })
        };
        let first = self.code_unit().ok_or_else(|| bad(self))?;
        let mut units = vec![first];
        if (0xd800..0xdc00).contains(&first) {
            units.push(self.code_unit().ok_or_else(|| bad(self))?);
        }
        let mut decoded = char::decode_utf16(units);
        match (decoded.next(), decoded.next()) {
            (Some(Ok(character)), None) => Ok(character),
            _ => Err(bad(self)),
        }
    }

    fn code_unit(&mut self) -> Option<u16> {
        let rest = self.rest().strip_prefix("\\u")?;
        let digits = rest
            .get(..4)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        let unit = u16::from_str_radix(digits, 16).ok()?;
        self.at = self.at.saturating_add(6);
        Some(unit)
    }

    fn number<S: Text<'a>>(&mut self) -> Result<Value<S>, Failure> {
        let start = self.at;
        let _ = self.take(b'-');
        let integer = self.digits();
        if integer == 0
            || (integer > 1
                && self
                    .text
                    .get(start..)
                    .is_some_and(|text| text.trim_start_matches('-').starts_with('0')))
        {
            return Err(Box::new(JsonError {
                span: start..self.at,
                ..*self.expected("a number")
            }));
        }
        if self.take(b'.') && self.digits() == 0 {
            return Err(self.expected("a digit"));
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            if self.digits() == 0 {
                return Err(self.expected("a digit"));
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        Ok(text
            .parse()
            .ok()
            .filter(|value| (-MAX_INTEGER..=MAX_INTEGER).contains(value) && text != "-0")
            .map_or_else(|| Value::OtherNumber(Cow::Borrowed(text).into()), Value::Integer))
    }

    fn digits(&mut self) -> usize {
        let rest = self.rest();
        let count = rest
            .bytes()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(rest.len());
        self.at = self.at.saturating_add(count);
        count
    }

    fn skip_white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at = self.at.saturating_add(1);
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at = self.at.saturating_add(usize::from(found));
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at = self.at.saturating_add(word.len());
        }
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn expected(&self, what: &'static str) -> Failure {
        let length = self.rest().chars().next().map_or(0, char::len_utf8);
        Box::new(JsonError {
            kind: JsonErrorKind::Expected(what),
            span: self.at..self.at.saturating_add(length),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_they_say() {
        let text = r#" {"a": [1, -2, 1.5, 1e3, "x\u00e9\ud83d\ude00\n"], "b": null} "#;
        let node = parse(text).unwrap();
        let items = node.get("a").unwrap().items();
        assert_eq!(items[1].as_integer(), Some(-2));
        assert_eq!(text.get(items[1].span.clone()), Some("-2"));
        assert!(matches!(&items[2].value, Value::OtherNumber(number) if number == "1.5"));
        assert_eq!(items[4].as_str(), Some("x\u{e9}\u{1f600}\n"));
        assert_eq!(text.get(node.entry("b").unwrap().key_span.clone()), Some("\"b\""));
    }

    #[test]
    fn everything_else_is_refused_where_it_stands() {
        for (text, start) in [
            ("", 0),
            ("{", 1),
            ("{a:1}", 1),
            ("{\"a\":1,}", 7),
            ("[1,]", 3),
            ("[1 2]", 3),
            ("01", 0),
            ("-", 0),
            ("1.", 2),
            ("1e", 2),
            ("\"a", 2),
            ("\"\u{1}\"", 1),
            ("\"\\x\"", 1),
            ("\"\\ud800\"", 1),
            ("\"\\ud800\\u0041\"", 1),
            ("\"\\udc00\"", 1),
            ("\"\\u+123\"", 1),
            ("nul", 0),
            ("1 2", 2),
            ("{\"a\":1,\"\\u0061\":2}", 7),
        ] {
            assert_eq!(parse(text).unwrap_err().span.start, start, "{text}");
        }
        assert_eq!(parse(&"[".repeat(100_000)).unwrap_err().kind, JsonErrorKind::TooDeep);
        assert!(parse(&format!("{}{}", "[".repeat(64), "]".repeat(64))).is_ok());
    }

    #[test]
    fn a_key_that_occurs_twice_is_found_in_small_and_large_tables() {
        for count in [1, 2, FEW - 1, FEW, FEW + 1, 100] {
            let keys: Vec<_> = (0..count).map(|key| format!("\"k{key}\":0")).collect();
            let text = |more: &str| format!("{{{}{more}}}", keys.join(","));
            assert!(parse(&text("")).is_ok() && parse_borrowed(&text("")).is_ok());
            for key in 0..count {
                // Once as it is, once with an escape.
                for again in [format!(",\"k{key}\":1"), format!(",\"\\u006b{key}\":1")] {
                    let kind = JsonErrorKind::DuplicateKey(format!("k{key}"));
                    assert_eq!(parse(&text(&again)).unwrap_err().kind, kind);
                    assert_eq!(parse_borrowed(&text(&again)).unwrap_err().kind, kind);
                }
            }
        }
    }
}
