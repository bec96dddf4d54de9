//! The JSON form of a request: vectors, policy cases, `hostbound decide`.

#[cfg(feature = "tokens")]
use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error, MapAccess, Unexpected, Visitor};

use super::{Header, Headers, Request, Timestamp, Version};
use crate::authority::Scheme;
#[cfg(feature = "tokens")]
use crate::guard::TokenQuestion;
use crate::peer::Peer;
#[cfg(feature = "tokens")]
use crate::token::OwnedAnswer;
use crate::verdict::write_escaped;

/// A request that owns its bytes, read from JSON. Unknown and duplicate fields are errors.
///
/// Strings of method, target and headers are latin-1: each character is the byte of its code. A header value and the body may be
/// `{"base64": "…"}` instead (RFC 4648 §4, with padding).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestDocument {
    /// Copied into the verdict.
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    now: Option<Seconds>,
    method: Latin1,
    #[serde(default)]
    scheme: SchemeName,
    #[serde(default)]
    version: VersionName,
    target: Latin1,
    headers: Vec<(Latin1, Bytes)>,
    #[serde(default)]
    peer: PeerText,
    #[serde(default)]
    body: Body,
    #[cfg(feature = "tokens")]
    #[serde(default)]
    answers: AnswersDocument,
}

impl RequestDocument {
    /// Reads one request from JSON.
    ///
    /// # Errors
    /// [`RequestDocumentError`] with the column where reading stopped.
    pub fn from_json(json: &[u8]) -> Result<Self, RequestDocumentError> {
        read_object(json)
    }

    /// The time at which the request is judged.
    #[must_use]
    pub fn now(&self) -> Option<Timestamp> {
        self.now.as_ref().map(|seconds| Timestamp(seconds.0))
    }

    /// The body. Nothing that a policy can ask for today reads it.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body.0
    }

    /// What the document says that another server answers; none also where it says nothing.
    #[cfg(feature = "tokens")]
    #[must_use]
    pub fn answer_to(&self, question: &TokenQuestion<'_>) -> Option<OwnedAnswer> {
        let answer = match question.body() {
            None => self.answers.keys.get(question.section())?,
            Some(_) => &self.answers.introspection,
        };
        answer.as_ref().map(|answer| answer.0.clone())
    }

    /// True if the document says something of the question, be it that there is no answer.
    #[cfg(feature = "tokens")]
    #[must_use]
    pub fn answers(&self, question: &TokenQuestion<'_>) -> bool {
        match question.body() {
            None => self.answers.keys.contains_key(question.section()),
            Some(_) => self.answers.has_introspection,
        }
    }

    /// The header fields, for [`RequestDocument::request`] to borrow.
    #[must_use]
    pub fn headers(&self) -> Vec<Header<'_>> {
        self.headers
            .iter()
            .map(|(name, value)| Header {
                name: &name.0,
                value: &value.0,
            })
            .collect()
    }

    /// The request, over its own fields.
    #[must_use]
    pub fn request<'a>(&'a self, headers: &'a [Header<'a>]) -> Request<'a> {
        Request {
            method: &self.method.0,
            scheme: self.scheme.0,
            version: self.version.0,
            target: &self.target.0,
            headers: Headers::new(headers),
            peer: self.peer.0,
        }
    }
}

/// Reads a request of either direction: an object, nothing before or after it.
pub(crate) fn read_object<T: DeserializeOwned>(json: &[u8]) -> Result<T, RequestDocumentError> {
    // A derived struct would also take a list.
    if json.trim_ascii_start().first().is_some_and(|byte| *byte != b'{') {
        return Err(RequestDocumentError {
            message: "a request is a JSON object".to_owned(),
            place: String::new(),
        });
    }
    serde_json::from_slice(json).map_err(|error| RequestDocumentError::of(&error))
}

/// Why a text is no request in JSON, fit for a log: in ASCII, short, and without the text of values, which may be credentials.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestDocumentError {
    message: String,
    place: String,
}

impl RequestDocumentError {
    fn of(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let message = text.rsplit_once(" at line ").map_or(&*text, |(message, _)| message);
        let mut shown = String::new();
        // What stands between double quotes is a value.
        for (index, part) in message.split('"').enumerate() {
            if index % 2 == 0 {
                shown.push_str(part.trim_end_matches(' '));
            }
        }
        // Writing to a string cannot fail.
        let mut message = String::new();
        let shown = shown.replace(
            "invalid length 1, expected a tuple of size 2",
            "a header is [name, value]",
        );
        let _ = write_escaped(&mut message, shown.as_bytes(), 160);
        let place = match error.line() {
            0 => String::new(),
            1 => format!(" at column {}", error.column()),
            line => format!(" at line {line} column {}", error.column()),
        };
        Self { message, place }
    }

