//! Check `request`: the grammar and the bounds of a request's head, in one pass, and the headers that later checks read.
//!
//! RFC 9110 §5–7, RFC 9112 §3, RFC 9113 §8.3, RFC 8441. Refuses, never repairs.

use memchr::memchr3;

use super::{Header, MAX_FIELDS, MAX_HEAD, MAX_TARGET, Request, Version};
use crate::verdict::{Detail, Failure, Reason};

/// The headers that may carry the effective authority, by the policy's spelling.
pub(crate) const FORWARDED_HEADERS: [&str; 2] = ["x-forwarded-host", "forwarded"];

/// Headers by which some frameworks change the method after the check.
pub(crate) const METHOD_OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// The longest method, in bytes.
pub(crate) const MAX_METHOD: usize = 32;

/// How many different `sec-fetch-*` names are kept apart. Browsers send five.
const MAX_SEC_FETCH: usize = 16;

/// What later checks need of a request that passed this one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    /// The method by which it is judged: GET for an extended CONNECT.
    pub(crate) method: &'a [u8],
    pub(crate) target: Target<'a>,
    pub(crate) host: Occurrences<'a>,
    pub(crate) pseudo_authority: Occurrences<'a>,
    pub(crate) forwarded: Option<&'a [u8]>,
    pub(crate) origin: Option<&'a [u8]>,
    pub(crate) fetch_site: Option<&'a [u8]>,
    pub(crate) fetch_mode: Option<&'a [u8]>,
    pub(crate) fetch_dest: Option<&'a [u8]>,
    pub(crate) has_sec_fetch: bool,
    /// The method that a preflight asks for.
    pub(crate) preflight: Option<&'a [u8]>,
    pub(crate) has_method_override: bool,
    pub(crate) is_websocket: bool,
}

/// A header that later checks want exactly once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Occurrences<'a> {
    None,
    One(&'a [u8]),
    Many,
}

impl<'a> Occurrences<'a> {
    const fn and(self, value: &'a [u8]) -> Self {
        match self {
            Self::None => Self::One(value),
            Self::One(_) | Self::Many => Self::Many,
        }
    }
}

/// The raw request target, split (RFC 9112 §3.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// The authority of an absolute-form target.
    pub(crate) authority: Option<&'a [u8]>,
    /// Up to the query; `/` where it is empty, and for `*`.
    pub(crate) path: &'a [u8],
}

impl<'a> Head<'a> {
    /// Reads the head. `forwarded` is the header that the policy names, in lower case; `named` are the others that it names.
    pub(crate) fn read(
        request: &Request<'a>,
        forwarded: Option<&'static str>,
        named: &NamedHeaders,
    ) -> Result<Self, Failure<'a>> {
        let has_pseudo_headers = request.version.has_pseudo_headers();
        let is_connect = request.method == b"CONNECT";
        if !is_method(request.method) {
            return Err(malformed("method ", request.method, " is malformed"));
        }
        if request.method == b"TRACE" || (is_connect && !has_pseudo_headers) {
            return Err(malformed("method ", request.method, " is never served"));
        }
        let target = Target::split(request)?;
        if request.headers.len() > MAX_FIELDS {
            return Err(refused("more than 1000 header fields"));
        }
        let mut size = request.method.len().saturating_add(request.target.len());
        for Header { name, value } in request.headers.iter() {
            size = size
                .saturating_add(name.len())
                .saturating_add(value.len())
                .saturating_add(4);
        }
        if size > MAX_HEAD {
            return Err(refused("more than 256 KiB of head"));
        }

