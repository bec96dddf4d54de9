//! The guard: the one ordered list of checks.
//!
//! A pure state machine. [`Guard::inspect`] takes a request and the time, and says what it decided, or what it needs to go on.

mod explain;
mod keys;
mod ledger;
mod memory;
mod signed;
#[cfg(feature = "tokens")]
mod tokens;

pub use explain::{Explanation, Finding, Outcome, Step};
pub use keys::ClaimRule;
pub use ledger::{LedgerError, ReplayLedger, Standing};
pub use memory::{Answers, Memory};
pub use signed::{NeedsBody, NeedsNonce};
#[cfg(feature = "tokens")]
pub use tokens::{NativeVerification, NeedsIntrospection, NeedsKeys, NeedsVerification, TokenQuestion};

use std::sync::Arc;

use crate::authority::{Authority, AuthorityError, Host, Scheme};
use crate::origin::OriginPass;
use crate::peer::Peer;
use crate::policy::{Exempt, Policy};
use crate::request::{
    Head, MAX_METHOD, METHOD_OVERRIDES, Occurrences, Request, RequestDocument, Timestamp, is_http10, is_served,
    is_token_byte,
};
use crate::route::{Route, Routes, Selector};
use crate::signature::{Context, KeyRing, SignedHead};
#[cfg(feature = "tokens")]
use crate::token::TokenStore;
use crate::verdict::{
    Check, Decision, Detail, EffectiveAuthority, Failure, Identity, Mode, Reason, Verdict, VerdictDocument,
};

/// Nothing to keep.
#[cfg(not(feature = "tokens"))]
type TokenStore = ();

/// Judges requests by one policy.
///
/// ```
/// # #[cfg(feature = "toml")] {
/// use hostbound::{Guard, Header, Headers, Inspection, Peer, Policy, Request, Scheme, Version};
///
/// let policy = Policy::from_toml("version = 1\n[hosts]\nallow = [\"localhost\"]", "hostbound.toml")?;
/// let guard = Guard::new(policy);
/// let headers = [Header { name: b"Host", value: b"rebound.example" }];
/// let request = Request {
///     method: b"GET",
///     scheme: Scheme::Http,
///     version: Version::Http11,
///     target: b"/",
///     headers: Headers::new(&headers),
///     peer: Peer::Unknown,
/// };
/// match guard.inspect(&request, None) {
///     Inspection::Decided(verdict) => assert_eq!(verdict.status(), 421),
///     _ => unreachable!("this policy asks for no signature"),
/// }
/// # }
/// # Ok::<(), hostbound::PolicyErrors>(())
/// ```
#[derive(Clone, Debug)]
pub struct Guard {
    policy: Arc<Policy>,
    keys: KeyRing,
    #[cfg(feature = "tokens")]
    token_keys: tokens::TokenKeys,
}

