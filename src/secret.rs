//! Secrets: where the policy says they are, and the values that the face has read.
//!
//! Decides whether a value may be a key. Reading files and the environment is the face's; what it read is zeroed when it is dropped and never shown.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::table::Table;

/// The prefix of a Standard Webhooks secret, which is base64 (Standard Webhooks, "Signature scheme").
const WEBHOOK_PREFIX: &[u8] = b"whsec_";

/// Where a secret is to be found.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SecretReference {
    /// In the environment variable of that name.
    Env(String),
    /// In the file of that path, from the policy's folder.
    File(String),
    /// The caller knows it under that name.
    Name(String),
}

impl SecretReference {
    /// Stands for it in a table.
    pub(crate) fn key(&self) -> Vec<u8> {
        let (kind, name) = match self {
            Self::Env(name) => (b'e', name),
            Self::File(path) => (b'f', path),
            Self::Name(name) => (b'n', name),
        };
        let mut key = name.clone().into_bytes();
        key.push(kind);
        key
    }
}

impl SecretReference {
    /// True if a caller who gives secrets by name means this one: an environment variable of that name, or a secret that is known under it.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        matches!(self, Self::Env(known) | Self::Name(known) if known == name)
    }
}

impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable `{name}`"),
            Self::File(path) => write!(f, "the file `{path}`"),
            Self::Name(name) => write!(f, "the secret `{name}`"),
        }
    }
}

/// The values of secrets, by reference. Shows none of them; zeroes them when it is dropped.
#[derive(Clone, Default)]
pub struct Secrets {
    values: Table<(SecretReference, Zeroizing<Vec<u8>>)>,
}

impl Secrets {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the value of a secret, as it was read.
    pub fn insert(&mut self, reference: SecretReference, value: Vec<u8>) {
        self.values.insert(&reference.key(), (reference, Zeroizing::new(value)));
    }

    /// Gives the value to each of a policy's references that has this name: of an environment variable, or known to the caller. False if there is none.
    pub fn insert_named<'a>(
        &mut self,
        references: impl IntoIterator<Item = &'a SecretReference>,
        name: &str,
        value: &str,
    ) -> bool {
        self.insert_for(
            references.into_iter().filter(|reference| reference.is_named(name)),
            value,
        )
    }

    /// As [`Secrets::insert_named`], and to each that is in the file of that path, as the policy writes it: for callers who can read neither environment nor
    /// files, and are told the values of all.
    pub fn insert_named_or_filed<'a>(
        &mut self,
        references: impl IntoIterator<Item = &'a SecretReference>,
        name_or_path: &str,
        value: &str,
    ) -> bool {
        let is_told = |reference: &&SecretReference| {
            let (SecretReference::Env(known) | SecretReference::File(known) | SecretReference::Name(known)) = reference;
            known == name_or_path
        };
        self.insert_for(references.into_iter().filter(is_told), value)
    }

    fn insert_for<'a>(&mut self, references: impl Iterator<Item = &'a SecretReference>, value: &str) -> bool {
        let mut is_used = false;
        for reference in references {
            self.insert(reference.clone(), value.as_bytes().to_vec());
            is_used = true;
        }
        is_used
    }

    /// True if there is a value for the reference.
    #[must_use]
    pub fn contains(&self, reference: &SecretReference) -> bool {
        self.values.contains(&reference.key())
    }

    /// The text of a file with a key set.
    #[cfg(feature = "tokens")]
    pub(crate) fn text(&self, reference: &SecretReference) -> Result<&str, SecretError> {
        let (_, value) = self.values.get(&reference.key()).ok_or(SecretError::Missing)?;
        std::str::from_utf8(value).map_err(|_| SecretError::Encoding("UTF-8"))
    }

    /// The bytes of the key that a secret holds.
    pub(crate) fn key(&self, secret: &Secret, bounds: KeyBounds) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let (_, value) = self.values.get(&secret.reference.key()).ok_or(SecretError::Missing)?;
        if matches!(value.last(), Some(b'\n' | b'\r')) {
            return Err(SecretError::LineEnd);
        }
        let key = match value.strip_prefix(WEBHOOK_PREFIX) {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| SecretError::Encoding("base64"))?,
            None => match secret.encoding {
                Encoding::Utf8 => std::str::from_utf8(value)
                    .map(|text| text.as_bytes().to_vec())
                    .map_err(|_| SecretError::Encoding("UTF-8"))?,
                Encoding::Base64 => STANDARD.decode(&**value).map_err(|_| SecretError::Encoding("base64"))?,
                Encoding::Hex => hex(value).ok_or(SecretError::Encoding("hex"))?,
            },
        };
        let key = Zeroizing::new(key);
        if key.len() < bounds.min {
            return Err(SecretError::Short(bounds.min));
        }
        if key.len() > bounds.max {
            return Err(SecretError::Long(bounds.max));
        }
        Ok(key)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.values.iter().map(|(_, (reference, _))| reference))
            .finish()
    }
}

