//! The head of a signed request: all that can be judged before a byte of the body is asked for.

mod read;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use read::Sent;
use ring::hmac;

use super::body::{BodyProof, DigestProof, ExpectedDigest, MacProof};
use super::components::{BaseError, Message, covered, split, write_base};
use super::content::{ContentFault, ContentFields};
use super::fields::{Bare, InnerList, Limits, Member, dictionary};
use super::grammar::{is_key_id, is_nonce, is_service_id, is_time, is_webhook_id, tag, time};
use super::replay::{Claim, ClaimParts};
use super::{
    Component, HeaderNames, ListedComponent, MAX_TRIED_KEYS, MacNonce, MessageRules, SchemeRules, Selector,
    SignatureKey, SignatureParameter, SignatureSection,
};
use crate::request::{Request, Timestamp};
use crate::verdict::{Detail, EffectiveAuthority, Failure, Reason, SignatureIdentity};

/// The longest `signature-input`, `signature` and `content-digest`.
const MAX_FIELD: usize = 8 * 1024;
/// The most signatures in one Standard Webhooks header.
const MAX_WEBHOOK_SIGNATURES: usize = 16;
/// The most components that a signature covers.
pub(crate) const MAX_COMPONENTS: usize = 32;
const LIMITS: Limits = Limits {
    members: 8,
    items: MAX_COMPONENTS,
    parameters: 16,
};

/// What a signature is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) section: &'a SignatureSection,
    pub(crate) keys: &'a [hmac::Key],
    pub(crate) request: Request<'a>,
    /// The authority that passed the host check.
    pub(crate) host: EffectiveAuthority<'a>,
    pub(crate) now: Timestamp,
}

/// A head that passed, and what the body must still prove.
#[derive(Debug)]
pub(crate) struct SignedHead<'a> {
    pub(crate) context: Context<'a>,
    /// The normalized effective authority.
    host: String,
    created: u64,
    once: Once<'a>,
    pub(crate) proof: BodyProof<'a>,
    has_content_type: bool,
    pub(crate) content_length: Option<u64>,
}

/// What is left of a head when its proof has been taken out.
#[derive(Debug)]
pub(crate) struct Claimant<'a> {
    context: Context<'a>,
    host: String,
    created: u64,
    once: Once<'a>,
    pub(crate) has_content_type: bool,
}

/// What may be used once.
#[derive(Clone, Copy)]
enum Once<'a> {
    Nothing,
    Nonce(&'a str),
    /// Honest retries keep the id and renew the time.
    Webhook {
        id: &'a str,
        timestamp: &'a str,
    },
    Mac(&'a str),
}

/// Shows no value: a MAC is a credential.
impl fmt::Debug for Once<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Nonce(_) => "Nonce",
            Self::Webhook { .. } => "Webhook",
            Self::Mac(_) => "Mac",
        })
    }
}