/// How far a judgement has come. A face that meets a variant it does not know denies the request.
#[derive(Debug)]
#[non_exhaustive]
#[cfg_attr(
    target_pointer_width = "64",
    expect(clippy::large_enum_variant, reason = "the common case allocates nothing")
)]
pub enum Inspection<'a> {
    /// It is over.
    Decided(Verdict<'a>),
    /// The head passed; the body must prove the rest.
    NeedsBody(Box<NeedsBody<'a>>),
    /// Everything passed, if this is the first use of the nonce.
    NeedsNonce(Box<NeedsNonce<'a>>),
    /// A token is to be verified with keys that must be fetched.
    #[cfg(feature = "tokens")]
    NeedsKeys(Box<NeedsKeys<'a>>),
    /// A server is to be asked what an opaque token is worth.
    #[cfg(feature = "tokens")]
    NeedsIntrospection(Box<NeedsIntrospection<'a>>),
    /// The signature of a token is to be verified, by a caller who asked for that ([`crate::TokenStore::verifying_outside`]).
    #[cfg(feature = "tokens")]
    NeedsVerification(Box<NeedsVerification<'a>>),
}

impl Inspection<'_> {
    /// In [`Inspection::code`]: the body is needed.
    pub const NEEDS_BODY: u32 = 1 << 19;
    /// In [`Inspection::code`]: the nonce is to be claimed.
    pub const NEEDS_NONCE: u32 = 1 << 20;
    /// In [`Inspection::code`]: keys are to be fetched.
    pub const NEEDS_KEYS: u32 = 1 << 21;
    /// In [`Inspection::code`]: a server is to be asked about a token.
    pub const NEEDS_INTROSPECTION: u32 = 1 << 22;
    /// In [`Inspection::code`]: the signature of a token is to be verified.
    pub const NEEDS_VERIFICATION: u32 = 1 << 23;
    /// A denial with status 500: what a face that does not know of bodies or nonces makes of them.
    const UNFINISHED: u32 = (1 << 18) | (500 << 8);

    /// As one integer: [`Verdict::code`], or that of a denial and a bit for what is still needed.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Decided(verdict) => verdict.code(),
            Self::NeedsBody(_) => Self::UNFINISHED | Self::NEEDS_BODY,
            Self::NeedsNonce(_) => Self::UNFINISHED | Self::NEEDS_NONCE,
            #[cfg(feature = "tokens")]
            Self::NeedsKeys(_) => Self::UNFINISHED | Self::NEEDS_KEYS,
            #[cfg(feature = "tokens")]
            Self::NeedsIntrospection(_) => Self::UNFINISHED | Self::NEEDS_INTROSPECTION,
            #[cfg(feature = "tokens")]
            Self::NeedsVerification(_) => Self::UNFINISHED | Self::NEEDS_VERIFICATION,
        }
    }
}

impl Guard {
    /// A guard for a policy. It has no secrets: what routes require a signature for is refused. [`Guard::with_secrets`] has them.
    #[must_use]
    pub fn new(policy: impl Into<Arc<Policy>>) -> Self {
        let policy = policy.into();
        Self {
            keys: KeyRing::default(),
            #[cfg(feature = "tokens")]
            token_keys: tokens::TokenKeys::inline(&policy),
            policy,
        }
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Judges the head of a request. Takes time linear in its size, and allocates nothing unless a credential is read, or routes meet a path that is
    /// percent-encoded or not in plain lower case: then the path's other forms are made.
    ///
    /// `now` is the time at which credentials are judged. Without it a request that needs one is malformed. Tokens are judged as if none had been seen
    /// before; [`Guard::inspect_in`] remembers them.
    #[must_use]
    pub fn inspect<'a>(&'a self, request: &Request<'a>, now: Option<Timestamp>) -> Inspection<'a> {
        Trial::new(self, request, now).advance(Check::Request, &mut TokenStore::default())
    }

    /// The same, with what is kept of tokens.
    #[cfg(feature = "tokens")]
    #[must_use]
    pub fn inspect_in<'a>(
        &'a self,
        request: &Request<'a>,
        now: Option<Timestamp>,
        store: &mut TokenStore,
    ) -> Inspection<'a> {
        store.begin();
        self.inspect_again_in(request, now, store)
    }

    /// The same of the request that was inspected last, with what was found of it.
    #[cfg(feature = "tokens")]
    pub(crate) fn inspect_again_in<'a>(
        &'a self,
        request: &Request<'a>,
        now: Option<Timestamp>,
        store: &mut TokenStore,
    ) -> Inspection<'a> {
        self.token_keys.own(store);
        Trial::new(self, request, now).advance(Check::Request, store)
    }

    /// Judges a request that is there as a whole, with what is kept in memory. What would have to be fetched cannot be had.
    #[must_use]
    pub fn judge<'a>(
        &'a self,
        request: &Request<'a>,
        now: Option<Timestamp>,
        body: &[u8],
        memory: &mut Memory,
    ) -> Verdict<'a> {
        self.judge_with(request, now, body, &mut memory::InMemory::new(memory, None))
    }

    /// Judges a request in JSON form that carries all that could be asked for.
    #[must_use]
    pub fn decide(&self, document: &RequestDocument, memory: &mut Memory) -> VerdictDocument {
        self.decide_with(document, &mut memory::InMemory::new(memory, Some(document)))
    }

    /// The same with answers of the caller's.
    #[must_use]
    pub fn decide_with(&self, document: &RequestDocument, answers: &mut impl Answers) -> VerdictDocument {
        let headers = document.headers();
        let request = document.request(&headers);
        let verdict = self.judge_with(&request, document.now(), document.body(), answers);
        verdict.document(document.id.as_deref())
    }
}

