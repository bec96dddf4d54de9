//! A request's token, held against what its route wants (contract §12).

use std::sync::Arc;

use super::algorithm::JwsAlgorithm;
use super::claims::{self, Claims, Dates, Members};
use super::credential;
use super::jws::{Header, JwsError, Object, Parts, Payload};
use super::key::VerificationKey;
use super::key_set::KeySet;
use super::section::{TokenSection, TokenSource, is_type};
use super::store::{Held, TokenHash, TokenStore};
use crate::request::{Request, Timestamp};
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
    signer: Signer,
    /// The length of what is signed, from the token's beginning.
    signed: usize,
    signature: Vec<u8>,
    payload: Payload,
}

/// The key that must have signed a token.
pub(super) struct Signer {
    pub(super) section: usize,
    pub(super) keys: Arc<KeySet>,
    pub(super) key: usize,
    pub(super) algorithm: JwsAlgorithm,
}

/// A token that was verified, and whose claims are as the policy wants them, but for the time and the scopes of a route.
pub(super) struct Verified {
    section: usize,
    pub(super) identity: Arc<TokenIdentity>,
    pub(super) dates: Dates,
    /// Of the token, or of the answer about it.
    pub(super) length: usize,
    /// None of an opaque token.
    pub(super) keys: Option<Arc<KeySet>>,
}

impl Evidence {
    fn new(signer: Signer, parts: Parts<'_>) -> Self {
        Self {
            signer,
            signed: parts.signed.len(),
            signature: parts.signature,
            payload: parts.payload,
        }
    }

    pub(crate) const fn algorithm(&self) -> JwsAlgorithm {
        self.signer.algorithm
    }

    pub(crate) fn key(&self) -> Option<&VerificationKey> {
        self.signer.key()
    }

    #[cfg(feature = "wasm")]
    pub(crate) fn place_of_key(&self) -> (Arc<KeySet>, usize) {
        (Arc::clone(&self.signer.keys), self.signer.key)
    }

    pub(crate) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// What of the token is signed.
    pub(crate) fn signed<'t>(&self, token: &'t [u8]) -> &'t [u8] {
        token.get(..self.signed).unwrap_or_default()
    }
}

impl Signer {
    fn key(&self) -> Option<&VerificationKey> {
        self.keys.keys().get(self.key)
    }

    /// True if the signature is one that the key can have made, by its form.
    pub(super) fn takes(&self, signature: &[u8]) -> bool {
        self.key().is_some_and(|key| key.takes(self.algorithm, signature))
    }

    pub(super) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        self.key()
            .is_some_and(|key| key.verifies(self.algorithm, signed, signature))
    }
}

/// The token of a request, where its place is known.
pub(crate) fn token_of<'a>(context: &TokenContext<'a>) -> Option<&'a [u8]> {
    let first = context.sections.get(*context.asked.first()?)?;
    credential::token(&context.request, &first.from).ok()
}

/// How far a request's token comes with what is in the store.
pub(crate) fn judge<'a>(context: &TokenContext<'a>, store: &mut TokenStore) -> TokenStep<'a> {
    match Trial::begin(context)
        .map_err(Stop::from)
        .and_then(|trial| trial.run(store))
    {
        Ok(identity) => TokenStep::Proved(identity),
        Err(stop) => stop.0,
    }
}

/// Where the judgement of a token stops.
pub(super) struct Stop<'a>(pub(super) TokenStep<'a>);

impl<'a> From<Failure<'a>> for Stop<'a> {
    fn from(failure: Failure<'a>) -> Self {
        Self(TokenStep::Refused(failure))
    }
}

/// One token before the sections of one route.
pub(super) struct Trial<'c, 'a> {
    pub(super) context: &'c TokenContext<'a>,
    pub(super) first: &'a TokenSection,
    pub(super) token: &'a [u8],
}

