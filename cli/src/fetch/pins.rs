//! Pins (RFC 7469 §2.4) of the certificates that prove who a server is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::crypto::ring as provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

/// The pins of the server's certificate and of its issuers up to the root, which need not have been sent, as `sha256/` and base64.
///
/// Every link is verified: a certificate that the server merely sent along adds no pin. Empty if there is no such path.
pub(super) fn of_path(presented: &[CertificateDer<'_>], roots: &RootCertStore) -> Vec<String> {
    let Some((own, issuers)) = presented.split_first() else {
        return Vec::new();
    };
    let Ok(own) = EndEntityCert::try_from(own) else {
        return Vec::new();
    };
    let path = own.verify_for_usage(
        provider::default_provider().signature_verification_algorithms.all,
        &roots.roots,
        issuers,
        UnixTime::now(),
        KeyUsage::server_auth(),
        None,
        None,
    );
    let Ok(path) = path else { return Vec::new() };
    let mut pins = vec![pin(&own.subject_public_key_info())];
    pins.extend(
        path.intermediate_certificates()
            .map(|issuer| pin(&issuer.subject_public_key_info())),
    );
    pins.push(pin(&sequence(&path.anchor().subject_public_key_info)));
    pins
}

fn pin(public_key: &[u8]) -> String {
    format!("sha256/{}", STANDARD.encode(digest(&SHA256, public_key)))
}

/// The DER of a SEQUENCE (X.690 §8.9, §8.1.3): of a trust anchor's key only the content is kept.
fn sequence(content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = length.iter().position(|byte| *byte != 0).unwrap_or(length.len());
    let length = length.get(significant..).unwrap_or_default();
    let mut der = vec![0x30];
    match length {
        [] => der.push(0),
        [short] if *short < 0x80 => der.push(*short),
        long => {
            // At most eight bytes.
            der.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            der.extend(long);
        }
    }
    der.extend(content);
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_has_its_length_before_it() {
        for (length, want) in [
            (0, &[0x30, 0][..]),
            (1, &[0x30, 1]),
            (127, &[0x30, 127]),
            (128, &[0x30, 0x81, 128]),
            (255, &[0x30, 0x81, 255]),
            (256, &[0x30, 0x82, 1, 0]),
            (65_536, &[0x30, 0x83, 1, 0, 0]),
        ] {
            let content = vec![7; length];
            assert_eq!(sequence(&content), [want, &content].concat(), "{length}");
        }
    }
}