impl<'a> SignedHead<'a> {
    /// Judges the head (contract §9, steps 1–6).
    pub(crate) fn judge(context: Context<'a>) -> Result<Self, Failure<'a>> {
        let section = context.section;
        let fields = ContentFields::of(&context.request);
        match &section.scheme {
            SchemeRules::Message(rules) => context.message(rules, fields),
            SchemeRules::HostNonce { headers } => context.host_nonce(headers, fields),
            SchemeRules::ServiceScoped {
                headers,
                nonce,
                signs_query,
            } => context.service_scoped(headers, *nonce, *signs_query, fields),
            SchemeRules::Webhooks { headers } => context.webhook(headers, fields),
        }
    }

    /// What the body must prove, and who claims to have signed.
    pub(crate) fn split(self) -> (BodyProof<'a>, Claimant<'a>) {
        let claimant = Claimant {
            context: self.context,
            host: self.host,
            created: self.created,
            once: self.once,
            has_content_type: self.has_content_type,
        };
        (self.proof, claimant)
    }
}

impl<'a> Claimant<'a> {
    /// Who signed, with the key that was found to have.
    pub(crate) fn identity(&self, key_id: &'a str) -> SignatureIdentity<'a> {
        SignatureIdentity {
            name: &self.context.section.name,
            key_id,
            nonce: match self.once {
                Once::Nonce(nonce) => Some(nonce),
                Once::Webhook { id, .. } => Some(id),
                // A MAC is a credential.
                Once::Mac(_) | Once::Nothing => None,
            },
        }
    }

    /// What must be claimed before the request is served.
    pub(crate) fn claim(&self, key_id: &'a str) -> Option<Claim> {
        let section = self.context.section;
        let (used, scope) = match self.once {
            Once::Nothing => return None,
            Once::Nonce(nonce) | Once::Mac(nonce) => (nonce, key_id),
            Once::Webhook { id, timestamp } => (id, timestamp),
        };
        Some(Claim::new(&ClaimParts {
            parts: [
                b"hb1",
                section.name.as_bytes(),
                self.host.as_bytes(),
                used.as_bytes(),
                scope.as_bytes(),
            ],
            share: section.share_of(key_id),
            place: section.place_of(key_id),
            created: self.created,
            max_age: section.max_age,
            clock_tolerance: section.clock_tolerance,
            share_limit: section.share_limit(),
            is_shared: section.is_shared,
        }))
    }
}

impl<'a> Context<'a> {
    fn fail(&self, reason: Reason, what: &'static str) -> Failure<'a> {
        Failure::new(reason, Detail::text(what)).by(&self.section.rules.section)
    }

    fn malformed(&self, what: &'static str) -> Failure<'a> {
        self.fail(Reason::SignatureMalformed, what)
    }

    fn missing(&self) -> Failure<'a> {
        self.fail(Reason::SignatureMissing, "the request is not signed")
    }

    /// METHOD LF HOST LF TARGET LF TIMESTAMP LF NONCE LF BODY.
    fn host_nonce(self, names: &'a HeaderNames, fields: ContentFields<'a>) -> Result<SignedHead<'a>, Failure<'a>> {
        let sent = Sent::of(&self.request, names);
        let signature = sent.signature.ok_or_else(|| self.missing())?;
        let target = self.target()?;
        let key_id = self.sent_key_id(names, sent)?;
        let tag = self.hex_tag(signature)?;
        let (timestamp, created) = self.timestamp(sent.timestamp)?;
        let nonce = self.nonce(sent.third)?;
        self.window(created)?;
        self.content(&fields, &[])?;
        let keys = self.keys(key_id, None)?;
        let host = self.host.to_string();
        let mut base = fields.base();
        for part in [
            self.request.method,
            host.as_bytes(),
            target,
            timestamp.as_bytes(),
            nonce.as_bytes(),
        ] {
            base.extend_from_slice(part);
            base.push(b'\n');
        }
        Ok(SignedHead {
            context: self,
            host,
            created,
            once: Once::Nonce(nonce),
            proof: BodyProof::Mac(MacProof::new(keys, vec![tag], base)),
            has_content_type: fields.content_type.is_some(),
            content_length: fields.content_length,
        })
    }

    /// METHOD | SERVICE_ID | TARGET | TIMESTAMP | BODY.
    fn service_scoped(
        self,
        names: &'a HeaderNames,
        nonce: MacNonce,
        signs_query: bool,
        fields: ContentFields<'a>,
    ) -> Result<SignedHead<'a>, Failure<'a>> {
        let sent = Sent::of(&self.request, names);
        let signature = sent.signature.ok_or_else(|| self.missing())?;
        let target = self.target()?;
        if target.contains(&b'|') {
            return Err(self.malformed("the target has a `|`, which separates the signed parts"));
        }
        let key_id = self.sent_key_id(names, sent)?;
        let tag = self.hex_tag(signature)?;
        let mac = std::str::from_utf8(signature).unwrap_or_default();
        let (timestamp, created) = self.timestamp(sent.timestamp)?;
        let service_id = plain(sent.third)
            .filter(|text| is_service_id(text))
            .ok_or_else(|| self.malformed("the service id is missing or malformed"))?;
        self.window(created)?;
        self.content(&fields, &[])?;
        let keys = self.keys(key_id, Some(service_id))?;
        let target = if signs_query { target } else { split(target).0 };
        let mut base = fields.base();
        for part in [self.request.method, service_id.as_bytes(), target, timestamp.as_bytes()] {
            base.extend_from_slice(part);
            base.push(b'|');
        }
        let is_claimed = match nonce {
            MacNonce::Every => true,
            MacNonce::UnsafeMethods => !matches!(self.request.method, b"GET" | b"HEAD" | b"OPTIONS"),
            MacNonce::None => false,
        };
        Ok(SignedHead {
            host: self.host.to_string(),
            context: self,
            created,
            once: if is_claimed { Once::Mac(mac) } else { Once::Nothing },
            proof: BodyProof::Mac(MacProof::new(keys, vec![tag], base)),
            has_content_type: fields.content_type.is_some(),
            content_length: fields.content_length,
        })
    }

    /// ID . TIMESTAMP . BODY (Standard Webhooks v1).
    fn webhook(self, names: &'a HeaderNames, fields: ContentFields<'a>) -> Result<SignedHead<'a>, Failure<'a>> {
        let sent = Sent::of(&self.request, names);
        let signatures = sent.signature.ok_or_else(|| self.missing())?;
        self.target()?;
        let id = sent
            .third
            .ok_or_else(|| self.fail(Reason::NonceMissing, "the webhook's id is missing"))?;
        let id = plain(Some(id))
            .filter(|text| is_webhook_id(text))
            .ok_or_else(|| self.fail(Reason::NonceMalformed, "the webhook's id is malformed"))?;
        let (timestamp, created) = self.timestamp(sent.timestamp)?;
        let tags = self.webhook_tags(signatures)?;
        self.window(created)?;
        self.content(&fields, &[])?;
        let keys = self.keys(None, None)?;
        let mut base = fields.base();
        for part in [id, timestamp] {
            base.extend_from_slice(part.as_bytes());
            base.push(b'.');
        }
        Ok(SignedHead {
            host: self.host.to_string(),
            context: self,
            created,
            once: Once::Webhook { id, timestamp },
            proof: BodyProof::Mac(MacProof::new(keys, tags, base)),
            has_content_type: fields.content_type.is_some(),
            content_length: fields.content_length,
        })
    }

    fn webhook_tags(&self, text: &[u8]) -> Result<Vec<[u8; 32]>, Failure<'a>> {
        let malformed = || self.malformed("the list of signatures is malformed");
        let mut tags = Vec::new();
        for (index, entry) in text.split(|byte| *byte == b' ').enumerate() {
            if index >= MAX_WEBHOOK_SIGNATURES {
                return Err(self.malformed("more than 16 signatures"));
            }
            let comma = entry.iter().position(|byte| *byte == b',').ok_or_else(malformed)?;
            let (version, rest) = entry.split_at_checked(comma).ok_or_else(malformed)?;
            let is_version = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            if version.is_empty() || !version.iter().all(is_version) {
                return Err(malformed());
            }
            if version == b"v1" {
                let tag = rest.get(1..).and_then(|encoded| STANDARD.decode(encoded).ok());
                tags.push(tag.and_then(|tag| tag.try_into().ok()).ok_or_else(malformed)?);
            }
        }
        if tags.is_empty() {
            return Err(self.fail(Reason::SignatureAlgorithmNotAllowed, "no signature of version `v1`"));
        }
        Ok(tags)
    }