/// How many bytes a key may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyBounds {
    pub(crate) min: usize,
    pub(crate) max: usize,
}

/// A secret as the policy names it.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) reference: SecretReference,
    pub(crate) encoding: Encoding,
    /// Its place in the policy, as a dotted path.
    pub(crate) path: String,
}

/// How a value spells the bytes of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Encoding {
    Utf8,
    Base64,
    Hex,
}

/// Why a value cannot be a key. Says nothing of the value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SecretError {
    Missing,
    LineEnd,
    Encoding(&'static str),
    Short(usize),
    Long(usize),
}

fn hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)?.wrapping_shl(4) | digit(*low)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_keys_or_are_refused() {
        let bounds = KeyBounds { min: 4, max: 8 };
        let key = |value: &[u8], encoding| {
            let reference = SecretReference::Name("k".into());
            let mut secrets = Secrets::new();
            secrets.insert(reference.clone(), value.to_vec());
            let secret = Secret {
                reference,
                encoding,
                path: String::new(),
            };
            secrets.key(&secret, bounds).map(|key| key.to_vec())
        };
        assert_eq!(key(b"abcd", Encoding::Utf8), Ok(b"abcd".to_vec()));
        assert_eq!(key(b"YWJjZA==", Encoding::Base64), Ok(b"abcd".to_vec()));
        assert_eq!(key(b"61626364", Encoding::Hex), Ok(b"abcd".to_vec()));
        assert_eq!(key(b"whsec_YWJjZA==", Encoding::Utf8), Ok(b"abcd".to_vec()));
        assert_eq!(key(b"abcd\n", Encoding::Utf8), Err(SecretError::LineEnd));
        assert_eq!(
            key(b"\xff\xff\xff\xff", Encoding::Utf8),
            Err(SecretError::Encoding("UTF-8"))
        );
        assert_eq!(key(b"YWJjZA", Encoding::Base64), Err(SecretError::Encoding("base64")));
        assert_eq!(key(b"whsec_!", Encoding::Utf8), Err(SecretError::Encoding("base64")));
        assert_eq!(key(b"616", Encoding::Hex), Err(SecretError::Encoding("hex")));
        assert_eq!(key(b"abc", Encoding::Utf8), Err(SecretError::Short(4)));
        assert_eq!(key(b"abcdefghi", Encoding::Utf8), Err(SecretError::Long(8)));
    }

    #[test]
    fn values_go_to_what_they_are_told_for() {
        let all = [
            SecretReference::Env("k".into()),
            SecretReference::File("k".into()),
            SecretReference::Name("k".into()),
            SecretReference::File("keys/jwks.json".into()),
        ];
        let given = |insert: &dyn Fn(&mut Secrets) -> bool| {
            let mut secrets = Secrets::new();
            let is_used = insert(&mut secrets);
            assert_eq!(is_used, all.iter().any(|reference| secrets.contains(reference)));
            all.each_ref().map(|reference| secrets.contains(reference))
        };
        for (name, named, or_filed) in [
            ("k", [true, false, true, false], [true, true, true, false]),
            ("keys/jwks.json", [false; 4], [false, false, false, true]),
            ("jwks.json", [false; 4], [false; 4]),
            ("", [false; 4], [false; 4]),
        ] {
            assert_eq!(given(&|secrets| secrets.insert_named(&all, name, "v")), named, "{name}");
            let found = given(&|secrets| secrets.insert_named_or_filed(&all, name, "v"));
            assert_eq!(found, or_filed, "{name}");
        }
    }

    #[test]
    fn values_are_not_shown() {
        let mut secrets = Secrets::new();
        secrets.insert(SecretReference::Env("KEY".into()), b"hunter2".to_vec());
        assert_eq!(format!("{secrets:?}"), "{Env(\"KEY\")}");
    }
}