    /// The message without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for RequestDocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.message, self.place)
    }
}

impl std::error::Error for RequestDocumentError {}

/// What other servers answer to the questions of the judgement, for vectors and cases.
#[cfg(feature = "tokens")]
#[derive(Clone, Debug, Default)]
struct AnswersDocument {
    /// By the name of a `tokens` section.
    keys: BTreeMap<String, Option<AnswerDocument>>,
    has_introspection: bool,
    introspection: Option<AnswerDocument>,
}

#[cfg(feature = "tokens")]
impl<'de> Deserialize<'de> for AnswersDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            #[serde(default)]
            keys: BTreeMap<String, Option<AnswerDocument>>,
            // Absent and null differ.
            #[serde(default, deserialize_with = "present")]
            introspection: Option<Option<AnswerDocument>>,
        }

        fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<AnswerDocument>>, D::Error> {
            Option::deserialize(deserializer).map(Some)
        }

        let Fields { keys, introspection } = Fields::deserialize(deserializer)?;
        Ok(Self {
            keys,
            has_introspection: introspection.is_some(),
            introspection: introspection.flatten(),
        })
    }
}

/// The body of an answer that is JSON with status 200; or `{"status", "type", "body"}`.
#[cfg(feature = "tokens")]
#[derive(Clone, Debug)]
struct AnswerDocument(OwnedAnswer);

#[cfg(feature = "tokens")]
impl<'de> Deserialize<'de> for AnswerDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Whole(Whole),
        }

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Whole {
            status: u16,
            #[serde(rename = "type")]
            content_type: Option<String>,
            body: String,
        }

        let (status, content_type, body) = match Form::deserialize(deserializer)? {
            Form::Text(body) => (200, Some("application/json".to_owned()), body),
            Form::Whole(whole) => (whole.status, whole.content_type, whole.body),
        };
        Ok(Self(OwnedAnswer {
            status,
            content_type,
            body: body.into_bytes(),
        }))
    }
}

#[derive(Clone, Debug)]
struct Seconds(u64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = u64::deserialize(deserializer)?;
        if seconds < 1 << 53 {
            Ok(Self(seconds))
        } else {
            Err(D::Error::invalid_value(
                Unexpected::Unsigned(seconds),
                &"Unix seconds below 2^53",
            ))
        }
    }
}

#[derive(Clone, Debug)]
struct Latin1(Vec<u8>);

impl<'de> Deserialize<'de> for Latin1 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        latin1(String::deserialize(deserializer)?).map(Self)
    }
}

fn latin1<E: Error>(text: String) -> Result<Vec<u8>, E> {
    if text.is_ascii() {
        return Ok(text.into_bytes());
    }
    text.chars()
        .map(|character| {
            u8::try_from(character)
                .map_err(|_| E::invalid_value(Unexpected::Char(character), &"characters up to U+00FF"))
        })
        .collect()
}

/// A string, or an object with the one member `base64`.
enum TextOrBytes {
    Text(String),
    Bytes(Vec<u8>),
}

impl<'de> Deserialize<'de> for TextOrBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not derived: a derived struct would also take a list, and a derived untagged enum loses the column.
        struct TextOrBytesVisitor;

        impl<'de> Visitor<'de> for TextOrBytesVisitor {
            type Value = TextOrBytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or {\"base64\": \"…\"}")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(TextOrBytes::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let Some((key, text)) = map.next_entry::<String, String>()? else {
                    return Err(A::Error::missing_field("base64"));
                };
                if key != "base64" {
                    return Err(A::Error::unknown_field(&key, &["base64"]));
                }
                if map.next_key::<String>()?.is_some() {
                    return Err(A::Error::custom("only the member `base64` is expected"));
                }
                STANDARD.decode(text).map(TextOrBytes::Bytes).map_err(|_| {
                    A::Error::custom("invalid base64: the alphabet of RFC 4648 section 4 with padding is expected")
                })
            }
        }

        deserializer.deserialize_any(TextOrBytesVisitor)
    }
}

#[derive(Clone, Debug)]
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match TextOrBytes::deserialize(deserializer)? {
            TextOrBytes::Text(text) => latin1(text).map(Self),
            TextOrBytes::Bytes(bytes) => Ok(Self(bytes)),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Body(Vec<u8>);

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match TextOrBytes::deserialize(deserializer)? {
            TextOrBytes::Text(text) => Ok(Self(text.into_bytes())),
            TextOrBytes::Bytes(bytes) => Ok(Self(bytes)),
        }
    }
}

