//! Servers that answer as they should.

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
    setup.fetcher.look_up = Arc::new(crate::fetch::connect::system_look_up);
    assert_eq!(setup.get().unwrap().status, 200);
}

/// The first address refuses: nobody listens there.
#[test]
fn addresses_are_tried_in_their_order() {
    let (server, setup) = serving(|stream, _| whole(stream, HONEST));
    let deaf = IpAddr::from([127, 0, 0, 2]);
    let setup = setup.resolving(&[deaf, LOOPBACK]);
    assert_eq!(setup.get().unwrap().status, 200);
    assert_eq!(server.connections(), 1);
    assert!(matches!(setup.resolving(&[deaf]).get(), Err(FetchError::Connect(_))));
}
