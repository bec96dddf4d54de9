//! Structured fields (RFC 9651), as far as signatures read them: dictionaries, with what may stand in them.
//!
//! Stricter than the RFC where it lets readers be: a key or parameter that occurs twice, base64 that is not canonical, numbers that are not in their
//! one form, and more members than the caller admits are all refused. What is read can therefore be written back as it stands.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The text is no structured field, or beyond the caller's limits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Malformed;

type Read<T> = Result<T, Malformed>;

/// How much of each a field may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) members: usize,
    pub(crate) items: usize,
    pub(crate) parameters: usize,
}

/// A bare item (RFC 9651 §3.3).
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bare<'a> {
    Integer(i64),
    /// As it was written.
    Decimal(&'a str),
    /// What stands between the quotes, escapes and all.
    String(&'a str),
    Token(&'a str),
    Bytes(Vec<u8>),
    Boolean(bool),
    Date(i64),
    /// What stands between the quotes, escapes and all.
    Display(&'a str),
}

impl<'a> Bare<'a> {
    /// The text of a string without escapes.
    pub(crate) fn plain(&self) -> Option<&'a str> {
        match self {
            Self::String(raw) if !raw.contains('\\') => Some(raw),
            _ => None,
        }
    }

    pub(crate) const fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// Appends the serialization (RFC 9651 §4.1).
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let quoted = |out: &mut Vec<u8>, before: &str, raw: &str| {
            out.extend_from_slice(before.as_bytes());
            out.extend_from_slice(raw.as_bytes());
            out.push(b'"');
        };
        match self {
            Self::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Self::Decimal(raw) | Self::Token(raw) => out.extend_from_slice(raw.as_bytes()),
            Self::String(raw) => quoted(out, "\"", raw),
            Self::Display(raw) => quoted(out, "%\"", raw),
            Self::Bytes(bytes) => {
                out.push(b':');
                out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
                out.push(b':');
            }
            Self::Boolean(value) => out.extend_from_slice(if *value { b"?1" } else { b"?0" }),
            Self::Date(seconds) => {
                out.push(b'@');
                out.extend_from_slice(seconds.to_string().as_bytes());
            }
        }
    }
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parameter<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: Bare<'a>,
}

/// An item with its parameters, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item<'a> {
    pub(crate) value: Bare<'a>,
    pub(crate) parameters: Vec<Parameter<'a>>,
}

impl Item<'_> {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.value.write(out);
        write_parameters(&self.parameters, out);
    }
}

/// An inner list with its parameters, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InnerList<'a> {
    pub(crate) items: Vec<Item<'a>>,
    pub(crate) parameters: Vec<Parameter<'a>>,
}

impl InnerList<'_> {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(b'(');
        for (index, item) in self.items.iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            item.write(out);
        }
        out.push(b')');
        write_parameters(&self.parameters, out);
    }
}

