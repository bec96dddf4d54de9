//! Signed requests: the `signatures` sections, and how a request is held against one.
//!
//! Decides whether a signature belongs to this request, this host and this moment. Which route asks for it is the route's; who has used it is the replay
//! store's.

mod body;
mod components;
mod content;
mod fields;
pub(crate) mod grammar;
mod head;
mod replay;
mod sign;
#[cfg(test)]
mod third_party;

use std::fmt;

pub(crate) use body::BodyProof;
pub(crate) use components::Component;
pub(crate) use head::{Context, MAX_COMPONENTS, SignedHead};
#[cfg(test)]
pub(crate) use replay::ClaimParts;
pub use replay::{Claim, ClaimOutcome, MemoryReplay, REDIS_CLAIM, REDIS_EPOCH, ReplayShard, ShardClaim};
pub(crate) use replay::{shard_count, shard_name, share, share_name};
use ring::hmac;
pub(crate) use sign::ToSign;
pub use sign::{SignError, SignOptions, SignedHeaders, Signing};

use crate::authority::{Authority, Port};
use crate::host::HostSet;
pub(crate) use crate::secret::KeyBounds;
use crate::secret::Secret;
use crate::verdict::EffectiveAuthority;

/// The most keys that are tried for one request.
pub(crate) const MAX_TRIED_KEYS: usize = 4;

/// How requests are signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Profile {
    /// RFC 9421 with `hmac-sha256`.
    HttpMessageSignatures,
    /// Method, host, target, timestamp, nonce and body, on lines of their own.
    HostNonce,
    /// Method, service id, target, timestamp and body, between bars.
    ServiceScoped,
    /// Standard Webhooks v1.
    StandardWebhooks,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 4] = [
        Self::HttpMessageSignatures,
        Self::HostNonce,
        Self::ServiceScoped,
        Self::StandardWebhooks,
    ];

    /// The name, as a policy writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HttpMessageSignatures => "http-message-signatures",
            Self::HostNonce => "host-nonce",
            Self::ServiceScoped => "service-scoped",
            Self::StandardWebhooks => "standard-webhooks",
        }
    }

    /// The profile of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.as_str() == text)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl KeyBounds {
    /// RFC 2104 §3 wants at least the length of the hash; Standard Webhooks 24 to 64.
    pub(crate) const fn of(profile: Profile) -> Self {
        match profile {
            Profile::StandardWebhooks => Self { min: 24, max: 64 },
            _ => Self { min: 32, max: 4096 },
        }
    }
}

/// One `signatures` section.
#[derive(Clone, Debug)]
pub(crate) struct SignatureSection {
    pub(crate) name: String,
    pub(crate) scheme: SchemeRules,
    pub(crate) max_age: u64,
    pub(crate) clock_tolerance: u64,
    pub(crate) max_body: u64,
    pub(crate) is_shared: bool,
    pub(crate) replay_capacity: u64,
    /// Media types, in lower case; none: any.
    pub(crate) content_types: Vec<String>,
    pub(crate) keys: Vec<SignatureKey>,
    pub(crate) rules: RuleNames,
}

/// What differs from profile to profile.
#[derive(Clone, Debug)]
pub(crate) enum SchemeRules {
    Message(MessageRules),
    HostNonce {
        headers: HeaderNames,
    },
    ServiceScoped {
        headers: HeaderNames,
        nonce: MacNonce,
        signs_query: bool,
    },
    Webhooks {
        headers: HeaderNames,
    },
}

impl SchemeRules {
    pub(crate) const fn profile(&self) -> Profile {
        match self {
            Self::Message(_) => Profile::HttpMessageSignatures,
            Self::HostNonce { .. } => Profile::HostNonce,
            Self::ServiceScoped { .. } => Profile::ServiceScoped,
            Self::Webhooks { .. } => Profile::StandardWebhooks,
        }
    }

    pub(crate) const fn headers(&self) -> Option<&HeaderNames> {
        match self {
            Self::Message(_) => None,
            Self::HostNonce { headers } | Self::ServiceScoped { headers, .. } | Self::Webhooks { headers } => {
                Some(headers)
            }
        }
    }
}

