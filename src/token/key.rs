//! One key of a set (RFC 7517 §4): whether it may verify, and what.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::signature::{ED25519, RsaPublicKeyComponents, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::algorithm::{JwsAlgorithm, Verifier};
use super::curve::{Curve, is_sound_ed25519};
use super::{base64url, der, roca};
use crate::tree::{Node, Value};

/// The longest `kid`, in bytes.
const MAX_KID: usize = 256;
/// The longest HMAC key, in bytes.
const MAX_SECRET: usize = 4096;
/// Members that only a private key has (RFC 7518 §6.2.2, §6.3.2).
const PRIVATE_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// A key that may verify signatures.
pub struct VerificationKey {
    id: Option<String>,
    algorithm: Option<JwsAlgorithm>,
    material: Material,
}

enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ec { curve: Curve, point: Vec<u8> },
    Ed25519([u8; 32]),
    Secret(Zeroizing<Vec<u8>>),
}

/// Why a key may not be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeyError {
    /// Not an object of strings, where strings must be.
    Malformed,
    /// A member that the kind of key must have is missing, or is no canonical base64url.
    Member(&'static str),
    /// A private key: it has no place in a set that verifies.
    Private,
    /// Neither RSA nor EC on P-256 or P-384, nor Ed25519, nor `oct`.
    Kind,
    /// For something else than signatures, by `use` or `key_ops`.
    Purpose,
    /// An `alg` that is not verified, or not with this kind of key.
    Algorithm,
    /// RSA below 2,048 or above 4,096 bits.
    Size,
    /// An RSA exponent that is even, below 65,537 or above 33 bits.
    Exponent,
    /// RSA of a defective generator (ROCA, CVE-2017-15361).
    Roca,
    /// A point that is not on its curve.
    Point,
    /// A point of Ed25519 of small order, by which signatures are right that nobody made, or one that is not reduced.
    SmallOrder,
    /// A secret that is shorter than the hash of its algorithm, or longer than 4,096 bytes.
    Secret,
    /// Another key of the set has this `kid`.
    Duplicate,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "is no JSON Web Key: an object whose `kty`, `use`, `alg` and `kid` are strings",
            Self::Member(name) => {
                return write!(
                    f,
                    "has no `{name}`, or one that is not canonical base64url of its length"
                );
            }
            Self::Private => "is a private key: publish the public part alone",
            Self::Kind => "is neither RSA nor EC on P-256 or P-384, nor Ed25519, nor `oct`",
            Self::Purpose => "is not for verifying signatures, by its `use` or `key_ops`",
            Self::Algorithm => "has an `alg` that is not verified, or not with this kind of key",
            Self::Size => "is RSA of less than 2048 or more than 4096 bits",
            Self::Exponent => "has an RSA exponent that is even, below 65537 or above 33 bits",
            Self::Roca => "is RSA of a defective generator (ROCA, CVE-2017-15361)",
            Self::Point => "is a point that is not on its curve",
            Self::SmallOrder => "is a point of small order, by which anybody can sign, or one that is not reduced",
            Self::Secret => "is a secret that is shorter than the hash of its algorithm, or longer than 4096 bytes",
            Self::Duplicate => "has the `kid` of an earlier key",
        })
    }
}

impl std::error::Error for KeyError {}