/// Why a check passed.
#[derive(Clone, Copy, Debug)]
enum Pass {
    /// It is not configured, or does not concern the request.
    Skipped(&'static str),
    Request,
    Host {
        entry: usize,
    },
    Forwarded {
        entry: usize,
    },
    Exempt {
        entry: usize,
    },
    Peer {
        entry: usize,
    },
    Origin(OriginPass),
    Route {
        entry: usize,
        preflight: bool,
    },
    Preflight,
    /// The head; the rest is for the body to prove.
    Signature,
    #[cfg(feature = "tokens")]
    Token,
    #[cfg(feature = "tokens")]
    Claims,
    /// What a token is worth is to be found out elsewhere.
    #[cfg(feature = "tokens")]
    Asks(tokens::Need),
    /// Used nonces are asked for last of all.
    Later,
}

/// One request before one policy, and what the checks have found out so far.
#[derive(Debug)]
struct Trial<'a> {
    policy: &'a Policy,
    keys: &'a KeyRing,
    request: Request<'a>,
    now: Option<Timestamp>,
    head: Option<Head<'a>>,
    identity: Identity<'a>,
    route: Option<&'a Route>,
    signed: Option<SignedHead<'a>>,
    #[cfg(feature = "tokens")]
    guard: &'a Guard,
    /// What check `claims` will find, once check `token` has passed.
    #[cfg(feature = "tokens")]
    claims: Option<tokens::Claims<'a>>,
}

impl<'a> Trial<'a> {
    fn new(guard: &'a Guard, request: &Request<'a>, now: Option<Timestamp>) -> Self {
        let identity = Identity {
            host: None,
            route: None,
            preflight: false,
            signature: None,
            token: None,
        };
        Self {
            policy: &guard.policy,
            keys: &guard.keys,
            request: *request,
            now,
            head: None,
            identity,
            route: None,
            signed: None,
            #[cfg(feature = "tokens")]
            guard,
            #[cfg(feature = "tokens")]
            claims: None,
        }
    }

