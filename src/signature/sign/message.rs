//! Signatures of RFC 9421 (§3.1): the base, and the headers that carry them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use super::{SignError, SignedHeaders};
use crate::request::{Header, Headers};
use crate::signature::components::{BaseError, Component, Message, covered, write_base};
use crate::signature::fields::{Bare, InnerList, Parameter};
use crate::signature::{ListedComponent, MessageRules, Selector, SignatureKey, SignatureParameter, SignatureSection};

/// What is signed by, beside the message.
pub(super) struct MessageSigner<'a> {
    pub(super) rules: &'a MessageRules,
    pub(super) section: &'a SignatureSection,
    pub(super) key: &'a SignatureKey,
    pub(super) loaded: &'a hmac::Key,
    pub(super) created: u64,
    pub(super) nonce: Option<&'a str>,
    pub(super) digest: Option<String>,
}

impl MessageSigner<'_> {
    pub(super) fn sign(self, message: &Message<'_>) -> Result<SignedHeaders, SignError> {
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
        // A body is only taken with a digest that is covered, also where the policy does not list it.
        let unlisted = ListedComponent::parse("content-digest")
            .filter(|digest| self.digest.is_some() && !self.rules.components.contains(digest));
        let list = InnerList {
            items: listed
                .filter(|component| !component.is_content_digest() || self.digest.is_some())
                .chain(&unlisted)
                .map(ListedComponent::item)
                .collect(),
            parameters: self.parameters(),
        };
        let components = covered(&list).map_err(|_| SignError::ComponentValue)?;
        let mut base = Vec::new();
        write_base(&list, &components, &message, &mut base).map_err(|error| match error {
            BaseError::Absent(Component::Field(name)) => SignError::ComponentMissing(name.to_owned()),
            BaseError::Absent(Component::QueryParam(name)) => {
                SignError::ComponentMissing(format!("@query-param;name=\"{name}\""))
            }
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
        let (Selector::Tag(tag) | Selector::Label(tag)) = &self.rules.selector;
        let listed = self.rules.parameters.iter().filter_map(|parameter| {
            let (key, value) = match parameter {
                SignatureParameter::Created => ("created", integer(self.created)),
                SignatureParameter::Expires => ("expires", integer(self.created.saturating_add(self.section.max_age))),
                SignatureParameter::Nonce => ("nonce", Bare::String(self.nonce?)),
                SignatureParameter::KeyId => ("keyid", Bare::String(&self.key.id)),
                SignatureParameter::Alg => ("alg", Bare::String("hmac-sha256")),
                // Of a policy that selects by label any tag will do.
                SignatureParameter::Tag => ("tag", Bare::String(tag)),
            };
            Some(Parameter { key, value })
        });
        let mut parameters: Vec<_> = listed.collect();
        if matches!(self.rules.selector, Selector::Tag(_)) && !self.rules.parameters.contains(&SignatureParameter::Tag)
        {
            parameters.push(Parameter {
                key: "tag",
                value: Bare::String(tag),
            });
        }
        parameters
    }
}
