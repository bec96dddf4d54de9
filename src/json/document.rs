//! JSON that is no policy, such as the settings of a face: read as strictly as one.

use std::borrow::Cow;
use std::fmt;

use zeroize::Zeroize;

use super::parse_borrowed;
use crate::place::Position;
use crate::tree::{Node, Value};

/// A text in JSON (RFC 8259) without duplicate keys. Strings with escapes are wiped when it is dropped, since they may be secrets; the text is the caller's.
pub struct JsonDocument<'a> {
    text: &'a str,
    root: Node<Cow<'a, str>>,
}

impl<'a> JsonDocument<'a> {
    /// Reads a text.
    ///
    /// # Errors
    /// Where it stops being JSON, a key occurs twice, or there are more than 64 levels.
    pub fn read(text: &'a str) -> Result<Self, Position> {
        match parse_borrowed(text) {
            Ok(root) => Ok(Self { text, root }),
            Err(error) => Err(Position::in_text(text, error.span.start)),
        }
    }

    /// The one value that it is.
    #[must_use]
    pub const fn root(&self) -> JsonValue<'_> {
        JsonValue {
            text: self.text,
            node: &self.root,
        }
    }
}

/// Tells nothing of the text.
impl fmt::Debug for JsonDocument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonDocument").finish_non_exhaustive()
    }
}

impl Drop for JsonDocument<'_> {
    fn drop(&mut self) {
        wipe(&mut self.root);
    }
}

fn wipe(node: &mut Node<Cow<'_, str>>) {
    match &mut node.value {
        Value::String(Cow::Owned(text)) => text.zeroize(),
        Value::List(items) => items.iter_mut().for_each(wipe),
        Value::Table(entries) => entries.iter_mut().for_each(|entry| wipe(&mut entry.node)),
        _ => {}
    }
}

/// A value in a [`JsonDocument`].
#[derive(Clone, Copy)]
pub struct JsonValue<'d> {
    text: &'d str,
    node: &'d Node<Cow<'d, str>>,
}

impl<'d> JsonValue<'d> {
    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&'d str> {
        self.node.as_str()
    }

    /// True or false, if it is one of them.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        self.node.as_bool()
    }

    /// The members of an object, in their order. Keys are distinct.
    #[must_use]
    pub fn members(&self) -> Option<impl Iterator<Item = (&'d str, Self)>> {
        let text = self.text;
        let Value::Table(entries) = &self.node.value else {
            return None;
        };
        Some(entries.iter().map(move |entry| {
            let value = Self {
                text,
                node: &entry.node,
            };
            (&*entry.key, value)
        }))
    }

    /// The value as it is written.
    #[must_use]
    pub fn source(&self) -> &'d str {
        self.text.get(self.node.span.clone()).unwrap_or_default()
    }

    /// Where it stands.
    #[must_use]
    pub fn position(&self) -> Position {
        Position::in_text(self.text, self.node.span.start)
    }
}

/// Tells nothing of the text.
impl fmt::Debug for JsonValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonValue").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_as_they_are_written() {
        let text = "{\"a\": {\"\\u0062\": true},\n \"\u{e9}\": \"s\\n\", \"c\": [ 1 ]}";
        let document = JsonDocument::read(text).unwrap();
        let members: Vec<_> = document.root().members().unwrap().collect();
        let [(a, table), (e, string), (c, list)] = &members[..] else {
            panic!("three members")
        };
        assert_eq!((*a, *e, *c), ("a", "\u{e9}", "c"));
        assert_eq!(table.members().unwrap().next().unwrap().1.as_bool(), Some(true));
        assert_eq!((string.as_str(), string.source()), (Some("s\n"), "\"s\\n\""));
        assert_eq!(
            (list.source(), list.position().to_string()),
            ("[ 1 ]", "2:19".to_owned())
        );
        assert!(list.members().is_none() && list.as_str().is_none() && table.as_bool().is_none());
    }

    #[test]
    fn what_is_refused_is_not_told() {
        for (text, place) in [
            ("", "1:1"),
            ("{\"a\":\n1,\"\\u0061\":\"hunter2\"}", "2:3"),
            ("\u{e9}", "1:1"),
            ("{\"\u{e9}\" 1}", "1:6"),
        ] {
            assert_eq!(JsonDocument::read(text).unwrap_err().to_string(), place, "{text}");
        }
        let document = JsonDocument::read("\"hunter2\"").unwrap();
        assert!(!format!("{document:?} {:?}", document.root()).contains("hunter2"));
    }
}