    /// Runs the checks from this one on.
    fn advance(mut self, from: Check, store: &mut TokenStore) -> Inspection<'a> {
        for check in Check::ALL.into_iter().filter(|check| *check >= from) {
            match self.run(check, store) {
                #[cfg(feature = "tokens")]
                Ok(Pass::Asks(need)) => return tokens::asking(self, need, store),
                Ok(_) => {}
                Err(failure) => return Inspection::Decided(self.failed(failure)),
            }
        }
        match self.signed.take() {
            None => Inspection::Decided(self.passed()),
            Some(signed) => NeedsBody::begin(self, signed),
        }
    }

    #[cfg_attr(
        not(feature = "tokens"),
        expect(unused_variables, reason = "no policy has tokens then")
    )]
    fn run(&mut self, check: Check, store: &mut TokenStore) -> Result<Pass, Failure<'a>> {
        if check == Check::Request {
            let policy = self.policy;
            self.head = Some(Head::read(
                &self.request,
                policy.hosts.forwarded,
                &policy.named_headers,
            )?);
            return Ok(Pass::Request);
        }
        // INVARIANT: check `request` runs first, and nothing runs after it has failed.
        let Some(head) = &self.head else {
            return Err(Failure::new(
                Reason::RequestMalformed,
                Detail::text("the head was not read"),
            ));
        };
        match check {
            Check::Request => Ok(Pass::Request),
            Check::Host => {
                let (pass, host) = self.host(head)?;
                self.identity.host = host;
                Ok(pass)
            }
            Check::Peer => self.peer(),
            Check::Origin => self.policy.origins.judge(head, self.identity.host).map(Pass::Origin),
            Check::Route => {
                let (pass, route) = self.route(head)?;
                self.identity.route = route.map(|route| route.name.as_str());
                self.identity.preflight = head.preflight.is_some();
                self.route = route;
                Ok(pass)
            }
            Check::Signature => {
                let Some(context) = self.asked_signature()? else {
                    return Ok(Pass::Skipped("no signature is asked for"));
                };
                self.signed = Some(SignedHead::judge(context)?);
                Ok(Pass::Signature)
            }
            #[cfg(feature = "tokens")]
            Check::Token => self.token(store),
            #[cfg(feature = "tokens")]
            Check::Claims => self.claims(),
            #[cfg(not(feature = "tokens"))]
            Check::Token | Check::Claims => Ok(Pass::Skipped("no token is asked for")),
            Check::Nonce if self.signed.is_some() => Ok(Pass::Later),
            Check::Nonce => Ok(Pass::Skipped("no signature is asked for")),
        }
    }

    /// What the route wants the request held against; a preflight carries no credentials (Fetch, "CORS-preflight fetch").
    fn asked_signature(&self) -> Result<Option<Context<'a>>, Failure<'a>> {
        let index = self.route.and_then(|route| route.signature);
        let (Some(index), false) = (index, self.identity.preflight) else {
            return Ok(None);
        };
        // INVARIANT: the compiler gave the route an index of a section, and lets no exempt request reach it.
        let (Some(section), Some(host)) = (self.policy.signatures.get(index), self.identity.host) else {
            let detail = Detail::text("a signature is asked for, and there is no host to hold it against");
            return Err(Failure::new(Reason::RequestMalformed, detail));
        };
        let Some(now) = self.now else {
            let detail = Detail::text("a signature is to be judged, and no time was given");
            return Err(Failure::new(Reason::RequestMalformed, detail));
        };
        Ok(Some(Context {
            section,
            keys: self.keys.of(index),
            request: self.request,
            host,
            now,
        }))
    }

    fn passed(self) -> Verdict<'a> {
        self.verdict(Decision::Allow, None)
    }

    fn failed(self, failure: Failure<'a>) -> Verdict<'a> {
        let is_own = failure.reason().check().is_of_route();
        let mode = if is_own { self.mode() } else { self.policy.mode() };
        let is_reported = mode == Mode::Report && !failure.reason().is_always_enforced();
        let decision = if is_reported { Decision::Allow } else { Decision::Deny };
        self.verdict(decision, Some(failure))
    }

    /// What happens to a request that does not meet the requirements of its route.
    fn mode(&self) -> Mode {
        let own = self.route.and_then(|route| route.mode);
        own.filter(|_| self.policy.mode() == Mode::Enforce)
            .unwrap_or(self.policy.mode())
    }

    fn verdict(self, decision: Decision, failure: Option<Failure<'a>>) -> Verdict<'a> {
        let is_loopback = self.request.peer.is_loopback();
        Verdict::new(&self.policy.provenance, decision, failure, self.identity, is_loopback)
    }

    fn scheme(&self) -> Scheme {
        self.policy.hosts.scheme.unwrap_or(self.request.scheme)
    }

    fn host(&self, head: &Head<'a>) -> Result<(Pass, Option<EffectiveAuthority<'a>>), Failure<'a>> {
        match self.listed_host(head) {
            Ok((authority, pass)) => Ok((
                pass,
                Some(EffectiveAuthority {
                    authority,
                    scheme: self.scheme(),
                }),
            )),
            Err(failure) => match self.exemption(head, failure.reason()) {
                Some(entry) => Ok((Pass::Exempt { entry }, None)),
                None => Err(failure),
            },
        }
    }

    /// The effective authority, if the policy lists it.
    fn listed_host(&self, head: &Head<'a>) -> Result<(Authority<'a>, Pass), Failure<'a>> {
        let hosts = &self.policy.hosts;
        let default_port = self.scheme().default_port();
        let (text, authority) = self.own_authority(head)?;
        let not_allowed = |detail| {
            Failure::new(Reason::HostNotAllowed, detail)
                .with_status(hosts.denied_status)
                .by("hosts.allow")
        };
        if let Some((header, value)) = self.forwarded(head)? {
            let forwarded = Authority::parse(value).map_err(|_| forwarded_malformed(header))?;
            let entry = hosts
                .allow
                .matching(forwarded, default_port)
                .ok_or_else(|| not_allowed(Detail::quoting_authority("forwarded host ", value, " is not allowed")))?;
            let is_proxy_host = hosts.allow.matching(authority, default_port).is_some()
                || hosts.proxy_hosts.matching(authority, default_port).is_some();
            if !is_proxy_host {
                return Err(not_allowed(Detail::quoting_authority(
                    "host ",
                    text,
                    " is neither allowed nor one of hosts.proxy_hosts",
                )));
            }
            return Ok((forwarded, Pass::Forwarded { entry }));
        }
        let entry = hosts
            .allow
            .matching(authority, default_port)
            .ok_or_else(|| not_allowed(Detail::quoting_authority("host ", text, " is not allowed")))?;
        Ok((authority, Pass::Host { entry }))
    }

    /// The one authority of the request, and its text. Host, `:authority` and an absolute-form target must agree (RFC 9112 §3.2.2, RFC 9113 §8.3.1).
    fn own_authority(&self, head: &Head<'a>) -> Result<(&'a [u8], Authority<'a>), Failure<'a>> {
        let (host, pseudo) = (only_one(head.host)?, only_one(head.pseudo_authority)?);
        let Some(text) = host.or(pseudo) else {
            return Err(Failure::new(Reason::HostMissing, Detail::text("no Host")));
        };
        let authority = parse_authority(text)?;
        let pseudo = match pseudo {
            Some(pseudo) => Some((pseudo, parse_authority(pseudo)?)),
            None => None,
        };
        let target = match head.target.authority {
            Some(target) => Some((target, parse_authority(target)?)),
            None => None,
        };
        for (other, parsed) in [pseudo, target].into_iter().flatten() {
            if !authority.same(parsed, self.scheme()) {
                let detail = Detail::quoting_authority("Host and ", other, " disagree");
                return Err(Failure::new(Reason::AuthorityMismatch, detail));
            }
        }
        Ok((text, authority))
    }

    /// The header that the policy believes, and the one value in it, if a trusted proxy sent one.
    fn forwarded(&self, head: &Head<'a>) -> Result<Option<(&'static str, &'a [u8])>, Failure<'a>> {
        let hosts = &self.policy.hosts;
        let (Some(header), Some(value)) = (hosts.forwarded, head.forwarded) else {
            return Ok(None);
        };
        if !hosts.trusted_proxies.contains(self.request.peer) {
            return Ok(None);
        }
        if header == "forwarded" {
            let host = forwarded_host(value).ok_or_else(|| forwarded_malformed(header))?;
            return Ok(host.map(|host| (header, host)));
        }
        Ok(Some((header, value)))
    }

    /// The entry of `hosts.exempt` under which the request passes after all: a health check by address, without a trace of a browser.
    fn exemption(&self, head: &Head<'a>, reason: Reason) -> Option<usize> {
        let is_by_address = match reason {
            Reason::HostMissing => is_http10(&self.request) && head.target.authority.is_none(),
            Reason::HostNotAllowed => self
                .own_authority(head)
                .is_ok_and(|(_, authority)| !matches!(authority.host(), Host::Name(_))),
            _ => false,
        };
        if !is_by_address
            || head.forwarded.is_some()
            || head.origin.is_some()
            || head.has_sec_fetch
            || !matches!(head.method, b"GET" | b"HEAD")
        {
            return None;
        }
        let applies = |exempt: &Exempt| exempt.path == head.target.path && exempt.from.contains(self.request.peer);
        self.policy.hosts.exempt.iter().position(applies)
    }

    fn peer(&self) -> Result<Pass, Failure<'a>> {
        let Some(peers) = &self.policy.peers else {
            return Ok(Pass::Skipped("the policy has no peers section"));
        };
        if let Some(entry) = peers.matching(self.request.peer) {
            return Ok(Pass::Peer { entry });
        }
        let detail = match self.request.peer {
            Peer::Unknown => "the peer is not known",
            Peer::Unix => "a peer on a Unix socket is not allowed",
            Peer::Address(_) => "the peer's address is not allowed",
        };
        Err(Failure::new(Reason::PeerNotAllowed, Detail::text(detail)).by("peers.allow"))
    }

    fn route(&self, head: &Head<'a>) -> Result<(Pass, Option<&'a Route>), Failure<'a>> {
        let is_preflight = head.preflight.is_some();
        if is_preflight && head.has_method_override {
            let detail = Detail::text("a preflight with a method-override header");
            return Err(Failure::new(Reason::RouteNotAllowed, detail).by("routes"));
        }
        let Some(routes) = &self.policy.routes else {
            let pass = if is_preflight {
                Pass::Preflight
            } else {
                Pass::Skipped("the policy has no routes section")
            };
            return Ok((pass, None));
        };
        let selector = Selector {
            method: head.preflight.unwrap_or(head.method),
            authority: self.identity.host.map(|host| host.authority),
            default_port: self.scheme().default_port(),
        };
        let entry = routes.judge(head.target.path, selector)?;
        if head.has_method_override && !self.overrides_select(entry, routes, head, selector) {
            let detail = Detail::quoting(
                "path ",
                head.target.path,
                " selects another route, or none, by a method-override header",
            );
            return Err(Failure::new(Reason::RouteNotAllowed, detail).by("routes"));
        }
        Ok((
            Pass::Route {
                entry,
                preflight: is_preflight,
            },
            routes.get(entry),
        ))
    }

    /// True if each method-override header is there once and names a method for which the route is this one too: a framework may go by it.
    fn overrides_select(&self, entry: usize, routes: &Routes, head: &Head<'a>, selector: Selector<'_>) -> bool {
        METHOD_OVERRIDES.into_iter().all(|name| {
            let headers = self.request.headers.iter();
            let mut values = headers.filter(|header| header.name.eq_ignore_ascii_case(name.as_bytes()));
            let Some(header) = values.next() else { return true };
            let mut upper = [0; MAX_METHOD];
            let method = header.value.trim_ascii();
            let Some(upper) = upper.get_mut(..method.len()) else {
                return false;
            };
            upper.copy_from_slice(method);
            upper.make_ascii_uppercase();
            let selector = Selector {
                method: upper,
                ..selector
            };
            values.next().is_none()
                && is_served(upper)
                && routes
                    .judge(head.target.path, selector)
                    .is_ok_and(|other| other == entry)
        })
    }
}

