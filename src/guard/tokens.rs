//! The checks `token` and `claims`: what a route asks of a bearer token, and what has to be found out elsewhere for that.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{Guard, Inspection, Pass, Trial};
use crate::policy::Policy;
use crate::request::Timestamp;
use crate::route::Route;
use crate::token::{
    self, AnswerError, Evidence, Introspected, JwsAlgorithm, KeySet, KeysKept, TokenAnswer, TokenContext, TokenFinding,
    TokenSection, TokenSource, TokenStep, TokenStore, VerificationKey,
};
use crate::verdict::{Check, Detail, Failure, Mode, Reason};

/// What check `claims` finds: nothing wrong, or the failure.
pub(super) type Claims<'a> = Result<(), Failure<'a>>;

/// The key sets and secrets of the `tokens` sections, each by its section.
#[derive(Clone)]
pub(super) struct TokenKeys {
    /// None where they are fetched, or were not read.
    pub(super) sets: Vec<Option<Arc<KeySet>>>,
    /// For the servers that are asked about tokens.
    pub(super) secrets: Vec<Option<Zeroizing<Vec<u8>>>>,
    /// Stands for the guard, and its clones.
    pub(super) identity: Arc<()>,
}

impl TokenKeys {
    /// What stands in the policy itself.
    pub(super) fn inline(policy: &Policy) -> Self {
        let of_section = |section: &TokenSection| match &section.source {
            TokenSource::Inline(keys) => Some(Arc::clone(keys)),
            _ => None,
        };
        Self {
            sets: policy.tokens.iter().map(of_section).collect(),
            secrets: vec![None; policy.tokens.len()],
            identity: Arc::default(),
        }
    }

    /// Makes a store that of this guard.
    pub(super) fn own(&self, store: &mut TokenStore) {
        store.belong_to(&self.identity, self.sets.len());
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKeys").finish_non_exhaustive()
    }
}

/// What a token waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Need {
    Keys(usize),
    Introspection(usize),
    Verification,
}

impl<'a> Trial<'a> {
    pub(super) fn token(&mut self, store: &mut TokenStore) -> Result<Pass, Failure<'a>> {
        match self.asked_route() {
            None => Ok(Pass::Skipped("no token is asked for")),
            Some(route) => self.token_for(route, store),
        }
    }

    // Not inlined: requests that need no token would pay for it.
    #[inline(never)]
    fn token_for(&mut self, route: &'a Route, store: &mut TokenStore) -> Result<Pass, Failure<'a>> {
        let context = self.token_context(route)?;
        match token::judge(&context, store) {
            TokenStep::Proved(identity) => {
                // In report mode nothing is proved.
                if self.mode() == Mode::Enforce {
                    self.identity.token = Some(identity);
                }
                self.claims = Some(Ok(()));
                Ok(Pass::Token)
            }
            TokenStep::Refused(failure) if failure.reason().check() == Check::Claims => {
                self.claims = Some(Err(failure));
                Ok(Pass::Token)
            }
            TokenStep::Refused(failure) => Err(failure),
            TokenStep::NeedsKeys(section) => Ok(Pass::Asks(Need::Keys(section))),
            TokenStep::NeedsIntrospection(section) => Ok(Pass::Asks(Need::Introspection(section))),
            TokenStep::NeedsVerification => Ok(Pass::Asks(Need::Verification)),
        }
    }

    /// The route, if it asks for a token; a preflight carries no credentials.
    fn asked_route(&self) -> Option<&'a Route> {
        self.route
            .filter(|route| !route.tokens.is_empty() && !self.identity.preflight)
    }

    fn token_context(&self, route: &'a Route) -> Result<TokenContext<'a>, Failure<'a>> {
        let guard: &'a Guard = self.guard;
        let Some(now) = self.now else {
            let detail = Detail::text("a token is to be judged, and no time was given");
            return Err(Failure::new(Reason::RequestMalformed, detail));
        };
        Ok(TokenContext {
            sections: &guard.policy.tokens,
            keys: &guard.token_keys.sets,
            asked: &route.tokens,
            request: self.request,
            now,
            scopes: &route.scopes,
            scope_text: &route.scope_text,
        })
    }

    pub(super) fn claims(&mut self) -> Result<Pass, Failure<'a>> {
        match self.claims.take() {
            None => Ok(Pass::Skipped("no token is asked for")),
            Some(found) => found.map(|()| Pass::Claims),
        }
    }

    /// What every rule finds in the token, if one is asked for.
    pub(super) fn trace_token(&self, store: &mut TokenStore) -> Vec<TokenFinding> {
        let context = self.asked_route().and_then(|route| self.token_context(route).ok());
        context.map_or_else(Vec::new, |context| token::trace(&context, store))
    }

    /// True if the token is one that a server is asked about.
    pub(super) fn is_opaque(&self) -> bool {
        let asked = self.asked_route().and_then(|route| route.tokens.first());
        let section = asked.and_then(|index| self.section(*index));
        section.is_some_and(|section| matches!(section.source, TokenSource::Introspection(_)))
    }

    /// The token that is judged.
    fn token_text(&self) -> &'a [u8] {
        let context = self.asked_route().and_then(|route| self.token_context(route).ok());
        context.as_ref().and_then(token::token_of).unwrap_or_default()
    }

    fn section(&self, index: usize) -> Option<&'a TokenSection> {
        let guard: &'a Guard = self.guard;
        guard.policy.tokens.get(index)
    }
}