        let mut head = Self {
            method: request.method,
            target,
            host: Occurrences::None,
            pseudo_authority: Occurrences::None,
            forwarded: None,
            origin: None,
            fetch_site: None,
            fetch_mode: None,
            fetch_dest: None,
            has_sec_fetch: false,
            preflight: None,
            has_method_override: false,
            is_websocket: false,
        };
        let mut once = Once::default();
        let mut seen = named.none_seen();
        let mut protocol = Occurrences::None;
        let mut requested_method = Occurrences::None;
        let mut upgrades_to_websocket = false;
        for Header { name, value } in request.headers.iter() {
            let spelling = match name.split_first() {
                Some((b':', _)) if has_pseudo_headers => Spelling::Pseudo,
                Some((b':', b"authority")) => {
                    return Err(refused("`:authority` on HTTP/1.x"));
                }
                _ => Spelling::of(name).ok_or_else(|| malformed("header name ", name, " is no token"))?,
            };
            if memchr3(b'\r', b'\n', 0, value).is_some() {
                return Err(malformed("the value of header ", name, " has CR, LF or NUL"));
            }
            if spelling == Spelling::Underscore {
                if folds_to_a_name_that_is_read(name, forwarded) || named.find(name, fold).is_some() {
                    return Err(duplicate("header ", name, " is another spelling of one that is read"));
                }
                continue;
            }
            if let Some(seen) = named
                .find(name, |byte| byte.to_ascii_lowercase())
                .and_then(|index| seen.get_mut(index))
                && std::mem::replace(seen, true)
            {
                return Err(duplicate("header ", name, " occurs twice"));
            }
            match Known::of(name) {
                None => {}
                Some(Known::Authority) => head.pseudo_authority = head.pseudo_authority.and(value),
                Some(Known::Protocol) => protocol = protocol.and(value),
                Some(Known::OtherPseudo) => {
                    return Err(malformed("header ", name, " is no header here"));
                }
                Some(Known::Host) => head.host = head.host.and(value),
                Some(Known::Origin) => {
                    once.note(Once::ORIGIN, name)?;
                    head.origin = Some(value);
                }
                Some(Known::Once(bit)) => once.note(bit, name)?,
                Some(Known::SecFetch(suffix)) => {
                    head.has_sec_fetch = true;
                    if suffix.eq_ignore_ascii_case(b"site") {
                        once.note_fetch(Once::FETCH_SITE, name)?;
                        head.fetch_site = Some(value);
                    } else if suffix.eq_ignore_ascii_case(b"mode") {
                        once.note_fetch(Once::FETCH_MODE, name)?;
                        head.fetch_mode = Some(value);
                    } else if suffix.eq_ignore_ascii_case(b"dest") {
                        once.note_fetch(Once::FETCH_DEST, name)?;
                        head.fetch_dest = Some(value);
                    } else {
                        once.note_other_sec_fetch(name)?;
                    }
                }
                Some(Known::Forwarded(known)) if forwarded == Some(known) => {
                    once.note(Once::FORWARDED, name)?;
                    head.forwarded = Some(value);
                }
                Some(Known::Forwarded(_)) => {}
                Some(Known::RequestedMethod) => requested_method = requested_method.and(value),
                Some(Known::MethodOverride) => head.has_method_override = true,
                Some(Known::Upgrade) => {
                    if lists(value, b"h2c") {
                        return Err(refused("an upgrade to h2c"));
                    }
                    upgrades_to_websocket |= lists(value, b"websocket");
                }
            }
        }

        head.is_websocket = match protocol {
            Occurrences::One(b"websocket") if is_connect => {
                // RFC 8441 §4: the rest of it is that of a GET with an upgrade.
                head.method = b"GET";
                true
            }
            Occurrences::None if !is_connect => {
                upgrades_to_websocket && !has_pseudo_headers && request.method == b"GET"
            }
            _ if is_connect => return Err(refused("a CONNECT that is not for a WebSocket")),
            _ => return Err(refused("`:protocol` on another method than CONNECT")),
        };
        if let (b"OPTIONS", Some(_), Occurrences::One(method)) = (request.method, head.origin, requested_method)
            && is_served(method)
        {
            head.preflight = Some(method);
        }
        Ok(head)
    }
}