#[derive(Clone, Debug)]
struct SchemeName(Scheme);

impl Default for SchemeName {
    fn default() -> Self {
        Self(Scheme::Http)
    }
}

impl<'de> Deserialize<'de> for SchemeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "http" => Ok(Self(Scheme::Http)),
            "https" => Ok(Self(Scheme::Https)),
            other => Err(D::Error::invalid_value(Unexpected::Str(other), &"`http` or `https`")),
        }
    }
}

#[derive(Clone, Debug)]
struct VersionName(Version);

impl Default for VersionName {
    fn default() -> Self {
        Self(Version::Http11)
    }
}

impl<'de> Deserialize<'de> for VersionName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Version::parse(&text)
            .map(Self)
            .ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &"`1.0`, `1.1`, `2` or `3`"))
    }
}

#[derive(Clone, Debug)]
struct PeerText(Peer);

impl Default for PeerText {
    fn default() -> Self {
        Self(Peer::Unknown)
    }
}

impl<'de> Deserialize<'de> for PeerText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Option::<String>::deserialize(deserializer)? {
            None => Ok(Self::default()),
            Some(text) => Peer::parse(text.as_bytes())
                .filter(|peer| *peer != Peer::Unknown)
                .map(Self)
                .ok_or_else(|| {
                    D::Error::invalid_value(
                        Unexpected::Str(&text),
                        &"an address without port or zone, `unix`, or null",
                    )
                }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(json: &str) -> String {
        RequestDocument::from_json(json.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn bytes_are_latin1_or_base64() {
        let document = RequestDocument::from_json(
            br#"{"method":"GET","target":"/\u00e9","headers":[["a","\u00ff"],["b",{"base64":"/w=="}]],"body":"\u00e9"}"#,
        )
        .unwrap();
        let headers = document.headers();
        assert_eq!(document.request(&headers).target, b"/\xe9");
        assert_eq!((headers[0].value, headers[1].value), (&b"\xff"[..], &b"\xff"[..]));
        assert_eq!(document.body(), "\u{e9}".as_bytes());
    }

    #[test]
    fn errors_are_short_and_ascii() {
        for key in ["\u{1b}[2J\u{e9}", &"x".repeat(10_000)] {
            let error = error(&serde_json::json!({ key: 1 }).to_string());
            assert!(
                error.len() < 300 && error.bytes().all(|byte| (0x20..=0x7e).contains(&byte)),
                "{error}"
            );
        }
    }

    #[test]
    fn everything_else_is_an_error() {
        for (json, part) in [
            ("", "EOF"),
            ("nonsense", "JSON object"),
            ("[]", "JSON object"),
            (r#"{"target":"/","headers":[]}"#, "missing field `method`"),
            (
                r#"{"method":"GET","method":"GET","target":"/","headers":[]}"#,
                "duplicate field `method`",
            ),
            (
                r#"{"method":"GET","target":"/","headers":[],"extra":1}"#,
                "unknown field `extra`",
            ),
            (r#"{"method":"GET","target":"/","headers":[["a","\u0100"]]}"#, "U+00FF"),
            (
                r#"{"method":"GET","target":"/","headers":[["a",{"base64":"/x=="}]]}"#,
                "base64",
            ),
            (
                r#"{"method":"GET","target":"/","headers":[["a",{"base64":"/w"}]]}"#,
                "base64",
            ),
            (
                r#"{"method":"GET","target":"/","headers":[["a"]]}"#,
                "a header is [name, value]",
            ),
            (
                r#"{"headers":"authorization: Bearer s3cret"}"#,
                "invalid type: string, expected a sequence at column 41",
            ),
            (
                r#"{"method":"GET","target":"/","headers":[["a",["YQ=="]]]}"#,
                "string or",
            ),
            (
                r#"{"method":"GET","target":"/","headers":[["a",{"base64":"","base64":""}]]}"#,
                "only the member",
            ),
            (
                r#"{"method":"GET","target":"/","headers":[],"peer":"127.0.0.1:80"}"#,
                "without port",
            ),
            (r#"{"method":"GET","target":"/","headers":[],"version":"0.9"}"#, "`1.1`"),
            (
                r#"{"method":"GET","target":"/","headers":[],"now":-1}"#,
                "invalid value",
            ),
            (
                r#"{"method":"GET","target":"/","headers":[],"now":9007199254740992}"#,
                "2^53",
            ),
            (r#"{"method":"GET","target":"/","headers":[]} x"#, "trailing"),
        ] {
            assert!(error(json).contains(part), "{json}: {}", error(json));
        }
    }
}
