//! A set of keys (RFC 7517 §5), checked as a whole before it verifies anything.

use std::fmt;

use super::algorithm::JwsAlgorithm;
#[cfg(feature = "tokens")]
use super::key;
use super::key::{KeyError, VerificationKey};
use crate::json::{self, JsonErrorKind};
use crate::table::Table;
use crate::tree::{Node, Value};

/// The longest text of a key set, in bytes: 64 KiB.
pub const MAX_KEY_SET: usize = 64 * 1024;

/// Keys that may all verify signatures: of one kind of secrecy, each `kid` once.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<VerificationKey>,
}

/// Why a text is no key set that may be used.
#[derive(Clone, Debug)]
pub struct KeySetErrors {
    errors: Vec<KeySetError>,
}

/// One mistake in a key set. Says nothing of the values of keys.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeySetError {
    /// No JSON (RFC 8259), or a name twice in an object.
    Json(String),
    /// Longer than [`MAX_KEY_SET`].
    TooLarge,
    /// Neither an object with a list `keys` nor a key; or the list is empty.
    Shape,
    /// Secrets beside public keys: one could be taken for the other.
    Mixed,
    /// A secret in a set that is fetched: whoever can read it can sign.
    Secret,
    /// No key is among those that are pinned.
    Unpinned,
    /// A key that may not be used.
    Key {
        /// Its place in the list, from 0.
        index: usize,
        /// Its `kid`, if it has one that can be shown.
        id: Option<String>,
        /// Why not.
        why: KeyError,
    },
}

impl KeySet {
    /// Reads a key set, or one key alone.
    ///
    /// # Errors
    /// Every key that may not be used, and what is wrong with the set.
    pub fn from_json(text: &str) -> Result<Self, KeySetErrors> {
        let root = Self::parse(text)?;
        Self::read(Self::nodes(&root)?.iter())
    }

    /// Reads a key set, of which only the keys with these thumbprints count, and says which others are there. Those are not looked at any further.
    #[cfg(feature = "tokens")]
    pub(crate) fn pinned(text: &str, pins: &[String]) -> Result<(Self, Vec<String>), KeySetErrors> {
        let root = Self::parse(text)?;
        let mut unpinned = Vec::new();
        let mut kept = Vec::new();
        for node in Self::nodes(&root)? {
            match key::thumbprint_of(node) {
                Some(thumbprint) if pins.contains(&thumbprint) => kept.push(node),
                Some(thumbprint) => unpinned.push(thumbprint),
                None => {}
            }
        }
        if kept.is_empty() {
            return Err(refused(KeySetError::Unpinned));
        }
        Ok((Self::read(kept.into_iter())?, unpinned))
    }

    /// Reads a key set that is fetched and not pinned, and says which keys it has. Keys that are plainly for something else are passed over
    /// (RFC 7517 §5); one that could verify and may not refuses the set.
    #[cfg(feature = "tokens")]
    pub(crate) fn unpinned(text: &str) -> Result<(Self, Vec<String>), KeySetErrors> {
        let root = Self::parse(text)?;
        let nodes = Self::nodes(&root)?;
        let is_secret = |node: &Node| node.get("kty").and_then(Node::as_str) == Some("oct");
        if nodes.iter().any(is_secret) {
            return Err(refused(KeySetError::Secret));
        }
        let set = Self::read(nodes.iter().filter(|node| !key::is_for_others(node)))?;
        let thumbprints = set.keys.iter().filter_map(VerificationKey::thumbprint).collect();
        Ok((set, thumbprints))
    }

    fn parse(text: &str) -> Result<Node, KeySetErrors> {
        if text.len() > MAX_KEY_SET {
            return Err(refused(KeySetError::TooLarge));
        }
        json::parse(text).map_err(|error| {
            refused(KeySetError::Json(match error.kind {
                JsonErrorKind::Expected(what) => format!("expected {what}"),
                JsonErrorKind::DuplicateKey(_) => "a name occurs twice in an object".to_owned(),
                JsonErrorKind::TooDeep => "more than 64 levels of nesting".to_owned(),
            }))
        })
    }