/// What is asked for a token.
pub(super) fn asking<'a>(trial: Trial<'a>, need: Need, store: &mut TokenStore) -> Inspection<'a> {
    match need {
        Need::Keys(section) => Inspection::NeedsKeys(Box::new(NeedsKeys { trial, section })),
        Need::Introspection(section) => Inspection::NeedsIntrospection(Box::new(NeedsIntrospection {
            trial,
            section,
            answer: Introspected::read(None).0,
        })),
        Need::Verification => Inspection::NeedsVerification(Box::new(NeedsVerification {
            trial,
            evidence: store.take_evidence(),
        })),
    }
}

/// What is to be asked of another server. Shows neither token nor secret but through its accessors.
pub struct TokenQuestion<'q> {
    section: &'q str,
    url: &'q str,
    authorization: Option<Zeroizing<String>>,
    body: Option<Zeroizing<String>>,
}

impl TokenQuestion<'_> {
    /// The `tokens` section that asks.
    #[must_use]
    pub const fn section(&self) -> &str {
        self.section
    }

    /// Whom it asks; to be reached as section `egress` says, without following redirects.
    #[must_use]
    pub const fn url(&self) -> &str {
        self.url
    }

    /// The `authorization` header of the question; none for keys.
    #[must_use]
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_ref().map(|text| text.as_str())
    }

    /// The body, `application/x-www-form-urlencoded`, of a POST; none for keys, which are got with GET.
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        self.body.as_ref().map(|text| text.as_str())
    }
}

impl fmt::Debug for TokenQuestion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenQuestion")
            .field("section", &self.section)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// A request whose token is to be verified with keys that must be fetched. Many requests can need the same keys: one fetch does for all.
#[derive(Debug)]
pub struct NeedsKeys<'a> {
    trial: Trial<'a>,
    section: usize,
}

impl<'a> NeedsKeys<'a> {
    /// What to ask, and whom.
    #[must_use]
    pub fn question(&self) -> TokenQuestion<'a> {
        let section = self.trial.section(self.section);
        TokenQuestion {
            section: section.map_or("", |section| &section.name),
            url: match section.map(|section| &section.source) {
                Some(TokenSource::Url(url)) => url,
                _ => "",
            },
            authorization: None,
            body: None,
        }
    }

    /// The time at which the request is judged.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.trial.now.unwrap_or(Timestamp(0))
    }

    /// Keeps the answer, or that there was none: in either case nothing is fetched again for 30 seconds from `now` on.
    ///
    /// # Errors
    /// Why the answer cannot be used; for a log.
    pub fn keep(
        &self,
        answer: Option<TokenAnswer<'_>>,
        now: Timestamp,
        store: &mut TokenStore,
    ) -> Result<KeysKept, AnswerError> {
        self.trial.guard.keep_keys_of(self.section, answer, now, store)
    }

    /// Judges with what the store has now.
    #[must_use]
    pub fn resume(self, store: &mut TokenStore) -> Inspection<'a> {
        // Other requests may have been judged with it in the meantime.
        store.begin();
        self.trial.advance(Check::Token, store)
    }
}

