//! Where a request carries its token, and that it carries one.

use super::section::TokenPlace;
use crate::request::Request;
use crate::verdict::Reason;

/// The token of a request.
///
/// # Errors
/// [`Reason::TokenMissing`], [`Reason::TokenMalformed`]
pub(super) fn token<'a>(request: &Request<'a>, place: &TokenPlace) -> Result<&'a [u8], Reason> {
    let bearer = header(request, "authorization").and_then(bearer);
    let found = match place {
        TokenPlace::Bearer => return bearer.ok_or(Reason::TokenMissing).and_then(whole),
        TokenPlace::Header(name) => header(request, name),
        TokenPlace::Cookie(name) => cookie(request, name)?,
    };
    // Of two credentials nobody could say which one counts.
    if bearer.is_some() {
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

/// The value of the one cookie of that name (RFC 6265 §4.2.1).
fn cookie<'a>(request: &Request<'a>, name: &str) -> Result<Option<&'a [u8]>, Reason> {
    let mut found = None;
    for header in request
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(b"cookie"))
    {
        for pair in header.value.split(|byte| *byte == b';') {
            let pair = pair.strip_prefix(b" ").unwrap_or(pair);
            let value = pair
                .strip_prefix(name.as_bytes())
                .and_then(|rest| rest.strip_prefix(b"="));
            if let Some(value) = value
                && found.replace(value).is_some()
            {
                return Err(Reason::TokenMalformed);
            }
        }
    }
    Ok(found)
}
