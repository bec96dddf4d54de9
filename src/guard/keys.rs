//! Keys: from the secrets that a face has read to what verifies and signs.

use std::fmt;
use std::sync::Arc;

use ring::{digest, hmac};

#[cfg(feature = "tokens")]
use super::tokens::TokenKeys;
use super::{Guard, TokenStore, Trial};
use crate::authority::Scheme;
use crate::policy::{ErrorCode, Policy, PolicyError, PolicyErrors};
use crate::request::Request;
use crate::secret::{Secret, SecretError, SecretReference, Secrets};
use crate::signature::{KeyBounds, KeyRing, SignError, SignOptions, SignatureKey, Signing, ToSign};
use crate::table::Table;
#[cfg(feature = "tokens")]
use crate::token::{KeyFile, KeySet, TokenSection, TokenSource};
use crate::verdict::Check;

/// A password that somebody else made (RFC 6749 §2.3.1).
#[cfg(feature = "tokens")]
const CLIENT_SECRET: KeyBounds = KeyBounds { min: 8, max: 4096 };

impl Guard {
    /// A guard for a policy, with the secrets that it names.
    ///
    /// # Errors
    /// Every secret that is missing or cannot be a key, and one value in two places. Nothing is said of the values.
    pub fn with_secrets(policy: impl Into<Arc<Policy>>, secrets: &Secrets) -> Result<Self, PolicyErrors> {
        let policy = policy.into();
        let mut errors = Vec::new();
        let mut earlier = Earlier::default();
        let mut sections = Vec::new();
        for section in &policy.signatures {
            let bounds = KeyBounds::of(section.scheme.profile());
            let mut keys = Vec::new();
            for key in &section.keys {
                match secrets.key(&key.secret, bounds) {
                    Ok(bytes) => {
                        keys.push(hmac::Key::new(hmac::HMAC_SHA256, &bytes));
                        let value = digest::digest(&digest::SHA256, &bytes);
                        if let Some(other) = earlier.insert(value.as_ref(), &key.secret.reference) {
                            errors.push(duplicate(&policy, &key.secret, other));
                        }
                    }
                    Err(error) => errors.push(refusal(&policy, &key.secret.path, &key.secret.reference, error)),
                }
            }
            sections.push(keys);
        }
        #[cfg(feature = "tokens")]
        let token_keys = token_keys(&policy, secrets, &earlier, &mut errors);
        if errors.is_empty() {
            Ok(Self {
                policy,
                keys: KeyRing::new(sections),
                #[cfg(feature = "tokens")]
                token_keys,
            })
        } else {
            let file = policy.provenance.file.clone();
            Err(PolicyErrors { file, errors })
        }
    }

    /// For each loaded key: what stands for its secret, and what claims of requests that it signs depend on. Of a key whose second part has changed
    /// nobody knows what was used before.
    pub fn claim_rules(&self) -> impl Iterator<Item = (ClaimRule, ClaimRule)> {
        let sections = self.policy.signatures.iter().enumerate();
        sections.flat_map(move |(index, section)| {
            let scheme = self.policy.hosts.scheme.map_or("", Scheme::as_str);
            let rules = [section.claim_rules(), scheme.to_owned()].join("\0");
            let keys = section.keys.iter().zip(self.keys.of(index));
            keys.map(move |(key, loaded)| {
                let secret = hmac::sign(loaded, b"hostbound claim rules");
                let rules = digest::digest(&digest::SHA256, [&rules, key.id.as_str()].join("\0").as_bytes());
                (ClaimRule::of(secret.as_ref()), ClaimRule::of(rules.as_ref()))
            })
        })
    }

    /// For each loaded key, in the same order: the share of its claims, where they are kept, and how many of them may live.
    pub(super) fn shares(&self) -> impl Iterator<Item = ([u8; 32], [u8; 32], u64)> {
        let sections = self.policy.signatures.iter().enumerate();
        sections.flat_map(move |(index, section)| {
            let keys = section.keys.iter().zip(self.keys.of(index));
            keys.map(move |(key, _)| (key.share, section.place_of(&key.id), section.share_limit()))
        })
    }

    /// Begins to sign a request as it will be sent, by a `signatures` section. Its Host must be one that the policy allows.
    ///
    /// # Errors
    /// [`SignError`]
    pub fn sign<'a>(
        &'a self,
        section: &str,
        request: &Request<'a>,
        options: &SignOptions<'a>,
    ) -> Result<Signing<'a>, SignError> {
        let mut sections = self.policy.signatures.iter().enumerate();
        let (index, section) = sections
            .find(|(_, other)| other.name == section)
            .ok_or(SignError::SectionUnknown)?;
        let mut trial = Trial::new(self, request, None);
        trial
            .run(Check::Request, &mut TokenStore::default())
            .map_err(|failure| SignError::Request(failure.detail().to_string()))?;
        trial
            .run(Check::Host, &mut TokenStore::default())
            .map_err(|_| SignError::Host)?;
        let host = trial.identity.host.ok_or(SignError::Host)?;
        let mut keys = section.keys.iter().zip(self.keys.of(index));
        let is_wanted = |key: &SignatureKey| options.key_id.is_none_or(|id| key.id == id);
        let (key, loaded) = keys
            .find(|(key, _)| is_wanted(key) && key.admits(host.authority, host.scheme.default_port()))
            .ok_or(if self.keys.of(index).is_empty() {
                SignError::SecretMissing
            } else {
                SignError::KeyUnknown
            })?;
        let what = ToSign {
            section,
            key,
            loaded,
            request: *request,
            host: host.to_string(),
            scheme: host.scheme.as_str(),
        };
        Signing::new(what, options)
    }
}