fn write_parameters(parameters: &[Parameter<'_>], out: &mut Vec<u8>) {
    for parameter in parameters {
        out.push(b';');
        out.extend_from_slice(parameter.key.as_bytes());
        if parameter.value != Bare::Boolean(true) {
            out.push(b'=');
            parameter.value.write(out);
        }
    }
}

/// What a dictionary or list holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Member<'a> {
    Item(Item<'a>),
    List(InnerList<'a>),
}

/// A dictionary (RFC 9651 §3.2), in order, its keys distinct.
pub(crate) type Dictionary<'a> = Vec<(&'a str, Member<'a>)>;

/// Reads a dictionary (RFC 9651 §4.2.2).
pub(crate) fn dictionary(text: &[u8], limits: Limits) -> Read<Dictionary<'_>> {
    let mut members = Dictionary::new();
    Reader { rest: text, limits }.comma_separated(|reader| {
        let key = reader.key()?;
        if members.iter().any(|(other, _)| *other == key) || members.len() >= limits.members {
            return Err(Malformed);
        }
        let member = if reader.take(b'=') {
            reader.member()?
        } else {
            Member::Item(Item {
                value: Bare::Boolean(true),
                parameters: reader.parameters()?,
            })
        };
        members.push((key, member));
        Ok(())
    })?;
    Ok(members)
}

struct Reader<'a> {
    rest: &'a [u8],
    limits: Limits,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.next();
        }
        is_next
    }

    fn expect(&mut self, byte: u8) -> Read<()> {
        self.take(byte).then_some(()).ok_or(Malformed)
    }

    /// The longest start of the rest whose bytes all fit, which are ASCII.
    fn run(&mut self, fits: impl Fn(u8) -> bool) -> &'a str {
        let end = self
            .rest
            .iter()
            .position(|byte| !fits(*byte))
            .unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at_checked(end).unwrap_or((b"", self.rest));
        self.rest = rest;
        std::str::from_utf8(run).unwrap_or_default()
    }

    /// Members between commas (RFC 9651 §4.2.1, §4.2.2); nothing may follow.
    fn comma_separated(mut self, mut member: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        self.run(|byte| byte == b' ');
        if self.rest.is_empty() {
            return Ok(());
        }
        loop {
            member(&mut self)?;
            self.run(|byte| matches!(byte, b' ' | b'\t'));
            if self.rest.is_empty() {
                return Ok(());
            }
            self.expect(b',')?;
            self.run(|byte| matches!(byte, b' ' | b'\t'));
            if self.rest.is_empty() {
                return Err(Malformed);
            }
        }
    }

    fn member(&mut self) -> Read<Member<'a>> {
        if self.peek() == Some(b'(') {
            self.inner_list().map(Member::List)
        } else {
            self.item().map(Member::Item)
        }
    }

    fn inner_list(&mut self) -> Read<InnerList<'a>> {
        self.expect(b'(')?;
        let mut items = Vec::new();
        loop {
            self.run(|byte| byte == b' ');
            if self.take(b')') {
                let parameters = self.parameters()?;
                return Ok(InnerList { items, parameters });
            }
            if items.len() >= self.limits.items {
                return Err(Malformed);
            }
            items.push(self.item()?);
            if !matches!(self.peek(), Some(b' ' | b')')) {
                return Err(Malformed);
            }
        }
    }

    fn item(&mut self) -> Read<Item<'a>> {
        let value = self.bare()?;
        let parameters = self.parameters()?;
        Ok(Item { value, parameters })
    }

    fn parameters(&mut self) -> Read<Vec<Parameter<'a>>> {
        let mut parameters = Vec::<Parameter<'_>>::new();
        while self.take(b';') {
            self.run(|byte| byte == b' ');
            let key = self.key()?;
            if parameters.iter().any(|other| other.key == key) || parameters.len() >= self.limits.parameters {
                return Err(Malformed);
            }
            let value = if self.take(b'=') {
                self.bare()?
            } else {
                Bare::Boolean(true)
            };
            parameters.push(Parameter { key, value });
        }
        Ok(parameters)
    }

    fn key(&mut self) -> Read<&'a str> {
        if !matches!(self.peek(), Some(b'a'..=b'z' | b'*')) {
            return Err(Malformed);
        }
        Ok(self.run(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'*')))
    }

    fn bare(&mut self) -> Read<Bare<'a>> {
        match self.peek().ok_or(Malformed)? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string().map(Bare::String),
            b':' => self.bytes().map(Bare::Bytes),
            b'?' => {
                self.next();
                match self.next() {
                    Some(b'0') => Ok(Bare::Boolean(false)),
                    Some(b'1') => Ok(Bare::Boolean(true)),
                    _ => Err(Malformed),
                }
            }
            b'@' => {
                self.next();
                match self.number()? {
                    Bare::Integer(seconds) => Ok(Bare::Date(seconds)),
                    _ => Err(Malformed),
                }
            }
            b'%' => {
                self.next();
                self.display().map(Bare::Display)
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'*' => {
                let is_token = |byte| crate::request::is_token_byte(byte) || matches!(byte, b':' | b'/');
                Ok(Bare::Token(self.run(is_token)))
            }
            _ => Err(Malformed),
        }
    }

    /// An integer of at most 15 digits, or a decimal of at most 12 and 3, each in its one form.
    fn number(&mut self) -> Read<Bare<'a>> {
        let start = self.rest;
        self.take(b'-');
        let digits = self.run(|byte| byte.is_ascii_digit());
        let is_canonical = digits == "0" || !digits.starts_with('0');
        if digits.is_empty() || !is_canonical {
            return Err(Malformed);
        }
        if !self.take(b'.') {
            let text = self.since(start);
            if digits.len() > 15 || text == "-0" {
                return Err(Malformed);
            }
            return text.parse().map(Bare::Integer).map_err(|_| Malformed);
        }
        let fraction = self.run(|byte| byte.is_ascii_digit());
        let is_canonical = fraction == "0" || !fraction.ends_with('0');
        if digits.len() > 12 || !(1..=3).contains(&fraction.len()) || !is_canonical {
            return Err(Malformed);
        }
        Ok(Bare::Decimal(self.since(start)))
    }

    /// What was read since `start`, which is ASCII.
    fn since(&self, start: &'a [u8]) -> &'a str {
        let length = start.len().saturating_sub(self.rest.len());
        let read = start.get(..length).unwrap_or_default();
        std::str::from_utf8(read).unwrap_or_default()
    }

    fn string(&mut self) -> Read<&'a str> {
        self.expect(b'"')?;
        let start = self.rest;
        loop {
            let text = self.since(start);
            match self.next().ok_or(Malformed)? {
                b'"' => return Ok(text),
                b'\\' => {
                    if !matches!(self.next(), Some(b'"' | b'\\')) {
                        return Err(Malformed);
                    }
                }
                0x20..=0x7e => {}
                _ => return Err(Malformed),
            }
            // Up to the next byte that needs a look.
            self.run(|byte| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\'));
        }
    }

    /// A display string (RFC 9651 §4.2.10); its escapes are lower-case hex and decode to UTF-8.
    fn display(&mut self) -> Read<&'a str> {
        self.expect(b'"')?;
        let start = self.rest;
        let mut decoded = Vec::new();
        loop {
            let text = self.since(start);
            match self.next().ok_or(Malformed)? {
                b'"' => {
                    return std::str::from_utf8(&decoded).map(|_| text).map_err(|_| Malformed);
                }
                b'%' => {
                    let mut digit = || match self.next() {
                        Some(digit @ b'0'..=b'9') => Ok(digit.wrapping_sub(b'0')),
                        Some(digit @ b'a'..=b'f') => Ok(digit.wrapping_sub(b'a').wrapping_add(10)),
                        _ => Err(Malformed),
                    };
                    let (high, low) = (digit()?, digit()?);
                    decoded.push(high.wrapping_shl(4) | low);
                }
                byte @ 0x20..=0x7e => decoded.push(byte),
                _ => return Err(Malformed),
            }
        }
    }

    fn bytes(&mut self) -> Read<Vec<u8>> {
        self.expect(b':')?;
        let text = self.run(|byte| matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'='));
        self.expect(b':')?;
        STANDARD.decode(text).map_err(|_| Malformed)
    }
}