    /// RFC 9421. The MAC covers the head alone and is verified here, once everything else of the head has passed.
    fn message(self, rules: &'a MessageRules, fields: ContentFields<'a>) -> Result<SignedHead<'a>, Failure<'a>> {
        let (Some(input), Some(signature)) = (fields.signature_input, fields.signature) else {
            return Err(self.missing());
        };
        let input = self.dictionary(input, "`signature-input` is malformed")?;
        if input.iter().any(|(_, member)| matches!(member, Member::Item(_))) {
            return Err(self.malformed("`signature-input` is malformed"));
        }
        let signatures = self.dictionary(signature, "`signature` is malformed")?;
        if signatures.iter().any(|(_, member)| byte_sequence(member).is_none()) {
            return Err(self.malformed("`signature` is malformed"));
        }
        let (label, list) = self.selected(&input, rules)?;
        let target = self.target()?;
        let tag = signatures
            .iter()
            .find(|(other, _)| *other == label)
            .and_then(|(_, member)| match member {
                Member::Item(item) if item.parameters.is_empty() => byte_sequence(member),
                _ => None,
            })
            .filter(|tag| tag.len() == 32)
            .ok_or_else(|| self.malformed("there is no 32-byte signature of the selected label"))?;
        let parameters = self.parameters(list, rules)?;
        if let Some(alg) = parameters.alg
            && alg != "hmac-sha256"
        {
            return Err(self.fail(
                Reason::SignatureAlgorithmNotAllowed,
                "the algorithm is not `hmac-sha256`",
            ));
        }
        let components = covered(list).map_err(|_| self.malformed("a covered component is not known"))?;
        if components.contains(&Component::Status) {
            return Err(self.malformed("a covered component is not known"));
        }
        if let Some(expires) = parameters.expires {
            if expires.saturating_sub(parameters.created) > self.section.max_age {
                return Err(self
                    .fail(Reason::SignatureWindowTooLong, "the signature would live too long")
                    .by(&self.section.rules.max_age));
            }
            self.window(parameters.created)?;
            if self.now.0 >= expires {
                return Err(self.expired());
            }
        } else {
            self.window(parameters.created)?;
        }
        let component_missing = || {
            self.fail(Reason::SignatureComponentMissing, "a required component is not covered")
                .by(&self.section.rules.components)
        };
        let is_covered =
            |listed: &ListedComponent| listed.component().is_some_and(|listed| components.contains(&listed));
        if !rules
            .components
            .iter()
            .all(|listed| listed.is_content_digest() || is_covered(listed))
        {
            return Err(component_missing());
        }
        let covers_digest = components.contains(&Component::Field("content-digest"));
        let host = self.host.to_string();
        let message = Message {
            method: self.request.method,
            scheme: self.host.scheme.as_str(),
            authority: &host,
            target,
            headers: self.request.headers,
            status: None,
        };
        let mut base = Vec::with_capacity(1024);
        write_base(list, &components, &message, &mut base).map_err(|error| match error {
            BaseError::Absent(Component::Field("content-digest")) => self.fail(
                Reason::ContentDigestMissing,
                "the covered `content-digest` is not there",
            ),
            BaseError::Absent(_) => self.fail(Reason::SignatureComponentMissing, "a covered component is not there"),
            BaseError::Identifier => self.malformed("a covered component is not known"),
            BaseError::Value => self.malformed("a covered component is not printable ASCII, or no UTF-8 when decoded"),
        })?;
        let digest = match fields.content_digest.filter(|_| covers_digest) {
            Some(value) => Some(self.content_digest(value)?),
            None => None,
        };
        self.content(&fields, &components)?;
        let (key_id, key) = self.key_of(parameters.key_id, None)?;
        Ok(SignedHead {
            host,
            context: self,
            created: parameters.created,
            once: parameters.nonce.map_or(Once::Nothing, Once::Nonce),
            proof: BodyProof::Digest(DigestProof::new(key_id, hmac::verify(key, &base, tag).is_ok(), digest)),
            has_content_type: fields.content_type.is_some(),
            content_length: fields.content_length,
        })
    }

