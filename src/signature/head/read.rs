//! What of a request's head signatures look at.

use super::METHOD_OVERRIDES;
use crate::request::Request;
use crate::signature::HeaderNames;
use crate::signature::body::BUFFERED;

/// The headers of a profile, as far as they were sent. Check `request` saw to it that none occurs twice.
#[derive(Clone, Copy, Default)]
pub(super) struct Sent<'a> {
    pub(super) signature: Option<&'a [u8]>,
    pub(super) timestamp: Option<&'a [u8]>,
    pub(super) third: Option<&'a [u8]>,
    pub(super) key_id: Option<&'a [u8]>,
}

impl<'a> Sent<'a> {
    pub(super) fn of(request: &Request<'a>, names: &HeaderNames) -> Self {
        let mut sent = Self::default();
        for header in request.headers.iter() {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name.as_bytes());
            if is(&names.signature) {
                sent.signature = Some(header.value);
            } else if is(&names.timestamp) {
                sent.timestamp = Some(header.value);
            } else if is(&names.third) {
                sent.third = Some(header.value);
            } else if names.key_id.as_deref().is_some_and(is) {
                sent.key_id = Some(header.value);
            }
        }
        sent
    }
}

/// The headers that every profile looks at, or only RFC 9421.
#[derive(Clone, Copy, Default)]
pub(super) struct ContentFields<'a> {
    pub(super) signature_input: Option<&'a [u8]>,
    pub(super) signature: Option<&'a [u8]>,
    pub(super) content_digest: Option<&'a [u8]>,
    pub(super) content_type: Option<&'a [u8]>,
    pub(super) content_length: Option<u64>,
    pub(super) has_content_encoding: bool,
    pub(super) overrides: [bool; 3],
}

impl<'a> ContentFields<'a> {
    /// Room for what is signed: the head's part, and the body if it is short enough to be kept.
    pub(super) fn base(&self) -> Vec<u8> {
        let body = self.content_length.and_then(|length| usize::try_from(length).ok());
        Vec::with_capacity(
            body.filter(|length| *length <= BUFFERED)
                .unwrap_or(0)
                .saturating_add(384),
        )
    }

    pub(super) fn of(request: &Request<'a>) -> Self {
        let mut fields = Self::default();
        for header in request.headers.iter() {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name.as_bytes());
            match header.name.len() {
                9 if is("signature") => fields.signature = Some(header.value),
                12 if is("content-type") => fields.content_type = Some(header.value),
                13 | 17 | 22 => {
                    for (name, is_there) in METHOD_OVERRIDES.iter().zip(&mut fields.overrides) {
                        *is_there |= is(name);
                    }
                }
                14 if is("content-length") => fields.content_length = content_length(header.value),
                14 if is("content-digest") => fields.content_digest = Some(header.value),
                15 if is("signature-input") => fields.signature_input = Some(header.value),
                16 if is("content-encoding") => fields.has_content_encoding = true,
                _ => {}
            }
        }
        fields
    }
}

/// Of what is no number the server in front makes what it will; the body itself is counted all the same.
fn content_length(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value.trim_ascii()).ok()?;
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().unwrap_or(u64::MAX))
}
