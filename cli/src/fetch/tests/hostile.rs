//! Servers that are slow, too long, or speak something else.

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
        let _ = hanging.lock().unwrap().recv_timeout(SHORT * 10);
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
    for length in [1_u64 << 40, 65_537] {
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
