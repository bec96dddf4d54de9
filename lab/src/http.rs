//! The messages of an HTTP/1 connection that passes through, read along without changing a byte: heads of requests,
//! statuses of answers. What cannot be read any further (an upgrade, a head above the limit, no HTTP) is passed over.

use crate::log::ArrivedRequest;

/// Bytes of one head, above which the rest of the connection is passed over.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 200;

/// Where in a direction of the connection we are.
#[derive(Debug, Default)]
enum Place {
    #[default]
    Head,
    Body(u64),
    ChunkSize,
    /// The bytes of a chunk with its line end.
    Chunk(u64),
    Trailer,
    /// Not to be read any further.
    Opaque,
}

/// What follows a head.
enum Framing {
    Length(u64),
    Chunked,
    Rest,
}

/// One direction of a connection.
#[derive(Debug, Default)]
struct Direction {
    place: Place,
    buffer: Vec<u8>,
}

/// The requests of a connection.
#[derive(Debug, Default)]
pub(crate) struct Requests(Direction);

/// The answers of a connection.
#[derive(Debug, Default)]
pub(crate) struct Answers(Direction);

impl Requests {
    /// The requests whose heads end in `bytes`.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Vec<ArrivedRequest> {
        let mut found = Vec::new();
        self.0.read(bytes, |head| {
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut request = httparse::Request::new(&mut headers);
            match request.parse(head) {
                Ok(httparse::Status::Complete(_)) => {}
                _ => return Framing::Rest,
            }
            let framing = framing(request.headers, Framing::Length(0));
            let upgrades = request
                .headers
                .iter()
                .any(|header| header.name.eq_ignore_ascii_case("upgrade"));
            found.push(ArrivedRequest {
                method: request.method.unwrap_or_default().to_owned(),
                target: request.path.unwrap_or_default().to_owned(),
                headers: request.headers.iter().map(text_of).collect(),
                ..ArrivedRequest::default()
            });
            if upgrades { Framing::Rest } else { framing }
        });
        found
    }
}

impl Answers {
    /// The statuses whose heads end in `bytes`, without interim ones. `heads_only`: whether the next answer is to a HEAD.
    pub(crate) fn read(&mut self, bytes: &[u8], heads_only: bool) -> Vec<u16> {
        let mut found = Vec::new();
        self.0.read(bytes, |head| {
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut response = httparse::Response::new(&mut headers);
            match response.parse(head) {
                Ok(httparse::Status::Complete(_)) => {}
                _ => return Framing::Rest,
            }
            let status = response.code.unwrap_or(0);
            if (100..200).contains(&status) && status != 101 {
                return Framing::Length(0);
            }
            found.push(status);
            match status {
                101 => Framing::Rest,
                204 | 304 => Framing::Length(0),
                _ if heads_only => Framing::Length(0),
                _ => framing(response.headers, Framing::Rest),
            }
        });
        found
    }
}

impl Direction {
    fn read(&mut self, mut bytes: &[u8], mut head: impl FnMut(&[u8]) -> Framing) {
        while !bytes.is_empty() {
            match &mut self.place {
                Place::Opaque => return,
                Place::Body(left) | Place::Chunk(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= taken as u64;
                    bytes = &bytes[taken..];
                    if *left == 0 {
                        self.place = match self.place {
                            Place::Chunk(_) => Place::ChunkSize,
                            _ => Place::Head,
                        };
                    }
                }
                Place::Head => {
                    let Some(whole) = self.take_until(&mut bytes, b"\r\n\r\n") else {
                        continue;
                    };
                    self.place = match head(&whole) {
                        Framing::Length(0) => Place::Head,
                        Framing::Length(length) => Place::Body(length),
                        Framing::Chunked => Place::ChunkSize,
                        Framing::Rest => Place::Opaque,
                    };
                }
                Place::ChunkSize => {
                    let Some(line) = self.take_until(&mut bytes, b"\r\n") else {
                        continue;
                    };
                    self.place = match httparse::parse_chunk_size(&line) {
                        Ok(httparse::Status::Complete((_, 0))) => Place::Trailer,
                        Ok(httparse::Status::Complete((_, size))) => Place::Chunk(size.saturating_add(2)),
                        _ => Place::Opaque,
                    };
                }
                Place::Trailer => {
                    let Some(line) = self.take_until(&mut bytes, b"\r\n") else {
                        continue;
                    };
                    if line == b"\r\n" {
                        self.place = Place::Head;
                    }
                }
            }
        }
    }

