//! Where a request carries its token, and that it carries one.

use super::section::TokenPlace;
use crate::request::Request;
use crate::verdict::Reason;

/// The token of a request.
///
/// # Errors
/// [`Reason::TokenMissing`], [`Reason::TokenMalformed`]
pub(super) fn token<'a>(request: &Request<'a>, place: &TokenPlace) -> Result<&'a [u8], Reason> {
    let authorization = header(request, "authorization");
    let found = match place {
        TokenPlace::Bearer => {
            let bearer = authorization.and_then(bearer);
            return bearer.ok_or(Reason::TokenMissing).and_then(whole);
        }
        TokenPlace::Header(name) => header(request, name),
        TokenPlace::Cookie(name) => cookie(request, name)?,
    };
    // Of two credentials nobody could say which one counts.
    if authorization.is_some_and(may_be_bearer) {
        return Err(Reason::TokenMalformed);
    }
    found.ok_or(Reason::TokenMissing).and_then(whole)
}

/// The value of a header that may occur once, which check `request` saw to.
fn header<'a>(request: &Request<'a>, name: &str) -> Option<&'a [u8]> {
    let mut headers = request.headers.iter();
    headers
        .find(|header| header.name.eq_ignore_ascii_case(name.as_bytes()))
        .map(|header| header.value)
}

/// What follows the scheme `Bearer` (RFC 9110 §11.4); none for another scheme.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let end = value
        .iter()
        .position(|byte| matches!(byte, b' ' | b'\t'))
        .unwrap_or(value.len());
    let (scheme, rest) = value.split_at_checked(end)?;
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    scheme
        .eq_ignore_ascii_case(b"bearer")
        .then(|| rest.get(spaces..).unwrap_or_default())
}

/// True if some parser reads the scheme `Bearer`: whatever blanks it trims, or splits at.
fn may_be_bearer(value: &[u8]) -> bool {
    let scheme = b"bearer";
    trimmed(value)
        .split_at_checked(scheme.len())
        .is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(scheme) && rest.first().is_none_or(|byte| is_blank(*byte))
        })
}

/// What one parser or another takes for white space: controls, spaces, and all bytes beyond ASCII, of which U+00A0 and U+3000 are made.
const fn is_blank(byte: u8) -> bool {
    !byte.is_ascii_graphic()
}

/// Without blanks on both sides.
const fn trimmed(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_blank(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_blank(*last)
    {
        bytes = rest;
    }
    bytes
}

/// A token without white space.
fn whole(token: &[u8]) -> Result<&[u8], Reason> {
    // Without a way out: so many bytes are looked at at once.
    let is_graphic = token.iter().fold(true, |all, byte| all & byte.is_ascii_graphic());
    if is_graphic && !token.is_empty() {
        Ok(token)
    } else {
        Err(Reason::TokenMalformed)
    }
}

/// The value of the one cookie of that name (RFC 6265 §4.2.1). Parsers differ in what they trim from a name, and some split at commas: what any of them
/// would take for that cookie is one, and a second one where there is a right one.
fn cookie<'a>(request: &Request<'a>, name: &str) -> Result<Option<&'a [u8]>, Reason> {
    let name = name.as_bytes();
    let mut found = None;
    for header in request
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(b"cookie"))
    {
        for (index, pair) in header.value.split(|byte| *byte == b';').enumerate() {
            let space: &[u8] = if index == 0 { b"" } else { b" " };
            let value = pair
                .strip_prefix(space)
                .unwrap_or(pair)
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix(b"="));
            let mut pieces = pair.split(|byte| *byte == b',');
            if value.is_some() {
                pieces.next();
            }
            let is_other_spelling = pieces.any(|piece| cookie_name(piece) == name);
            if is_other_spelling || value.is_some_and(|value| found.replace(value).is_some()) {
                return Err(Reason::TokenMalformed);
            }
        }
    }
    Ok(found)
}

/// What a cookie is called, by the most lenient parser.
fn cookie_name(piece: &[u8]) -> &[u8] {
    trimmed(piece.split(|byte| *byte == b'=').next().unwrap_or_default())
}
