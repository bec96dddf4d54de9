//! What becomes of a token, rule by rule, for people.
//!
//! Runs the rules of the judgement one by one, also past the first that fails where nothing depends on it. Of the token it tells `alg` and `typ`, times and
//! counts, and no other value.

use super::algorithm::JwsAlgorithm;
use super::claims::{self, Dates, Members, Rule};
use super::judge::{self, Signer, Stop, TokenContext, TokenStep, Trial};
use super::jws::{Header, Object, Parts, Payload};
use super::key::VerificationKey;
use super::section::{TokenPlace, TokenSection, TokenSource};
use super::store::TokenStore;
use crate::verdict::{Check, Failure, Reason, write_escaped};

/// The longest `alg` or `typ` that is shown, in bytes: `application/at+jwt` has 18.
const SHOWN: usize = 20;

/// What is judged of a signed token once its section is known, before its claims.
const OF_HEADER: [&str; 6] = ["typ", "alg", "keys", "kid", "key", "signature"];

const ASKS: &str = "not judged: another server would have to be asked";

/// What one rule finds.
pub(crate) struct TokenFinding {
    pub(crate) name: &'static str,
    pub(crate) outcome: Found,
    /// The entry of the policy, as a dotted path.
    pub(crate) rule: String,
    pub(crate) note: String,
    /// Whether it is of the token itself, or of what it claims.
    pub(crate) check: Check,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Found {
    Pass,
    Fail(Reason),
    /// There is nothing to judge, or it was not judged.
    Nothing,
}

/// What every rule finds in the token of a request, with what is in the store once the request was judged.
pub(crate) fn trace(context: &TokenContext<'_>, store: &mut TokenStore) -> Vec<TokenFinding> {
    let mut trace = Trace::default();
    let first = context.asked.first().and_then(|index| context.sections.get(*index));
    let place = first.map_or_else(String::new, place);
    match Trial::begin(context) {
        Ok(trial) => {
            trace.add(
                "place",
                Found::Pass,
                &trial.first.rules.section,
                format!("found {place}"),
            );
            match (context.asked, &trial.first.source) {
                ([index], TokenSource::Introspection(_)) => trace.opaque(&trial, *index, store),
                _ => trace.signed(&trial, store),
            }
        }
        Err(failure) => trace.fail("place", &failure, format!("looked for {place}: {}", failure.detail())),
    }
    trace.findings
}

fn place(section: &TokenSection) -> String {
    match &section.from {
        TokenPlace::Bearer => "in the header `authorization`, after `Bearer`".into(),
        TokenPlace::Header(name) => format!("in the header `{name}`"),
        TokenPlace::Cookie(name) => format!("in the cookie `{name}`"),
    }
}

struct Trace {
    findings: Vec<TokenFinding>,
    check: Check,
}

impl Default for Trace {
    fn default() -> Self {
        Self {
            findings: Vec::new(),
            check: Check::Token,
        }
    }
}

impl Trace {
    fn add(&mut self, name: &'static str, outcome: Found, rule: &str, note: impl Into<String>) {
        self.findings.push(TokenFinding {
            name,
            outcome,
            rule: rule.to_owned(),
            note: note.into(),
            check: self.check,
        });
    }

    fn fail(&mut self, name: &'static str, failure: &Failure<'_>, note: String) {
        self.add(
            name,
            Found::Fail(failure.reason()),
            failure.rule().unwrap_or_default(),
            note,
        );
    }

    /// A rule that says all by its reason.
    fn judged<'a, T>(
        &mut self,
        name: &'static str,
        rule: &str,
        found: Result<T, impl Into<Stop<'a>>>,
        note: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        match found.map_err(Into::into) {
            Ok(found) => {
                self.add(name, Found::Pass, rule, note(&found));
                Some(found)
            }
            Err(Stop(TokenStep::Refused(failure))) => {
                self.fail(name, &failure, failure.detail().to_string());
                None
            }
            Err(_) => {
                self.add(name, Found::Nothing, rule, ASKS);
                None
            }
        }
    }

