//! A document as a tree of values that know where they stand in the text. TOML, JSON and JS objects all become this.

#[cfg(any(feature = "wasm", feature = "wasm-toml", test))]
mod bytes;

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, Range};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value and the bytes of the text that hold it; an empty range where there is no text. Its strings are its own, or borrowed from the text where `S` is
/// a [`Cow`].
#[derive(Clone, Debug)]
pub(crate) struct Node<S = String> {
    pub(crate) value: Value<S>,
    pub(crate) span: Range<usize>,
}

#[derive(Clone, Debug)]
pub(crate) enum Value<S = String> {
    Null,
    Boolean(bool),
    Integer(i64),
    /// A number that is no integer from -(2^53-1) to 2^53-1, as it was written.
    OtherNumber(S),
    String(S),
    List(Vec<Node<S>>),
    Table(Vec<Entry<S>>),
    /// A TOML date or time, which no policy has.
    #[cfg_attr(
        not(any(feature = "toml", feature = "wasm", test)),
        expect(dead_code, reason = "only TOML has them")
    )]
    Datetime,
}

/// A key and its value. Keys of one table are distinct.
#[derive(Clone, Debug)]
pub(crate) struct Entry<S = String> {
    pub(crate) key: S,
    pub(crate) key_span: Range<usize>,
    pub(crate) node: Node<S>,
}

/// The largest integer that every JSON reader keeps exact (RFC 8785 §3.2.2.3).
pub(crate) const MAX_INTEGER: i64 = (1 << 53) - 1;

impl<S> Node<S> {
    pub(crate) const fn new(value: Value<S>, span: Range<usize>) -> Self {
        Self { value, span }
    }

    pub(crate) fn entries(&self) -> &[Entry<S>] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    pub(crate) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) const fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Boolean(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) const fn as_integer(&self) -> Option<i64> {
        match self.value {
            Value::Integer(value) => Some(value),
            _ => None,
        }
    }
}

impl<S: Deref<Target = str>> Node<S> {
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry<S>> {
        self.entries().iter().find(|entry| *entry.key == *key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.node)
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

impl Node {
    /// What kind of value this is, for messages.
    pub(crate) const fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Boolean(_) => "a boolean",
            Value::Integer(_) => "an integer",
            Value::OtherNumber(_) => "a number",
            Value::String(_) => "a string",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Datetime => "a date or time",
        }
    }

    /// A value inside that JSON cannot hold as it stands: a date, or a number that is no integer.
    #[cfg(any(feature = "authoring", feature = "tokens"))]
    pub(crate) fn unusable(&self) -> Option<&Self> {
        match &self.value {
            Value::Datetime | Value::OtherNumber(_) => Some(self),
            Value::List(items) => items.iter().find_map(Self::unusable),
            Value::Table(entries) => entries.iter().find_map(|entry| entry.node.unusable()),
            _ => None,
        }
    }

    /// As JSON; null where JSON has nothing of the kind.
    #[cfg(any(feature = "authoring", feature = "tokens"))]
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            #[cfg(feature = "tokens")]
            Value::OtherNumber(text) => number(text),
            #[cfg(not(feature = "tokens"))]
            Value::OtherNumber(_) => Json::Null,
            Value::Null | Value::Datetime => Json::Null,
            Value::Boolean(value) => Json::Bool(*value),
            Value::Integer(value) => Json::from(*value),
            Value::String(text) => Json::String(text.clone()),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Table(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.node.to_json()))
                .collect(),
        }
    }

    /// The text of a string, or what to quote of another value.
    pub(crate) fn offending(&self) -> Cow<'_, str> {
        match &self.value {
            Value::Null => "null".into(),
            Value::Boolean(value) => value.to_string().into(),
            Value::Integer(value) => value.to_string().into(),
            Value::String(text) | Value::OtherNumber(text) => text.into(),
            Value::List(_) => "[…]".into(),
            Value::Table(_) => "{…}".into(),
            Value::Datetime => "a date or time".into(),
        }
    }
}

/// An integer of 64 bits as it is; every other number as the nearest double, which `serde_json` misses now and then; one that is too large is null.
#[cfg(feature = "tokens")]
fn number(text: &str) -> serde_json::Value {
    let integer = || {
        let signed = text.parse::<i64>().ok().filter(|_| text != "-0");
        signed
            .map(serde_json::Value::from)
            .or_else(|| text.parse::<u64>().ok().map(serde_json::Value::from))
    };
    let double = || text.parse::<f64>().map(serde_json::Value::from).unwrap_or_default();
    integer().unwrap_or_else(double)
}

/// A value that has no text, such as a JS object.
impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(NodeVisitor)
            .map(|value| Self::new(value, 0..0))
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a policy document")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        let is_safe = (-MAX_INTEGER..=MAX_INTEGER).contains(&value);
        Ok(if is_safe {
            Value::Integer(value)
        } else {
            Value::OtherNumber(value.to_string())
        })
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        i64::try_from(value).map_or_else(
            |_| Ok(Value::OtherNumber(value.to_string())),
            |value| self.visit_i64(value),
        )
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        // Which one it is does not matter, and printing it would take more code than the rest of this file.
        let _ = value;
        Ok(Value::OtherNumber("a fraction".to_owned()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Value, A::Error> {
        let mut entries: Vec<Entry> = Vec::new();
        while let Some((key, node)) = table.next_entry::<String, Node>()? {
            if entries.iter().any(|entry| entry.key == key) {
                return Err(A::Error::custom(format_args!("duplicate key `{key}`")));
            }
            entries.push(Entry {
                key,
                key_span: 0..0,
                node,
            });
        }
        Ok(Value::Table(entries))
    }
}

/// The path of a place inside a document, such as `hosts.allow[2]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Self>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    pub(crate) const ROOT: Self = Self {
        parent: None,
        step: Step::Root,
    };

    pub(crate) const fn is_root(&self) -> bool {
        matches!(self.step, Step::Root)
    }

    pub(crate) const fn key<'b>(&'b self, key: &'b str) -> Path<'b>
    where
        'a: 'b,
    {
        Path {
            parent: Some(self),
            step: Step::Key(key),
        }
    }

    pub(crate) const fn index<'b>(&'b self, index: usize) -> Path<'b>
    where
        'a: 'b,
    {
        Path {
            parent: Some(self),
            step: Step::Index(index),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
            if matches!(self.step, Step::Key(_)) && !matches!(parent.step, Step::Root) {
                f.write_str(".")?;
            }
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Key(key) => f.write_str(key),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

#[cfg(all(test, feature = "tokens"))]
mod tests {
    #[test]
    fn numbers_are_the_nearest_doubles() {
        for (text, want) in [
            ("9007199254740993", "9007199254740993"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("18446744073709551615", "18446744073709551615"),
            ("18446744073709551616", "1.8446744073709552e+19"),
            ("-0", "-0.0"),
            ("1.0", "1.0"),
            ("1e2", "100.0"),
            ("1e21", "1e+21"),
            ("2.2250738585072011e-308", "2.225073858507201e-308"),
            ("1448997445238699e-30", "1.448997445238699e-15"),
            (
                "0.500000000000000166533453693773481063544750213623046875",
                "0.5000000000000002",
            ),
            ("1e400", "null"),
            ("1e-400", "0.0"),
        ] {
            assert_eq!(crate::json::parse(text).unwrap().to_json().to_string(), want, "{text}");
        }
    }
}
