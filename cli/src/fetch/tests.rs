//! The fetcher against servers that mean it no good. All of it stays on loopback.

mod server;

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use hostbound::{EgressReason, Guard, Policy};
use rcgen::{CertificateParams, date_time_ymd};
use tempfile::TempDir;

use super::{Answer, FetchError, Fetcher, Limits, Method, Outgoing};
use server::{Ca, Issued, Server, Stream, dribble, flood, whole};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const NAME: &str = "auth.test";
const HONEST: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

/// What a server that never ends is given, for tests that wait for it.
const SHORT: Duration = Duration::from_millis(400);

/// A policy for one destination, its files, and the fetcher that goes by it.
struct Setup {
    fetcher: Fetcher,
    url: String,
    _folder: TempDir,
}

impl Setup {
    /// `auth.test` is `addresses`, may be on loopback, and `ca` answers for it.
    fn new(ca: &Ca, port: u16) -> Self {
        Self::with(ca, port, "addresses = [\"127.0.0.0/8\"]")
    }

    fn with(ca: &Ca, port: u16, rules: &str) -> Self {
        let origin = format!("https://{NAME}:{port}");
        let files = [("ca.pem", ca.pem())];
        Self::of(&origin, "", &format!("ca = {{ file = \"ca.pem\" }}\n{rules}"), &files)
    }

    /// A destination with rules of its own, beside what else the section and the policy say.
    fn of(origin: &str, policy: &str, rules: &str, files: &[(&str, String)]) -> Self {
        let text = format!(
            "version = 1\n{policy}\n[hosts]\nallow = [\"localhost\"]\n[egress]\n[[egress.destinations]]\norigin = \"{origin}\"\n{rules}\n"
        );
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let guard = Guard::new(Policy::from_toml(&text, "policy.toml").unwrap());
        let fetcher = Fetcher::new(guard, folder.path());
        let url = format!("{origin}/keys?a=%2F");
        Self {
            fetcher,
            url,
            _folder: folder,
        }
        .resolving(&[LOOPBACK])
    }

    fn resolving(mut self, addresses: &[IpAddr]) -> Self {
        let addresses = addresses.to_vec();
        self.fetcher.look_up = Arc::new(move |_| Ok(addresses.clone()));
        self
    }

    fn within(mut self, time: Duration) -> Self {
        self.fetcher.limits.time = time;
        self
    }

    fn get(&self) -> Result<Answer, FetchError> {
        self.get_from(&self.url)
    }

    fn get_from(&self, url: &str) -> Result<Answer, FetchError> {
        self.fetcher.fetch(&Outgoing {
            url,
            method: Method::Get,
            headers: &[],
            body: None,
        })
    }
}

/// A server of this name, and what fetches from it.
fn serving(answer: impl Fn(&mut Stream, Vec<u8>) -> io::Result<()> + Send + 'static) -> (Server, Setup) {
    let ca = Ca::new("root");
    let server = Server::start(&ca.issue(&[NAME]), answer);
    let setup = Setup::new(&ca, server.port());
    (server, setup)
}

fn answering(answer: impl Into<Vec<u8>>) -> Result<Answer, FetchError> {
    let answer = answer.into();
    let (_server, setup) = serving(move |stream, _| whole(stream, &answer));
    setup.get()
}

fn reason(result: Result<Answer, FetchError>) -> EgressReason {
    match result {
        Err(FetchError::Refused(verdict)) => verdict.reason.unwrap(),
        other => panic!("{other:?}"),
    }
}

