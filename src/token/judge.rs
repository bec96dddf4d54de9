//! A request's token, held against what its route wants (contract §12).

use std::sync::Arc;

use super::algorithm::JwsAlgorithm;
use super::claims::{self, Claims, Dates};
use super::credential;
use super::jws::{JwsError, Object, Parts, Payload};
use super::key::VerificationKey;
use super::key_set::KeySet;
use super::section::{TokenSection, TokenSource, is_type};
use super::store::{Held, TokenHash, TokenStore};
use crate::request::{Request, Timestamp};
use crate::tree::Node;
use crate::verdict::{Detail, Failure, Reason, TokenIdentity};

/// For how many seconds a client waits where a server that is asked about tokens cannot be.
const RETRY_INTROSPECTION: u64 = 5;

/// What a token is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenContext<'a> {
    /// All of the policy.
    pub(crate) sections: &'a [TokenSection],
    /// By section: the keys that do not have to be fetched.
    pub(crate) keys: &'a [Option<Arc<KeySet>>],
    /// The sections of which one must fit.
    pub(crate) asked: &'a [usize],
    pub(crate) request: Request<'a>,
    pub(crate) now: Timestamp,
    pub(crate) scopes: &'a [String],
    /// The same, as a challenge names them.
    pub(crate) scope_text: &'a str,
}

/// How far a token has come.
pub(crate) enum TokenStep<'a> {
    Proved(Arc<TokenIdentity>),
    Refused(Failure<'a>),
    /// The keys of this section are to be fetched.
    NeedsKeys(usize),
    /// The server of this section is to be asked.
    NeedsIntrospection(usize),
    /// The signature is to be verified; it is in the store's memo.
    NeedsVerification,
}

/// A token of which all is in order but its signature, which is to be verified.
pub(crate) struct Evidence {
    signature: Signature,
    payload: Payload,
}

/// A signature with the key that verifies it.
struct Signature {
    section: usize,
    keys: Arc<KeySet>,
    key: usize,
    algorithm: JwsAlgorithm,
    /// The length of what is signed, from the token's beginning.
    signed: usize,
    bytes: Vec<u8>,
}

/// A token that was verified, and whose claims are as the policy wants them, but for the time and the scopes of a route.
pub(super) struct Verified {
    section: usize,
    identity: Arc<TokenIdentity>,
    pub(super) dates: Dates,
    /// None of an opaque token.
    pub(super) keys: Option<Arc<KeySet>>,
}

impl Evidence {
    pub(crate) const fn algorithm(&self) -> JwsAlgorithm {
        self.signature.algorithm
    }

    pub(crate) fn key(&self) -> Option<&VerificationKey> {
        self.signature.key()
    }

    #[cfg(feature = "wasm")]
    pub(crate) fn place_of_key(&self) -> (Arc<KeySet>, usize) {
        (Arc::clone(&self.signature.keys), self.signature.key)
    }

    pub(crate) fn signature(&self) -> &[u8] {
        &self.signature.bytes
    }

    /// What of the token is signed.
    pub(crate) fn signed<'t>(&self, token: &'t [u8]) -> &'t [u8] {
        self.signature.signed(token)
    }
}

impl Signature {
    fn key(&self) -> Option<&VerificationKey> {
        self.keys.keys().get(self.key)
    }

    fn signed<'t>(&self, token: &'t [u8]) -> &'t [u8] {
        token.get(..self.signed).unwrap_or_default()
    }

    fn is_right(&self, token: &[u8]) -> bool {
        self.key()
            .is_some_and(|key| key.verifies(self.algorithm, self.signed(token), &self.bytes))
    }
}

/// The token of a request, where its place is known.
pub(crate) fn token_of<'a>(context: &TokenContext<'a>) -> Option<&'a [u8]> {
    let first = context.sections.get(*context.asked.first()?)?;
    credential::token(&context.request, &first.from).ok()
}

/// How far a request's token comes with what is in the store.
pub(crate) fn judge<'a>(context: &TokenContext<'a>, store: &mut TokenStore) -> TokenStep<'a> {
    match Trial::begin(context).and_then(|trial| trial.run(store)) {
        Ok(identity) => TokenStep::Proved(identity),
        Err(stop) => stop.0,
    }
}

