//! The request, as every face hands it over: bytes, in order, with case and duplicates kept.
//!
//! Decides (check `request`) whether it is a request at all, and reads the few headers that later checks need.

mod document;
mod head;
mod packed;

#[cfg(feature = "page")]
pub(crate) use document::read_object;
pub use document::{RequestDocument, RequestDocumentError};
pub(crate) use head::{
    FORWARDED_HEADERS, Head, MAX_METHOD, METHOD_OVERRIDES, NamedHeaders, Occurrences, is_http10, is_method, is_served,
    is_token_byte,
};
pub use packed::{PackedError, pack};

use crate::authority::Scheme;
use crate::peer::Peer;

/// The most header fields of a request.
pub const MAX_FIELDS: usize = 1_000;
/// The most bytes of head: method, target, names and values, plus 4 a field.
pub const MAX_HEAD: usize = 256 * 1024;
/// The most bytes of a request target.
pub const MAX_TARGET: usize = 16 * 1024;

/// Seconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(pub u64);

/// The HTTP version of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
    /// HTTP/3
    Http3,
}

impl Version {
    /// The version of that name: `1.0`, `1.1`, `2` or `3`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "1.0" => Some(Self::Http10),
            "1.1" => Some(Self::Http11),
            "2" => Some(Self::Http2),
            "3" => Some(Self::Http3),
            _ => None,
        }
    }

    /// True for HTTP/2 and HTTP/3, which carry `:authority` (RFC 9113 §8.3.1, RFC 9114 §4.3.1).
    #[must_use]
    pub const fn has_pseudo_headers(self) -> bool {
        matches!(self, Self::Http2 | Self::Http3)
    }
}

/// A header field as received.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// The name, in the case in which it came.
    pub name: &'a [u8],
    /// The value, without surrounding white space.
    pub value: &'a [u8],
}

/// The header fields of a request, in order.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a>(Fields<'a>);

#[derive(Clone, Copy, Debug)]
enum Fields<'a> {
    Slice(&'a [Header<'a>]),
    Packed { count: usize, bytes: &'a [u8] },
}

impl<'a> Headers<'a> {
    /// The fields of a slice.
    #[must_use]
    pub const fn new(fields: &'a [Header<'a>]) -> Self {
        Self(Fields::Slice(fields))
    }

    /// How many fields there are.
    #[must_use]
    pub const fn len(self) -> usize {
        match self.0 {
            Fields::Slice(fields) => fields.len(),
            Fields::Packed { count, .. } => count,
        }
    }

    /// True if there is no field.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The fields in order.
    pub fn iter(self) -> impl Iterator<Item = Header<'a>> {
        let (slice, packed) = match self.0 {
            Fields::Slice(fields) => (fields, &[][..]),
            Fields::Packed { bytes, .. } => (&[][..], bytes),
        };
        slice.iter().copied().chain(packed::fields(packed))
    }
}

/// A request, borrowed from whoever received it. [`pack`] and [`Request::unpack`] carry it across a boundary as one buffer;
/// [`RequestDocument`] is its JSON form.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method as received.
    pub method: &'a [u8],
    /// The scheme of the connection: [`Scheme::Https`] if this end of it is TLS.
    pub scheme: Scheme,
    /// The HTTP version.
    pub version: Version,
    /// The raw request target; on HTTP/2 and 3, `:path`.
    pub target: &'a [u8],
    /// The header fields; on HTTP/2 and 3 with `:authority` and `:protocol`, without the other pseudo-headers.
    pub headers: Headers<'a>,
    /// The other end of the transport connection.
    pub peer: Peer,
}