impl VerificationKey {
    pub(super) fn read(node: &Node) -> Result<Self, KeyError> {
        if !matches!(node.value, Value::Table(_)) {
            return Err(KeyError::Malformed);
        }
        let text = |name: &str| match node.get(name) {
            None => Ok(None),
            Some(member) => member.as_str().map(Some).ok_or(KeyError::Malformed),
        };
        let kind = text("kty")?.ok_or(KeyError::Malformed)?;
        if PRIVATE_MEMBERS.iter().any(|name| node.get(name).is_some()) {
            return Err(KeyError::Private);
        }
        check_purpose(node, text("use")?)?;
        let algorithm = match text("alg")? {
            None => None,
            Some(name) => Some(JwsAlgorithm::parse(name).ok_or(KeyError::Algorithm)?),
        };
        let id = text("kid")?.map(str::to_owned);
        if id.as_ref().is_some_and(|id| id.is_empty() || id.len() > MAX_KID) {
            return Err(KeyError::Malformed);
        }
        let material = match kind {
            "RSA" => Material::rsa(node)?,
            "EC" => Material::ec(node, text("crv")?)?,
            "OKP" => Material::ed25519(node, text("crv")?)?,
            "oct" => Material::secret(node)?,
            _ => return Err(KeyError::Kind),
        };
        if algorithm.is_some_and(|algorithm| !material.fits(algorithm)) {
            let is_short =
                matches!((&material, algorithm), (Material::Secret(_), Some(algorithm)) if algorithm.is_symmetric());
            return Err(if is_short {
                KeyError::Secret
            } else {
                KeyError::Algorithm
            });
        }
        Ok(Self {
            id,
            algorithm,
            material,
        })
    }

    /// The `kid`, if it has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The algorithms that it verifies.
    pub fn algorithms(&self) -> impl Iterator<Item = JwsAlgorithm> {
        JwsAlgorithm::ALL.into_iter().filter(|algorithm| self.fits(*algorithm))
    }

    /// True for a secret: whoever verifies with it can sign.
    #[must_use]
    pub const fn is_symmetric(&self) -> bool {
        matches!(self.material, Material::Secret(_))
    }

    /// What kind of key it is, such as `RSA 2048`.
    #[must_use]
    pub fn kind(&self) -> String {
        match &self.material {
            Material::Rsa { n, .. } => format!("RSA {}", bits(n)),
            Material::Ec { curve: Curve::P256, .. } => "EC P-256".into(),
            Material::Ec { curve: Curve::P384, .. } => "EC P-384".into(),
            Material::Ed25519(_) => "OKP Ed25519".into(),
            Material::Secret(_) => "oct".into(),
        }
    }

    /// The length of an RSA key, in bits.
    #[cfg(feature = "tokens")]
    pub(crate) fn modulus_bits(&self) -> Option<usize> {
        match &self.material {
            Material::Rsa { n, .. } => Some(bits(n)),
            _ => None,
        }
    }

    /// The thumbprint (RFC 7638 with SHA-256, RFC 8037 §2), in base64url; none of a secret, of which it would tell something.
    #[must_use]
    pub fn thumbprint(&self) -> Option<String> {
        if self.is_symmetric() {
            return None;
        }
        let members = self.members();
        Some(thumbprint(members.iter().map(|(name, value)| (*name, value.as_str()))))
    }

    /// The key as a SubjectPublicKeyInfo in DER (RFC 5280 §4.1.2.7), of RSA and EC; none of Ed25519, and of a secret.
    #[must_use]
    pub fn spki(&self) -> Option<Vec<u8>> {
        match &self.material {
            Material::Rsa { n, e } => Some(der::rsa_key(n, e)),
            Material::Ec { curve, point } => Some(der::ec_key(*curve, point)),
            Material::Ed25519(_) | Material::Secret(_) => None,
        }
    }

    /// The public key as a JWK with nothing but what it is made of (RFC 7638 §3.2): members and their values.
    pub(crate) fn members(&self) -> Vec<(&'static str, String)> {
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.material {
            Material::Rsa { n, e } => vec![("e", encoded(e)), ("kty", "RSA".into()), ("n", encoded(n))],
            Material::Ec { curve, point } => {
                let crv = match curve {
                    Curve::P256 => "P-256",
                    Curve::P384 => "P-384",
                };
                let both = point.get(1..).unwrap_or_default();
                let (x, y) = both.split_at_checked(curve.coordinate()).unwrap_or_default();
                vec![
                    ("crv", crv.into()),
                    ("kty", "EC".into()),
                    ("x", encoded(x)),
                    ("y", encoded(y)),
                ]
            }
            Material::Ed25519(x) => vec![("crv", "Ed25519".into()), ("kty", "OKP".into()), ("x", encoded(x))],
            Material::Secret(_) => Vec::new(),
        }
    }

