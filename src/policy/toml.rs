//! TOML into a document tree.

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use crate::tree::{Entry, MAX_INTEGER, Node, Value};

/// The message and place of a syntax error.
pub(crate) struct TomlError {
    pub(crate) message: String,
    pub(crate) span: std::ops::Range<usize>,
}

/// Reads a document. Nesting is bounded by the TOML library (80 levels).
pub(crate) fn parse(text: &str) -> Result<Node, TomlError> {
    let table = DeTable::parse(text).map_err(|error| TomlError {
        message: error.message().trim_end().replace('\n', "; "),
        span: error.span().unwrap_or(0..0),
    })?;
    let span = table.span();
    Ok(Node::new(convert_table(table.into_inner()), span))
}

fn convert(value: Spanned<DeValue<'_>>) -> Node {
    let span = value.span();
    let value = match value.into_inner() {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|value| (-MAX_INTEGER..=MAX_INTEGER).contains(value))
            .map_or_else(|| Value::OtherNumber(integer.as_str().to_owned()), Value::Integer),
        DeValue::Float(float) => Value::OtherNumber(float.as_str().to_owned()),
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(items) => Value::List(items.into_iter().map(convert).collect()),
        DeValue::Table(table) => convert_table(table),
    };
    Node::new(value, span)
}

fn convert_table(table: DeTable<'_>) -> Value {
    let entries = table
        .into_iter()
        .map(|(key, value)| Entry {
            key_span: key.span(),
            key: key.into_inner().into_owned(),
            node: convert(value),
        })
        .collect();
    Value::Table(entries)
}