    fn signed<'a>(&mut self, trial: &Trial<'_, 'a>, store: &mut TokenStore) {
        let in_order = "three parts, of which header and payload are JSON objects";
        let parts = trial.parts();
        let parsed = parts.as_ref().map_err(Clone::clone).and_then(|parts| {
            let (payload, header) = trial.parsed(parts)?;
            Ok((parts, payload, header))
        });
        let parsed = self.judged("form", &trial.first.rules.section, parsed, |_| in_order.into());
        let section = parsed.and_then(|(parts, payload, header)| {
            let found = trial.section_for(&payload);
            let chosen = match (trial.context.asked, found) {
                ([_], found) => found.ok(),
                (_, found) => {
                    // The issuer is a claim, though it is looked at first.
                    if found.is_err() {
                        self.check = Check::Claims;
                    }
                    let name = |(_, section): &(usize, &TokenSection)| {
                        format!("`iss` is the issuer of {}", section.rules.section)
                    };
                    self.judged("section", &trial.first.rules.issuer, found, name)
                }
            };
            Some((parts, payload, header, chosen?))
        });
        if let Some((parts, payload, header, chosen)) = section
            && self.header(trial, parts, &header, chosen, store)
        {
            self.claims(&payload, chosen.1, trial);
        }
    }

    /// The header, key and signature: true if the signature is right.
    fn header<'a>(
        &mut self,
        trial: &Trial<'_, 'a>,
        parts: &Parts<'a>,
        header: &Header<'_>,
        (index, section): (usize, &'a TokenSection),
        store: &mut TokenStore,
    ) -> bool {
        let rules = &section.rules;
        let kind = header.kind().map(shown);
        let kind = kind.unwrap_or_else(|| "an absent one".into());
        match judge::judge_type(header, section) {
            Ok(()) => self.add("typ", Found::Pass, &rules.types, format!("{kind} is listed")),
            Err(failure) => self.fail("typ", &failure, format!("{kind} is not listed")),
        }
        let name = shown(header.algorithm_name());
        let algorithm = match judge::judge_algorithm(header, section) {
            Ok(algorithm) => {
                self.add("alg", Found::Pass, &rules.algorithms, format!("{name} is listed"));
                Some(algorithm)
            }
            Err(failure) => {
                self.fail("alg", &failure, format!("{name} is not listed"));
                None
            }
        };
        let signer = algorithm.and_then(|algorithm| self.signer(trial, header, algorithm, (index, section), store));
        let is_right = signer.is_some_and(|signer| {
            let is_right = signer.takes(&parts.signature) && signer.verifies(parts.signed.as_bytes(), &parts.signature);
            let found = is_right.then_some(()).ok_or_else(|| judge::mismatch(section));
            self.judged("signature", &rules.source, found, |()| "that of the key".into());
            is_right
        });
        // What depends on what failed.
        let is_found = |name: &&str| self.findings.iter().any(|finding| finding.name == *name);
        let rest: Vec<_> = OF_HEADER.into_iter().filter(|name| !is_found(name)).collect();
        for name in rest {
            self.add(name, Found::Nothing, &rules.section, "not judged");
        }
        is_right
    }

    fn signer<'a>(
        &mut self,
        trial: &Trial<'_, 'a>,
        header: &Header<'_>,
        algorithm: JwsAlgorithm,
        (index, section): (usize, &'a TokenSection),
        store: &mut TokenStore,
    ) -> Option<Signer> {
        let rule = &section.rules.source;
        let held = trial.held(index, section, store);
        let keys = self.judged("keys", rule, held, |keys| count(keys.keys().len(), "key"))?;
        let named = keys
            .select(header.key_id(), algorithm)
            .and_then(|index| keys.keys().get(index));
        let described = named.map(described).unwrap_or_default();
        let (with, without) = match header.key_id() {
            Some(_) => ("names a key", "names no key of the set"),
            None => (
                "absent, and one key fits `alg`",
                "absent, and not just one key fits `alg`",
            ),
        };
        match trial.key(header, algorithm, &keys, (index, section), store) {
            Ok(key) => {
                self.add("kid", Found::Pass, rule, with);
                self.add("key", Found::Pass, rule, described);
                Some(Signer {
                    section: index,
                    keys,
                    key,
                    algorithm,
                })
            }
            Err(Stop(TokenStep::Refused(failure))) if named.is_some() => {
                self.add("kid", Found::Pass, rule, with);
                self.fail("key", &failure, format!("{described}, not for {algorithm}"));
                None
            }
            Err(Stop(TokenStep::Refused(failure))) => {
                self.fail("kid", &failure, without.into());
                None
            }
            Err(_) => {
                self.add("kid", Found::Nothing, rule, ASKS);
                None
            }
        }
    }

    fn opaque(&mut self, trial: &Trial<'_, '_>, index: usize, store: &TokenStore) {
        let section = trial.first;
        let rules = &section.rules;
        let form = self.judged("form", &rules.section, trial.judge_opaque(), |()| {
            "that of an opaque token".into()
        });
        if form.is_none() {
            return;
        }
        let remembered = store.memo.proved.as_ref().filter(|_| store.memo.introspected.is_none());
        let answer = match remembered {
            Some(proved) => {
                self.add(
                    "answer",
                    Found::Pass,
                    &rules.source,
                    "remembered from an earlier request",
                );
                Some(&proved.identity.claims)
            }
            None => self.judged(
                "answer",
                &rules.source,
                trial.answer(index, store).map(|(claims, _)| claims),
                |_| "the server gave one".into(),
            ),
        };
        let Some(claims) = answer.and_then(Payload::object) else {
            return;
        };
        self.check = Check::Claims;
        let active = judge::judge_active(&claims, section);
        if self
            .judged("active", &rules.source, active, |()| {
                "the server knows the token".into()
            })
            .is_none()
        {
            return;
        }
        match claims.get("token_type") {
            None => self.add("token_type", Found::Nothing, &rules.source, "absent"),
            Some(_) => {
                let kind = judge::judge_token_type(&claims, section);
                self.judged("token_type", &rules.source, kind, |()| "a bearer token".into());
            }
        }
        self.claims(&claims, section, trial);
    }

    fn claims(&mut self, payload: &Object<'_>, section: &TokenSection, trial: &Trial<'_, '_>) {
        self.check = Check::Claims;
        let now = trial.context.now.0;
        let payload = &Members::of(payload);
        let read = ClaimsRead {
            dates: payload.dates,
            section,
            now,
        };
        for rule in Rule::ALL {
            let (name, entry) = read.name(rule);
            let told = read.told(rule);
            match (rule.judge(payload, section, trial.context.now), told) {
                (Ok(()), Some(note)) => self.add(name, Found::Pass, entry, note),
                (Ok(()), None) => self.add(name, Found::Nothing, entry, read.absent(rule)),
                (Err(failure), Some(note)) if ClaimsRead::is_time(rule) => {
                    self.fail(name, &failure, format!("{}: {note}", failure.detail()));
                }
                (Err(failure), _) => self.fail(name, &failure, failure.detail().to_string()),
            }
        }
        let needed = trial.context.scopes;
        match claims::read_scopes(payload, section) {
            Err(failure) => self.fail("scopes", &failure, failure.detail().to_string()),
            Ok(_) if needed.is_empty() => self.add("scopes", Found::Nothing, "routes", "the route needs none"),
            Ok(scopes) => {
                let lacking = needed.iter().filter(|scope| !scopes.contains(scope)).count();
                let found = claims::judge_scopes(&scopes, needed, trial.context.scope_text);
                let all = count(needed.len(), "scope");
                match found {
                    Ok(()) => self.add("scopes", Found::Pass, "routes", format!("{all} of the route")),
                    Err(failure) => self.fail("scopes", &failure, format!("{lacking} missing of {all} of the route")),
                }
            }
        }
    }
}

