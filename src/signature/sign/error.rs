//! Why a request cannot be signed.

use std::fmt;

use crate::signature::content::ContentFault;

/// Why a request cannot be signed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SignError {
    /// The policy has no such section.
    SectionUnknown,
    /// The section has no such key, or none that signs for the host.
    KeyUnknown,
    /// The key's secret was not loaded.
    SecretMissing,
    /// No server that keeps the policy takes such a request, whoever signs: why.
    Request(String),
    /// Not exactly one Host that the policy allows.
    Host,
    /// The target is not in origin form, ends in a lone `?`, or has a separator of the profile.
    Target,
    /// The nonce is missing or malformed.
    Nonce,
    /// The time is not 1…999999999999.
    Created,
    /// The request has a header already that signing adds.
    HeaderPresent(String),
    /// The request lacks a component that the policy requires.
    ComponentMissing(String),
    /// The value of a component is not printable ASCII, or a query parameter is not UTF-8.
    ComponentValue,
    /// The request has a method-override header that the policy does not want covered.
    MethodOverride(String),
    /// The request has a content encoding, and the policy lists content types.
    ContentEncoding,
    /// The content type is not one that the policy lists.
    ContentType,
    /// The request has a body without a content type, and the policy lists content types.
    ContentTypeMissing,
    /// The body is longer than the verifier takes.
    BodyTooLarge,
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SectionUnknown => f.write_str("the policy has no such signatures section"),
            Self::KeyUnknown => f.write_str("the section has no such key, or none that signs for this host"),
            Self::SecretMissing => f.write_str("the secret of the key was not loaded"),
            Self::Request(why) => write!(f, "the policy refuses the request, signed or not: {why}"),
            Self::Host => f.write_str("the request has not exactly one Host that the policy allows"),
            Self::Target => f.write_str(
                "the target is not in origin form, ends in a lone `?`, or has a `|` that separates signed parts",
            ),
            Self::Nonce => f.write_str("the nonce is missing or malformed"),
            Self::Created => f.write_str("the time is not in Unix seconds from 1 to 999999999999"),
            Self::HeaderPresent(name) => write!(f, "the request has a header `{name}` already"),
            Self::ComponentMissing(name) => write!(f, "the request has no `{name}`, which the policy wants signed"),
            Self::ComponentValue => f.write_str(
                "the value of a signed header is not printable ASCII, or a signed query parameter is not UTF-8",
            ),
            Self::MethodOverride(name) => {
                write!(
                    f,
                    "the request has a header `{name}`, and no `components` of the policy have it signed"
                )
            }
            Self::ContentEncoding => {
                f.write_str("the request has a header `content-encoding`, which the policy's `content_types` rule out")
            }
            Self::ContentType => f.write_str("the content type is not in the policy's `content_types`"),
            Self::ContentTypeMissing => {
                f.write_str("the request has a body and no `content-type`, which the policy's `content_types` ask for")
            }
            Self::BodyTooLarge => f.write_str("the body is longer than the policy's `max_body`"),
        }
    }
}

impl std::error::Error for SignError {}

impl From<ContentFault> for SignError {
    fn from(fault: ContentFault) -> Self {
        match fault {
            ContentFault::MethodOverride(name) => Self::MethodOverride(name.to_owned()),
            ContentFault::UpgradeBody => Self::Request("a request to upgrade has a body of unknown length".to_owned()),
            ContentFault::ContentEncoding => Self::ContentEncoding,
            ContentFault::ContentType => Self::ContentType,
        }
    }
}