    /// True if a signature of the algorithm can be this one: by its length, and by what libraries differ about.
    #[cfg(feature = "tokens")]
    pub(super) fn takes(&self, algorithm: JwsAlgorithm, signature: &[u8]) -> bool {
        let length = signature.len();
        match &self.material {
            Material::Rsa { n, .. } => length == n.len(),
            Material::Ec { curve, .. } => length == curve.coordinate().saturating_mul(2),
            Material::Ed25519(_) => length == 64 && has_sound_nonce(signature),
            Material::Secret(_) => length == algorithm.hash_length(),
        }
    }

    /// True if it verifies that algorithm: by its kind, and by its `alg` if it has one.
    pub(super) fn fits(&self, algorithm: JwsAlgorithm) -> bool {
        self.algorithm.is_none_or(|own| own == algorithm) && self.material.fits(algorithm)
    }

    /// True if the signature of the message is this key's. The algorithm fits the key.
    pub(crate) fn verifies(&self, algorithm: JwsAlgorithm, message: &[u8], tag: &[u8]) -> bool {
        match (&self.material, algorithm.verifier()) {
            (Material::Secret(secret), Verifier::Hmac(kind)) => {
                hmac::verify(&hmac::Key::new(kind, secret), message, tag).is_ok()
            }
            (Material::Rsa { n, e }, Verifier::Rsa(parameters)) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, tag).is_ok()
            }
            (Material::Ec { point, .. }, Verifier::Ecdsa(kind)) => {
                UnparsedPublicKey::new(kind, point).verify(message, tag).is_ok()
            }
            (Material::Ed25519(x), Verifier::Ed25519) => {
                has_sound_nonce(tag) && UnparsedPublicKey::new(&ED25519, x).verify(message, tag).is_ok()
            }
            _ => false,
        }
    }
}

impl Material {
    fn rsa(node: &Node) -> Result<Self, KeyError> {
        let (n, e) = (number(node, "n")?, number(node, "e")?);
        if !(2048..=4096).contains(&bits(&n)) {
            return Err(KeyError::Size);
        }
        let exponent = e
            .iter()
            .fold(0_u64, |number, byte| number.wrapping_shl(8) | u64::from(*byte));
        if e.len() > 5 || exponent & 1 == 0 || !(65_537..1 << 33).contains(&exponent) {
            return Err(KeyError::Exponent);
        }
        if roca::is_weak(&n) {
            return Err(KeyError::Roca);
        }
        Ok(Self::Rsa { n, e })
    }

    fn ec(node: &Node, curve: Option<&str>) -> Result<Self, KeyError> {
        let curve = match curve {
            Some("P-256") => Curve::P256,
            Some("P-384") => Curve::P384,
            _ => return Err(KeyError::Kind),
        };
        let x = of_length(node, "x", curve.coordinate())?;
        let y = of_length(node, "y", curve.coordinate())?;
        if !curve.has(&x, &y) {
            return Err(KeyError::Point);
        }
        // SEC 1 §2.3.3, uncompressed.
        Ok(Self::Ec {
            curve,
            point: [&[4], x.as_slice(), &y].concat(),
        })
    }

    fn ed25519(node: &Node, curve: Option<&str>) -> Result<Self, KeyError> {
        if curve != Some("Ed25519") {
            return Err(KeyError::Kind);
        }
        let x = of_length(node, "x", 32)?;
        let x = x.try_into().map_err(|_| KeyError::Member("x"))?;
        if is_sound_ed25519(&x) {
            Ok(Self::Ed25519(x))
        } else {
            Err(KeyError::SmallOrder)
        }
    }

    fn secret(node: &Node) -> Result<Self, KeyError> {
        let secret = Zeroizing::new(member(node, "k")?);
        if (32..=MAX_SECRET).contains(&secret.len()) {
            Ok(Self::Secret(secret))
        } else {
            Err(KeyError::Secret)
        }
    }