fn tls_failure(result: Result<Answer, FetchError>) -> &'static str {
    match result {
        Err(FetchError::Tls(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_limits_are_five_seconds_and_64_kib() {
    let (time, body) = (Duration::from_secs(5), 65_536);
    assert_eq!(Limits::default(), Limits { time, body });
}

mod honest {
    use super::*;

    /// Keeps the last request.
    fn recorded() -> (Server, Setup, Arc<Mutex<Vec<u8>>>) {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        let (server, setup) = serving(move |stream, request| {
            *kept.lock().unwrap() = request;
            whole(stream, HONEST)
        });
        (server, setup, requests)
    }

    #[test]
    fn a_key_set_is_fetched() {
        let (server, setup, request) = recorded();
        let answer = setup.get().unwrap();
        assert_eq!(
            (answer.status, answer.content_type.as_deref(), &*answer.body),
            (200, Some("application/json"), &b"{}"[..])
        );
        assert!(answer.reported.is_empty());
        let request = String::from_utf8(request.lock().unwrap().clone()).unwrap();
        let port = server.port();
        assert_eq!(
            request,
            format!(
                "GET /keys?a=%2F HTTP/1.1\r\nhost: auth.test:{port}\r\naccept: application/json\r\naccept-encoding: identity\r\nconnection: close\r\n\r\n"
            )
        );
        assert_eq!(server.connections(), 1);
    }

    #[test]
    fn an_introspection_endpoint_is_asked() {
        let ca = Ca::new("root");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        let server = Server::start(&ca.issue(&[NAME]), move |stream, request| {
            *kept.lock().unwrap() = request;
            whole(stream, HONEST)
        });
        let rules = "addresses = [\"127.0.0.0/8\"]\ncredentials = [\"authorization\"]";
        let setup = Setup::with(&ca, server.port(), rules);
        let answer = setup.fetcher.fetch(&Outgoing {
            url: &setup.url,
            method: Method::Post,
            headers: &[
                ("authorization", "Basic Y2xpZW50OnNlY3JldA=="),
                ("content-type", "application/x-www-form-urlencoded"),
                // What is set here wins.
                ("host", "other.test"),
                ("accept-encoding", "gzip"),
            ],
            body: Some(b"token=abc"),
        });
        assert_eq!(answer.unwrap().status, 200);
        let request = String::from_utf8(requests.lock().unwrap().clone()).unwrap();
        assert!(request.starts_with("POST /keys?a=%2F HTTP/1.1\r\n"), "{request}");
        assert!(request.ends_with("\r\ncontent-length: 9\r\n\r\ntoken=abc"), "{request}");
        assert!(
            request.contains("\r\nauthorization: Basic Y2xpZW50OnNlY3JldA==\r\n"),
            "{request}"
        );
        assert!(
            !request.contains("other.test") && !request.contains("gzip"),
            "{request}"
        );
    }

    /// A redirect is an answer as any other: where it leads was not judged.
    #[test]
    fn any_status_is_an_answer_and_no_redirect_is_followed() {
        let ca = Ca::new("root");
        let elsewhere = Server::start(&ca.issue(&[NAME]), |stream, _| whole(stream, HONEST));
        for status in [301, 302, 307, 308, 401, 404, 500] {
            let to = format!("https://{NAME}:{}/keys", elsewhere.port());
            let text = format!("HTTP/1.1 {status} Word\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
            let server = Server::start(&ca.issue(&[NAME]), move |stream, _| whole(stream, text.as_bytes()));
            let answer = Setup::new(&ca, server.port()).get().unwrap();
            assert_eq!((answer.status, answer.body.len()), (status, 0));
            assert_eq!(server.connections(), 1);
        }
        assert_eq!(elsewhere.connections(), 0);
    }

    #[test]
    fn bodies_come_in_every_framing_of_http_1() {
        for (answer, body) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody", "body"),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nbod\r\n1;x=y\r\ny\r\n0\r\n\r\n",
                "body",
            ),
            ("HTTP/1.1 200 OK\r\n\r\nbody", "body"),
            ("HTTP/1.0 200 OK\r\n\r\nbody", "body"),
            ("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody", "body"),
            ("HTTP/1.1 204 No Content\r\n\r\n", ""),
        ] {
            assert_eq!(answering(answer).unwrap().body, body.as_bytes(), "{answer}");
        }
    }

    #[test]
    fn the_type_of_the_content_is_the_one_that_was_sent() {
        for (fields, want) in [
            ("", None),
            (
                "content-type: application/json; charset=utf-8\r\n",
                Some("application/json; charset=utf-8"),
            ),
            ("content-type: application/json\r\ncontent-type: text/html\r\n", None),
        ] {
            let answer = answering(format!("HTTP/1.1 200 OK\r\n{fields}\r\n{{}}")).unwrap();
            assert_eq!(answer.content_type.as_deref(), want, "{fields}");
        }
    }

    #[test]
    fn an_address_is_a_destination_too() {
        let ca = Ca::new("root");
        let server = Server::start(&ca.issue(&["127.0.0.1"]), |stream, _| whole(stream, HONEST));
        let origin = format!("https://127.0.0.1:{}", server.port());
        let rules = "addresses = [\"127.0.0.0/8\"]\nca = { file = \"ca.pem\" }";
        let mut setup = Setup::of(&origin, "", rules, &[("ca.pem", ca.pem())]);
        setup.fetcher.look_up = Arc::new(|host| panic!("a look-up of {host}"));
        assert_eq!(setup.get().unwrap().status, 200);
    }

    #[test]
    fn the_system_looks_names_up() {
        let ca = Ca::new("root");
        let server = Server::start(&ca.issue(&["localhost"]), |stream, _| whole(stream, HONEST));
        let origin = format!("https://localhost:{}", server.port());
        let rules = "addresses = [\"127.0.0.0/8\", \"::1/128\"]\nca = { file = \"ca.pem\" }";
        let mut setup = Setup::of(&origin, "", rules, &[("ca.pem", ca.pem())]);
        setup.fetcher.look_up = Arc::new(super::super::connect::system_look_up);
        assert_eq!(setup.get().unwrap().status, 200);
    }

    /// The first address refuses: nobody listens there.
    #[test]
    fn addresses_are_tried_in_their_order() {
        let (server, setup) = serving(|stream, _| whole(stream, HONEST));
        let deaf = IpAddr::from([127, 0, 0, 2]);
        let setup = setup.resolving(&[deaf, LOOPBACK, LOOPBACK]);
        assert_eq!(setup.get().unwrap().status, 200);
        assert_eq!(server.connections(), 1);
        assert!(matches!(setup.resolving(&[deaf]).get(), Err(FetchError::Connect(_))));
    }
}

mod refused {
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
}

mod certificates {
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
        let server = Server::start_for(&ca.issue(&[NAME]), Some(&clients), |stream, _| whole(stream, HONEST));
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
}

mod hostile {
    use super::*;

    /// Each byte comes in time; all of them do not.
    #[test]
    fn slow_answers_end_at_the_limit() {
        let head: &[u8] = b"HTTP/1.1 200 OK\r\n";
        for (start, rest) in [
            (&b""[..], &b"H"[..]),
            (head, b"x"),
            (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n", b"x"),
            (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
            (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        ] {
            let (_server, setup) = serving(move |stream, _| {
                stream.write_all(start)?;
                dribble(stream, rest)
            });
            assert_timeout(&setup.within(SHORT));
        }
    }

    #[test]
    fn servers_that_say_nothing_end_at_the_limit() {
        // The system accepts for it, and nobody reads.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_timeout(&Setup::new(&Ca::new("root"), port).within(SHORT));

        let (_server, setup) = serving(|stream, _| dribble(stream, b""));
        assert_timeout(&setup.within(SHORT));
    }

    /// It goes on in its thread, and neither the fetch nor its end waits for it.
    #[test]
    fn a_look_up_that_hangs_ends_at_the_limit() {
        let (server, setup) = serving(|stream, _| whole(stream, HONEST));
        let mut setup = setup.within(SHORT);
        let (release, hanging) = mpsc::channel::<()>();
        let hanging = Mutex::new(hanging);
        setup.fetcher.look_up = Arc::new(move |_| {
            let _ = hanging.lock().unwrap().recv();
            Ok(vec![LOOPBACK])
        });
        assert_timeout(&setup);
        drop(release);
        assert_eq!(server.connections(), 0);
    }

    fn assert_timeout(setup: &Setup) {
        let start = Instant::now();
        let answer = setup.get();
        let took = start.elapsed();
        assert!(matches!(answer, Err(FetchError::Timeout(SHORT))), "{answer:?}");
        assert!(took >= SHORT && took < SHORT * 5, "{took:?}");
    }

    #[test]
    fn a_body_has_64_kib_at_most() {
        let most = Limits::default().body;
        for (length, fits) in [(most, true), (most + 1, false)] {
            let body = "x".repeat(length);
            for answer in [
                format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}"),
                format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"),
                format!("HTTP/1.1 200 OK\r\n\r\n{body}"),
            ] {
                match answering(answer) {
                    Ok(answer) => assert!(fits && answer.body == body.as_bytes()),
                    Err(error) => assert!(!fits && matches!(error, FetchError::TooLarge(65_536)), "{error:?}"),
                }
            }
        }
        // What is announced need not be waited for.
        for length in [u64::MAX - 1, 65_537] {
            let answer = answering(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n"));
            assert!(matches!(answer, Err(FetchError::TooLarge(65_536))), "{answer:?}");
        }
    }

    #[test]
    fn floods_end() {
        for (start, rest, is_body) in [
            (
                &b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"[..],
                &b"4\r\nbody\r\n"[..],
                true,
            ),
            (b"HTTP/1.1 200 OK\r\n\r\n", b"body", true),
            (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", false),
            (b"HTTP/1.1 200 OK\r\nx: ", b"y", false),
            (b"HTTP/1.1 200 ", b"O", false),
            (
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4;",
                b"x=y;",
                false,
            ),
            (
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
                b"x: y\r\n",
                false,
            ),
            (b"", b"\r\n", false),
            (b"", b"\0", false),
        ] {
            let (_server, setup) = serving(move |stream, _| {
                stream.write_all(start)?;
                flood(stream, rest)
            });
            let answer = setup.get();
            match answer {
                Err(FetchError::TooLarge(_)) => assert!(is_body),
                Err(FetchError::Http(_)) => assert!(!is_body),
                other => panic!("{:?}: {other:?}", String::from_utf8_lossy(rest)),
            }
        }
    }

    #[test]
    fn a_flood_of_interim_answers_ends_at_the_limit() {
        let (_server, setup) = serving(|stream, _| flood(stream, b"HTTP/1.1 103 Early Hints\r\n\r\n"));
        assert_timeout(&setup.within(SHORT));
    }

    #[test]
    fn a_head_has_64_fields_and_16_kib_at_most() {
        let head = |fields: String| answering(format!("HTTP/1.1 200 OK\r\n{fields}\r\n{{}}"));
        assert_eq!(head("x: y\r\n".repeat(64)).unwrap().status, 200);
        assert_eq!(head(format!("x: {}\r\n", "y".repeat(15 * 1024))).unwrap().status, 200);
        for fields in ["x: y\r\n".repeat(65), format!("x: {}\r\n", "y".repeat(16 * 1024))] {
            let answer = head(fields);
            assert!(matches!(answer, Err(FetchError::Http(_))), "{answer:?}");
        }
    }

    #[test]
    fn what_is_no_whole_answer_is_none() {
        for answer in [
            "",
            "\r\n\r\n",
            "garbage",
            "garbage\r\n\r\n",
            "SSH-2.0-OpenSSH_9.9\r\n",
            "{\"keys\":[]}",
            "HTTP/1.1\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\nx : y\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\nx: y\r\n folded\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\nx: \0\r\n\r\n{}",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n{}",
            "HTTP/1.1 100 Continue\r\n\r\n",
            // Truncated.
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{}",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
            // Lengths that contradict each other, or are none.
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{} ",
            "HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nz\r\n{}\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        ] {
            let found = answering(answer);
            assert!(matches!(found, Err(FetchError::Http(_))), "{answer:?}: {found:?}");
        }
    }

    /// A body that goes on to the end of the connection is whole only if TLS ended too (RFC 9112 §9.8).
    #[test]
    fn a_connection_that_was_cut_is_no_end() {
        let (_server, setup) = serving(|stream, _| {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"active\":true")?;
            stream.flush()
        });
        let answer = setup.get();
        assert!(matches!(answer, Err(FetchError::Http(_))), "{answer:?}");
    }

    #[test]
    fn no_coding_is_undone() {
        for fields in [
            "content-encoding: gzip",
            "content-encoding: identity",
            "content-encoding:",
            "transfer-encoding: gzip, chunked",
            "transfer-encoding: gzip\r\ntransfer-encoding: chunked",
            "transfer-encoding: gzip",
        ] {
            let body = if fields.contains("chunked") {
                "2\r\n{}\r\n0\r\n\r\n"
            } else {
                "{}"
            };
            let answer = answering(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}"));
            assert!(matches!(answer, Err(FetchError::Http(_))), "{fields}: {answer:?}");
        }
    }

    #[test]
    fn what_is_no_tls_is_refused() {
        for bytes in [HONEST, b"\x16\x03\x01\xff\xff", b""] {
            let server = Server::start_raw(move |mut tcp| {
                // So that closing does not cut off what was written.
                let _ = io::Read::read(&mut tcp, &mut [0; 4096])?;
                tcp.write_all(bytes)
            });
            let setup = Setup::new(&Ca::new("root"), server.port());
            tls_failure(setup.get());
        }
    }
}
