//! Headers beside a signature that would make another request of the same signed bytes: what a verifier refuses and a signer does not sign.

use super::body::BUFFERED;
use super::{Component, SignatureSection};
use crate::request::{METHOD_OVERRIDES, Request};

/// The headers that every profile looks at, or only RFC 9421.
#[derive(Clone, Copy, Default)]
pub(super) struct ContentFields<'a> {
    pub(super) signature_input: Option<&'a [u8]>,
    pub(super) signature: Option<&'a [u8]>,
    pub(super) content_digest: Option<&'a [u8]>,
    pub(super) content_type: Option<&'a [u8]>,
    pub(super) content_length: Option<u64>,
    has_content_encoding: bool,
    is_upgrade: bool,
    has_transfer_coding: bool,
    overrides: [bool; 3],
}

/// What such a header is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ContentFault {
    /// A method-override header, of that name, that is not covered.
    MethodOverride(&'static str),
    /// A body of unknown length in a request to upgrade: nobody reads it before the protocol changes.
    UpgradeBody,
    /// A content coding, where the policy lists media types.
    ContentEncoding,
    /// A media type that the policy does not list.
    ContentType,
}

impl<'a> ContentFields<'a> {
    pub(super) fn of(request: &Request<'a>) -> Self {
        let mut fields = Self::default();
        for header in request.headers.iter() {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name.as_bytes());
            match header.name.len() {
                7 if is("upgrade") => fields.is_upgrade = true,
                9 if is("signature") => fields.signature = Some(header.value),
                12 if is("content-type") => fields.content_type = Some(header.value),
                17 if is("transfer-encoding") => fields.has_transfer_coding = true,
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

    /// Room for what is signed: the head's part, and the body if it is short enough to be kept.
    pub(super) fn base(&self) -> Vec<u8> {
        let body = self.content_length.and_then(|length| usize::try_from(length).ok());
        Vec::with_capacity(
            body.filter(|length| *length <= BUFFERED)
                .unwrap_or(0)
                .saturating_add(384),
        )
    }

    /// The first fault beside a signature that covers these components.
    pub(super) fn fault(&self, section: &SignatureSection, covered: &[Component<'_>]) -> Option<ContentFault> {
        let is_covered = |name: &str| covered.contains(&Component::Field(name));
        let overrides = METHOD_OVERRIDES.iter().zip(self.overrides);
        if let Some((name, _)) = overrides
            .into_iter()
            .find(|(name, is_there)| *is_there && !is_covered(name))
        {
            return Some(ContentFault::MethodOverride(name));
        }
        if self.is_upgrade && self.has_transfer_coding {
            return Some(ContentFault::UpgradeBody);
        }
        if section.content_types.is_empty() {
            return None;
        }
        if self.has_content_encoding {
            return Some(ContentFault::ContentEncoding);
        }
        let essence = self
            .content_type?
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii();
        let mut types = section.content_types.iter();
        let is_listed = types.any(|listed| essence.eq_ignore_ascii_case(listed.as_bytes()));
        (!is_listed).then_some(ContentFault::ContentType)
    }
}

impl SignatureSection {
    /// True if a body of that length must have a content type.
    pub(crate) const fn wants_content_type(&self, body_length: u64) -> bool {
        body_length > 0 && !self.content_types.is_empty()
    }
}

/// Of what is no number the server in front makes what it will; the body itself is counted all the same.
fn content_length(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value.trim_ascii()).ok()?;
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().unwrap_or(u64::MAX))
}