/// What an RFC 9421 signature must have.
#[derive(Clone, Debug)]
pub(crate) struct MessageRules {
    pub(crate) components: Vec<ListedComponent>,
    pub(crate) parameters: Vec<SignatureParameter>,
    pub(crate) selector: Selector,
}

/// A component that a policy lists.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ListedComponent {
    name: String,
    /// Of `@query-param`.
    query_param: Option<String>,
}

impl ListedComponent {
    /// A name, or `@query-param;name="…"`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, query_param) = match text.strip_prefix("@query-param;name=\"") {
            Some(rest) => ("@query-param", Some(rest.strip_suffix('"')?)),
            None => (text, None),
        };
        let listed = Self {
            name: name.to_owned(),
            query_param: query_param.map(str::to_owned),
        };
        let is_known = listed.component().is_some_and(|component| match component {
            Component::QueryParam(name) => components::is_encoded(name),
            Component::Status => false,
            _ => true,
        });
        is_known.then_some(listed)
    }

    pub(crate) fn component(&self) -> Option<Component<'_>> {
        match &self.query_param {
            Some(name) => Some(Component::QueryParam(name)),
            None => Component::named(&self.name),
        }
    }

    pub(crate) fn is_content_digest(&self) -> bool {
        self.name == "content-digest"
    }

    /// Of a header field, its name.
    pub(crate) fn field(&self) -> Option<&str> {
        (!self.name.starts_with('@')).then_some(&self.name)
    }

    fn item(&self) -> fields::Item<'_> {
        let parameters = self.query_param.iter().map(|name| fields::Parameter {
            key: "name",
            value: fields::Bare::String(name),
        });
        fields::Item {
            value: fields::Bare::String(&self.name),
            parameters: parameters.collect(),
        }
    }
}

/// By what the one signature is found among others.
#[derive(Clone, Debug)]
pub(crate) enum Selector {
    Label(String),
    Tag(String),
}

/// A signature parameter (RFC 9421 §2.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SignatureParameter {
    Created,
    Expires,
    Nonce,
    KeyId,
    Alg,
    Tag,
}

impl SignatureParameter {
    pub(crate) const NAMES: [&'static str; 6] = ["created", "expires", "nonce", "keyid", "alg", "tag"];

    const ALL: [Self; 6] = [
        Self::Created,
        Self::Expires,
        Self::Nonce,
        Self::KeyId,
        Self::Alg,
        Self::Tag,
    ];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .zip(Self::NAMES)
            .find(|(_, name)| *name == text)
            .map(|(parameter, _)| parameter)
    }
}

/// The headers of a profile, in lower case.
#[derive(Clone, Debug)]
pub(crate) struct HeaderNames {
    pub(crate) signature: String,
    pub(crate) timestamp: String,
    /// The nonce, the service id or the webhook's id: what the profile has beside the time.
    pub(crate) third: String,
    pub(crate) key_id: Option<String>,
}

impl HeaderNames {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        [&self.signature, &self.timestamp, &self.third]
            .into_iter()
            .chain(&self.key_id)
            .map(String::as_str)
    }
}

/// When the MAC itself is what may be used once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum MacNonce {
    UnsafeMethods,
    Every,
    None,
}

/// One key of a section.
#[derive(Clone, Debug)]
pub(crate) struct SignatureKey {
    pub(crate) id: String,
    pub(crate) secret: Secret,
    pub(crate) hosts: Option<HostSet>,
    pub(crate) service_id: Option<String>,
    /// What its live claims are counted under.
    pub(crate) share: [u8; 32],
}

impl SignatureKey {
    pub(crate) fn admits(&self, authority: Authority<'_>, default_port: Port) -> bool {
        self.hosts
            .as_ref()
            .is_none_or(|hosts| hosts.matching(authority, default_port).is_some())
    }
}

/// The dotted paths that verdicts name.
#[derive(Clone, Debug)]
pub(crate) struct RuleNames {
    pub(crate) section: String,
    pub(crate) max_age: String,
    pub(crate) clock_tolerance: String,
    pub(crate) components: String,
    pub(crate) content_types: String,
    pub(crate) keys: String,
    pub(crate) max_body: String,
    pub(crate) replay: String,
}

