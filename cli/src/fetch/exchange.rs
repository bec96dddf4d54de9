//! One request and its answer over a connection, in HTTP/1.1.

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes};
use hyper::client::conn::http1;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName, HeaderValue,
    TRANSFER_ENCODING,
};
use hyper::http::uri::PathAndQuery;
use hyper::{HeaderMap, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Answer, FetchError, Method, Outgoing};

/// The longest head of an answer, and the longest trailers, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// The most header fields of an answer.
const MAX_FIELDS: usize = 64;

/// Sends a request for `url`, which is in its normal form, and reads an answer whose body has at most `limit` bytes.
pub(super) async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    url: &str,
    outgoing: &Outgoing<'_>,
    limit: usize,
) -> Result<Answer, FetchError> {
    let request = request(url, outgoing).ok_or(FetchError::Http("the request cannot be written in HTTP/1.1"))?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_header_size(MAX_HEAD)
        .max_headers(MAX_FIELDS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| no_answer(&error))?;
    // It ends with the runtime of this one fetch; what goes wrong in it, the answer shows.
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|error| no_answer(&error))?;
    answer(response, limit).await
}

/// None if the URL or a header has what HTTP/1.1 cannot carry.
fn request(url: &str, outgoing: &Outgoing<'_>) -> Option<Request<Full<Bytes>>> {
    let rest = url.strip_prefix("https://")?;
    let (authority, target) = rest.split_at_checked(rest.find('/')?)?;
    let mut headers = HeaderMap::new();
    for (name, value) in outgoing.headers {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
    }
    headers.insert(HOST, HeaderValue::from_str(authority).ok()?);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let mut request = Request::new(Full::from(outgoing.body.unwrap_or_default().to_vec()));
    *request.method_mut() = match outgoing.method {
        Method::Get => hyper::Method::GET,
        Method::Post => hyper::Method::POST,
    };
    *request.uri_mut() = Uri::from(PathAndQuery::try_from(target).ok()?);
    *request.headers_mut() = headers;
    Some(request)
}

async fn answer<B>(response: Response<B>, limit: usize) -> Result<Answer, FetchError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = response.into_parts();
    if head.status.is_informational() {
        return Err(FetchError::Http("the answer switches to another protocol"));
    }
    if is_encoded(&head.headers) {
        return Err(FetchError::Http(
            "the answer's body is encoded, which was not asked for",
        ));
    }
    let too_large = || FetchError::TooLarge(limit);
    let announced = body.size_hint().lower();
    if usize::try_from(announced).map_or(true, |announced| announced > limit) {
        return Err(too_large());
    }
    let body = match Limited::new(body, limit).collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(error) if error.is::<LengthLimitError>() => return Err(too_large()),
        Err(_) => return Err(FetchError::Http("the answer's body is broken or ends early")),
    };
    let mut types = head.headers.get_all(CONTENT_TYPE).iter();
    let content_type = types.next().filter(|_| types.next().is_none());
    Ok(Answer {
        status: head.status.as_u16(),
        content_type: content_type.and_then(|value| Some(value.to_str().ok()?.to_owned())),
        body,
        reported: Vec::new(),
    })
}

/// True if the body is not what would be read from it, by a content coding or a transfer coding other than `chunked`.
fn is_encoded(headers: &HeaderMap) -> bool {
    let mut transfer = headers.get_all(TRANSFER_ENCODING).iter();
    headers.contains_key(CONTENT_ENCODING) || transfer.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"chunked"))
}

fn no_answer(error: &hyper::Error) -> FetchError {
    FetchError::Http(if error.is_parse() {
        "the answer is no HTTP/1.1, or its head is too long"
    } else {
        "the connection ended before the answer"
    })
}