impl<'a> Target<'a> {
    fn split(request: &Request<'a>) -> Result<Self, Failure<'a>> {
        let target = request.target;
        if target.is_empty() {
            return Err(refused("the request target is empty"));
        }
        if target.len() > MAX_TARGET {
            return Err(refused("the request target is longer than 16 KiB"));
        }
        if target.iter().any(|byte| matches!(byte, 0..=0x20 | 0x7f | b'#')) {
            return Err(refused("the request target has a space, a control character or `#`"));
        }
        let (authority, rest) = match target {
            b"*" if request.method == b"OPTIONS" => (None, &b"/"[..]),
            [b'/', ..] => (None, target),
            _ if request.version.has_pseudo_headers() => {
                return Err(refused("the request target is not in origin form"));
            }
            _ => {
                let rest = strip_prefix_ignoring_case(target, b"http://")
                    .or_else(|| strip_prefix_ignoring_case(target, b"https://"))
                    .ok_or_else(|| refused("the request target is neither in origin nor in absolute form"))?;
                let end = rest
                    .iter()
                    .position(|byte| matches!(byte, b'/' | b'?'))
                    .unwrap_or(rest.len());
                let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, b""));
                (Some(authority), rest)
            }
        };
        let path = rest.split(|byte| *byte == b'?').next().unwrap_or_default();
        Ok(Self {
            authority,
            path: if path.is_empty() { b"/" } else { path },
        })
    }
}

/// `[A-Z][A-Z0-9_-]{0,31}`: what registered methods look like; RFC 9110 §9.1 would allow any token.
pub(crate) fn is_method(method: &[u8]) -> bool {
    method.len() <= MAX_METHOD
        && method.first().is_some_and(u8::is_ascii_uppercase)
        && method
            .iter()
            .all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-'))
}

/// A method that a request other than an extended CONNECT may have.
pub(crate) fn is_served(method: &[u8]) -> bool {
    is_method(method) && !matches!(method, b"CONNECT" | b"TRACE")
}

/// RFC 9110 §5.6.2.
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

/// Headers that the policy names, beside those that are always read. Each may occur once.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamedHeaders {
    /// In lower case.
    names: Vec<Box<str>>,
    /// A bit for each length, up to 63: most names are told apart by that.
    lengths: u64,
}

