//! Keys and signatures as DER (X.690 §10), which the crypto of hosts takes: SubjectPublicKeyInfo, and ECDSA's two numbers as a SEQUENCE.
//!
//! Decides nothing: what is written was judged before.

use super::curve::Curve;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;
/// rsaEncryption, 1.2.840.113549.1.1.1, and its parameters, NULL (RFC 3279 §2.3.1).
const RSA: [u8; 13] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0];
/// id-ecPublicKey, 1.2.840.10045.2.1 (RFC 5480 §2.1.1).
const EC: [u8; 9] = [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
/// secp256r1, 1.2.840.10045.3.1.7 (RFC 5480 §2.1.1.1).
const P256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
/// secp384r1, 1.3.132.0.34.
const P384: [u8; 7] = [6, 5, 0x2b, 0x81, 4, 0, 34];

/// An RSA key, of modulus and exponent (RFC 5280 §4.1.2.7, RFC 8017 §A.1.1).
pub(super) fn rsa_key(n: &[u8], e: &[u8]) -> Vec<u8> {
    key(&RSA, &value(SEQUENCE, &[&integer(n), &integer(e)]))
}

/// A key on a curve: an uncompressed point (RFC 5480 §2.2).
pub(super) fn ec_key(curve: Curve, point: &[u8]) -> Vec<u8> {
    let named: &[u8] = match curve {
        Curve::P256 => &P256,
        Curve::P384 => &P384,
    };
    key(&[&EC, named].concat(), point)
}

/// A signature of ECDSA as JWS has it, r and s in as many bytes each (RFC 7518 §3.4), as an ECDSA-Sig-Value (RFC 3279 §2.2.3). None if it has no two halves.
#[cfg(feature = "tokens")]
pub(crate) fn ecdsa_signature(raw: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = raw.split_at_checked(raw.len().checked_div(2)?)?;
    (!r.is_empty() && r.len() == s.len()).then(|| value(SEQUENCE, &[&integer(r), &integer(s)]))
}

fn key(algorithm: &[u8], bits: &[u8]) -> Vec<u8> {
    // All bits of the last byte are used.
    let bits = value(BIT_STRING, &[&[0], bits]);
    value(SEQUENCE, &[&value(SEQUENCE, &[algorithm]), &bits])
}

/// A number without sign, big-endian, in its shortest form (X.690 §8.3).
fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..).unwrap_or_default();
    let is_negative = digits.first().is_none_or(|first| *first >= 0x80);
    value(INTEGER, &[if is_negative { &[0] } else { &[] }, digits])
}

/// A tag, the length in its shortest form (X.690 §10.1), and what it is of.
fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut value = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length @ ..0x80) => value.push(length),
        Ok(length) => value.extend([0x81, length]),
        Err(_) => {
            // INVARIANT: keys have at most 4,096 bits, so that nothing comes near 64 KiB.
            value.push(0x82);
            value.extend(u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    value.extend(content);
    value
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::super::KeySet;
    use super::*;

    /// The keys of RFC 7517 §A.1, and the base point of P-384, as OpenSSL writes them.
    #[test]
    fn public_keys_are_written_as_openssl_does() {
        for (key, want) in [
            (
                r#"{"kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#,
                "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D7gS2XpJFbZiItSs3m9+9Ue6Gnv\
                 Hw/GW2ZZaVtszggXIw==",
            ),
            (
                r#"{"kty": "EC", "crv": "P-384", "x": "qofKIr6LBTeOscce8yCtdG4dO2KLp5uYWfdB4IJUKjhVAvJdv1UpbDpUXjhydgq3",
                    "y": "NhfeSpYmLG9dnpi_kpLcKfj0Hb0omhR86doxE7XwuMAKYLHOHX6BnXpDHXyQ6g5f"}"#,
                "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEqofKIr6LBTeOscce8yCtdG4dO2KLp5uYWfdB4IJUKjhVAvJdv1UpbDpUXjhydgq3NhfeSpYm\
                 LG9dnpi/kpLcKfj0Hb0omhR86doxE7XwuMAKYLHOHX6BnXpDHXyQ6g5f",
            ),
            (
                r#"{"kty": "RSA", "e": "AQAB", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}"#,
                "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtV\
                 T86zwu1RK7aPFFxuhDR1L6tSoc/BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ/2W+5JsGY4Hc5n9yBXArwl93lqt7/RN5w6Cf0h4QyQ5\
                 v+65YGjQR0/FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt+bFTWhAI4vMQF\
                 h6WeZu0fM4lFd2NcRwr3XPksINHaQ+G/xBniIqbw0Ls1jF44+csFCur+kEgU8awapJzKnqDKgwIDAQAB",
            ),
        ] {
            let keys = KeySet::from_json(&format!(r#"{{"keys": [{key}]}}"#)).unwrap();
            let spki = keys.keys()[0].spki().unwrap();
            assert_eq!(STANDARD.encode(spki), want);
        }
    }

    #[test]
    fn other_keys_are_not_written() {
        for key in [
            r#"{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            r#"{"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
        ] {
            let keys = KeySet::from_json(&format!(r#"{{"keys": [{key}]}}"#)).unwrap();
            assert_eq!(keys.keys()[0].spki(), None);
        }
    }

    #[test]
    fn lengths_are_as_short_as_can_be() {
        for (length, want) in [
            (0, &[4, 0][..]),
            (127, &[4, 127]),
            (128, &[4, 0x81, 128]),
            (255, &[4, 0x81, 255]),
            (256, &[4, 0x82, 1, 0]),
            (65_535, &[4, 0x82, 255, 255]),
        ] {
            let written = value(4, &[&vec![7; length]]);
            let (head, content) = written.split_at(want.len());
            assert_eq!(head, want);
            assert_eq!(content, vec![7; length]);
        }
    }

    #[cfg(feature = "tokens")]
    #[test]
    fn numbers_are_as_short_as_can_be_and_never_negative() {
        for (raw, want) in [
            (&[1, 2][..], &[0x30, 6, 2, 1, 1, 2, 1, 2][..]),
            (&[0, 1, 0, 0x7f], &[0x30, 6, 2, 1, 1, 2, 1, 0x7f]),
            (&[0x80, 0, 0, 0x80], &[0x30, 9, 2, 3, 0, 0x80, 0, 2, 2, 0, 0x80]),
            (&[0, 0, 0, 0], &[0x30, 6, 2, 1, 0, 2, 1, 0]),
            (
                &[0xff, 0, 0xff, 0xff],
                &[0x30, 10, 2, 3, 0, 0xff, 0, 2, 3, 0, 0xff, 0xff],
            ),
        ] {
            assert_eq!(ecdsa_signature(raw).unwrap(), want, "{raw:?}");
        }
        for raw in [&[][..], &[1], &[1, 2, 3]] {
            assert_eq!(ecdsa_signature(raw), None);
        }
        // The longest of P-384: still a short length.
        assert_eq!(ecdsa_signature(&[0xff; 96]).unwrap()[..2], [0x30, 102]);
    }
}