/// A request whose token only another server knows (RFC 7662).
#[derive(Debug)]
pub struct NeedsIntrospection<'a> {
    trial: Trial<'a>,
    section: usize,
    answer: Introspected,
}

impl<'a> NeedsIntrospection<'a> {
    /// What to ask, and whom.
    #[must_use]
    pub fn question(&self) -> TokenQuestion<'a> {
        let guard: &'a Guard = self.trial.guard;
        let section = self.trial.section(self.section);
        let rules = section.and_then(|section| match &section.source {
            TokenSource::Introspection(rules) => Some(rules),
            _ => None,
        });
        let secret = guard.token_keys.secrets.get(self.section).and_then(Option::as_ref);
        // RFC 6749 §2.3.1: both are encoded as in a form before they are credentials of Basic.
        let authorization = rules.zip(secret).map(|(rules, secret)| {
            let both = [form(rules.client_id.as_bytes()), form(secret)];
            let both = Zeroizing::new(both.each_ref().map(|text| text.as_str()).join(":"));
            Zeroizing::new(["Basic ", Zeroizing::new(STANDARD.encode(&*both)).as_str()].concat())
        });
        let token = form(self.trial.token_text());
        TokenQuestion {
            section: section.map_or("", |section| &section.name),
            url: rules.map_or("", |rules| &rules.url),
            authorization,
            body: Some(Zeroizing::new(
                ["token=", token.as_str(), "&token_type_hint=access_token"].concat(),
            )),
        }
    }

    /// Takes the answer, or that there was none. What is found of an active token counts for at most 30 seconds, if the policy does not forbid it.
    ///
    /// # Errors
    /// Why the answer cannot be used; for a log.
    pub fn take(&mut self, answer: Option<TokenAnswer<'_>>) -> Result<(), AnswerError> {
        let (answer, result) = Introspected::read(answer);
        self.answer = answer;
        result
    }

    /// Judges with the answer that was taken; without one, as if there were none.
    #[must_use]
    pub fn resume(self, store: &mut TokenStore) -> Inspection<'a> {
        store.begin();
        store.introspected(self.answer);
        self.trial.advance(Check::Token, store)
    }
}

/// A request whose token has a signature that is to be verified. Algorithm, key and lengths fit each other.
pub struct NeedsVerification<'a> {
    trial: Trial<'a>,
    evidence: Option<Evidence>,
}

impl<'a> NeedsVerification<'a> {
    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Option<JwsAlgorithm> {
        self.evidence.as_ref().map(Evidence::algorithm)
    }

    /// The key; never a secret.
    #[must_use]
    pub fn key(&self) -> Option<&VerificationKey> {
        self.evidence.as_ref().and_then(Evidence::key)
    }

    /// What is signed.
    #[must_use]
    pub fn signed(&self) -> &'a [u8] {
        let token = self.trial.token_text();
        self.evidence.as_ref().map_or(&[], |evidence| evidence.signed(token))
    }

    /// The signature, as JWS has it: of ECDSA both numbers one after the other.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        self.evidence.as_ref().map_or(&[], Evidence::signature)
    }

    /// The same for crypto that takes DER, as OpenSSL's and BoringSSL's do; none for an algorithm other than RS256, RS384, RS512, ES256 and ES384.
    #[must_use]
    pub fn native(&self) -> Option<NativeVerification<'_>> {
        let hash = match self.algorithm()? {
            JwsAlgorithm::Rs256 | JwsAlgorithm::Es256 => "sha256",
            JwsAlgorithm::Rs384 | JwsAlgorithm::Es384 => "sha384",
            JwsAlgorithm::Rs512 => "sha512",
            _ => return None,
        };
        let signature = match self.algorithm()? {
            JwsAlgorithm::Es256 | JwsAlgorithm::Es384 => token::ecdsa_signature(self.signature())?.into(),
            _ => self.signature().into(),
        };
        Some(NativeVerification {
            hash,
            spki: self.key()?.spki()?,
            signature,
            signed: self.signed(),
        })
    }

    /// Verifies with ring.
    #[must_use]
    pub fn is_right(&self) -> bool {
        let (Some(key), Some(algorithm)) = (self.key(), self.algorithm()) else {
            return false;
        };
        key.verifies(algorithm, self.signed(), self.signature())
    }

    /// Judges with what came of it.
    #[must_use]
    pub fn resume(self, is_right: bool, store: &mut TokenStore) -> Inspection<'a> {
        store.begin();
        store.give_evidence(self.evidence);
        store.verified(is_right);
        self.trial.advance(Check::Token, store)
    }

    /// Leaves the judgement to [`Guard::inspect_again_in`]: this is empty then.
    #[cfg(feature = "wasm")]
    pub(crate) fn suspend(&mut self, store: &mut TokenStore) {
        store.give_evidence(self.evidence.take());
    }

    /// The set that has the key, and its place in there.
    #[cfg(feature = "wasm")]
    pub(crate) fn place_of_key(&self) -> Option<(Arc<KeySet>, usize)> {
        self.evidence.as_ref().map(Evidence::place_of_key)
    }
}