    fn fits(&self, algorithm: JwsAlgorithm) -> bool {
        match (self, algorithm.verifier()) {
            (Self::Secret(secret), Verifier::Hmac(_)) => secret.len() >= algorithm.hash_length(),
            (Self::Rsa { .. }, Verifier::Rsa(_)) | (Self::Ed25519(_), Verifier::Ed25519) => true,
            (Self::Ec { curve, .. }, Verifier::Ecdsa(_)) => curve.coordinate() == algorithm.hash_length(),
            _ => false,
        }
    }
}

/// Of a signature of Ed25519: its R (RFC 8032 §5.1.6).
fn has_sound_nonce(signature: &[u8]) -> bool {
    signature.first_chunk().is_some_and(is_sound_ed25519)
}

/// Of the members that make a key what it is, in their order (RFC 7638 §3). Their values are base64url or names: none needs an escape.
fn thumbprint<'m>(members: impl Iterator<Item = (&'m str, &'m str)>) -> String {
    let members: Vec<_> = members.map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
    let text = format!("{{{}}}", members.join(","));
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// The thumbprint of a public key as it is written, whether or not it may verify.
#[cfg(feature = "tokens")]
pub(super) fn thumbprint_of(node: &Node) -> Option<String> {
    let names: &[&str] = match node.get("kty")?.as_str()? {
        "RSA" => &["e", "kty", "n"],
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        _ => return None,
    };
    let is_plain = |text: &&str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let member = |name: &&'static str| Some((*name, node.get(name)?.as_str().filter(is_plain)?));
    let members: Option<Vec<_>> = names.iter().map(member).collect();
    Some(thumbprint(members?.into_iter()))
}

/// True for a key that says itself that it is for encryption, or of a kind or for an algorithm that nothing here verifies.
#[cfg(feature = "tokens")]
pub(super) fn is_for_others(node: &Node) -> bool {
    let text = |name: &str| node.get(name).and_then(Node::as_str);
    let is_known = match text("kty") {
        Some("RSA" | "oct") | None => true,
        Some("EC") => matches!(text("crv"), Some("P-256" | "P-384") | None),
        Some("OKP") => matches!(text("crv"), Some("Ed25519") | None),
        Some(_) => false,
    };
    !is_known
        || text("use").is_some_and(|purpose| purpose != "sig")
        || text("alg").is_some_and(|name| JwsAlgorithm::parse(name).is_none())
}

/// RFC 7517 §4.2 and §4.3.
fn check_purpose(node: &Node, purpose: Option<&str>) -> Result<(), KeyError> {
    if purpose.is_some_and(|purpose| purpose != "sig") {
        return Err(KeyError::Purpose);
    }
    let Some(operations) = node.get("key_ops") else {
        return Ok(());
    };
    if !matches!(operations.value, Value::List(_)) {
        return Err(KeyError::Malformed);
    }
    let verifies = |item: &Node| item.as_str() == Some("verify");
    if operations.items().iter().any(verifies) {
        Ok(())
    } else {
        Err(KeyError::Purpose)
    }
}

fn member(node: &Node, name: &'static str) -> Result<Vec<u8>, KeyError> {
    node.get(name)
        .and_then(Node::as_str)
        .and_then(base64url)
        .ok_or(KeyError::Member(name))
}

fn of_length(node: &Node, name: &'static str, length: usize) -> Result<Vec<u8>, KeyError> {
    member(node, name).and_then(|bytes| {
        if bytes.len() == length {
            Ok(bytes)
        } else {
            Err(KeyError::Member(name))
        }
    })
}

/// Base64urlUInt (RFC 7518 §2): no leading zeros.
fn number(node: &Node, name: &'static str) -> Result<Vec<u8>, KeyError> {
    member(node, name).and_then(|bytes| {
        if matches!(bytes.first(), None | Some(0)) {
            Err(KeyError::Member(name))
        } else {
            Ok(bytes)
        }
    })
}

/// Of a number without leading zeros.
fn bits(number: &[u8]) -> usize {
    let zeros = number.first().map_or(0, |first| first.leading_zeros());
    let zeros = usize::try_from(zeros).unwrap_or(0);
    number.len().saturating_mul(8).saturating_sub(zeros)
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey")
            .field("id", &self.id)
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}