impl<'c, 'a> Trial<'c, 'a> {
    pub(super) fn begin(context: &'c TokenContext<'a>) -> Result<Self, Failure<'a>> {
        // INVARIANT: the compiler gives every route that asks for tokens at least one section.
        let first = context.asked.first().and_then(|index| context.sections.get(*index));
        let Some(first) = first else {
            let detail = Detail::text("no section is asked for");
            return Err(Failure::new(Reason::TokenMissing, detail));
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
            store.keep(verified.section, hash, &verified, self.context.now);
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
        let (signer, claims, payload) = match store.memo.evidence.take() {
            Some(evidence) => {
                let signed = evidence.signed(self.token);
                let Some(is_right) = self.is_right(&evidence.signer, signed, &evidence.signature, store) else {
                    store.memo.evidence = Some(evidence);
                    return Err(Stop(TokenStep::NeedsVerification));
                };
                let members = self.members(&evidence.payload)?;
                let claims = self.claims(&evidence.signer, is_right, &members)?;
                drop(members);
                (evidence.signer, claims, evidence.payload)
            }
            None => {
                let parts = self.parts()?;
                let (members, header) = self.parsed(&parts)?;
                let signer = self.signer(&parts, &members, &header, store)?;
                let signed = parts.signed.as_bytes();
                let is_right = self.is_right(&signer, signed, &parts.signature, store);
                let claims = is_right.map(|is_right| self.claims(&signer, is_right, &members));
                drop((members, header));
                match claims {
                    Some(claims) => (signer, claims?, parts.payload),
                    None => {
                        store.memo.evidence = Some(Evidence::new(signer, parts));
                        return Err(Stop(TokenStep::NeedsVerification));
                    }
                }
            }
        };
        let section = self.section(signer.section).unwrap_or(self.first);
        let (length, keys) = (self.token.len(), Some(signer.keys));
        Ok(Verified::new((signer.section, section), payload, claims, length, keys))
    }

    /// Whether the signature is that of the key; none if that is to be found out outside.
    fn is_right(&self, signer: &Signer, signed: &[u8], signature: &[u8], store: &TokenStore) -> Option<bool> {
        let is_public = !signer.algorithm.is_symmetric();
        match store.memo.is_verified {
            None if is_public && store.verifies_outside() => None,
            None => Some(signer.verifies(signed, signature)),
            found => found,
        }
    }

    fn claims(&self, signer: &Signer, is_right: bool, payload: &Object<'_>) -> Result<Claims, Stop<'a>> {
        let section = self.section(signer.section).unwrap_or(self.first);
        if !is_right {
            return Err(mismatch(section).into());
        }
        Ok(claims::judge(&Members::of(payload), section, self.context.now)?)
    }

    /// Everything of a signed token but its signature and its claims: which key must have signed it.
    fn signer(
        &self,
        parts: &Parts<'a>,
        payload: &Object<'_>,
        header: &Header<'_>,
        store: &mut TokenStore,
    ) -> Result<Signer, Stop<'a>> {
        let (index, section) = self.section_for(payload)?;
        judge_type(header, section)?;
        let algorithm = judge_algorithm(header, section)?;
        let keys = self.held(index, section, store)?;
        let key = self.key(header, algorithm, &keys, (index, section), store)?;
        let signer = Signer {
            section: index,
            keys,
            key,
            algorithm,
        };
        if signer.takes(&parts.signature) {
            Ok(signer)
        } else {
            Err(mismatch(section).into())
        }
    }

    /// The parts of a signed token.
    pub(super) fn parts(&self) -> Result<Parts<'a>, Failure<'a>> {
        Parts::read(self.token).map_err(|error| self.by_form(error))
    }

    /// The form of a signed token: its payload, and its header.
    pub(super) fn parsed<'x>(&self, parts: &'x Parts<'a>) -> Result<(Object<'x>, Header<'x>), Failure<'a>> {
        let payload = self.members(&parts.payload)?;
        Ok((payload, parts.header().map_err(|error| self.by_form(error))?))
    }