    /// Moves bytes into the buffer up to and with `end`, and hands it out when it is whole.
    fn take_until(&mut self, bytes: &mut &[u8], end: &[u8]) -> Option<Vec<u8>> {
        let before = self.buffer.len().saturating_sub(end.len() - 1);
        let had = self.buffer.len();
        let taken = bytes.len().min(MAX_HEAD + 1);
        self.buffer.extend_from_slice(&bytes[..taken]);
        match self.buffer[before..]
            .windows(end.len())
            .position(|window| window == end)
        {
            Some(at) => {
                let whole = before + at + end.len();
                *bytes = &bytes[whole - had..];
                self.buffer.truncate(whole);
                Some(std::mem::take(&mut self.buffer))
            }
            None => {
                *bytes = &bytes[taken..];
                if self.buffer.len() > MAX_HEAD {
                    self.place = Place::Opaque;
                    self.buffer = Vec::new();
                }
                None
            }
        }
    }
}

fn framing(headers: &[httparse::Header<'_>], otherwise: Framing) -> Framing {
    let value = |name: &str| {
        let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok()
    };
    if let Some(coding) = value("transfer-encoding") {
        let last = coding.rsplit(',').next().unwrap_or_default().trim();
        return if last.eq_ignore_ascii_case("chunked") {
            Framing::Chunked
        } else {
            Framing::Rest
        };
    }
    match value("content-length") {
        Some(length) => length.trim().parse().map_or(Framing::Rest, Framing::Length),
        None => otherwise,
    }
}

fn text_of(header: &httparse::Header<'_>) -> (String, String) {
    (
        header.name.to_owned(),
        String::from_utf8_lossy(header.value).into_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole, and byte by byte, is the same.
    fn requests(bytes: &[u8]) -> Vec<(String, String)> {
        let whole = Requests::default().read(bytes);
        let mut reader = Requests::default();
        let single: Vec<_> = bytes.chunks(1).flat_map(|byte| reader.read(byte)).collect();
        assert_eq!(whole, single);
        whole
            .into_iter()
            .map(|request| (request.method, request.target))
            .collect()
    }

    fn statuses(bytes: &[u8]) -> Vec<u16> {
        let whole = Answers::default().read(bytes, false);
        let mut reader = Answers::default();
        let single: Vec<_> = bytes.chunks(1).flat_map(|byte| reader.read(byte, false)).collect();
        assert_eq!(whole, single);
        whole
    }

    #[test]
    fn requests_are_found_behind_bodies() {
        let bytes = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: x\r\n\r\n\
            POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nTrailer: x\r\n\r\nGET /d HTTP/1.1\r\n\r\n";
        let found = requests(bytes);
        let targets: Vec<&str> = found.iter().map(|(_, target)| target.as_str()).collect();
        assert_eq!(targets, ["/a", "/b", "/c", "/d"]);
    }

    #[test]
    fn what_follows_an_upgrade_is_no_request() {
        let found = requests(b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\nGET /x HTTP/1.1\r\n\r\n");
        assert_eq!(found, [("GET".to_owned(), "/ws".to_owned())]);
    }

    #[test]
    fn duplicates_stay_in_their_order() {
        let found = Requests::default().read(b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nhost: b\r\n\r\n");
        let names: Vec<&str> = found[0].headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Host", "X", "host"]);
        assert_eq!(found[0].header("HOST"), Some("a"));
    }

    #[test]
    fn statuses_are_found_behind_bodies_and_interim_answers() {
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 204 No Content\r\n\r\n\
            HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\nHTTP/1.1 500 is the body\r\n\r\n";
        assert_eq!(statuses(bytes), [200, 204, 421, 200]);
    }

    #[test]
    fn an_answer_to_head_has_no_body() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(Answers::default().read(bytes, true), [200, 404]);
    }

    #[test]
    fn what_is_no_http_ends_the_reading() {
        assert!(requests(b"\x16\x03\x01\x02\x00\x01\r\n\r\nGET / HTTP/1.1\r\n\r\n").is_empty());
        let endless = vec![b'a'; 3 * MAX_HEAD];
        let mut reader = Requests::default();
        assert!(reader.read(&endless).is_empty());
        assert!(reader.0.buffer.is_empty());
        assert!(
            statuses(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nHTTP/1.1 404 x\r\n\r\n") == [200]
        );
    }
}