/// Where the judgement of a token stops.
struct Stop<'a>(TokenStep<'a>);

impl<'a> From<Failure<'a>> for Stop<'a> {
    fn from(failure: Failure<'a>) -> Self {
        Self(TokenStep::Refused(failure))
    }
}

/// One token before the sections of one route.
struct Trial<'c, 'a> {
    context: &'c TokenContext<'a>,
    first: &'a TokenSection,
    token: &'a [u8],
}

impl<'c, 'a> Trial<'c, 'a> {
    fn begin(context: &'c TokenContext<'a>) -> Result<Self, Stop<'a>> {
        // INVARIANT: the compiler gives every route that asks for tokens at least one section.
        let first = context.asked.first().and_then(|index| context.sections.get(*index));
        let Some(first) = first else {
            let detail = Detail::text("no section is asked for");
            return Err(Failure::new(Reason::TokenMissing, detail).into());
        };
        let token = credential::token(&context.request, &first.from).map_err(|reason| {
            let what = match reason {
                Reason::TokenMissing => "there is no token",
                _ => "the token is malformed, or there are two credentials",
            };
            fail(reason, what, &first.rules.section)
        })?;
        Ok(Self { context, first, token })
    }

    fn run(&self, store: &mut TokenStore) -> Result<Arc<TokenIdentity>, Stop<'a>> {
        let is_cached = |index: &usize| self.section(*index).is_some_and(|section| section.is_cached);
        let hash = if self.context.asked.iter().any(is_cached) {
            store.hash(self.token)
        } else {
            None
        };
        if let Some(verified) = store.memo.proved.clone() {
            return self.counts(&verified);
        }
        if let Some(verified) = hash.as_ref().and_then(|hash| self.seen(hash, store)) {
            store.memo.proved = Some(Arc::clone(&verified));
            return self.counts(&verified);
        }
        let verified = Arc::new(match (self.context.asked, &self.first.source) {
            ([index], TokenSource::Introspection(_)) => self.introspect(*index, store)?,
            _ => self.verify(store)?,
        });
        store.memo.proved = Some(Arc::clone(&verified));
        if let (Some(hash), Some(section)) = (hash, self.section(verified.section))
            && section.is_cached
        {
            store.keep(verified.section, hash, &verified, self.token.len(), self.context.now);
        }
        let scopes = verified.identity.scopes();
        claims::judge_scopes(scopes, self.context.scopes, self.context.scope_text)?;
        Ok(Arc::clone(&verified.identity))
    }

    fn section(&self, index: usize) -> Option<&'a TokenSection> {
        self.context.sections.get(index)
    }

    /// A token that was verified with the keys that are held now.
    fn seen(&self, hash: &TokenHash, store: &mut TokenStore) -> Option<Arc<Verified>> {
        let mut asked = self.context.asked.iter();
        let (index, verified) = asked.find_map(|index| Some((*index, store.seen(*index, hash, self.context.now)?)))?;
        let Some(keys) = &verified.keys else {
            return Some(verified);
        };
        let is_same = matches!(self.keys(index, store), Held::Keys(held) if Arc::ptr_eq(&held, keys));
        is_same.then_some(verified)
    }

    /// What of a verified token changes with time and route.
    fn counts(&self, verified: &Verified) -> Result<Arc<TokenIdentity>, Stop<'a>> {
        // INVARIANT: the store forgets all when the policy changes, so that there is a section.
        let section = self.section(verified.section).unwrap_or(self.first);
        claims::judge_times(verified.dates, section, self.context.now)?;
        let scopes = verified.identity.scopes();
        claims::judge_scopes(scopes, self.context.scopes, self.context.scope_text)?;
        Ok(Arc::clone(&verified.identity))
    }

    fn keys(&self, index: usize, store: &mut TokenStore) -> Held {
        match self.section(index).map(|section| &section.source) {
            Some(TokenSource::Url(_)) => store.keys(index, self.context.now),
            _ => match self.context.keys.get(index).and_then(Option::as_ref) {
                Some(keys) => Held::Keys(Arc::clone(keys)),
                None => Held::Absent,
            },
        }
    }

    fn verify(&self, store: &mut TokenStore) -> Result<Verified, Stop<'a>> {
        let (payload, signature, claims);
        if let Some(evidence) = store.memo.evidence.take() {
            let Some(is_right) = self.is_right(&evidence.signature, store) else {
                store.memo.evidence = Some(evidence);
                return Err(Stop(TokenStep::NeedsVerification));
            };
            Evidence { signature, payload } = evidence;
            let members = payload.object().ok_or_else(|| self.malformed())?;
            claims = self.claims(&signature, is_right, &members)?;
        } else {
            let mut parts = Parts::read(self.token).map_err(|error| self.by_form(error))?;
            let bytes = std::mem::take(&mut parts.signature);
            let members = parts.payload.object().ok_or_else(|| self.malformed())?;
            signature = self.read(&parts, bytes, &members, store)?;
            let Some(is_right) = self.is_right(&signature, store) else {
                drop(members);
                let payload = parts.payload;
                store.memo.evidence = Some(Evidence { signature, payload });
                return Err(Stop(TokenStep::NeedsVerification));
            };
            claims = self.claims(&signature, is_right, &members)?;
            drop(members);
            payload = parts.payload;
        }
        let section = self.section(signature.section).unwrap_or(self.first);
        let keys = Some(signature.keys);
        Ok(Verified::new(signature.section, section, payload, claims, keys))
    }

    /// Whether the signature is that of its key; none if that is to be found out outside.
    fn is_right(&self, signature: &Signature, store: &TokenStore) -> Option<bool> {
        let is_public = !signature.algorithm.is_symmetric();
        match store.memo.is_verified {
            None if is_public && store.verifies_outside() => None,
            None => Some(signature.is_right(self.token)),
            found => found,
        }
    }

    fn claims(&self, signature: &Signature, is_right: bool, payload: &Object<'_>) -> Result<Claims, Stop<'a>> {
        let section = self.section(signature.section).unwrap_or(self.first);
        if !is_right {
            let what = "the token's signature is not that of its key";
            return Err(fail(Reason::TokenSignatureMismatch, what, &section.rules.source).into());
        }
        Ok(claims::judge(payload, section, self.context.now)?)
    }

    fn by_form(&self, error: JwsError) -> Failure<'a> {
        match error {
            JwsError::HeaderNotUnderstood => fail(
                Reason::TokenHeaderNotUnderstood,
                "the token's header has a member that is not understood",
                &self.first.rules.section,
            ),
            _ => self.malformed(),
        }
    }

    /// Everything of a signed token but its signature and its claims.
    fn read(
        &self,
        parts: &Parts<'a>,
        bytes: Vec<u8>,
        payload: &Object<'_>,
        store: &mut TokenStore,
    ) -> Result<Signature, Stop<'a>> {
        let header = parts.header().map_err(|error| self.by_form(error))?;
        let (index, section) = match self.context.asked {
            [only] => (*only, self.first),
            _ => self.chosen(payload)?,
        };
        let rules = &section.rules;
        let mut types = section.types.iter();
        let is_listed = match header.kind() {
            None => types.any(String::is_empty),
            Some(kind) => types.any(|listed| !listed.is_empty() && is_type(kind, listed)),
        };
        if !is_listed {
            let what = "the token's `typ` is not listed";
            return Err(fail(Reason::TokenTypeNotAllowed, what, &rules.types).into());
        }
        let not_allowed = || {
            let what = "the token's algorithm is not allowed, or not with its key";
            Stop::from(fail(Reason::TokenAlgorithmNotAllowed, what, &rules.algorithms))
        };
        let unknown = || {
            Stop::from(fail(
                Reason::TokenKeyUnknown,
                "no key is known for the token",
                &rules.source,
            ))
        };
        let algorithm = header.algorithm(&section.algorithms).map_err(|_| not_allowed())?;
        let keys = match self.keys(index, store) {
            Held::Keys(keys) => keys,
            Held::Absent => return Err(unknown()),
            Held::Wanted => return Err(Stop(TokenStep::NeedsKeys(index))),
            Held::Unavailable(seconds) => {
                let what = "the keys cannot be fetched";
                let failure = fail(Reason::TokenKeysUnavailable, what, &rules.source);
                return Err(failure.retry_after(seconds).into());
            }
        };
        let key = header.key(&keys, algorithm).map_err(|error| match error {
            JwsError::AlgorithmNotAllowed => not_allowed(),
            _ if matches!(section.source, TokenSource::Url(_)) && store.may_fetch(index, self.context.now) => {
                Stop(TokenStep::NeedsKeys(index))
            }
            _ => unknown(),
        })?;
        let takes = keys
            .keys()
            .get(key)
            .is_some_and(|key| key.takes_length(algorithm, bytes.len()));
        if !takes {
            let what = "the token's signature is not that of its key";
            return Err(fail(Reason::TokenSignatureMismatch, what, &rules.source).into());
        }
        Ok(Signature {
            section: index,
            keys,
            key,
            algorithm,
            signed: parts.signed_length(),
            bytes,
        })
    }

    /// The section of the token's own issuer: never tried, chosen.
    fn chosen(&self, payload: &Object<'_>) -> Result<(usize, &'a TokenSection), Failure<'a>> {
        let rules = &self.first.rules;
        let missing = || fail(Reason::ClaimMissing, "`iss` is missing", &rules.section);
        let malformed = || fail(Reason::ClaimMalformed, "`iss` is no string", &rules.section);
        let issuer = payload.get("iss").ok_or_else(missing)?;
        let issuer = issuer.as_str().ok_or_else(malformed)?;
        let sections = self.context.asked.iter();
        let mut sections = sections.filter_map(|index| Some((*index, self.section(*index)?)));
        sections
            .find(|(_, section)| section.issuer == issuer)
            .ok_or_else(|| fail(Reason::IssuerMismatch, "`iss` is none of the issuers", &rules.issuer))
    }

    /// What a server says of an opaque token (RFC 7662 §2.2).
    fn introspect(&self, index: usize, store: &TokenStore) -> Result<Verified, Stop<'a>> {
        let section = self.first;
        let rules = &section.rules;
        if !is_opaque_token(self.token) {
            return Err(self.malformed().into());
        }
        let Some(answer) = &store.memo.introspected else {
            return Err(Stop(TokenStep::NeedsIntrospection(index)));
        };
        let Some(payload) = answer else {
            let what = "the server that knows tokens cannot be asked";
            let failure = fail(Reason::TokenKeysUnavailable, what, &rules.source);
            return Err(failure.retry_after(RETRY_INTROSPECTION).into());
        };
        let claims = &payload.object().ok_or_else(|| self.malformed())?;
        if claims.get("active").and_then(Node::as_bool) != Some(true) {
            return Err(fail(Reason::TokenInactive, "the token is not active", &rules.source).into());
        }
        match claims.get("token_type").map(Node::as_str) {
            None => {}
            Some(Some(kind)) if kind.eq_ignore_ascii_case("bearer") => {}
            Some(Some(_)) => {
                let what = "the token is not a bearer token";
                return Err(fail(Reason::TokenTypeNotAllowed, what, &rules.source).into());
            }
            Some(None) => {
                let what = "`token_type` is no string";
                return Err(fail(Reason::ClaimMalformed, what, &rules.section).into());
            }
        }
        let found = claims::judge(claims, section, self.context.now)?;
        Ok(Verified::new(index, section, payload.clone(), found, None))
    }

    fn malformed(&self) -> Failure<'a> {
        fail(
            Reason::TokenMalformed,
            "the token is malformed",
            &self.first.rules.section,
        )
    }
}

impl Verified {
    fn new(index: usize, section: &TokenSection, payload: Payload, claims: Claims, keys: Option<Arc<KeySet>>) -> Self {
        let Claims { subject, scopes, dates } = claims;
        Self {
            section: index,
            identity: Arc::new(TokenIdentity {
                name: section.name.clone(),
                issuer: section.issuer.clone(),
                subject,
                scopes,
                claims: payload,
            }),
            dates,
            keys,
        }
    }
}

fn fail<'a>(reason: Reason, what: &'static str, rule: &'a str) -> Failure<'a> {
    Failure::new(reason, Detail::text(what)).by(rule)
}

/// `b64token` (RFC 6750 §2.1), of at most 16 KiB.
fn is_opaque_token(token: &[u8]) -> bool {
    let end = token
        .iter()
        .rposition(|byte| *byte != b'=')
        .map_or(0, |last| last.saturating_add(1));
    let body = token.get(..end).unwrap_or_default();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    !body.is_empty() && token.len() <= super::MAX_TOKEN && body.iter().all(is_plain)
}
