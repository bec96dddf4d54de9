//! Why there is no answer. Never says what was sent or received: both may hold tokens and credentials.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use hostbound::EgressVerdictDocument;

/// Why nothing was fetched.
#[derive(Debug)]
pub(crate) enum FetchError {
    /// The policy refuses the URL, an address, the headers or the server's key (`pin_mismatch`).
    Refused(Box<EgressVerdictDocument>),
    /// The policy may allow http, this does not.
    NotHttps,
    /// A file that the policy names for TLS is not what it should be.
    File { path: PathBuf, why: String },
    /// The name could not be looked up.
    Resolve(io::Error),
    /// No address could be connected to; why the last could not.
    Connect(io::ErrorKind),
    /// The server did not prove to be the one that was asked for.
    Tls(&'static str),
    /// The time that all of it may take is over.
    Timeout(Duration),
    /// The body is longer than this, in bytes.
    TooLarge(usize),
    /// The answer is none of HTTP/1.1, or ends before it is whole.
    Http(&'static str),
    /// The system refused what every fetch needs.
    System(io::Error),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(verdict) => {
                match verdict.reason {
                    Some(reason) => write!(f, "{reason}")?,
                    None => f.write_str("refused")?,
                }
                if let Some(detail) = &verdict.detail {
                    write!(f, ": {detail}")?;
                }
                match &verdict.rule {
                    Some(rule) => write!(f, " ({rule})"),
                    None => Ok(()),
                }
            }
            Self::NotHttps => f.write_str("the URL does not start with `https://`"),
            Self::File { path, why } => write!(f, "{}, which the policy names: {why}", path.display()),
            Self::Resolve(error) => write!(f, "the name cannot be looked up: {error}"),
            Self::Connect(kind) => write!(f, "the server cannot be connected to: {kind}"),
            Self::Tls(why) => write!(f, "no TLS with the server: {why}"),
            Self::Timeout(limit) => write!(f, "no whole answer within {limit:?}"),
            Self::TooLarge(limit) => write!(f, "the answer's body is longer than {limit} bytes"),
            Self::Http(why) => f.write_str(why),
            Self::System(error) => write!(f, "the system refused: {error}"),
        }
    }
}

impl std::error::Error for FetchError {}
