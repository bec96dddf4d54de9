//! Signing requests by the section that verifies them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac};

use super::components::{BaseError, Message, covered, split, write_base};
use super::fields::{Bare, InnerList, Parameter};
use super::grammar::{hex, is_nonce, is_time, is_webhook_id};
use super::{
    HeaderNames, ListedComponent, MessageRules, SchemeRules, Selector, SignatureKey, SignatureParameter,
    SignatureSection,
};
use crate::request::{Header, Headers, Request, Timestamp};

/// What a signature has beside the request.
#[derive(Clone, Copy, Debug)]
pub struct SignOptions<'a> {
    /// The key; none: the first that signs for the host.
    pub key_id: Option<&'a str>,
    /// When the signature is made.
    pub created: Timestamp,
    /// Fresh for every request: 16–128 of `[A-Za-z0-9._~-]`; for a webhook its id, 1–256 of `[A-Za-z0-9_-]`. Not read by profiles without one.
    pub nonce: Option<&'a str>,
}

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
    /// The value of a component is not printable ASCII.
    ComponentValue,
    /// The body is longer than the verifier takes.
    BodyTooLarge,
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SectionUnknown => f.write_str("the policy has no such signatures section"),
            Self::KeyUnknown => f.write_str("the section has no such key, or none that signs for this host"),
            Self::SecretMissing => f.write_str("the secret of the key was not loaded"),
            Self::Host => f.write_str("the request has not exactly one Host that the policy allows"),
            Self::Target => f.write_str(
                "the target is not in origin form, ends in a lone `?`, or has a `|` that separates signed parts",
            ),
            Self::Nonce => f.write_str("the nonce is missing or malformed"),
            Self::Created => f.write_str("the time is not in Unix seconds from 1 to 999999999999"),
            Self::HeaderPresent(name) => write!(f, "the request has a header `{name}` already"),
            Self::ComponentMissing(name) => write!(f, "the request has no `{name}`, which the policy wants signed"),
            Self::ComponentValue => f.write_str("the value of a signed header is not printable ASCII"),
            Self::BodyTooLarge => f.write_str("the body is longer than the policy's `max_body`"),
        }
    }
}

impl std::error::Error for SignError {}

/// A signature in the making: the body goes in, headers come out.
pub struct Signing<'a> {
    section: &'a SignatureSection,
    key: &'a SignatureKey,
    loaded: &'a hmac::Key,
    request: Request<'a>,
    host: String,
    scheme: &'static str,
    created: u64,
    nonce: Option<&'a str>,
    body_length: u64,
    state: State,
}

enum State {
    Mac { head: Vec<u8>, context: hmac::Context },
    Digest(digest::Context),
}

/// The headers of a signed request.
#[derive(Clone, Debug)]
pub struct SignedHeaders {
    headers: Vec<(String, String)>,
    base: String,
    body_length: Option<u64>,
}

impl SignedHeaders {
    /// The headers to add, in order.
    #[must_use]
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// What was signed, without the body.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// How many bytes of body follow the base; none where the base has a digest of it instead.
    #[must_use]
    pub const fn body_length(&self) -> Option<u64> {
        self.body_length
    }
}

/// What to sign, by whom, for which host.
pub(crate) struct ToSign<'a> {
    pub(crate) section: &'a SignatureSection,
    pub(crate) key: &'a SignatureKey,
    pub(crate) loaded: &'a hmac::Key,
    pub(crate) request: Request<'a>,
    pub(crate) host: String,
    pub(crate) scheme: &'static str,
}