/// Stands for a secret, or for rules; see [`Guard::claim_rules`].
#[derive(Clone, Eq, PartialEq)]
pub struct ClaimRule(Box<[u8]>);

impl ClaimRule {
    fn of(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// As bytes.
    pub(super) fn bytes(&self) -> [u8; 32] {
        // INVARIANT: a digest or a tag, both of SHA-256.
        self.0.first_chunk().copied().unwrap_or_default()
    }
}

impl fmt::Debug for ClaimRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimRule").finish_non_exhaustive()
    }
}

/// Where each secret was found first, by the digest of its value: values stay where they are wiped.
type Earlier<'p> = Table<&'p SecretReference>;

/// The key sets and secrets of `tokens`, each if it can be had.
#[cfg(feature = "tokens")]
fn token_keys(policy: &Policy, secrets: &Secrets, earlier: &Earlier<'_>, errors: &mut Vec<PolicyError>) -> TokenKeys {
    let mut keys = TokenKeys::inline(policy);
    for ((section, set), secret) in policy.tokens.iter().zip(&mut keys.sets).zip(&mut keys.secrets) {
        match &section.source {
            TokenSource::Inline(_) | TokenSource::Url(_) => {}
            TokenSource::File(file) => *set = file_keys(policy, secrets, section, file, errors),
            TokenSource::Introspection(rules) => match secrets.key(&rules.secret, CLIENT_SECRET) {
                Ok(bytes) => {
                    // Several sections may ask one server as one client, but no key of signatures is a password too.
                    let value = digest::digest(&digest::SHA256, &bytes);
                    if let Some(other) = earlier.get(value.as_ref()) {
                        errors.push(duplicate(policy, &rules.secret, other));
                    }
                    *secret = Some(bytes);
                }
                Err(why) => errors.push(refusal(policy, &rules.secret.path, &rules.secret.reference, why)),
            },
        }
    }
    keys
}

/// The key set of a file.
#[cfg(feature = "tokens")]
fn file_keys(
    policy: &Policy,
    secrets: &Secrets,
    section: &TokenSection,
    file: &KeyFile,
    errors: &mut Vec<PolicyError>,
) -> Option<Arc<KeySet>> {
    let (path, reference) = (&file.path, &file.reference);
    let text = match secrets.text(reference) {
        Ok(text) => text,
        Err(why) => {
            errors.push(refusal(policy, path, reference, why));
            return None;
        }
    };
    let mut refuse = |message: String, fix| {
        let message = format!("{reference}: {message}");
        errors.push(error(policy, path, ErrorCode::KeySetRefused, message, fix));
    };
    let read = if section.pins.is_empty() {
        KeySet::from_json(text)
    } else {
        KeySet::pinned(text, &section.pins).map(|(keys, _)| keys)
    };
    match read {
        Ok(keys) => {
            if !keys.fits_any(&section.algorithms) {
                refuse(
                    "no key of the set fits a listed algorithm".into(),
                    "correct `algorithms`, or the keys",
                );
            }
            Some(Arc::new(keys))
        }
        Err(found) => {
            for why in found.errors() {
                refuse(why.to_string(), "leave the key out, or give one that may verify");
            }
            None
        }
    }
}

fn duplicate(policy: &Policy, secret: &Secret, earlier: &SecretReference) -> PolicyError {
    let message = format!("{} has the value of {earlier}", secret.reference);
    error(
        policy,
        &secret.path,
        ErrorCode::SecretDuplicate,
        message,
        "give each key a secret of its own",
    )
}

fn refusal(policy: &Policy, path: &str, reference: &SecretReference, why: SecretError) -> PolicyError {
    let (code, what, fix) = match why {
        SecretError::Missing => (
            ErrorCode::SecretMissing,
            "is not given".to_owned(),
            match reference {
                SecretReference::Env(name) => format!("set the environment variable `{name}`"),
                SecretReference::File(_) => "write the file".to_owned(),
                SecretReference::Name(name) => format!("give a value for `{name}`"),
            },
        ),
        SecretError::LineEnd => (
            ErrorCode::SecretMalformed,
            "ends in a line feed or carriage return".to_owned(),
            "write it without, as `printf %s` does".to_owned(),
        ),
        SecretError::Encoding(encoding) => (
            ErrorCode::SecretMalformed,
            format!("is not {encoding}"),
            "correct the value, or `encoding`".to_owned(),
        ),
        SecretError::Short(least) => (
            ErrorCode::SecretShort,
            format!("has less than {least} bytes"),
            "make one, as `openssl rand -hex 32` does".to_owned(),
        ),
        SecretError::Long(most) => (
            ErrorCode::SecretLong,
            format!("has more than {most} bytes"),
            format!("use one of 32 to {most} bytes"),
        ),
    };
    error(policy, path, code, format!("{reference} {what}"), &fix)
}

fn error(policy: &Policy, path: &str, code: ErrorCode, message: String, fix: &str) -> PolicyError {
    PolicyError {
        code,
        position: policy.provenance.positions.get(path.as_bytes()).copied(),
        path: path.to_owned(),
        message,
        fix: Some(fix.to_owned()),
        span: 0..0,
    }
}
