//! A tree as bytes: how a document that one wasm module has read crosses into another.
//!
//! A node is a tag (1 byte), its span (two integers), and what it holds: a boolean (1 byte), an integer (8 bytes), a text, a count and the nodes of a list, or
//! a count and, for each entry of a table, key, key's span and node. A text is its length and bytes. Integers are little-endian, of 4 bytes where not said.

use std::ops::Range;

use super::{Entry, Node, Value};

/// Deeper than every reader goes.
#[cfg(any(feature = "wasm", test))]
const MAX_LEVELS: usize = 128;

#[cfg(any(feature = "wasm-toml", test))]
impl Node {
    /// Appends the bytes. A text of a policy is at most 16 MiB, so that every count fits.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let tag = match self.value {
            Value::Null => 0,
            Value::Boolean(_) => 1,
            Value::Integer(_) => 2,
            Value::OtherNumber(_) => 3,
            Value::String(_) => 4,
            Value::List(_) => 5,
            Value::Table(_) => 6,
            Value::Datetime => 7,
        };
        out.push(tag);
        write_span(&self.span, out);
        match &self.value {
            Value::Null | Value::Datetime => {}
            Value::Boolean(value) => out.push(u8::from(*value)),
            Value::Integer(value) => out.extend(value.to_le_bytes()),
            Value::OtherNumber(text) | Value::String(text) => write_text(text, out),
            Value::List(items) => {
                write_count(items.len(), out);
                for item in items {
                    item.write(out);
                }
            }
            Value::Table(entries) => {
                write_count(entries.len(), out);
                for Entry { key, key_span, node } in entries {
                    write_text(key, out);
                    write_span(key_span, out);
                    node.write(out);
                }
            }
        }
    }
}

#[cfg(any(feature = "wasm-toml", test))]
fn write_count(count: usize, out: &mut Vec<u8>) {
    out.extend(u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

#[cfg(any(feature = "wasm-toml", test))]
fn write_span(span: &Range<usize>, out: &mut Vec<u8>) {
    write_count(span.start, out);
    write_count(span.end, out);
}

#[cfg(any(feature = "wasm-toml", test))]
fn write_text(text: &str, out: &mut Vec<u8>) {
    write_count(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

#[cfg(any(feature = "wasm", test))]
impl Node {
    /// Reads what [`Node::write`] wrote; none if it did not.
    pub(crate) fn read(mut bytes: &[u8]) -> Option<Self> {
        let node = read_node(&mut bytes, 0)?;
        bytes.is_empty().then_some(node)
    }
}

#[cfg(any(feature = "wasm", test))]
fn read_node(bytes: &mut &[u8], level: usize) -> Option<Node> {
    if level > MAX_LEVELS {
        return None;
    }
    let level = level.saturating_add(1);
    let tag = read_byte(bytes)?;
    let span = read_span(bytes)?;
    let value = match tag {
        0 => Value::Null,
        1 => Value::Boolean(read_byte(bytes)? != 0),
        2 => Value::Integer(i64::from_le_bytes(read_array(bytes)?)),
        3 => Value::OtherNumber(read_text(bytes)?),
        4 => Value::String(read_text(bytes)?),
        5 => {
            let count = read_count(bytes)?;
            Value::List((0..count).map(|_| read_node(bytes, level)).collect::<Option<_>>()?)
        }
        6 => {
            let count = read_count(bytes)?;
            let mut entry = || {
                Some(Entry {
                    key: read_text(bytes)?,
                    key_span: read_span(bytes)?,
                    node: read_node(bytes, level)?,
                })
            };
            Value::Table((0..count).map(|_| entry()).collect::<Option<_>>()?)
        }
        7 => Value::Datetime,
        _ => return None,
    };
    Some(Node::new(value, span))
}

#[cfg(any(feature = "wasm", test))]
fn read_array<const LENGTH: usize>(bytes: &mut &[u8]) -> Option<[u8; LENGTH]> {
    let (array, rest) = bytes.split_first_chunk::<LENGTH>()?;
    *bytes = rest;
    Some(*array)
}

#[cfg(any(feature = "wasm", test))]
fn read_byte(bytes: &mut &[u8]) -> Option<u8> {
    read_array::<1>(bytes).map(|[byte]| byte)
}

#[cfg(any(feature = "wasm", test))]
fn read_count(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(read_array(bytes)?)).ok()
}

#[cfg(any(feature = "wasm", test))]
fn read_span(bytes: &mut &[u8]) -> Option<Range<usize>> {
    Some(read_count(bytes)?..read_count(bytes)?)
}

#[cfg(any(feature = "wasm", test))]
fn read_text(bytes: &mut &[u8]) -> Option<String> {
    let length = read_count(bytes)?;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(all(test, feature = "toml"))]
mod tests {
    use super::*;
    use crate::policy::PolicyDocument;

    #[test]
    fn a_tree_is_read_as_it_was_written() {
        let text = "a = 1\nb = [true, \"\u{e9}\", 1.5, 2026-11-26]\n[c.d]\ne = {}\n";
        let root = PolicyDocument::from_toml(text, "t").unwrap().root;
        let mut bytes = Vec::new();
        root.write(&mut bytes);
        let again = Node::read(&bytes).unwrap();
        assert_eq!(format!("{again:?}"), format!("{root:?}"));
        for length in 0..bytes.len() {
            assert!(Node::read(&bytes[..length]).is_none());
        }
    }
}