/// The claims, for what is told of them.
struct ClaimsRead<'a> {
    dates: Dates,
    section: &'a TokenSection,
    now: u64,
}

impl<'a> ClaimsRead<'a> {
    /// The claim, or the setting, that a rule is about; and the entry of the policy.
    fn name(&self, rule: Rule) -> (&'static str, &'a str) {
        let rules = &self.section.rules;
        match rule {
            Rule::Issuer => ("iss", &rules.issuer),
            Rule::Audience => ("aud", &rules.audience),
            Rule::Expiry => ("exp", &rules.clock_tolerance),
            Rule::NotBefore => ("nbf", &rules.clock_tolerance),
            Rule::IssuedAt => ("iat", &rules.clock_tolerance),
            Rule::Period => ("period", &rules.section),
            Rule::MaxLifetime => ("max_lifetime", &rules.max_lifetime),
            Rule::MaxAge => ("max_age", &rules.max_age),
            Rule::Required => ("required_claims", &rules.required_claims),
            Rule::Strings => ("strings", &rules.section),
            Rule::Expected => ("expect", &rules.expect),
            Rule::Binding => ("cnf", &rules.section),
        }
    }

    /// What was measured says how far from right it is.
    const fn is_time(rule: Rule) -> bool {
        matches!(
            rule,
            Rule::Expiry | Rule::NotBefore | Rule::IssuedAt | Rule::MaxLifetime | Rule::MaxAge
        )
    }