    /// The keys of a set, or one key alone.
    fn nodes(root: &Node) -> Result<&[Node], KeySetErrors> {
        match (root.get("keys"), root.get("kty")) {
            (Some(list), None) if matches!(list.value, Value::List(_)) => Ok(list.items()),
            (None, Some(_)) => Ok(std::slice::from_ref(root)),
            _ => Err(refused(KeySetError::Shape)),
        }
    }

    fn read<'n>(nodes: impl Iterator<Item = &'n Node>) -> Result<Self, KeySetErrors> {
        let mut errors = Vec::new();
        let mut keys = Vec::new();
        let mut ids = Table::default();
        for (index, node) in nodes.enumerate() {
            let id = node.get("kid").and_then(Node::as_str);
            let key = VerificationKey::read(node).and_then(|key| {
                let is_new = key.id().is_none_or(|id| ids.insert(id.as_bytes(), ()).is_none());
                if is_new { Ok(key) } else { Err(KeyError::Duplicate) }
            });
            match key {
                Ok(key) => keys.push(key),
                Err(why) => errors.push(KeySetError::Key {
                    index,
                    id: id.map(shortened),
                    why,
                }),
            }
        }
        let is_mixed = keys.iter().any(VerificationKey::is_symmetric) && keys.iter().any(|key| !key.is_symmetric());
        if is_mixed {
            errors.push(KeySetError::Mixed);
        }
        if keys.is_empty() && errors.is_empty() {
            errors.push(KeySetError::Shape);
        }
        if errors.is_empty() {
            Ok(Self { keys })
        } else {
            Err(KeySetErrors { errors })
        }
    }

    /// The keys, in the order of the text.
    #[must_use]
    pub fn keys(&self) -> &[VerificationKey] {
        &self.keys
    }

    /// True if the keys are secrets.
    #[cfg(feature = "tokens")]
    pub(crate) fn is_symmetric(&self) -> bool {
        self.keys.iter().any(VerificationKey::is_symmetric)
    }

    /// True if a key can verify one of the algorithms.
    #[cfg(feature = "tokens")]
    pub(crate) fn fits_any(&self, algorithms: &[JwsAlgorithm]) -> bool {
        let mut keys = self.keys.iter();
        keys.any(|key| algorithms.iter().any(|algorithm| key.fits(*algorithm)))
    }

    /// The place of the key for a token: that of its `kid`, or, of a token without, the only one that fits its algorithm. Never tries several.
    pub(super) fn select(&self, id: Option<&str>, algorithm: JwsAlgorithm) -> Option<usize> {
        if id.is_some() {
            return self.keys.iter().position(|key| key.id() == id);
        }
        let mut fitting = self.keys.iter().enumerate().filter(|(_, key)| key.fits(algorithm));
        let (index, _) = fitting.next()?;
        fitting.next().is_none().then_some(index)
    }
}

fn refused(error: KeySetError) -> KeySetErrors {
    KeySetErrors { errors: vec![error] }
}

/// At most 64 printable characters.
fn shortened(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(64)
        .collect()
}

impl KeySetErrors {
    /// The mistakes, at least one.
    #[must_use]
    pub fn errors(&self) -> &[KeySetError] {
        &self.errors
    }
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(what) => write!(f, "no JSON: {what}"),
            Self::TooLarge => f.write_str("longer than 64 KiB"),
            Self::Shape => f.write_str("neither a key nor an object with a list `keys` that has one"),
            Self::Secret => f.write_str("a secret (`oct`) in a set that is fetched: whoever can read it can sign"),
            Self::Unpinned => f.write_str("no key is among those that are pinned"),
            Self::Mixed => f.write_str("secrets (`oct`) beside public keys: keep them in sets of their own"),
            Self::Key { index, id, why } => {
                write!(f, "keys[{index}]")?;
                if let Some(id) = id {
                    write!(f, " (`{id}`)")?;
                }
                write!(f, " {why}")
            }
        }
    }
}

