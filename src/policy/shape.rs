//! Holds a document against the schema: unknown, missing and mistyped keys, empty lists.

use super::diagnostic::ErrorCode;
use super::report::Report;
use super::schema::{ANNOTATIONS, DOCUMENT, Field, Shape};
use crate::tree::{Node, Path, Value};

/// Checks the whole document. Without an error the compiler may rely on every type and every required key.
pub(crate) fn check(document: &Node, report: &mut Report<'_>) {
    check_table(document, DOCUMENT, &Path::ROOT, report);
}

/// Sections of other versions of this format. What is not enforced is not accepted.
const LATER_SECTIONS: &[&str] = if cfg!(feature = "tokens") { &[] } else { &["tokens"] };

fn check_table(node: &Node, fields: &[Field], path: &Path<'_>, report: &mut Report<'_>) {
    for entry in node.entries() {
        let is_annotation = path.is_root() && ANNOTATIONS.contains(&entry.key.as_str());
        match fields.iter().find(|field| field.key == entry.key) {
            Some(field) => check_value(&entry.node, &field.shape, &path.key(&entry.key), report),
            None if is_annotation => {}
            None => {
                let fix = match nearest(&entry.key, fields) {
                    Some(key) => format!("write `{key}`"),
                    None if LATER_SECTIONS.contains(&entry.key.as_str()) => {
                        "remove it: this version judges host, peer, origin, route, signature and outbound requests"
                            .to_owned()
                    }
                    None => format!(
                        "the keys here are {}",
                        listed("and", fields.iter().map(|field| field.key))
                    ),
                };
                let message = format!("no key `{}` here", shortened(&entry.key));
                let path = path.key(&entry.key);
                report
                    .error(ErrorCode::KeyUnknown, &path, entry.key_span.clone(), message)
                    .fix(fix);
            }
        }
    }
    for field in fields.iter().filter(|field| field.is_required) {
        if node.entry(field.key).is_none() {
            let message = format!("the key `{}` is missing", field.key);
            report
                .error(ErrorCode::KeyMissing, path, node.span.clone(), message)
                .fix(match &field.shape {
                    Shape::Table(fields) => {
                        let required = fields.iter().filter(|field| field.is_required);
                        let keys: Vec<_> = required
                            .map(|field| format!("`{} = {}`", field.key, example(&field.shape)))
                            .collect();
                        format!("add a section `[{}]` with {}", field.key, keys.join(", "))
                    }
                    shape => format!("add `{} = {}`", field.key, example(shape)),
                });
        }
    }
}

fn check_value(node: &Node, shape: &Shape, path: &Path<'_>, report: &mut Report<'_>) {
    match (shape, &node.value) {
        (Shape::Text { example }, Value::String(text)) => {
            if text.is_empty() {
                report
                    .error(ErrorCode::ValueUnknown, path, node.span.clone(), "`` is empty".into())
                    .fix(format!("write something like `{example}`"));
            }
        }
        (Shape::Boolean, Value::Boolean(_)) => {}
        #[cfg(feature = "tokens")]
        (Shape::Word { .. }, Value::String(_)) | (Shape::Object { .. }, Value::Table(_)) => {}
        (Shape::Choice(choices), Value::String(text)) => {
            if !choices.contains(&text.as_str()) {
                let message = format!("`{}` is no value of this key", shortened(text));
                let fix = format!("write {}", listed("or", choices.iter().copied()));
                report
                    .error(ErrorCode::ValueUnknown, path, node.span.clone(), message)
                    .fix(fix);
            }
        }
        (Shape::Number(numbers), Value::Integer(number)) => {
            if !numbers.contains(number) {
                let message = format!("`{number}` is no value of this key");
                let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
                let fix = format!("write {}", listed("or", numbers.iter().map(String::as_str)));
                report
                    .error(ErrorCode::ValueUnknown, path, node.span.clone(), message)
                    .fix(fix);
            }
        }
        (Shape::Count(least, most), Value::Integer(number)) => {
            if !(least..=most).contains(&number) {
                let message = format!("`{number}` is no value of this key");
                report
                    .error(ErrorCode::ValueUnknown, path, node.span.clone(), message)
                    .fix(format!("write {least} to {most}"));
            }
        }
        (Shape::List { of, may_be_empty: true }, Value::List(items)) => check_items(items, of, path, report),
        (Shape::List { of, .. } | Shape::OneOrMany(of), Value::List(items)) => {
            if items.is_empty() {
                report
                    .error(
                        ErrorCode::ListEmpty,
                        path,
                        node.span.clone(),
                        "the list is empty".into(),
                    )
                    .fix(format!("list at least one, such as `{}`", example(of)));
            }
            check_items(items, of, path, report);
        }
        (Shape::Table(fields), Value::Table(_)) => check_table(node, fields, path, report),
        (Shape::Map { of, .. }, Value::Table(entries)) => {
            if entries.is_empty() {
                report
                    .error(
                        ErrorCode::ListEmpty,
                        path,
                        node.span.clone(),
                        "the table is empty".into(),
                    )
                    .fix("leave the key out".into());
            }
            for entry in entries {
                check_value(&entry.node, of, &path.key(&entry.key), report);
            }
        }
        (Shape::OneOrMany(of), _) => check_value(node, of, path, report),
        #[cfg(feature = "authoring")]
        (Shape::Request | Shape::Expectation, Value::Table(_)) => {}
        _ => {
            let message = format!(
                "`{}` is {}, not {}",
                shortened(&node.offending()),
                node.kind(),
                kind(shape)
            );
            report
                .error(ErrorCode::TypeMismatch, path, node.span.clone(), message)
                .fix(format!("write something like `{}`", example(shape)));
        }
    }
}

