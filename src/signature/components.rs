//! The components of an HTTP message and the signature base over them (RFC 9421 §2).

use super::fields::{InnerList, Item};
use crate::request::Headers;

/// A covered component that this engine has a rule for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Component<'a> {
    Method,
    Authority,
    Scheme,
    TargetUri,
    RequestTarget,
    Path,
    Query,
    /// The percent-encoded name.
    QueryParam(&'a str),
    /// The lower-case name.
    Field(&'a str),
    /// Of responses; no request has one.
    Status,
}

impl<'a> Component<'a> {
    /// The component of that name, if it takes no parameters.
    pub(crate) fn named(name: &'a str) -> Option<Self> {
        match name {
            "@method" => Some(Self::Method),
            "@authority" => Some(Self::Authority),
            "@scheme" => Some(Self::Scheme),
            "@target-uri" => Some(Self::TargetUri),
            "@request-target" => Some(Self::RequestTarget),
            "@path" => Some(Self::Path),
            "@query" => Some(Self::Query),
            "@status" => Some(Self::Status),
            _ => {
                let is_field = !name.is_empty()
                    && name
                        .bytes()
                        .all(|byte| crate::request::is_token_byte(byte) && !byte.is_ascii_uppercase());
                is_field.then_some(Self::Field(name))
            }
        }
    }

    /// The component that an item of `@signature-params` identifies; none if there is no rule for it.
    pub(crate) fn of(item: &Item<'a>) -> Option<Self> {
        let name = item.value.plain()?;
        match item.parameters.as_slice() {
            [] => Self::named(name),
            [parameter] if name == "@query-param" && parameter.key == "name" => {
                parameter.value.plain().map(Self::QueryParam)
            }
            _ => None,
        }
    }
}

/// What components are taken from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) method: &'a [u8],
    pub(crate) scheme: &'a str,
    /// Normalized, with a port that is not the scheme's default.
    pub(crate) authority: &'a str,
    /// In origin form.
    pub(crate) target: &'a [u8],
    pub(crate) headers: Headers<'a>,
    pub(crate) status: Option<u16>,
}

/// Why there is no base.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BaseError<'a> {
    /// A component without a rule, or one that occurs twice.
    Identifier,
    /// The message does not have the component.
    Absent(Component<'a>),
    /// A value that is not printable ASCII, or a query parameter that is not UTF-8.
    Value,
}

/// The covered components, each once.
pub(crate) fn covered<'a>(list: &InnerList<'a>) -> Result<Vec<Component<'a>>, BaseError<'a>> {
    let mut components = Vec::with_capacity(list.items.len());
    for item in &list.items {
        let component = Component::of(item).ok_or(BaseError::Identifier)?;
        if components.contains(&component) {
            return Err(BaseError::Identifier);
        }
        components.push(component);
    }
    Ok(components)
}

/// Writes the signature base (RFC 9421 §2.5). `components` are those of the list.
pub(crate) fn write_base<'a>(
    list: &InnerList<'a>,
    components: &[Component<'a>],
    message: &Message<'_>,
    out: &mut Vec<u8>,
) -> Result<(), BaseError<'a>> {
    let parameters = QueryParameters::read(components, message.target)?;
    for (item, component) in list.items.iter().zip(components) {
        item.write(out);
        out.extend_from_slice(b": ");
        let start = out.len();
        write_value(*component, message, &parameters, out)?;
        let value = out.get(start..).unwrap_or_default();
        if !value.iter().all(|byte| matches!(byte, 0x20..=0x7e)) {
            return Err(BaseError::Value);
        }
        out.push(b'\n');
    }
    out.extend_from_slice(b"\"@signature-params\": ");
    list.write(out);
    Ok(())
}