    fn dictionary(&self, text: &'a [u8], what: &'static str) -> Result<super::fields::Dictionary<'a>, Failure<'a>> {
        if text.len() > MAX_FIELD {
            return Err(self.malformed(what));
        }
        dictionary(text, LIMITS).map_err(|_| self.malformed(what))
    }

    /// The one signature that the policy is about.
    fn selected<'l>(
        &self,
        input: &'l [(&'a str, Member<'a>)],
        rules: &MessageRules,
    ) -> Result<(&'a str, &'l InnerList<'a>), Failure<'a>> {
        let mut found = input
            .iter()
            .filter_map(|(label, member)| match (member, &rules.selector) {
                (Member::List(list), Selector::Label(wanted)) if label == wanted => Some((*label, list)),
                (Member::List(list), Selector::Tag(wanted)) => {
                    let tag = list.parameters.iter().find(|parameter| parameter.key == "tag")?;
                    (tag.value.plain() == Some(wanted)).then_some((*label, list))
                }
                _ => None,
            });
        let first = found.next().ok_or_else(|| self.missing())?;
        if found.next().is_some() {
            return Err(self.malformed("two signatures have the policy's tag"));
        }
        Ok(first)
    }

    fn parameters(&self, list: &InnerList<'a>, rules: &MessageRules) -> Result<Parameters<'a>, Failure<'a>> {
        let malformed = || self.malformed("a signature parameter is missing or malformed");
        let mut found = Found::default();
        for parameter in &list.parameters {
            let time = || timestamp_of(&parameter.value).ok_or_else(malformed);
            // What a policy names has no escapes, so that no escaped text is equal to it.
            let text = || match parameter.value {
                Bare::String(raw) => Ok(raw),
                _ => Err(malformed()),
            };
            match SignatureParameter::parse(parameter.key).ok_or_else(malformed)? {
                SignatureParameter::Created => found.created = Some(time()?),
                SignatureParameter::Expires => found.expires = Some(time()?),
                SignatureParameter::Nonce => found.nonce = Some(text()?),
                SignatureParameter::KeyId => found.key_id = Some(text()?),
                SignatureParameter::Alg => found.alg = Some(text()?),
                SignatureParameter::Tag => found.tag = Some(text()?),
            }
        }
        let (created, key_id) = (
            found.created.ok_or_else(malformed)?,
            found.key_id.ok_or_else(malformed)?,
        );
        for required in &rules.parameters {
            let is_there = match required {
                SignatureParameter::Created | SignatureParameter::KeyId | SignatureParameter::Nonce => true,
                SignatureParameter::Expires => found.expires.is_some(),
                SignatureParameter::Alg => found.alg.is_some(),
                SignatureParameter::Tag => found.tag.is_some(),
            };
            if !is_there {
                return Err(malformed());
            }
        }
        if found.expires.is_some_and(|expires| expires <= created) {
            return Err(self.malformed("the signature expires before it was created"));
        }
        let is_nonce_required = rules.parameters.contains(&SignatureParameter::Nonce);
        let nonce = match found.nonce {
            None if !is_nonce_required => None,
            nonce => Some(self.nonce(nonce.map(str::as_bytes))?),
        };
        Ok(Parameters {
            created,
            expires: found.expires,
            nonce,
            key_id,
            alg: found.alg,
        })
    }

    /// RFC 9530 §2, with the algorithms that withstand an adversary (§5).
    fn content_digest(&self, value: &'a [u8]) -> Result<ExpectedDigest, Failure<'a>> {
        let malformed = || self.malformed("`content-digest` is not one digest by `sha-256` or `sha-512`");
        let members = self.dictionary(value, "`content-digest` is malformed")?;
        let [(algorithm, member)] = members.as_slice() else {
            return Err(malformed());
        };
        let bytes = match member {
            Member::Item(item) if item.parameters.is_empty() => byte_sequence(member),
            _ => None,
        };
        ExpectedDigest::of(algorithm, bytes.ok_or_else(malformed)?).ok_or_else(malformed)
    }

    /// The raw target, if it can be signed: in origin form, without a lone `?`, which not every server passes on.
    fn target(&self) -> Result<&'a [u8], Failure<'a>> {
        let target = self.request.target;
        if !target.starts_with(b"/") {
            return Err(self.malformed("the target is not in origin form"));
        }
        if split(target).1 == Some(b"") {
            return Err(self.malformed("the target ends in a lone `?`"));
        }
        Ok(target)
    }

    fn sent_key_id(&self, names: &HeaderNames, sent: Sent<'a>) -> Result<Option<&'a str>, Failure<'a>> {
        if names.key_id.is_none() {
            return Ok(None);
        }
        plain(sent.key_id)
            .filter(|text| is_key_id(text))
            .map(Some)
            .ok_or_else(|| self.malformed("the key id is missing or malformed"))
    }

    fn hex_tag(&self, text: &[u8]) -> Result<[u8; 32], Failure<'a>> {
        tag(text).ok_or_else(|| self.malformed("the signature is not 64 digits of lower-case hex"))
    }

    fn timestamp(&self, text: Option<&'a [u8]>) -> Result<(&'a str, u64), Failure<'a>> {
        plain(text)
            .and_then(|text| Some((text, time(text)?)))
            .ok_or_else(|| self.malformed("the timestamp is missing or not in plain Unix seconds"))
    }

