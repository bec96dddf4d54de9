//! The policy: what a service answers as, and to whom.
//!
//! [`PolicyDocument`] is the text, read; [`Policy`] is what it means. A `Policy` value is valid: nothing is checked later.

#[cfg(feature = "authoring")]
mod cases;
mod compile;
mod diagnostic;
mod digest;
mod document;
#[cfg(feature = "authoring")]
mod json_schema;
mod lint;
mod measure;
#[cfg(feature = "authoring")]
mod public;
mod report;
mod schema;
mod shape;
#[cfg(feature = "toml")]
mod toml;

#[cfg(feature = "authoring")]
pub use cases::{Case, CaseMismatch};
pub use diagnostic::{ErrorCode, Lint, LintId, PolicyError, PolicyErrors};
pub use document::PolicyDocument;
#[cfg(feature = "authoring")]
pub use json_schema::json_schema;
pub use lint::Surroundings;

use crate::authority::Scheme;
use crate::egress::Egress;
use crate::host::HostSet;
use crate::origin::Origins;
use crate::peer::PeerSet;
use crate::request::NamedHeaders;
use crate::route::Routes;
use crate::secret::SecretReference;
use crate::signature::SignatureSection;
use crate::verdict::{Mode, Provenance};

/// A valid policy, ready to judge. Made by [`PolicyDocument::compile`].
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) name: Option<String>,
    pub(crate) provenance: Provenance,
    pub(crate) hosts: Hosts,
    pub(crate) peers: Option<PeerSet>,
    pub(crate) origins: Origins,
    pub(crate) routes: Option<Routes>,
    pub(crate) signatures: Vec<SignatureSection>,
    #[cfg(feature = "tokens")]
    pub(crate) tokens: Vec<crate::token::TokenSection>,
    /// The headers that signatures are read from.
    pub(crate) named_headers: NamedHeaders,
    #[cfg_attr(
        not(feature = "page"),
        expect(dead_code, reason = "only outbound requests are judged by it")
    )]
    pub(crate) egress: Option<Egress>,
    #[cfg(feature = "authoring")]
    pub(crate) cases: Vec<Case>,
}

/// The `hosts` section.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    pub(crate) allow: HostSet,
    pub(crate) scheme: Option<Scheme>,
    pub(crate) denied_status: u16,
    pub(crate) trusted_proxies: PeerSet,
    pub(crate) forwarded: Option<&'static str>,
    pub(crate) proxy_hosts: HostSet,
    pub(crate) exempt: Vec<Exempt>,
}

/// One entry of `hosts.exempt`.
#[derive(Clone, Debug)]
pub(crate) struct Exempt {
    pub(crate) path: Vec<u8>,
    pub(crate) from: PeerSet,
}

impl Policy {
    /// Reads and compiles a policy in TOML. `file` is its name in messages.
    ///
    /// # Errors
    /// Every mistake in it.
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str, file: &str) -> Result<Self, PolicyErrors> {
        PolicyDocument::from_toml(text, file)?.compile()
    }

    /// Reads and compiles a policy in JSON, as people or [`PolicyDocument::to_compiled_json`] write it.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn from_json(text: &str, file: &str) -> Result<Self, PolicyErrors> {
        PolicyDocument::from_json(text, file)?.compile()
    }

    /// The scheme under which requests are judged, whatever their connection's.
    #[must_use]
    pub const fn scheme(&self) -> Option<Scheme> {
        self.hosts.scheme
    }

    /// The name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether it denies or reports.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.provenance.mode
    }

    /// `sha256:` and 64 hex digits: the SHA-256 of the RFC 8785 JSON of the document without `cases`. The same for TOML, JSON and the compiled form.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.provenance.digest
    }

    /// The document's own cases. Without feature `authoring` they are not read.
    #[cfg(feature = "authoring")]
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// True if denials are explained to peers on loopback.
    #[must_use]
    pub const fn explains_to_client(&self) -> bool {
        self.provenance.explain_to_client
    }

    /// True if the policy uses `peers`, `hosts.exempt` or `hosts.trusted_proxies`. A face that cannot know the transport peer must refuse to start with it.
    #[must_use]
    pub const fn needs_peer(&self) -> bool {
        self.peers.is_some() || !self.hosts.exempt.is_empty() || self.hosts.forwarded.is_some()
    }

    /// Where the secrets and key sets of the policy are to be found, in its order. The face reads them for [`Guard::with_secrets`](crate::Guard::with_secrets).
    pub fn secrets(&self) -> impl Iterator<Item = &SecretReference> {
        let keys = self.signatures.iter().flat_map(|section| &section.keys);
        let secrets = keys.map(|key| &key.secret.reference);
        #[cfg(feature = "tokens")]
        let secrets = secrets.chain(self.tokens.iter().filter_map(|section| match &section.source {
            crate::token::TokenSource::File(file) => Some(&file.reference),
            crate::token::TokenSource::Introspection(rules) => Some(&rules.secret.reference),
            _ => None,
        }));
        secrets
    }

    /// True if judging a request can need another server: keys that are fetched, or introspection. A face that cannot ask must refuse to start.
    #[cfg(feature = "tokens")]
    #[must_use]
    pub fn needs_fetching(&self) -> bool {
        use crate::token::TokenSource::{Introspection, Url};
        let mut sections = self.tokens.iter();
        sections.any(|section| matches!(section.source, Url(_) | Introspection(_)))
    }

    /// The `tokens` sections that ask another server: their names, and the URLs.
    #[cfg(feature = "tokens")]
    pub fn token_servers(&self) -> impl Iterator<Item = (&str, &str)> {
        use crate::token::TokenSource::{Introspection, Url};
        self.tokens.iter().filter_map(|section| match &section.source {
            Url(url) => Some((&*section.name, url.as_str())),
            Introspection(rules) => Some((&*section.name, rules.url.as_str())),
            _ => None,
        })
    }

    /// The names of the `signatures` sections, in the policy's order.
    pub fn signatures(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(|section| section.name.as_str())
    }

    /// The names of the `tokens` sections, in the policy's order. None without feature `tokens`, which refuses a policy that has them.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        #[cfg(feature = "tokens")]
        let sections = self.tokens.iter().map(|section| &*section.name);
        #[cfg(not(feature = "tokens"))]
        let sections = std::iter::empty();
        sections
    }

    /// True if a section asks for a replay store that all processes share (`replay = "shared"`). A face must then refuse to start on one in memory.
    #[must_use]
    pub fn needs_shared_replay(&self) -> bool {
        self.signatures.iter().any(|section| section.is_shared)
    }

    /// For each section whose requests are used once: its name, and how many signed requests a second the replay store carries for ever
    /// (`replay_capacity` by the longest time that an entry lives).
    pub fn replay_rates(&self) -> impl Iterator<Item = (&str, u64)> {
        let sections = self.signatures.iter().filter(|section| section.uses_nonces());
        sections.map(|section| (section.name.as_str(), section.sustained_rate()))
    }

    /// The largest `max_body` of the policy's signatures, in bytes; 0 if it has none.
    #[must_use]
    pub fn max_body(&self) -> u64 {
        self.signatures
            .iter()
            .map(|section| section.max_body)
            .max()
            .unwrap_or(0)
    }

    /// Where an entry stands, as `file:line`; none if it is not written.
    #[must_use]
    pub fn place_of(&self, path: &str) -> Option<String> {
        self.provenance.place_of(path)
    }
}