impl RuleNames {
    pub(crate) fn new(section: &str) -> Self {
        let rule = |key: &str| format!("signatures.{section}.{key}");
        Self {
            section: format!("signatures.{section}"),
            max_age: rule("max_age"),
            clock_tolerance: rule("clock_tolerance"),
            components: rule("components"),
            content_types: rule("content_types"),
            keys: rule("keys"),
            max_body: rule("max_body"),
            replay: rule("replay"),
        }
    }
}

impl SignatureSection {
    /// All of the section that says what is claimed, and for how long.
    pub(crate) fn claim_rules(&self) -> String {
        let once = match &self.scheme {
            SchemeRules::ServiceScoped { nonce, .. } => match nonce {
                MacNonce::UnsafeMethods => "unsafe-methods",
                MacNonce::Every => "mac",
                MacNonce::None => "none",
            },
            _ => "",
        };
        let profile = self.scheme.profile().as_str();
        let [max_age, tolerance] = [self.max_age, self.clock_tolerance].map(|seconds| seconds.to_string());
        [&self.name, profile, once, &max_age, &tolerance].join("\0")
    }

    /// How many live claims one key may have: its share of the capacity, rounded down, at least one. So the shares together are the capacity.
    pub(crate) fn share_limit(&self) -> u64 {
        let keys = u64::try_from(self.keys.len()).unwrap_or(u64::MAX).max(1);
        self.replay_capacity.checked_div(keys).unwrap_or(0).max(1)
    }

    /// True if some request by this section may be used once.
    pub(crate) fn uses_nonces(&self) -> bool {
        match &self.scheme {
            SchemeRules::Message(rules) => rules.parameters.contains(&SignatureParameter::Nonce),
            SchemeRules::ServiceScoped { nonce, .. } => *nonce != MacNonce::None,
            SchemeRules::HostNonce { .. } | SchemeRules::Webhooks { .. } => true,
        }
    }

    /// Signed requests a second that the replay store carries for ever.
    pub(crate) fn sustained_rate(&self) -> u64 {
        // A signature may be made as far in the future as the clocks may differ.
        let longest = replay::seconds_kept(self.max_age, self.clock_tolerance).saturating_add(self.clock_tolerance);
        self.replay_capacity.checked_div(longest).unwrap_or(0)
    }

    /// What the live claims of a key are counted under.
    fn share_of(&self, key_id: &str) -> [u8; 32] {
        let key = self.keys.iter().find(|key| key.id == key_id);
        key.map_or([0; 32], |key| key.share)
    }

    /// Where the claims of a key are kept. One key's claim can be another's if it does not say which key signed.
    pub(crate) fn place_of(&self, key_id: &str) -> [u8; 32] {
        match &self.scheme {
            SchemeRules::Webhooks { .. } => replay::common_place(&self.name),
            SchemeRules::Message(_) | SchemeRules::ServiceScoped { .. } | SchemeRules::HostNonce { .. } => {
                self.share_of(key_id)
            }
        }
    }

    /// The keys, with the loaded ones, that may have signed for an authority.
    fn keys_for<'a>(
        &'a self,
        loaded: &'a [hmac::Key],
        host: EffectiveAuthority<'_>,
    ) -> impl Iterator<Item = (&'a SignatureKey, &'a hmac::Key)> {
        self.keys
            .iter()
            .zip(loaded)
            .filter(move |(key, _)| key.admits(host.authority, host.scheme.default_port()))
    }
}

/// The loaded keys of every section, in the policy's order; a section without any has none loaded.
#[derive(Clone, Default)]
pub(crate) struct KeyRing {
    sections: Vec<Vec<hmac::Key>>,
}

impl KeyRing {
    pub(crate) const fn new(sections: Vec<Vec<hmac::Key>>) -> Self {
        Self { sections }
    }

    pub(crate) fn of(&self, section: usize) -> &[hmac::Key] {
        self.sections.get(section).map_or(&[], Vec::as_slice)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sections.iter().map(Vec::len)).finish()
    }
}