    fn members<'x>(&self, payload: &'x Payload) -> Result<Object<'x>, Failure<'a>> {
        payload.object().ok_or_else(|| self.malformed())
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

    /// The keys of a section.
    pub(super) fn held(
        &self,
        index: usize,
        section: &'a TokenSection,
        store: &mut TokenStore,
    ) -> Result<Arc<KeySet>, Stop<'a>> {
        match self.keys(index, store) {
            Held::Keys(keys) => Ok(keys),
            Held::Absent => Err(unknown(section).into()),
            Held::Wanted => Err(Stop(TokenStep::NeedsKeys(index))),
            Held::Unavailable(seconds) => {
                let what = "the keys cannot be fetched";
                let failure = fail(Reason::TokenKeysUnavailable, what, &section.rules.source);
                Err(failure.retry_after(seconds).into())
            }
        }
    }

    /// The place of the one key for the token.
    pub(super) fn key(
        &self,
        header: &Header<'_>,
        algorithm: JwsAlgorithm,
        keys: &KeySet,
        (index, section): (usize, &'a TokenSection),
        store: &TokenStore,
    ) -> Result<usize, Stop<'a>> {
        header.key(keys, algorithm).map_err(|error| match error {
            JwsError::AlgorithmNotAllowed => not_allowed(section).into(),
            _ if matches!(section.source, TokenSource::Url(_)) && store.may_fetch(index, self.context.now) => {
                Stop(TokenStep::NeedsKeys(index))
            }
            _ => unknown(section).into(),
        })
    }

    /// The section that a signed token is held against.
    pub(super) fn section_for(&self, payload: &Object<'_>) -> Result<(usize, &'a TokenSection), Failure<'a>> {
        match self.context.asked {
            [only] => Ok((*only, self.first)),
            _ => self.chosen(payload),
        }
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
            .find(|(_, section)| *section.issuer == *issuer)
            .ok_or_else(|| fail(Reason::IssuerMismatch, "`iss` is none of the issuers", &rules.issuer))
    }

    /// What a server says of an opaque token (RFC 7662 §2.2).
    fn introspect(&self, index: usize, store: &TokenStore) -> Result<Verified, Stop<'a>> {
        let section = self.first;
        self.judge_opaque()?;
        let (answer, length) = self.answer(index, store)?;
        let claims = self.members(answer)?;
        judge_active(&claims, section)?;
        judge_token_type(&claims, section)?;
        let found = claims::judge(&Members::of(&claims), section, self.context.now)?;
        Ok(Verified::new((index, section), answer.clone(), found, length, None))
    }

    /// The form of an opaque token.
    pub(super) fn judge_opaque(&self) -> Result<(), Failure<'a>> {
        if is_opaque_token(self.token) {
            Ok(())
        } else {
            Err(self.malformed())
        }
    }

    /// What the server said of it, and the length of that.
    pub(super) fn answer<'s>(&self, index: usize, store: &'s TokenStore) -> Result<(&'s Payload, usize), Stop<'a>> {
        let Some(answer) = &store.memo.introspected else {
            return Err(Stop(TokenStep::NeedsIntrospection(index)));
        };
        match &answer.claims {
            Some(claims) => Ok((claims, answer.length)),
            None => {
                let failure = fail(Reason::TokenKeysUnavailable, answer.trouble, &self.first.rules.source);
                Err(failure.retry_after(RETRY_INTROSPECTION).into())
            }
        }
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
    fn new(
        (index, section): (usize, &TokenSection),
        payload: Payload,
        claims: Claims,
        length: usize,
        keys: Option<Arc<KeySet>>,
    ) -> Self {
        let Claims { subject, scopes, dates } = claims;
        Self {
            section: index,
            identity: Arc::new(TokenIdentity {
                name: Arc::clone(&section.name),
                issuer: Arc::clone(&section.issuer),
                subject,
                scopes,
                claims: payload,
            }),
            dates,
            length,
            keys,
        }
    }
}

/// That `typ` is listed.
pub(super) fn judge_type<'a>(header: &Header<'_>, section: &'a TokenSection) -> Result<(), Failure<'a>> {
    let mut types = section.types.iter();
    let is_listed = match header.kind() {
        None => types.any(String::is_empty),
        Some(kind) => types.any(|listed| !listed.is_empty() && is_type(kind, listed)),
    };
    if is_listed {
        return Ok(());
    }
    let what = "the token's `typ` is not listed";
    Err(fail(Reason::TokenTypeNotAllowed, what, &section.rules.types))
}

/// That `alg` is listed.
pub(super) fn judge_algorithm<'a>(header: &Header<'_>, section: &'a TokenSection) -> Result<JwsAlgorithm, Failure<'a>> {
    header.algorithm(&section.algorithms).map_err(|_| not_allowed(section))
}

/// That a server knows the token as one that counts.
pub(super) fn judge_active<'a>(claims: &Object<'_>, section: &'a TokenSection) -> Result<(), Failure<'a>> {
    if claims.get("active").and_then(Object::as_bool) == Some(true) {
        return Ok(());
    }
    let what = "the token is not active";
    Err(fail(Reason::TokenInactive, what, &section.rules.source))
}

/// That a server knows it as a bearer token, if it says of what type it is.
pub(super) fn judge_token_type<'a>(claims: &Object<'_>, section: &'a TokenSection) -> Result<(), Failure<'a>> {
    match claims.get("token_type").map(Object::as_str) {
        None => Ok(()),
        Some(Some(kind)) if kind.eq_ignore_ascii_case("bearer") => Ok(()),
        Some(Some(_)) => {
            let what = "the token is not a bearer token";
            Err(fail(Reason::TokenTypeNotAllowed, what, &section.rules.source))
        }
        Some(None) => {
            let what = "`token_type` is no string";
            Err(fail(Reason::ClaimMalformed, what, &section.rules.section))
        }
    }
}

fn not_allowed(section: &TokenSection) -> Failure<'_> {
    let what = "the token's algorithm is not allowed, or not with its key";
    fail(Reason::TokenAlgorithmNotAllowed, what, &section.rules.algorithms)
}

fn unknown(section: &TokenSection) -> Failure<'_> {
    let what = "no key is known for the token";
    fail(Reason::TokenKeyUnknown, what, &section.rules.source)
}

pub(super) fn mismatch(section: &TokenSection) -> Failure<'_> {
    let what = "the token's signature is not that of its key";
    fail(Reason::TokenSignatureMismatch, what, &section.rules.source)
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