impl<'a> Signing<'a> {
    pub(crate) fn new(what: ToSign<'a>, options: &SignOptions<'a>) -> Result<Self, SignError> {
        let ToSign {
            section,
            key,
            loaded,
            request,
            host,
            scheme,
        } = what;
        let target = request.target;
        if !target.starts_with(b"/") || split(target).1 == Some(b"") {
            return Err(SignError::Target);
        }
        let created = options.created.0;
        if !is_time(created) {
            return Err(SignError::Created);
        }
        let added = section
            .scheme
            .headers()
            .map_or(vec!["signature-input", "signature", "content-digest"], |names| {
                names.iter().collect()
            });
        for header in request.headers.iter() {
            if let Some(name) = added
                .iter()
                .find(|name| header.name.eq_ignore_ascii_case(name.as_bytes()))
            {
                return Err(SignError::HeaderPresent((*name).to_owned()));
            }
        }
        let nonce = match &section.scheme {
            SchemeRules::ServiceScoped { .. } => None,
            SchemeRules::Message(rules) if !rules.parameters.contains(&SignatureParameter::Nonce) => None,
            SchemeRules::Webhooks { .. } => Some(
                options
                    .nonce
                    .filter(|text| is_webhook_id(text))
                    .ok_or(SignError::Nonce)?,
            ),
            _ => Some(options.nonce.filter(|text| is_nonce(text)).ok_or(SignError::Nonce)?),
        };
        let timestamp = created.to_string();
        let mac = |parts: &[&[u8]], separator: u8| {
            let mut head = Vec::new();
            for part in parts {
                head.extend_from_slice(part);
                head.push(separator);
            }
            let mut context = hmac::Context::with_key(loaded);
            context.update(&head);
            State::Mac { head, context }
        };
        let state = match &section.scheme {
            SchemeRules::Message(_) => State::Digest(digest::Context::new(&digest::SHA256)),
            SchemeRules::HostNonce { .. } => mac(
                &[
                    request.method,
                    host.as_bytes(),
                    target,
                    timestamp.as_bytes(),
                    nonce.unwrap_or_default().as_bytes(),
                ],
                b'\n',
            ),
            SchemeRules::ServiceScoped { signs_query, .. } => {
                if target.contains(&b'|') {
                    return Err(SignError::Target);
                }
                let service_id = key.service_id.as_deref().unwrap_or_default();
                let target = if *signs_query { target } else { split(target).0 };
                mac(
                    &[request.method, service_id.as_bytes(), target, timestamp.as_bytes()],
                    b'|',
                )
            }
            SchemeRules::Webhooks { .. } => mac(&[nonce.unwrap_or_default().as_bytes(), timestamp.as_bytes()], b'.'),
        };
        Ok(Self {
            section,
            key,
            loaded,
            request,
            host,
            scheme,
            created,
            nonce,
            body_length: 0,
            state,
        })
    }

    /// Takes the next bytes of the body, as they will be sent.
    pub fn update(&mut self, chunk: &[u8]) {
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.body_length = self.body_length.saturating_add(length);
        match &mut self.state {
            State::Mac { context, .. } => context.update(chunk),
            State::Digest(context) => context.update(chunk),
        }
    }

    /// The headers.
    ///
    /// # Errors
    /// The request cannot be signed by this section.
    pub fn finish(self) -> Result<SignedHeaders, SignError> {
        if self.body_length > self.section.max_body {
            return Err(SignError::BodyTooLarge);
        }
        let Self {
            section,
            key,
            loaded,
            request,
            host,
            scheme,
            created,
            nonce,
            body_length,
            state,
        } = self;
        let (head, context) = match state {
            State::Digest(context) => {
                let SchemeRules::Message(rules) = &section.scheme else {
                    return Err(SignError::SectionUnknown);
                };
                let has_body = body_length > 0;
                let digest = has_body.then(|| format!("sha-256=:{}:", STANDARD.encode(context.finish())));
                return MessageSigner {
                    rules,
                    section,
                    key,
                    loaded,
                    created,
                    nonce,
                    digest,
                }
                .sign(&Message {
                    method: request.method,
                    scheme,
                    authority: &host,
                    target: request.target,
                    headers: request.headers,
                    status: None,
                });
            }
            State::Mac { head, context } => (head, context),
        };
        let tag = context.sign();
        let timestamp = created.to_string();
        let names = section.scheme.headers().ok_or(SignError::SectionUnknown)?;
        let (signature, third) = match &section.scheme {
            SchemeRules::Webhooks { .. } => (format!("v1,{}", STANDARD.encode(tag)), nonce.unwrap_or_default()),
            SchemeRules::ServiceScoped { .. } => (hex(tag.as_ref()), key.service_id.as_deref().unwrap_or_default()),
            _ => (hex(tag.as_ref()), nonce.unwrap_or_default()),
        };
        Ok(SignedHeaders {
            headers: headers(names, &key.id, third, &timestamp, signature),
            base: String::from_utf8_lossy(&head).into_owned(),
            body_length: Some(body_length),
        })
    }
}