    fn nonce(&self, text: Option<&'a [u8]>) -> Result<&'a str, Failure<'a>> {
        let text = text.ok_or_else(|| self.fail(Reason::NonceMissing, "the nonce is missing"))?;
        plain(Some(text)).filter(|text| is_nonce(text)).ok_or_else(|| {
            self.fail(
                Reason::NonceMalformed,
                "the nonce is not 16 to 128 letters, digits, `.`, `_`, `~` or `-`",
            )
        })
    }

    fn expired(&self) -> Failure<'a> {
        self.fail(Reason::SignatureExpired, "the signature has expired")
            .by(&self.section.rules.max_age)
    }

    fn window(&self, created: u64) -> Result<(), Failure<'a>> {
        if created > self.now.0.saturating_add(self.section.clock_tolerance) {
            return Err(self
                .fail(Reason::SignatureNotYetValid, "the signature is from the future")
                .by(&self.section.rules.clock_tolerance));
        }
        if self.now.0.saturating_sub(created) > self.section.max_age {
            return Err(self.expired());
        }
        Ok(())
    }

    /// Headers outside the MAC that would make another request of the same bytes.
    fn content(&self, fields: &ContentFields<'a>, covered: &[Component<'_>]) -> Result<(), Failure<'a>> {
        let not_listed = |what| Err(self.malformed(what).by(&self.section.rules.content_types));
        match fields.fault(self.section, covered) {
            None => Ok(()),
            Some(ContentFault::MethodOverride(_)) => Err(self.fail(
                Reason::SignatureComponentMissing,
                "a method-override header is not covered",
            )),
            Some(ContentFault::UpgradeBody) => Err(self.malformed("a request to upgrade has a body of unknown length")),
            Some(ContentFault::ContentEncoding) => not_listed("the body has a content encoding"),
            Some(ContentFault::ContentType) => not_listed("the content type is not listed"),
        }
    }

    /// The keys that may have signed.
    fn keys(
        &self,
        key_id: Option<&str>,
        service_id: Option<&str>,
    ) -> Result<Vec<(&'a str, &'a hmac::Key)>, Failure<'a>> {
        if let Some(key_id) = key_id {
            return self.key_of(key_id, service_id).map(|key| vec![key]);
        }
        let is_of_service = |key: &SignatureKey| service_id.is_none() || key.service_id.as_deref() == service_id;
        let keys: Vec<_> = self
            .section
            .keys_for(self.keys, self.host)
            .filter(|(key, _)| is_of_service(key))
            .take(MAX_TRIED_KEYS)
            .map(|(key, loaded)| (key.id.as_str(), loaded))
            .collect();
        if keys.is_empty() {
            let is_known = service_id.is_some() && self.section.keys.iter().any(is_of_service);
            return Err(if is_known {
                self.service_mismatch()
            } else {
                self.key_unknown()
            });
        }
        Ok(keys)
    }

    fn key_of(&self, key_id: &str, service_id: Option<&str>) -> Result<(&'a str, &'a hmac::Key), Failure<'a>> {
        let (key, loaded) = self
            .section
            .keys_for(self.keys, self.host)
            .find(|(key, _)| key.id == key_id)
            .ok_or_else(|| self.key_unknown())?;
        if service_id.is_some() && key.service_id.as_deref() != service_id {
            return Err(self.service_mismatch());
        }
        Ok((&key.id, loaded))
    }

    fn key_unknown(&self) -> Failure<'a> {
        self.fail(Reason::SignatureKeyUnknown, "no key of this id signs for this host")
            .by(&self.section.rules.keys)
    }

    fn service_mismatch(&self) -> Failure<'a> {
        self.fail(
            Reason::SignatureServiceMismatch,
            "the service id is not one of this host's",
        )
        .by(&self.section.rules.keys)
    }
}

/// The parameters of the selected signature.
struct Parameters<'a> {
    created: u64,
    expires: Option<u64>,
    nonce: Option<&'a str>,
    key_id: &'a str,
    alg: Option<&'a str>,
}

#[derive(Default)]
struct Found<'a> {
    created: Option<u64>,
    expires: Option<u64>,
    nonce: Option<&'a str>,
    key_id: Option<&'a str>,
    alg: Option<&'a str>,
    tag: Option<&'a str>,
}

fn timestamp_of(value: &Bare<'_>) -> Option<u64> {
    let number = u64::try_from(value.integer()?).ok()?;
    is_time(number).then_some(number)
}

fn byte_sequence<'m>(member: &'m Member<'_>) -> Option<&'m [u8]> {
    match member {
        Member::Item(item) => match &item.value {
            Bare::Bytes(bytes) => Some(bytes),
            _ => None,
        },
        Member::List(_) => None,
    }
}

fn plain(text: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(text?).ok()
}