/// What is to be verified, as a key and a signature of RSA (RSASSA-PKCS1-v1_5, RFC 8017 §8.2) or ECDSA in DER.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NativeVerification<'n> {
    /// `sha256`, `sha384` or `sha512`.
    pub hash: &'static str,
    /// The SubjectPublicKeyInfo (RFC 5280 §4.1.2.7). It says which of the two it is.
    pub spki: Vec<u8>,
    /// Of RSA as it is; of ECDSA an ECDSA-Sig-Value (RFC 3279 §2.2.3).
    pub signature: Cow<'n, [u8]>,
    /// What is signed.
    pub signed: &'n [u8],
}

impl fmt::Debug for NeedsVerification<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NeedsVerification").finish_non_exhaustive()
    }
}

impl Guard {
    /// Keeps keys that were fetched for a section, told by its name; see [`NeedsKeys::keep`].
    ///
    /// # Errors
    /// Why the answer cannot be used; for a log.
    pub fn keep_keys(
        &self,
        section: &str,
        answer: Option<TokenAnswer<'_>>,
        now: Timestamp,
        store: &mut TokenStore,
    ) -> Result<KeysKept, AnswerError> {
        let index = self.token_section(section).ok_or(AnswerError::None)?;
        self.keep_keys_of(index, answer, now, store)
    }

    fn keep_keys_of(
        &self,
        section: usize,
        answer: Option<TokenAnswer<'_>>,
        now: Timestamp,
        store: &mut TokenStore,
    ) -> Result<KeysKept, AnswerError> {
        self.token_keys.own(store);
        let rules = self.policy.tokens.get(section).ok_or(AnswerError::None)?;
        store.keep_keys(section, rules, now, answer)
    }

    /// When the fetched keys of a section are due to be fetched again, beside the requests that they do for; none if there are none.
    #[must_use]
    pub fn refresh_at(&self, section: &str, store: &TokenStore) -> Option<Timestamp> {
        store.refresh_at(self.token_section(section)?)
    }

    /// True if the fetched keys of a section are to be fetched again now, beside the requests that they do for.
    #[must_use]
    pub fn is_refresh_due(&self, section: &str, now: Timestamp, store: &TokenStore) -> bool {
        self.token_section(section)
            .is_some_and(|section| store.is_refresh_due(section, now))
    }

    /// Marks that the keys of a section are being fetched again, beside the requests that the held ones do for until then.
    pub fn refreshing(&self, section: &str, now: Timestamp, store: &mut TokenStore) {
        if let Some(section) = self.token_section(section) {
            store.refreshing(section, now);
        }
    }

    fn token_section(&self, name: &str) -> Option<usize> {
        self.policy.tokens.iter().position(|section| *section.name == *name)
    }
}

/// As a value of a form (URL Standard, "application/x-www-form-urlencoded percent-encode set").
fn form(bytes: &[u8]) -> Zeroizing<String> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).map_or('0', |digit| char::from(*digit));
    let mut text = Zeroizing::new(String::with_capacity(bytes.len().saturating_mul(3)));
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._*".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push('%');
            text.push(digit(byte >> 4));
            text.push(digit(byte & 15));
        }
    }
    text
}
