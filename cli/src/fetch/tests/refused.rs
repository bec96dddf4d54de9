//! What the policy refuses, and when.

use super::*;

#[test]
fn before_any_look_up() {
    let (server, mut setup) = serving(|stream, _| whole(stream, HONEST));
    setup.fetcher.look_up = Arc::new(|host| panic!("a look-up of {host}"));
    let port = server.port();
    for (url, want) in [
        (
            format!("https://other.test:{port}/"),
            EgressReason::DestinationNotAllowed,
        ),
        (format!("https://{NAME}/"), EgressReason::PortNotAllowed),
        (format!("http://{NAME}:{port}/"), EgressReason::SchemeNotAllowed),
        (format!("file:///{NAME}"), EgressReason::SchemeNotAllowed),
        (format!("https://u@{NAME}:{port}/"), EgressReason::UserinfoNotAllowed),
        (format!("https://{NAME}:{port}/a/../b"), EgressReason::UrlMalformed),
    ] {
        assert_eq!(reason(setup.get_from(&url)), want, "{url}");
    }
    let credential = setup.fetcher.fetch(&Outgoing {
        url: &setup.url,
        method: Method::Post,
        headers: &[("authorization", "Basic c2VjcmV0")],
        body: None,
    });
    assert_eq!(reason(credential), EgressReason::CredentialsNotAllowed);
    assert_eq!(server.connections(), 0);
}

#[test]
fn http_though_the_policy_allows_it() {
    let server = Server::start_raw(|mut tcp| tcp.write_all(HONEST));
    let origin = format!("http://{NAME}:{}", server.port());
    for mode in ["enforce", "report"] {
        let policy = format!("mode = \"{mode}\"");
        let setup = Setup::of(&origin, &policy, "addresses = [\"127.0.0.0/8\"]", &[]);
        assert!(matches!(setup.get(), Err(FetchError::NotHttps)));
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn addresses_before_any_connection() {
    let ca = Ca::new("root");
    let server = Server::start(&ca.issue(&[NAME]), |stream, _| whole(stream, HONEST));
    let (public, mapped) = ([192, 0, 32, 8].into(), Ipv4Addr::LOCALHOST.to_ipv6_mapped().into());
    for (rules, addresses, want) in [
        ("", &[LOOPBACK][..], EgressReason::AddressNotAllowed),
        ("", &[mapped], EgressReason::AddressNotAllowed),
        // One bad address refuses the name, wherever it stands.
        ("", &[public, LOOPBACK], EgressReason::AddressNotAllowed),
        (
            "addresses = [\"127.0.0.0/8\"]",
            &[LOOPBACK, public],
            EgressReason::AddressNotAllowed,
        ),
        ("", &[], EgressReason::AddressMissing),
    ] {
        let setup = Setup::with(&ca, server.port(), rules).resolving(addresses);
        assert_eq!(reason(setup.get()), want, "{addresses:?}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_policy_without_the_section_refuses_all() {
    let text = "version = 1\n[hosts]\nallow = [\"localhost\"]\n";
    let fetcher = Fetcher::new(Guard::new(Policy::from_toml(text, "policy.toml").unwrap()), "");
    let answer = fetcher.fetch(&Outgoing {
        url: "https://auth.test/",
        method: Method::Get,
        headers: &[],
        body: None,
    });
    assert_eq!(reason(answer), EgressReason::DestinationNotAllowed);
}

/// In report mode the engine lets pass what it would refuse; the caller is told, once.
#[test]
fn in_report_mode_it_is_reported() {
    let ca = Ca::new("root");
    let server = Server::start(&ca.issue(&[NAME]), |stream, _| whole(stream, HONEST));
    let origin = format!("https://{NAME}:{}", server.port());
    let rules = format!("ca = {{ file = \"ca.pem\" }}\npins = [\"{}\"]", Ca::new("other").pin());
    let setup = Setup::of(&origin, "mode = \"report\"", &rules, &[("ca.pem", ca.pem())]);
    let reported: Vec<_> = setup
        .get()
        .unwrap()
        .reported
        .iter()
        .map(|report| report.reason)
        .collect();
    assert_eq!(reported, [EgressReason::AddressNotAllowed]);
}

#[test]
fn a_look_up_that_fails() {
    let (server, mut setup) = serving(|stream, _| whole(stream, HONEST));
    setup.fetcher.look_up = Arc::new(|_| Err(io::Error::other("no such name")));
    assert_eq!(
        setup.get().unwrap_err().to_string(),
        "the name cannot be looked up: no such name"
    );
    assert_eq!(server.connections(), 0);
}

/// Whatever is refused, what was sent or received is not said.
#[test]
fn no_message_has_headers_or_bodies() {
    let (server, setup) = serving(|stream, _| whole(stream, b"SECRET\r\n\r\n"));
    for (headers, url) in [
        (&[("authorization", "SECRET")][..], setup.url.clone()),
        (&[("x", "SECRET\r\n")], setup.url.clone()),
        (&[("x\n", "SECRET")], setup.url.clone()),
        (&[], format!("https://{NAME}:{}/?SECRET", server.port())),
    ] {
        let error = setup.fetcher.fetch(&Outgoing {
            url: &url,
            method: Method::Post,
            headers,
            body: Some(b"token=SECRET"),
        });
        let error = error.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
    }
}
