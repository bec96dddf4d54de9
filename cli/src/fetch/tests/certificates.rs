//! Whose certificates and keys count.

use tokio_rustls::rustls::ALL_VERSIONS;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::*;

const UNKNOWN: &str = "the issuer of its certificate is not known";

fn with_rules(ca: &Ca, issued: &Issued, rules: &str) -> Result<Answer, FetchError> {
    let server = Server::start(issued, |stream, _| whole(stream, HONEST));
    let setup = Setup::with(ca, server.port(), &format!("addresses = [\"127.0.0.0/8\"]\n{rules}"));
    setup.get()
}

#[test]
fn must_be_for_the_name_and_the_time() {
    let ca = Ca::new("root");
    let mut old = CertificateParams::new([NAME.to_owned()]).unwrap();
    let mut early = old.clone();
    old.not_after = date_time_ymd(2020, 1, 1);
    early.not_before = date_time_ymd(4000, 1, 1);
    for (issued, want) in [
        (ca.issue(&["other.test"]), "its certificate is for another name"),
        (ca.issue(&["127.0.0.1"]), "its certificate is for another name"),
        (ca.issue_by(&old), "its certificate has expired"),
        (ca.issue_by(&early), "its certificate is not valid yet"),
        (Ca::new("root").issue(&[NAME]), "its certificate is not valid"),
        (Ca::new("unknown").issue(&[NAME]), UNKNOWN),
    ] {
        assert_eq!(tls_failure(with_rules(&ca, &issued, "")), want);
    }
}

#[test]
fn versions_1_2_and_1_3_count_and_no_other_protocol() {
    let ca = Ca::new("root");
    for (version, protocols, want) in [
        (&TLS12, &[][..], Ok(200)),
        (&TLS13, &[&b"h2"[..], b"http/1.1"], Ok(200)),
        (&TLS13, &[b"h2"], Err("it refused the handshake")),
    ] {
        let mut config = ca.issue(&[NAME]).config(None, &[version]);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let server = Server::start_by(config, |stream, _| whole(stream, HONEST));
        match Setup::new(&ca, server.port()).get() {
            Ok(answer) => assert_eq!(Ok(answer.status), want),
            failed => assert_eq!(Err(tls_failure(failed)), want),
        }
    }
}

/// The system's roots count where the policy names no file.
#[test]
fn of_a_private_authority_are_unknown_without_its_file() {
    let server = Server::start(&Ca::new("root").issue(&[NAME]), |stream, _| whole(stream, HONEST));
    let origin = format!("https://{NAME}:{}", server.port());
    let setup = Setup::of(&origin, "", "addresses = [\"127.0.0.0/8\"]", &[]);
    assert_eq!(tls_failure(setup.get()), UNKNOWN);
}

/// The server's own key, that of an intermediate, that of the root, which is not sent.
#[test]
fn any_key_of_the_verified_path_may_be_pinned() {
    let root = Ca::new("root");
    let intermediate = root.below("intermediate");
    let issued = intermediate.issue(&[NAME]).presenting(&intermediate);
    let other = Ca::new("other");
    for pin in [issued.pin(), intermediate.pin(), root.pin()] {
        let rules = format!("pins = [\"{}\", \"{pin}\"]", other.pin());
        assert_eq!(with_rules(&root, &issued, &rules).unwrap().status, 200);
    }
    let rules = format!("pins = [\"{}\"]", other.pin());
    assert_eq!(reason(with_rules(&root, &issued, &rules)), EgressReason::PinMismatch);
}

/// A certificate that is only sent along proves nothing; also not one with the name of the real issuer.
#[test]
fn a_key_outside_of_the_path_is_no_pin() {
    let root = Ca::new("root");
    for decoy in [Ca::new("decoy"), Ca::new("root"), root.below("unused")] {
        let issued = root.issue(&[NAME]).presenting(&decoy);
        let rules = format!("pins = [\"{}\"]", decoy.pin());
        assert_eq!(reason(with_rules(&root, &issued, &rules)), EgressReason::PinMismatch);
    }
}

/// The request, which may carry a credential, must not have been sent by then.
#[test]
fn nothing_is_sent_to_another_key() {
    let ca = Ca::new("root");
    let (sent, requests) = mpsc::channel();
    let server = Server::start(&ca.issue(&[NAME]), move |_, request| {
        sent.send(request).map_err(io::Error::other)
    });
    let rules = format!("addresses = [\"127.0.0.0/8\"]\npins = [\"{}\"]", Ca::new("other").pin());
    assert_eq!(
        reason(Setup::with(&ca, server.port(), &rules).get()),
        EgressReason::PinMismatch
    );
    assert_eq!(server.connections(), 1);
    assert!(requests.try_recv().is_err());
}

#[test]
fn a_client_shows_its_own_where_the_policy_names_one() {
    let (ca, clients) = (Ca::new("root"), Ca::new("clients"));
    let server = Server::start_by(ca.issue(&[NAME]).config(Some(&clients), ALL_VERSIONS), |stream, _| {
        whole(stream, HONEST)
    });
    let origin = format!("https://{NAME}:{}", server.port());
    let files = [("ca.pem", ca.pem()), ("client.pem", clients.issue(&["client"]).pem)];
    let rules = "addresses = [\"127.0.0.0/8\"]\nca = { file = \"ca.pem\" }";
    let with = format!("{rules}\nclient_certificate = {{ file = \"client.pem\" }}");
    assert_eq!(Setup::of(&origin, "", &with, &files).get().unwrap().status, 200);
    // In TLS 1.3 the server refuses after the handshake.
    let without = Setup::of(&origin, "", rules, &files).get();
    assert!(
        matches!(without, Err(FetchError::Tls(_) | FetchError::Http(_))),
        "{without:?}"
    );
}

#[test]
fn files_that_are_none_are_named() {
    let ca = Ca::new("root");
    let server = Server::start(&ca.issue(&[NAME]), |stream, _| whole(stream, HONEST));
    let origin = format!("https://{NAME}:{}", server.port());
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (rule, content, want) in [
        ("ca", None, "there is no such file"),
        ("ca", Some(String::new()), "no certificate in PEM"),
        ("ca", Some(broken.to_owned()), "x.pem, which the policy names: "),
        ("ca", Some("\n".repeat(1024 * 1024 + 1)), "longer than 1048576 bytes"),
        ("client_certificate", Some(ca.pem()), "no private key in PEM"),
    ] {
        let rules = format!("addresses = [\"127.0.0.0/8\"]\n{rule} = {{ file = \"x.pem\" }}");
        let files: Vec<_> = content.into_iter().map(|content| ("x.pem", content)).collect();
        let error = Setup::of(&origin, "", &rules, &files).get().unwrap_err();
        assert!(matches!(error, FetchError::File { .. }), "{error:?}");
        assert!(error.to_string().contains(want), "{error}");
    }
    assert_eq!(server.connections(), 0);
}