impl fmt::Display for KeySetErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for KeySetErrors {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{Jws, JwsError};

    const P256: &str = r#""kty":"EC","crv":"P-256","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU""#;
    const ED25519: &str = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
    const SECRET: &str = r#""kty":"oct","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8""#;

    fn errors(keys: &[&str]) -> Vec<String> {
        let keys: Vec<_> = keys.iter().map(|members| format!("{{{members}}}")).collect();
        match KeySet::from_json(&format!("{{\"keys\":[{}]}}", keys.join(","))) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.errors().iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn keys_that_may_be_used() {
        assert_eq!(errors(&[P256, ED25519]), [""; 0]);
        assert_eq!(errors(&[SECRET]), [""; 0]);
        for more in [
            r#""use":"sig""#,
            r#""key_ops":["verify"]"#,
            r#""key_ops":["sign","verify"]"#,
            r#""alg":"ES256""#,
            r#""kid":"a""#,
            r#""x5t":"ignored","n":5"#,
        ] {
            assert_eq!(errors(&[&format!("{P256},{more}")]), [""; 0], "{more}");
        }
    }

    #[test]
    fn keys_that_may_not() {
        let with = |key: &str, more: &str| format!("{key},{more}");
        for (key, why) in [
            (with(P256, r#""use":"enc""#), KeyError::Purpose),
            (with(P256, r#""key_ops":["sign"]"#), KeyError::Purpose),
            (with(P256, r#""key_ops":"verify""#), KeyError::Malformed),
            (with(P256, r#""kid":7"#), KeyError::Malformed),
            (with(P256, r#""kid":"""#), KeyError::Malformed),
            (with(P256, r#""alg":"ES384""#), KeyError::Algorithm),
            (with(P256, r#""alg":"HS256""#), KeyError::Algorithm),
            (with(P256, r#""alg":"none""#), KeyError::Algorithm),
            (with(P256, r#""d":"AA""#), KeyError::Private),
            (with(SECRET, r#""alg":"HS384""#), KeyError::Secret),
            (SECRET.replace("AAEC", ""), KeyError::Secret),
            (SECRET.replace("Hh8", "Hh9"), KeyError::Member("k")),
            (P256.replace("P-256", "P-521"), KeyError::Kind),
            (P256.replace("P-256", "P-384"), KeyError::Member("x")),
            (P256.replace("axfR", "bxfR"), KeyError::Point),
            (P256.replace("\"EC\"", "\"ec\""), KeyError::Kind),
            (ED25519.replace("URo", "URo="), KeyError::Member("x")),
            (ED25519.replace("Ed25519", "Ed448"), KeyError::Kind),
            (
                ED25519.replace("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", &"A".repeat(43)),
                KeyError::SmallOrder,
            ),
            (r#""kty":"RSA","n":"AQAB","e":"AQAB""#.to_owned(), KeyError::Size),
            ("\"crv\":\"P-256\"".to_owned(), KeyError::Malformed),
        ] {
            let found = KeySet::from_json(&format!("{{\"keys\":[{{{key}}}]}}")).unwrap_err();
            let index = KeySetError::Key {
                index: 0,
                id: None,
                why,
            };
            assert!(
                matches!(&found.errors()[0], KeySetError::Key { why: found, .. } if *found == why),
                "{key}: {found}, not {index}"
            );
        }
    }

    #[test]
    fn sets_that_may_not() {
        assert_eq!(errors(&[P256, SECRET]), [KeySetError::Mixed.to_string()]);
        let twice = [P256, ED25519].map(|key| format!("{key},\"kid\":\"a\""));
        let twice = twice.each_ref().map(String::as_str);
        assert_eq!(errors(&twice), ["keys[1] (`a`) has the `kid` of an earlier key"]);
        // Every key that may not be used is told.
        assert_eq!(
            errors(&[&format!("{P256},\"use\":\"enc\""), P256, "\"kty\":\"x\""]).len(),
            2
        );
        for (text, error) in [
            ("{\"keys\":[]}", KeySetError::Shape),
            ("{}", KeySetError::Shape),
            ("[]", KeySetError::Shape),
            ("{\"keys\":{}}", KeySetError::Shape),
            ("{\"keys\":[],\"kty\":\"oct\"}", KeySetError::Shape),
        ] {
            assert_eq!(KeySet::from_json(text).unwrap_err().errors(), [error], "{text}");
        }
        for text in ["", "{\"keys\":[],\"keys\":[]}", "{\"keys\":[]} x", &"[".repeat(60_000)] {
            assert!(matches!(
                KeySet::from_json(text).unwrap_err().errors(),
                [KeySetError::Json(_)]
            ));
        }
        assert_eq!(
            KeySet::from_json(&" ".repeat(MAX_KEY_SET + 1)).unwrap_err().errors(),
            [KeySetError::TooLarge]
        );
    }

    #[test]
    fn tokens_that_are_no_compact_jws() {
        let header = "eyJhbGciOiJFUzI1NiJ9";
        for token in [
            String::new(),
            ".".into(),
            "..".into(),
            format!("{header}.e30"),
            format!(".{header}.e30.AA"),
            format!("{header}.e30.AA."),
            format!("{header}.e30.AA.AA"),
            format!("{header}.e30.AA.AA.AA"),
            format!("{header}=.e30.AA"),
            format!("{header}.e30.A A"),
            format!("{header}.e30.AB"),
            format!(" {header}.e30.AA"),
            format!("{header}.e3+.AA"),
            ".".repeat(1_000_000),
            format!("{header}.{}.AA", "A".repeat(17_000)),
            "e30.e30.AA".into(),
            "W10.e30.AA".into(),
        ] {
            assert_eq!(
                Jws::parse(token.as_bytes()).unwrap_err(),
                JwsError::Malformed,
                "{}",
                token.chars().take(60).collect::<String>()
            );
        }
        assert_eq!(Jws::parse(b"\xff.\xff.\xff").unwrap_err(), JwsError::Malformed);
        assert!(Jws::parse(format!("{header}.e30.AA").as_bytes()).is_ok());
    }

    fn with_header(header: &str) -> Result<(), JwsError> {
        use base64::Engine;
        let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header);
        Jws::parse(format!("{header}.e30.AA").as_bytes()).map(|_| ())
    }

    #[test]
    fn headers_are_read_strictly() {
        for header in [
            "{\"alg\":7}",
            "{\"alg\":null}",
            "{\"alg\":[\"ES256\"]}",
            "{\"alg\":\"ES256\",\"alg\":\"ES256\"}",
            "{\"alg\":\"ES256\",\"\\u0061lg\":\"none\"}",
            "{\"alg\":\"ES256\",\"kid\":7}",
            "{\"alg\":\"ES256\",\"kid\":null}",
            "{\"alg\":\"ES256\",\"typ\":1}",
            "{\"alg\":\"ES256\"} ,",
            "\u{feff}{\"alg\":\"ES256\"}",
            "{'alg':'ES256'}",
            "{\"alg\":\"ES256\",\"a\":\"\\ud800\"}",
        ] {
            assert_eq!(with_header(header), Err(JwsError::Malformed), "{header}");
        }
        let deep = format!("{{\"alg\":\"ES256\",\"a\":{}{}}}", "[".repeat(20), "]".repeat(20));
        assert_eq!(with_header(&deep), Err(JwsError::Malformed));
        for member in ["crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc"] {
            let header = format!("{{\"alg\":\"ES256\",\"{member}\":[]}}");
            assert_eq!(with_header(&header), Err(JwsError::HeaderNotUnderstood), "{member}");
        }
        assert_eq!(with_header("{\"alg\":\"ES256\",\"other\":{\"a\":1}}"), Ok(()));
    }
}
