//! structured-field-tests of the HTTP working group: dictionaries as they are, items and lists as parts of them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{LIMITS, load, rows, text};
use crate::signature::fields::{Bare, Item, Member, Parameter, dictionary};

/// Refused by the engine, though RFC 9651 lets a reader take them.
#[rustfmt::skip]
const REFUSED_FIELDS: &[(&str, &str)] = &[
    ("bad padding", "base64 without padding: RFC 9651 §4.2.7 lets a reader refuse it"),
    ("non-zero pad bits", "base64 with bits that are lost: RFC 9651 §4.2.7 lets a reader refuse it"),
    ("duplicate key dictionary", "RFC 9651 has the last one count; a reader that has the first one count reads another signature"),
    ("duplicate parameter with different positions", "the same of parameters"),
];

/// What says nothing of dictionaries.
#[rustfmt::skip]
const NOT_OURS: &[(&str, &str)] = &[
    ("trailing space", "a tab after an item; after a member of a dictionary RFC 9651 §4.2.2 lets it be"),
];

/// structured-field-tests: dictionaries as they are; an item as the member `a=…`, the members of a list as `k0=…, k1=…`.
#[test]
fn structured_fields_of_the_working_group() {
    let mut tally = (0_usize, 0_usize);
    let mut stricter = BTreeSet::<String>::new();
    let mut not_ours = BTreeSet::<String>::new();
    for (name, cases) in [
        ("binary", 15),
        ("dictionary", 26),
        ("item", 5),
        ("list", 11),
        ("listlist", 12),
        ("param-dict", 14),
        ("param-list", 20),
        ("param-listlist", 3),
    ] {
        let path = format!("structured-field-tests/{name}.json");
        let Some(file) = load(&path, cases) else { continue };
        assert_eq!(rows(&file).len(), cases, "{path}");
        for row in rows(&file) {
            let name = text(row, "name");
            let kind = text(row, "header_type");
            let lines = |key: &str| row[key].as_array().map(|_| as_dictionary(kind, &joined(&row[key])));
            let raw = lines("raw").unwrap();
            match dictionary(raw.as_bytes(), LIMITS) {
                _ if NOT_OURS.iter().any(|(other, _)| *other == name) => _ = not_ours.insert(name.to_owned()),
                Ok(read) => {
                    assert!(row["must_fail"] != true, "{path}: {name}: `{raw}` is read as {read:?}");
                    assert_eq!(meaning(&read), expected(kind, &row["expected"]), "{path}: {name}");
                    let canonical = lines("canonical").unwrap_or(raw.clone());
                    assert_eq!(serialized(&read), canonical, "{path}: {name}");
                    tally.0 = tally.0.saturating_add(1);
                }
                Err(_) if row["must_fail"] == true => tally.1 = tally.1.saturating_add(1),
                Err(_) => {
                    let is_listed = REFUSED_FIELDS.iter().any(|(other, _)| *other == name);
                    assert!(is_listed, "{path}: {name}: `{raw}` is refused for no listed reason");
                    stricter.insert(name.to_owned());
                }
            }
        }
    }
    if tally == (0, 0) {
        return;
    }
    let listed = |list: &[(&str, &str)]| list.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(stricter, listed(REFUSED_FIELDS));
    assert_eq!(not_ours, listed(NOT_OURS));
    assert_eq!(tally, (57, 44), "read as wanted, refused as wanted");
    println!(
        "structured fields: {} read as wanted, {} refused as wanted, {} refused as listed, {} not of dictionaries",
        tally.0,
        tally.1,
        stricter.len(),
        not_ours.len()
    );
}

/// Lines of one field as one (RFC 9110 §5.3).
fn joined(lines: &Value) -> String {
    rows(lines)
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect::<Vec<_>>()
        .join(", ")
}

/// An item or a list as a dictionary: each member gets a key, after the spaces before it; where there is no member there is no key. No case has a comma
/// in a string.
fn as_dictionary(kind: &str, field: &str) -> String {
    let keyed = |key: &str, member: &str| {
        let rest = member.trim_start_matches(' ');
        let spaces = member.strip_suffix(rest).unwrap();
        format!("{spaces}{key}={rest}")
    };
    match kind {
        "dictionary" => field.to_owned(),
        "item" => keyed("a", field),
        _ => {
            let members = field.split(',').enumerate().map(|(index, member)| {
                // Tabs stand before members of a list, too.
                let (tabs, rest) = member.split_at(member.find(|c| c != '\t').unwrap_or(member.len()));
                if rest.trim_ascii().is_empty() {
                    member.to_owned()
                } else {
                    format!("{tabs}{}", keyed(&format!("k{index}"), rest))
                }
            });
            members.collect::<Vec<_>>().join(",")
        }
    }
}

fn expected(kind: &str, value: &Value) -> Value {
    match kind {
        "dictionary" => value.clone(),
        "item" => json!([["a", value]]),
        _ => {
            let members = rows(value).iter().enumerate();
            members
                .map(|(index, member)| json!([format!("k{index}"), member]))
                .collect()
        }
    }
}

/// What was read, as `FORMAT.md` of the tests writes it.
fn meaning(read: &[(&str, Member<'_>)]) -> Value {
    let members = read.iter().map(|(key, member)| match member {
        Member::Item(item) => json!([key, meaning_of_item(item)]),
        Member::List(list) => {
            let items: Vec<_> = list.items.iter().map(meaning_of_item).collect();
            json!([key, [items, meaning_of_parameters(&list.parameters)]])
        }
    });
    members.collect()
}

fn meaning_of_item(item: &Item<'_>) -> Value {
    json!([meaning_of_bare(&item.value), meaning_of_parameters(&item.parameters)])
}

fn meaning_of_parameters(parameters: &[Parameter<'_>]) -> Value {
    let pairs = parameters.iter();
    pairs
        .map(|parameter| json!([parameter.key, meaning_of_bare(&parameter.value)]))
        .collect()
}

fn meaning_of_bare(bare: &Bare<'_>) -> Value {
    let typed = |name: &str, value: &str| json!({"__type": name, "value": value});
    match bare {
        Bare::Integer(number) => json!(number),
        Bare::Decimal(raw) => serde_json::from_str(raw).unwrap(),
        Bare::String(_) => json!(bare.plain().unwrap()),
        Bare::Token(token) => typed("token", token),
        Bare::Bytes(bytes) => typed("binary", &base32(bytes)),
        Bare::Boolean(value) => json!(value),
        Bare::Date(_) | Bare::Display(_) => unreachable!("no case has one"),
    }
}

/// RFC 4648 §6.
fn base32(bytes: &[u8]) -> String {
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let mut text: String = bits
        .as_bytes()
        .chunks(5)
        .map(|chunk| {
            let digit = format!("{:0<5}", std::str::from_utf8(chunk).unwrap());
            let digit = usize::from_str_radix(&digit, 2).unwrap();
            char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[digit])
        })
        .collect();
    while !text.len().is_multiple_of(8) {
        text.push('=');
    }
    text
}

/// A dictionary (RFC 9651 §4.1.2), with the writers that signatures are written with.
fn serialized(read: &[(&str, Member<'_>)]) -> String {
    let members = read.iter().map(|(key, member)| {
        let mut value = Vec::new();
        match member {
            Member::Item(item) => item.write(&mut value),
            Member::List(list) => list.write(&mut value),
        }
        let value = String::from_utf8(value).unwrap();
        match value.strip_prefix("?1") {
            Some(parameters) => format!("{key}{parameters}"),
            None => format!("{key}={value}"),
        }
    });
    members.collect::<Vec<_>>().join(", ")
}