impl fmt::Debug for Signing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signing")
            .field("section", &self.section.name)
            .field("key_id", &self.key.id)
            .finish_non_exhaustive()
    }
}

fn headers(
    names: &HeaderNames,
    key_id: &str,
    third: &str,
    timestamp: &str,
    signature: String,
) -> Vec<(String, String)> {
    let mut headers = vec![
        (names.third.clone(), third.to_owned()),
        (names.timestamp.clone(), timestamp.to_owned()),
        (names.signature.clone(), signature),
    ];
    if let Some(name) = &names.key_id {
        headers.insert(0, (name.clone(), key_id.to_owned()));
    }
    headers
}

/// RFC 9421 §3.1.
struct MessageSigner<'a> {
    rules: &'a MessageRules,
    section: &'a SignatureSection,
    key: &'a SignatureKey,
    loaded: &'a hmac::Key,
    created: u64,
    nonce: Option<&'a str>,
    digest: Option<String>,
}

impl MessageSigner<'_> {
    fn sign(self, message: &Message<'_>) -> Result<SignedHeaders, SignError> {
        let mut fields: Vec<_> = message.headers.iter().collect();
        if let Some(digest) = &self.digest {
            fields.push(Header {
                name: b"content-digest",
                value: digest.as_bytes(),
            });
        }
        let message = Message {
            headers: Headers::new(&fields),
            ..*message
        };
        let listed = self.rules.components.iter();
        let list = InnerList {
            items: listed
                .filter(|component| !component.is_content_digest() || self.digest.is_some())
                .map(ListedComponent::item)
                .collect(),
            parameters: self.parameters(),
        };
        let components = covered(&list).map_err(|_| SignError::ComponentValue)?;
        let mut base = Vec::new();
        write_base(&list, &components, &message, &mut base).map_err(|error| match error {
            BaseError::Absent(super::Component::Field(name)) => SignError::ComponentMissing(name.to_owned()),
            _ => SignError::ComponentValue,
        })?;
        let label = match &self.rules.selector {
            Selector::Label(label) => label.as_str(),
            Selector::Tag(_) => "sig",
        };
        let mut input = format!("{label}=").into_bytes();
        list.write(&mut input);
        let tag = hmac::sign(self.loaded, &base);
        let mut headers = Vec::new();
        if let Some(digest) = &self.digest {
            headers.push(("content-digest".to_owned(), digest.clone()));
        }
        headers.push((
            "signature-input".to_owned(),
            String::from_utf8_lossy(&input).into_owned(),
        ));
        headers.push(("signature".to_owned(), format!("{label}=:{}:", STANDARD.encode(tag))));
        Ok(SignedHeaders {
            headers,
            base: String::from_utf8_lossy(&base).into_owned(),
            body_length: None,
        })
    }

    /// What the policy requires, in its order; and what it selects by.
    fn parameters(&self) -> Vec<Parameter<'_>> {
        let integer = |seconds: u64| Bare::Integer(i64::try_from(seconds).unwrap_or(i64::MAX));
        let tag = match &self.rules.selector {
            Selector::Tag(tag) => Some(tag.as_str()),
            Selector::Label(_) => None,
        };
        let listed = self.rules.parameters.iter().filter_map(|parameter| {
            let (key, value) = match parameter {
                SignatureParameter::Created => ("created", integer(self.created)),
                SignatureParameter::Expires => ("expires", integer(self.created.saturating_add(self.section.max_age))),
                SignatureParameter::Nonce => ("nonce", Bare::String(self.nonce?)),
                SignatureParameter::KeyId => ("keyid", Bare::String(&self.key.id)),
                SignatureParameter::Alg => ("alg", Bare::String("hmac-sha256")),
                SignatureParameter::Tag => ("tag", Bare::String(tag?)),
            };
            Some(Parameter { key, value })
        });
        let mut parameters: Vec<_> = listed.collect();
        if let Some(tag) = tag
            && !self.rules.parameters.contains(&SignatureParameter::Tag)
        {
            parameters.push(Parameter {
                key: "tag",
                value: Bare::String(tag),
            });
        }
        parameters
    }
}