    /// What was measured; none if there is nothing to measure.
    fn told(&self, rule: Rule) -> Option<String> {
        let section = self.section;
        let number = |list: usize, noun| Some(count(list, noun)).filter(|_| list > 0);
        match rule {
            Rule::Issuer => Some("the section's".into()),
            Rule::Audience => Some("has a listed one".into()),
            Rule::Expiry => {
                let expires = self.dates.expires.seconds()?;
                let tolerance = section.clock_tolerance;
                Some(match expires.checked_sub(self.now).filter(|left| *left > 0) {
                    Some(left) => format!("{left} s left"),
                    None => format!(
                        "over for {} s, tolerance {tolerance} s",
                        self.now.saturating_sub(expires)
                    ),
                })
            }
            Rule::NotBefore => Some(self.since(self.dates.not_before.seconds()?)),
            Rule::IssuedAt => Some(self.since(self.dates.issued.seconds()?)),
            Rule::Period => {
                let Dates {
                    expires,
                    issued,
                    not_before,
                } = self.dates;
                let begins = issued.seconds().max(not_before.seconds())?;
                Some(format!(
                    "ends {} s after it begins",
                    expires.seconds()?.saturating_sub(begins)
                ))
            }
            Rule::MaxLifetime => {
                let most = section.max_lifetime?;
                let (expires, issued) = (self.dates.expires.seconds()?, self.dates.issued.seconds()?);
                Some(format!(
                    "lives {} s of at most {most} s",
                    expires.saturating_sub(issued)
                ))
            }
            Rule::MaxAge => {
                let most = section.max_age?;
                let age = self.now.saturating_sub(self.dates.issued.seconds()?);
                Some(format!("{age} s old of at most {most} s"))
            }
            Rule::Required => number(section.required_claims.len(), "claim"),
            Rule::Strings => Some("`sub`, `jti`, `client_id` and `azp` are strings where they are there".into()),
            Rule::Expected => number(section.expect.len(), "claim"),
            Rule::Binding => Some("absent: the token is not bound".into()),
        }
    }

    fn since(&self, time: u64) -> String {
        match time.checked_sub(self.now).filter(|ahead| *ahead > 0) {
            None => format!("{} s ago", self.now.saturating_sub(time)),
            Some(ahead) => format!("in {ahead} s, tolerance {} s", self.section.clock_tolerance),
        }
    }

    /// Why there is nothing to judge.
    fn absent(&self, rule: Rule) -> &'static str {
        let section = self.section;
        match rule {
            Rule::MaxLifetime if section.max_lifetime.is_some() => "not judged",
            Rule::MaxAge if section.max_age.is_some() => "not judged",
            Rule::Period => "nothing to compare",
            Rule::MaxLifetime | Rule::MaxAge => "not limited",
            Rule::Required | Rule::Expected => "none is listed",
            _ => "absent",
        }
    }
}

fn described(key: &VerificationKey) -> String {
    match key.thumbprint() {
        Some(thumbprint) => format!("{}, thumbprint {thumbprint}", key.kind()),
        None => key.kind(),
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A value of the header, escaped and cut.
fn shown(text: &str) -> String {
    let mut out = String::from("`");
    // Writing to a string does not fail.
    let _ = write_escaped(&mut out, text.as_bytes(), SHOWN);
    out.push('`');
    out
}