/// The value of a header that may occur once.
fn only_one(occurrences: Occurrences<'_>) -> Result<Option<&[u8]>, Failure<'_>> {
    match occurrences {
        Occurrences::None => Ok(None),
        Occurrences::Many => Err(Failure::new(
            Reason::HostDuplicate,
            Detail::text("more than one Host or `:authority`"),
        )),
        // Servers join repeated fields with commas (RFC 9110 §5.3).
        Occurrences::One(text) if text.contains(&b',') => Err(Failure::new(
            Reason::HostDuplicate,
            Detail::quoting_authority("host ", text, " is a list"),
        )),
        Occurrences::One(text) => Ok(Some(text)),
    }
}

fn parse_authority(text: &[u8]) -> Result<Authority<'_>, Failure<'_>> {
    Authority::parse(text).map_err(|error: AuthorityError| {
        Failure::new(
            Reason::HostMalformed,
            Detail::quoting_authority("host ", text, error.as_str()),
        )
    })
}

fn forwarded_malformed(header: &'static str) -> Failure<'static> {
    let detail = match header {
        "forwarded" => "Forwarded is not one element with at most one host",
        _ => "X-Forwarded-Host is not one authority",
    };
    Failure::new(Reason::HostMalformed, Detail::text(detail)).by("hosts.forwarded")
}

/// The `host` parameter of a Forwarded field with one element (RFC 7239 §4), without quotes. None if the field is malformed; `Some(None)` if it says
/// nothing about the host.
fn forwarded_host(value: &[u8]) -> Option<Option<&[u8]>> {
    let mut host = None;
    let mut seen = [&b""[..]; 16];
    let mut count = 0_usize;
    let mut rest = value;
    if value.is_empty() {
        return None;
    }
    loop {
        // Pairs may be empty, but not surrounded by white space.
        if let Some(after) = rest.strip_prefix(b";") {
            rest = after;
            continue;
        }
        let Some(name_length) = rest.iter().position(|byte| !is_token_byte(*byte)) else {
            return rest.is_empty().then_some(host);
        };
        let (name, after) = rest
            .split_at_checked(name_length)
            .filter(|(name, _)| !name.is_empty())?;
        if seen.iter().take(count).any(|other| other.eq_ignore_ascii_case(name)) {
            return None;
        }
        *seen.get_mut(count)? = name;
        count = count.checked_add(1)?;
        let after = after.strip_prefix(b"=")?;
        let (parameter, after) = match after.strip_prefix(b"\"") {
            Some(quoted) => {
                // An escaped character would make the text differ from the value; no host needs one.
                let end = quoted.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
                let (parameter, after) = quoted.split_at_checked(end)?;
                (parameter, after.strip_prefix(b"\"")?)
            }
            None => {
                let end = after
                    .iter()
                    .position(|byte| !is_token_byte(*byte))
                    .unwrap_or(after.len());
                after
                    .split_at_checked(end)
                    .filter(|(parameter, _)| !parameter.is_empty())?
            }
        };
        if name.eq_ignore_ascii_case(b"host") {
            host = Some(parameter);
        }
        if !matches!(after, [] | [b';', ..]) {
            return None;
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_elements_are_read_strictly() {
        let rows: &[(&str, Option<Option<&str>>)] = &[
            ("host=a.example", Some(Some("a.example"))),
            (
                "for=192.0.2.60;proto=http;Host=\"a.example:8443\"",
                Some(Some("a.example:8443")),
            ),
            ("for=\"[2001:db8::1]\";;host=a.example", Some(Some("a.example"))),
            ("for=a; host=a.example", None),
            ("for=192.0.2.60", Some(None)),
            ("host=\"\"", Some(Some(""))),
            ("host=a.example:8443", None),
            ("host=a.example, host=b.example", None),
            ("host=a.example;host=b.example", None),
            ("host=", None),
            ("host", None),
            ("", None),
            ("host=a.example;", Some(Some("a.example"))),
            ("=a", None),
            ("host=\"a", None),
            ("host=\"a\\b\"", None),
        ];
        for (value, want) in rows {
            let found = forwarded_host(value.as_bytes());
            assert_eq!(found, want.map(|host| host.map(str::as_bytes)), "{value}");
        }
    }
}