fn write_value<'a>(
    component: Component<'a>,
    message: &Message<'_>,
    parameters: &QueryParameters<'_>,
    out: &mut Vec<u8>,
) -> Result<(), BaseError<'a>> {
    match component {
        Component::Method => out.extend_from_slice(message.method),
        Component::Authority => out.extend_from_slice(message.authority.as_bytes()),
        Component::Scheme => out.extend_from_slice(message.scheme.as_bytes()),
        Component::TargetUri => {
            out.extend_from_slice(message.scheme.as_bytes());
            out.extend_from_slice(b"://");
            out.extend_from_slice(message.authority.as_bytes());
            out.extend_from_slice(message.target);
        }
        Component::RequestTarget => out.extend_from_slice(message.target),
        Component::Path => out.extend_from_slice(split(message.target).0),
        Component::Query => {
            out.push(b'?');
            out.extend_from_slice(split(message.target).1.unwrap_or_default());
        }
        Component::QueryParam(name) => {
            let value = parameters.get(name).ok_or(BaseError::Absent(component))?;
            out.extend_from_slice(value.as_bytes());
        }
        Component::Field(name) => {
            let mut is_first = true;
            for field in message.headers.iter() {
                if field.name.eq_ignore_ascii_case(name.as_bytes()) {
                    if !is_first {
                        out.extend_from_slice(b", ");
                    }
                    out.extend_from_slice(field.value.trim_ascii());
                    is_first = false;
                }
            }
            if is_first {
                return Err(BaseError::Absent(component));
            }
        }
        Component::Status => {
            let status = message.status.ok_or(BaseError::Absent(component))?;
            out.extend_from_slice(status.to_string().as_bytes());
        }
    }
    Ok(())
}

/// The path of a target in origin form, and its query without the `?`.
pub(crate) fn split(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match target.iter().position(|byte| *byte == b'?') {
        Some(mark) => {
            let (path, rest) = target.split_at_checked(mark).unwrap_or((target, b""));
            (path, rest.get(1..))
        }
        None => (target, None),
    }
}

/// The values of the covered query parameters (RFC 9421 §2.2.8), by encoded name; none for one that does not occur exactly once.
struct QueryParameters<'a> {
    values: Vec<(&'a str, Occurring)>,
}

impl<'a> QueryParameters<'a> {
    /// Reads the query once, however many parameters are covered.
    fn read(components: &[Component<'a>], target: &[u8]) -> Result<Self, BaseError<'a>> {
        let names = components.iter().filter_map(|component| match component {
            Component::QueryParam(name) => Some((*name, Occurring::Never)),
            _ => None,
        });
        let mut values: Vec<_> = names.collect();
        if !values.is_empty() {
            let query = split(target).1.unwrap_or_default();
            let mut name = String::new();
            for pair in query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
                let mark = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
                let (key, rest) = pair.split_at_checked(mark).unwrap_or((pair, b""));
                reencode(key, &mut name).ok_or(BaseError::Value)?;
                if let Some((_, occurring)) = values.iter_mut().find(|(covered, _)| *covered == name) {
                    *occurring = match occurring {
                        Occurring::Never => {
                            let mut value = String::new();
                            reencode(rest.get(1..).unwrap_or_default(), &mut value).ok_or(BaseError::Value)?;
                            Occurring::Once(value)
                        }
                        _ => Occurring::Often,
                    };
                }
            }
        }
        Ok(Self { values })
    }

    fn get(&self, name: &str) -> Option<&str> {
        let (_, occurring) = self.values.iter().find(|(covered, _)| *covered == name)?;
        match occurring {
            Occurring::Once(value) => Some(value),
            _ => None,
        }
    }
}

enum Occurring {
    Never,
    Once(String),
    Often,
}

/// Decodes as a form does, and encodes with the percent-encode set of forms, a space as `%20`. None if what is decoded is not UTF-8: two such texts
/// would be encoded alike.
fn reencode(text: &[u8], encoded: &mut String) -> Option<()> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let escape = after.split_first_chunk::<2>().and_then(|(digits, after)| {
            let value = hex(digits.first().copied()?)?.wrapping_shl(4) | hex(digits.last().copied()?)?;
            Some((value, after))
        });
        let (byte, after) = match (first, escape) {
            (b'%', Some(escaped)) => escaped,
            (b'+', _) => (b' ', after),
            (other, _) => (*other, after),
        };
        decoded.push(byte);
        rest = after;
    }
    std::str::from_utf8(&decoded).ok()?;
    encoded.clear();
    for byte in decoded {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'-' | b'.' | b'_') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for half in [byte.wrapping_shr(4), byte & 0x0f] {
                encoded.extend(DIGITS.get(usize::from(half)).copied().map(char::from));
            }
        }
    }
    Some(())
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        b'A'..=b'F' => Some(digit.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}

/// True if a name is as it is re-encoded: one that is not can never match.
pub(crate) fn is_encoded(name: &str) -> bool {
    let mut encoded = String::new();
    reencode(name.as_bytes(), &mut encoded).is_some() && encoded == name
}
