//! Signing requests by the section that verifies them.

mod error;
mod message;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
pub use error::SignError;
use message::MessageSigner;
use ring::{digest, hmac};

use super::components::{Message, split};
use super::content::ContentFields;
use super::grammar::{hex, is_nonce, is_time, is_webhook_id};
use super::{HeaderNames, ListedComponent, SchemeRules, SignatureKey, SignatureParameter, SignatureSection};
use crate::request::{Request, Timestamp};

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
        let last = match &section.scheme {
            SchemeRules::Message(rules) if rules.parameters.contains(&SignatureParameter::Expires) => {
                created.saturating_add(section.max_age)
            }
            _ => created,
        };
        if !is_time(created) || !is_time(last) {
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
        let covered: Vec<_> = match &section.scheme {
            SchemeRules::Message(rules) => rules.components.iter().filter_map(ListedComponent::component).collect(),
            _ => Vec::new(),
        };
        if let Some(fault) = ContentFields::of(&request).fault(section, &covered) {
            return Err(fault.into());
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
        let fields = ContentFields::of(&self.request);
        if fields.content_length.unwrap_or(0).max(self.body_length) > self.section.max_body {
            return Err(SignError::BodyTooLarge);
        }
        if self.section.wants_content_type(self.body_length) && fields.content_type.is_none() {
            return Err(SignError::ContentTypeMissing);
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{Guard, Header, Headers, Peer, Policy, Scheme, Secrets, Version};

    const CREATED: u64 = 1_700_000_000;
    const PROFILES: [&str; 4] = [
        "http-message-signatures",
        "host-nonce",
        "service-scoped",
        "standard-webhooks",
    ];

    type Fields<'a> = &'a [(&'a str, &'a str)];

    /// A guard whose one section has these settings.
    fn guard(profile: &str, settings: &Value) -> Guard {
        let mut key = json!({"id": "k1", "secret": {"name": "k1"}});
        if profile == "service-scoped" {
            key["service_id"] = json!("billing");
        }
        if matches!(profile, "service-scoped" | "standard-webhooks") {
            key["hosts"] = json!(["api.example.com"]);
        }
        let mut section = json!({"profile": profile, "keys": [key]});
        if profile == "http-message-signatures" && settings.get("label").is_none() {
            section["tag"] = json!("t");
        }
        for (name, value) in settings.as_object().unwrap() {
            section[name] = value.clone();
        }
        let policy = json!({
            "version": 1,
            "hosts": {"allow": ["api.example.com"]},
            "signatures": {"s": section},
            "routes": [{"path": "/**", "require": ["signature:s"]}],
        });
        let policy = Policy::from_json(&policy.to_string(), "sign").unwrap();
        let mut secrets = Secrets::new();
        secrets.insert_named(policy.secrets(), "k1", "published-test-key-0123456789abcdef");
        Guard::with_secrets(policy, &secrets).unwrap()
    }

    /// A request that is signed, or is not, and is then judged with what was signed.
    struct Case<'a> {
        target: &'a str,
        headers: Fields<'a>,
        body: &'a str,
    }

    impl Case<'_> {
        fn with<T>(&self, more: &[(String, String)], run: impl FnOnce(&Request<'_>) -> T) -> T {
            let own = self.headers.iter().copied();
            let more = more.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let headers: Vec<_> = [("host", "api.example.com")]
                .into_iter()
                .chain(own)
                .chain(more)
                .map(|(name, value)| Header {
                    name: name.as_bytes(),
                    value: value.as_bytes(),
                })
                .collect();
            run(&Request {
                method: b"POST",
                scheme: Scheme::Https,
                version: Version::Http11,
                target: self.target.as_bytes(),
                headers: Headers::new(&headers),
                peer: Peer::Unknown,
            })
        }

        fn sign(&self, guard: &Guard) -> Result<SignedHeaders, SignError> {
            self.sign_at(guard, CREATED)
        }

        fn sign_at(&self, guard: &Guard, created: u64) -> Result<SignedHeaders, SignError> {
            self.with(&[], |request| {
                let options = SignOptions {
                    key_id: None,
                    created: Timestamp(created),
                    nonce: Some("0123456789abcdef"),
                };
                let mut signing = guard.sign("s", request, &options)?;
                signing.update(self.body.as_bytes());
                signing.finish()
            })
        }

        fn is_allowed(&self, guard: &Guard, signed: &SignedHeaders) -> bool {
            self.with(signed.headers(), |request| {
                let mut replay = crate::guard::Memory::new(Timestamp(0));
                let verdict = guard.judge(request, Some(Timestamp(CREATED)), self.body.as_bytes(), &mut replay);
                verdict.is_allowed()
            })
        }
    }

    /// A signer and a verifier share the rule: what the one refuses the other denies, when somebody else has signed the rest.
    #[test]
    fn what_would_be_denied_is_not_signed() {
        let strict = json!({"content_types": ["application/json"], "max_body": "8B"});
        let json = ("content-type", "application/json");
        let rows: [(Fields<'_>, &str, Result<(), SignError>); 15] = [
            (&[json], "{}", Ok(())),
            (&[("Content-Type", "Application/JSON ; charset=utf-8")], "{}", Ok(())),
            (&[], "", Ok(())),
            (&[json], "", Ok(())),
            (&[], "{}", Err(SignError::ContentTypeMissing)),
            (&[("content-type", "text/plain")], "{}", Err(SignError::ContentType)),
            (&[("content-type", "text/plain")], "", Err(SignError::ContentType)),
            (&[("content-type", "")], "", Err(SignError::ContentType)),
            (
                &[json, ("Content-Encoding", "gzip")],
                "{}",
                Err(SignError::ContentEncoding),
            ),
            (&[("content-encoding", "identity")], "", Err(SignError::ContentEncoding)),
            (
                &[json, ("X-HTTP-Method-Override", "DELETE")],
                "{}",
                Err(SignError::MethodOverride("x-http-method-override".into())),
            ),
            (
                &[("x-http-method", "")],
                "",
                Err(SignError::MethodOverride("x-http-method".into())),
            ),
            (
                &[("x-method-override", "PUT")],
                "",
                Err(SignError::MethodOverride("x-method-override".into())),
            ),
            (&[json], "{\"a\":100}", Err(SignError::BodyTooLarge)),
            (&[json, ("content-length", "9")], "{}", Err(SignError::BodyTooLarge)),
        ];
        for profile in PROFILES {
            let (strict, lax) = (guard(profile, &strict), guard(profile, &json!({})));
            for (headers, body, want) in &rows {
                let case = Case {
                    target: "/a",
                    headers,
                    body,
                };
                let signed = case.sign(&strict);
                assert_eq!(
                    signed.as_ref().map(|_| ()),
                    want.as_ref().copied(),
                    "{profile}: {headers:?}"
                );
                // None of these headers is in a base.
                let bare = Case { headers: &[], ..case };
                let signed = signed.or_else(|_| bare.sign(&lax)).unwrap();
                assert_eq!(
                    case.is_allowed(&strict, &signed),
                    want.is_ok(),
                    "{profile}: {headers:?}"
                );
            }
        }
    }

    #[test]
    fn without_content_types_any_will_do() {
        for profile in PROFILES {
            let guard = guard(profile, &json!({}));
            for headers in [
                &[][..],
                &[("content-type", "text/plain"), ("content-encoding", "gzip")],
                &[("content-encoding", "gzip"), ("content-encoding", "br")],
            ] {
                let case = Case {
                    target: "/a",
                    headers,
                    body: "{}",
                };
                assert!(
                    case.is_allowed(&guard, &case.sign(&guard).unwrap()),
                    "{profile}: {headers:?}"
                );
            }
        }
    }

    /// Each policy, and a request that it allows once it is signed.
    #[test]
    fn what_a_message_policy_asks_for_is_signed() {
        let rows: [(Value, &str, Fields<'_>, &str); 6] = [
            (
                json!({"components": ["@method", "x-http-method-override"]}),
                "\"x-http-method-override\": DELETE\n",
                &[("x-http-method-override", "DELETE")],
                "",
            ),
            // A body is covered, also where the policy leaves that to the signer.
            (
                json!({"components": ["@method"]}),
                "\"content-digest\": sha-256=:",
                &[],
                "{}",
            ),
            (
                json!({"components": ["content-digest", "@method"]}),
                "\"content-digest\": sha-256=:",
                &[],
                "{}",
            ),
            (
                json!({"components": ["content-digest", "@method"]}),
                "\"@method\": POST\n",
                &[],
                "",
            ),
            (
                json!({"components": ["@query-param;name=\"q\""]}),
                "\"@query-param\";name=\"q\": 1\n",
                &[],
                "",
            ),
            (
                json!({"label": "l", "parameters": ["created", "keyid", "tag"]}),
                ";keyid=\"k1\";tag=\"l\"",
                &[],
                "",
            ),
        ];
        for (settings, base, headers, body) in &rows {
            let guard = guard("http-message-signatures", settings);
            let case = Case {
                target: "/a?q=1",
                headers,
                body,
            };
            let signed = case.sign(&guard).unwrap();
            assert!(signed.base().contains(base), "{}", signed.base());
            assert!(case.is_allowed(&guard, &signed), "{settings}");
        }
        let order = guard("http-message-signatures", &rows[2].0);
        let case = Case {
            target: "/",
            headers: &[],
            body: "{}",
        };
        assert!(case.sign(&order).unwrap().base().starts_with("\"content-digest\""));
    }

    #[test]
    fn refusals_name_what_is_wrong() {
        let query_param = json!({"components": ["@query-param;name=\"q\""]});
        let date = json!({"components": ["date"]});
        let rows: [(&Value, &str, Fields<'_>, &str); 6] = [
            (
                &query_param,
                "/a",
                &[],
                "the request has no `@query-param;name=\"q\"`, which the policy wants signed",
            ),
            (
                &query_param,
                "/a?q=1&q=2",
                &[],
                "the request has no `@query-param;name=\"q\"`, which the policy wants signed",
            ),
            (
                &date,
                "/a",
                &[],
                "the request has no `date`, which the policy wants signed",
            ),
            (
                &date,
                "/a",
                &[("date", "\u{e9}")],
                "the value of a signed header is not printable ASCII, or a signed query parameter is not UTF-8",
            ),
            (
                &date,
                "/a",
                &[("date", "a"), ("Date", "b")],
                "the policy refuses the request, signed or not: header `Date` occurs twice",
            ),
            (
                &date,
                "/a",
                &[("Signature", "a")],
                "the request has a header `signature` already",
            ),
        ];
        for (settings, target, headers, want) in rows {
            let case = Case {
                target,
                headers,
                body: "",
            };
            let error = case.sign(&guard("http-message-signatures", settings)).unwrap_err();
            assert_eq!(error.to_string(), want);
        }
    }

    #[test]
    fn times_are_those_that_a_verifier_reads() {
        let case = Case {
            target: "/a",
            headers: &[],
            body: "",
        };
        for profile in PROFILES {
            let guard = guard(profile, &json!({}));
            let last = if profile == "http-message-signatures" {
                999_999_999_879
            } else {
                999_999_999_999
            };
            for (created, is_signed) in [
                (0, false),
                (1, true),
                (last, true),
                (last + 1, false),
                (u64::MAX, false),
            ] {
                let signed = case.sign_at(&guard, created);
                assert_eq!(signed.is_ok(), is_signed, "{profile}: {created}");
                assert!(is_signed || signed.is_err_and(|error| error == SignError::Created));
            }
        }
    }
}