fn check_items(items: &[Node], of: &Shape, path: &Path<'_>, report: &mut Report<'_>) {
    for (index, item) in items.iter().enumerate() {
        check_value(item, of, &path.index(index), report);
    }
}

const fn kind(shape: &Shape) -> &'static str {
    match shape {
        Shape::Text { .. } | Shape::Choice(_) | Shape::OneOrMany(_) => "a string",
        #[cfg(feature = "tokens")]
        Shape::Word { .. } => "a string",
        #[cfg(feature = "tokens")]
        Shape::Object { .. } => "a table",
        Shape::Boolean => "a boolean",
        Shape::Number(_) | Shape::Count(..) => "an integer",
        Shape::List { .. } => "a list",
        Shape::Table(_) | Shape::Map { .. } => "a table",
        #[cfg(feature = "authoring")]
        Shape::Request | Shape::Expectation => "a table",
    }
}

fn example(shape: &Shape) -> String {
    match shape {
        Shape::Text { example } => format!("\"{example}\""),
        #[cfg(feature = "tokens")]
        Shape::Word { example } => format!("\"{example}\""),
        #[cfg(feature = "tokens")]
        Shape::Object { example } => (*example).to_owned(),
        Shape::Boolean => "true".into(),
        Shape::Choice(choices) => format!("\"{}\"", choices.first().copied().unwrap_or_default()),
        Shape::Number(numbers) => numbers.first().copied().unwrap_or_default().to_string(),
        Shape::List { may_be_empty: true, .. } => "[]".into(),
        Shape::List { of, .. } => format!("[{}]", example(of)),
        Shape::Table(fields) => {
            let required = fields.iter().filter(|field| field.is_required);
            let keys: Vec<_> = required
                .map(|field| format!("{} = {}", field.key, example(&field.shape)))
                .collect();
            if keys.is_empty() {
                "{}".into()
            } else {
                format!("{{ {} }}", keys.join(", "))
            }
        }
        Shape::Count(least, _) => least.to_string(),
        Shape::Map { of, example: key } => format!("{{ \"{key}\" = {} }}", example(of)),
        Shape::OneOrMany(of) => example(of),
        #[cfg(feature = "authoring")]
        Shape::Request => "{ method = \"GET\", target = \"/\", headers = [[\"host\", \"evil.test\"]] }".into(),
        #[cfg(feature = "authoring")]
        Shape::Expectation => "{ decision = \"deny\" }".into(),
    }
}

/// A key that the unknown one was probably meant to be: at most two letters off.
fn nearest(key: &str, fields: &[Field]) -> Option<&'static str> {
    if key.len() > 40 {
        return None;
    }
    let key = key.to_ascii_lowercase().replace('-', "_");
    let near = fields.iter().map(|field| (distance(&key, field.key), field.key));
    near.filter(|(distance, known)| *distance <= 2 && *distance < known.len())
        .min()
        .map(|(_, known)| known)
}

/// Levenshtein's distance, in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i.saturating_add(1);
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let above = *cell;
            let replaced = diagonal.saturating_add(usize::from(x != y));
            left = replaced.min(left.min(above).saturating_add(1));
            diagonal = above;
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// The words in backticks, the last after `conjunction`.
pub(crate) fn listed<'a>(conjunction: &str, words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {conjunction} {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// At most 64 characters of a text, for a message.
pub(crate) fn shortened(text: &str) -> String {
    let mut characters = text.chars();
    let mut short: String = characters.by_ref().take(64).flat_map(printable).collect();
    if characters.next().is_some() {
        short.push_str("...");
    }
    short
}

fn printable(character: char) -> impl Iterator<Item = char> {
    let escaped = character.is_control().then(|| character.escape_default());
    let plain = escaped.is_none().then_some(character);
    escaped.into_iter().flatten().chain(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_found() {
        for (key, want) in [
            ("host", Some("hosts")),
            ("Hosts", Some("hosts")),
            ("explain-to-client", Some("explain_to_client")),
            ("webhooks", None),
            ("egres", Some("egress")),
            ("mod", Some("mode")),
            ("", None),
            ("route", Some("routes")),
        ] {
            assert_eq!(nearest(key, DOCUMENT), want, "{key}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