impl NamedHeaders {
    pub(crate) fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut named = Self::default();
        for name in names {
            if !named.names.iter().any(|other| **other == *name) {
                named.names.push(name.into());
                named.lengths |= Self::bit(name.len());
            }
        }
        named
    }

    const fn bit(length: usize) -> u64 {
        if length < 63 { 1 << length } else { 1 << 63 }
    }

    /// Allocates nothing if the policy names none.
    fn none_seen(&self) -> Vec<bool> {
        vec![false; self.names.len()]
    }

    fn find(&self, name: &[u8], fold: impl Fn(u8) -> u8) -> Option<usize> {
        if self.lengths & Self::bit(name.len()) == 0 {
            return None;
        }
        self.names.iter().position(|known| {
            known.len() == name.len() && known.bytes().zip(name).all(|(known, byte)| known == fold(*byte))
        })
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Spelling {
    Plain,
    Underscore,
    Pseudo,
}

impl Spelling {
    /// None if the name is no token.
    fn of(name: &[u8]) -> Option<Self> {
        let mut classes = 0;
        for byte in name {
            classes |= NAME_CLASSES.get(usize::from(*byte)).copied().unwrap_or(NO_TOKEN);
        }
        if classes & NO_TOKEN != 0 || name.is_empty() {
            None
        } else if classes & UNDERSCORE != 0 {
            Some(Self::Underscore)
        } else {
            Some(Self::Plain)
        }
    }
}

const NO_TOKEN: u8 = 1;
const UNDERSCORE: u8 = 2;

/// The class of each byte of a name: what is no token, and `_`.
static NAME_CLASSES: [u8; 256] = {
    let mut classes = [NO_TOKEN; 256];
    let mut rest: &mut [u8] = &mut classes;
    let mut byte = 0_u8;
    while let Some((class, after)) = rest.split_first_mut() {
        *class = match byte {
            b'_' => UNDERSCORE,
            _ if is_token_byte(byte) => 0,
            _ => NO_TOKEN,
        };
        rest = after;
        byte = byte.wrapping_add(1);
    }
    classes
};

/// A header that some check reads, or that may occur once.
enum Known<'a> {
    Authority,
    Protocol,
    OtherPseudo,
    Host,
    Origin,
    Once(u16),
    SecFetch(&'a [u8]),
    Forwarded(&'static str),
    RequestedMethod,
    MethodOverride,
    Upgrade,
}

impl<'a> Known<'a> {
    fn of(name: &'a [u8]) -> Option<Self> {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        if matches!(name.first(), Some(b's' | b'S'))
            && let Some(suffix) = strip_prefix_ignoring_case(name, b"sec-fetch-")
        {
            return Some(Self::SecFetch(suffix));
        }
        match name.len() {
            4 if is(b"host") => Some(Self::Host),
            6 if is(b"origin") => Some(Self::Origin),
            7 if is(b"upgrade") => Some(Self::Upgrade),
            9 if is(b"forwarded") => Some(Self::Forwarded("forwarded")),
            9 if is(b"signature") => Some(Self::Once(Once::SIGNATURE)),
            13 if is(b"authorization") => Some(Self::Once(Once::AUTHORIZATION)),
            13 if is(b"x-http-method") => Some(Self::MethodOverride),
            14 if is(b"content-length") => Some(Self::Once(Once::CONTENT_LENGTH)),
            14 if is(b"content-digest") => Some(Self::Once(Once::CONTENT_DIGEST)),
            15 if is(b"signature-input") => Some(Self::Once(Once::SIGNATURE_INPUT)),
            16 if is(b"x-forwarded-host") => Some(Self::Forwarded("x-forwarded-host")),
            17 if is(b"x-method-override") => Some(Self::MethodOverride),
            22 if is(b"x-http-method-override") => Some(Self::MethodOverride),
            29 if is(b"access-control-request-method") => Some(Self::RequestedMethod),
            _ if name.first() != Some(&b':') => None,
            10 if name == b":authority" => Some(Self::Authority),
            9 if name == b":protocol" => Some(Self::Protocol),
            _ => Some(Self::OtherPseudo),
        }
    }
}

/// WSGI servers and many proxies read `_` as `-`, so that `Sec_Fetch_Site` would speak for `Sec-Fetch-Site`.
fn folds_to_a_name_that_is_read(name: &[u8], forwarded: Option<&'static str>) -> bool {
    let mut folded = [0; 32];
    let Some(folded) = folded.get_mut(..name.len()) else {
        // Longer than every name that is read, but for `sec-fetch-` and anything.
        return name
            .iter()
            .zip(b"sec-fetch-")
            .all(|(byte, known)| fold(*byte) == *known);
    };
    for (to, from) in folded.iter_mut().zip(name) {
        *to = fold(*from);
    }
    match Known::of(folded) {
        Some(Known::Forwarded(known)) => forwarded == Some(known),
        Some(Known::SecFetch(_) | Known::Once(_) | Known::RequestedMethod | Known::MethodOverride) => true,
        _ => false,
    }
}

const fn fold(byte: u8) -> u8 {
    if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
}

/// Which of the headers that may occur once have occurred.
#[derive(Default)]
struct Once<'a> {
    bits: u16,
    sec_fetch_count: usize,
    /// The `sec-fetch-*` names without a bit of their own.
    others: [&'a [u8]; MAX_SEC_FETCH],
    other_count: usize,
}

impl Once<'_> {
    const ORIGIN: u16 = 1;
    const AUTHORIZATION: u16 = 1 << 1;
    const CONTENT_LENGTH: u16 = 1 << 2;
    const CONTENT_DIGEST: u16 = 1 << 3;
    const SIGNATURE: u16 = 1 << 4;
    const SIGNATURE_INPUT: u16 = 1 << 5;
    const FORWARDED: u16 = 1 << 6;
    const FETCH_SITE: u16 = 1 << 7;
    const FETCH_MODE: u16 = 1 << 8;
    const FETCH_DEST: u16 = 1 << 9;
}

impl<'a> Once<'a> {
    fn note(&mut self, bit: u16, name: &'a [u8]) -> Result<(), Failure<'a>> {
        if self.bits & bit != 0 {
            return Err(duplicate("header ", name, " occurs twice"));
        }
        self.bits |= bit;
        Ok(())
    }

    fn note_fetch(&mut self, bit: u16, name: &'a [u8]) -> Result<(), Failure<'a>> {
        self.note(bit, name)?;
        self.count_sec_fetch()
    }

    fn note_other_sec_fetch(&mut self, name: &'a [u8]) -> Result<(), Failure<'a>> {
        let mut seen = self.others.iter().take(self.other_count);
        if seen.any(|other| other.eq_ignore_ascii_case(name)) {
            return Err(duplicate("header ", name, " occurs twice"));
        }
        self.count_sec_fetch()?;
        if let Some(place) = self.others.get_mut(self.other_count) {
            *place = name;
            self.other_count = self.other_count.saturating_add(1);
        }
        Ok(())
    }

    fn count_sec_fetch(&mut self) -> Result<(), Failure<'a>> {
        self.sec_fetch_count = self.sec_fetch_count.saturating_add(1);
        if self.sec_fetch_count > MAX_SEC_FETCH {
            return Err(refused("more than 16 different `sec-fetch-` headers"));
        }
        Ok(())
    }
}

/// True if a comma-separated list has the item, without case; a `/version` after it is ignored (RFC 9110 §7.8).
fn lists(value: &[u8], item: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|protocol| {
        let name = protocol.split(|byte| *byte == b'/').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(item)
    })
}

fn strip_prefix_ignoring_case<'a>(bytes: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = bytes.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

const fn refused(text: &'static str) -> Failure<'static> {
    Failure::new(Reason::RequestMalformed, Detail::text(text))
}

const fn malformed<'a>(before: &'static str, quoted: &'a [u8], after: &'static str) -> Failure<'a> {
    Failure::new(Reason::RequestMalformed, Detail::quoting(before, quoted, after))
}

const fn duplicate<'a>(before: &'static str, quoted: &'a [u8], after: &'static str) -> Failure<'a> {
    Failure::new(Reason::HeaderDuplicate, Detail::quoting(before, quoted, after))
}

/// True for HTTP/1.0, where Host may be absent.
pub(crate) const fn is_http10(request: &Request<'_>) -> bool {
    matches!(request.version, Version::Http10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upgrade_lists_are_read_item_by_item() {
        assert!(lists(b"websocket", b"websocket"));
        assert!(lists(b"foo , WebSocket/13", b"websocket"));
        assert!(!lists(b"websockets", b"websocket"));
        assert!(lists(b"websocket,h2c", b"h2c"));
    }

    #[test]
    fn other_spellings_are_found() {
        let forwarded = Some("x-forwarded-host");
        for (name, found) in [
            (&b"Sec_Fetch_Site"[..], true),
            (b"sec-fetch_anything-that-is-longer-than-any-name", true),
            (b"X_Forwarded-Host", true),
            (b"content_length", true),
            (b"access_control_request_method", true),
            (b"x_y", false),
            (b"x_http_method", true),
        ] {
            assert_eq!(folds_to_a_name_that_is_read(name, forwarded), found);
        }
        assert!(!folds_to_a_name_that_is_read(b"X_Forwarded_Host", None));
    }
}
