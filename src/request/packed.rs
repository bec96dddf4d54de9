//! One request as one buffer: how it crosses into wasm.
//!
//! Layout, integers little-endian: format (1 byte, 1), scheme (0 http, 1 https), version (10, 11, 20, 30), time given (0, 1), time (8 bytes, Unix
//! seconds); then peer (text, empty if unknown), method and target, each as length (4 bytes) and bytes; the number of fields (4 bytes); and
//! for each field the length of its name, the length of its value (4 bytes each), name and value. Nothing may follow.

use std::fmt;

use super::{Fields, Header, Headers, Request, Timestamp, Version};
use crate::authority::Scheme;
use crate::peer::Peer;

const FORMAT: u8 = 1;

impl<'a> Request<'a> {
    /// Reads a packed request and the time given with it.
    ///
    /// # Errors
    /// [`PackedError`] if the buffer was not written by [`pack`] or by a face's own packer. It says nothing about the request.
    pub fn unpack(buffer: &'a [u8]) -> Result<(Self, Option<Timestamp>), PackedError> {
        let [FORMAT, scheme, version, timed, rest @ ..] = buffer else {
            return Err(PackedError::Format);
        };
        let scheme = match scheme {
            0 => Scheme::Http,
            1 => Scheme::Https,
            _ => return Err(PackedError::Scheme),
        };
        let version = match version {
            10 => Version::Http10,
            11 => Version::Http11,
            20 => Version::Http2,
            30 => Version::Http3,
            _ => return Err(PackedError::Version),
        };
        let (time, mut rest) = rest.split_first_chunk::<8>().ok_or(PackedError::Length)?;
        let now = (*timed != 0).then(|| Timestamp(u64::from_le_bytes(*time)));
        let mut text = || {
            let length = take_length(&mut rest)?;
            take(&mut rest, length)
        };
        let (peer, method, target) = (text()?, text()?, text()?);
        let peer = Peer::parse(peer).ok_or(PackedError::Peer)?;
        let count = take_length(&mut rest)?;
        let bytes = rest;
        for _ in 0..count {
            take_field(&mut rest)?;
        }
        if !rest.is_empty() {
            return Err(PackedError::Length);
        }
        let headers = Headers(Fields::Packed { count, bytes });
        Ok((
            Self {
                method,
                scheme,
                version,
                target,
                headers,
                peer,
            },
            now,
        ))
    }
}

/// Writes a request into a buffer, which is cleared first and can be used again.
///
/// # Errors
/// [`PackedError::Length`] if a part is longer than 4 GiB.
pub fn pack(request: &Request<'_>, now: Option<Timestamp>, buffer: &mut Vec<u8>) -> Result<(), PackedError> {
    buffer.clear();
    let scheme = match request.scheme {
        Scheme::Http => 0,
        Scheme::Https => 1,
    };
    let version = match request.version {
        Version::Http10 => 10,
        Version::Http11 => 11,
        Version::Http2 => 20,
        Version::Http3 => 30,
    };
    buffer.extend([FORMAT, scheme, version, u8::from(now.is_some())]);
    buffer.extend(now.map_or(0, |now| now.0).to_le_bytes());
    let peer = match request.peer {
        Peer::Unknown => String::new(),
        Peer::Unix => "unix".to_owned(),
        Peer::Address(address) => address.to_string(),
    };
    for text in [peer.as_bytes(), request.method, request.target] {
        put_length(buffer, text.len())?;
        buffer.extend_from_slice(text);
    }
    put_length(buffer, request.headers.len())?;
    for Header { name, value } in request.headers.iter() {
        put_length(buffer, name.len())?;
        put_length(buffer, value.len())?;
        buffer.extend_from_slice(name);
        buffer.extend_from_slice(value);
    }
    Ok(())
}

/// Why a buffer is no packed request: the face has a defect, or another version than the engine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PackedError {
    /// Another format.
    Format,
    /// A length that does not fit the buffer.
    Length,
    /// Neither 0 nor 1.
    Scheme,
    /// None of 10, 11, 20, 30.
    Version,
    /// Neither empty, nor `unix`, nor an address.
    Peer,
}

impl fmt::Display for PackedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Format => "packed request has another format",
            Self::Length => "packed request has a length that does not fit",
            Self::Scheme => "packed request has an unknown scheme",
            Self::Version => "packed request has an unknown HTTP version",
            Self::Peer => "packed request has a peer that is no address",
        })
    }
}

impl std::error::Error for PackedError {}

/// The fields of a buffer that [`Request::unpack`] has walked once.
pub(super) fn fields(mut bytes: &[u8]) -> impl Iterator<Item = Header<'_>> {
    std::iter::from_fn(move || take_field(&mut bytes).ok())
}

fn take_field<'a>(rest: &mut &'a [u8]) -> Result<Header<'a>, PackedError> {
    let name_length = take_length(rest)?;
    let value_length = take_length(rest)?;
    Ok(Header {
        name: take(rest, name_length)?,
        value: take(rest, value_length)?,
    })
}

fn take_length(rest: &mut &[u8]) -> Result<usize, PackedError> {
    let (length, after) = rest.split_first_chunk::<4>().ok_or(PackedError::Length)?;
    *rest = after;
    usize::try_from(u32::from_le_bytes(*length)).map_err(|_| PackedError::Length)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], PackedError> {
    let (taken, after) = rest.split_at_checked(length).ok_or(PackedError::Length)?;
    *rest = after;
    Ok(taken)
}

fn put_length(buffer: &mut Vec<u8>, length: usize) -> Result<(), PackedError> {
    let length = u32::try_from(length).map_err(|_| PackedError::Length)?;
    buffer.extend(length.to_le_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let headers = [
            Header {
                name: b"Host",
                value: b"a.example",
            },
            Header {
                name: b"x",
                value: b"\xff\x00",
            },
            Header { name: b"", value: b"" },
        ];
        let request = Request {
            method: b"GET",
            scheme: Scheme::Https,
            version: Version::Http2,
            target: b"/a?b",
            headers: Headers::new(&headers),
            peer: Peer::parse(b"::ffff:192.0.2.7").unwrap(),
        };
        let mut buffer = Vec::new();
        pack(&request, Some(Timestamp(7)), &mut buffer).unwrap();
        let (unpacked, now) = Request::unpack(&buffer).unwrap();
        assert_eq!(now, Some(Timestamp(7)));
        assert_eq!((unpacked.method, unpacked.target), (request.method, request.target));
        assert_eq!((unpacked.scheme, unpacked.version), (request.scheme, request.version));
        assert_eq!(unpacked.peer, request.peer);
        let pairs = |headers: Headers<'_>| {
            headers
                .iter()
                .map(|header| (header.name.to_vec(), header.value.to_vec()))
                .collect::<Vec<_>>()
        };
        assert_eq!(pairs(unpacked.headers), pairs(request.headers));

        for length in 0..buffer.len() {
            assert!(Request::unpack(&buffer[..length]).is_err(), "cut at {length}");
        }
        buffer.push(0);
        assert_eq!(Request::unpack(&buffer).unwrap_err(), PackedError::Length);
    }
}
