//! The web server of the page: its files, what it is told of the lab, and runs. Every request is judged by the engine first.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use hostbound::{Guard, Header, Headers, Inspection, Peer, Request as Judged, Scheme, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::SelfTest;
use super::run::{self, MAX_PORTS};
use crate::case::{GuardKind, Method as Way};
use crate::plan::Resolver;
use crate::strategy::Strategy;
use crate::verdict::{BrowserFacts, TargetKind};

/// Bytes of what a run is asked for with.
const MAX_ASKED: usize = 16 * 1024;
/// How long a run that was cancelled may take to end, when the next is asked for.
const PATIENCE: Duration = Duration::from_secs(5);

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

pub(super) async fn serve(listener: TcpListener, self_test: Arc<SelfTest>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let self_test = Arc::clone(&self_test);
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let self_test = Arc::clone(&self_test);
                        async move { Ok::<_, Infallible>(answer(&self_test, request).await) }
                    });
                    // A connection that breaks concerns its own side only.
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await
                        .ok();
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(self_test: &Arc<SelfTest>, request: Request<Incoming>) -> Answer {
    let mut answer = match refusal(&self_test.guard, &request) {
        Some(refusal) => refusal,
        None => find(self_test, request).await,
    };
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("frame-ancestors 'none'"),
    );
    answer
}

/// What the engine says, if it denies the request: the attackers' pages are in the same browser.
fn refusal<B>(guard: &Guard, request: &Request<B>) -> Option<Answer> {
    let headers: Vec<Header<'_>> = request
        .headers()
        .iter()
        .map(|(name, value)| Header {
            name: name.as_str().as_bytes(),
            value: value.as_bytes(),
        })
        .collect();
    let target = request.uri().to_string();
    let judged = Judged {
        method: request.method().as_str().as_bytes(),
        scheme: Scheme::Http,
        version: Version::Http11,
        target: target.as_bytes(),
        headers: Headers::new(&headers),
        peer: Peer::Unknown,
    };
    // The policy asks for nothing but the head.
    let Inspection::Decided(verdict) = guard.inspect(&judged, None) else {
        return Some(text(StatusCode::FORBIDDEN, String::new()));
    };
    let status = StatusCode::from_u16(verdict.status()).unwrap_or(StatusCode::FORBIDDEN);
    (!verdict.is_allowed()).then(|| text(status, verdict.client_text()))
}

async fn find(self_test: &Arc<SelfTest>, request: Request<Incoming>) -> Answer {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/run" if request.method() == Method::POST => begin(self_test, request).await,
        "/run" => not_allowed("POST"),
        _ if !reads => not_allowed("GET, HEAD"),
        "/lab.json" => json(StatusCode::OK, &Lab::of(self_test)),
        path => match self_test.files.get(path) {
            Some(file) => with(StatusCode::OK, file.kind, file.bytes.clone()),
            None => text(StatusCode::NOT_FOUND, "not found\n".to_owned()),
        },
    }
}

/// What the page is told of the lab.
#[derive(Serialize)]
struct Lab<'a> {
    format: u32,
    hostbound: &'static str,
    browser: &'a BrowserFacts,
    guard: Option<GuardFacts<'a>>,
    resolver: &'static str,
    methods: &'static [Way],
    strategies: &'static [Strategy],
    max_ports: usize,
    /// Where files go that are saved.
    downloads: &'a Path,
    /// Names outside of the lab that were asked for.
    strays: Vec<String>,
}

#[derive(Serialize)]
struct GuardFacts<'a> {
    kind: GuardKind,
    /// Why it does not run.
    trouble: Option<&'a str>,
}

impl<'a> Lab<'a> {
    fn of(self_test: &'a SelfTest) -> Self {
        let guard = |kind| GuardFacts {
            kind,
            trouble: self_test.stage.guard.as_ref().err().map(String::as_str),
        };
        Self {
            format: 1,
            hostbound: env!("CARGO_PKG_VERSION"),
            browser: &self_test.browser,
            guard: self_test.plan.guarded.as_ref().and_then(|planned| match planned.kind {
                TargetKind::Guarded { guard: kind } => Some(guard(kind)),
                _ => None,
            }),
            resolver: match self_test.plan.surroundings.resolver {
                Resolver::Direct => "direct",
                Resolver::Command(_) => "command",
            },
            methods: &run::METHODS,
            strategies: run::strategies(self_test.plan.browser),
            max_ports: MAX_PORTS,
            downloads: &self_test.plan.downloads,
            strays: self_test.stage.zone.strays(),
        }
    }
}

/// What a run is asked for with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    ports: Vec<u16>,
}

/// Begins a run, whose events are the body of the answer. Whoever reads no further cancels it.
async fn begin(self_test: &Arc<SelfTest>, request: Request<Incoming>) -> Answer {
    // No form sends this: an answer to a preflight, which there is not, would come first.
    let is_json = request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/json");
    if !is_json {
        return wrong(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the content type is not application/json",
        );
    }
    let Ok(body) = Limited::new(request.into_body(), MAX_ASKED).collect().await else {
        return wrong(StatusCode::PAYLOAD_TOO_LARGE, "too much is asked for");
    };
    let asked: Asked = match serde_json::from_slice(&body.to_bytes()) {
        Ok(asked) => asked,
        Err(error) => return wrong(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    if let Err(what) = run::check(&asked.ports) {
        return wrong(StatusCode::BAD_REQUEST, &what);
    }
    let Ok(alone) = tokio::time::timeout(PATIENCE, Arc::clone(&self_test.running).lock_owned()).await else {
        return wrong(StatusCode::CONFLICT, "another run is under way");
    };
    let (events, told) = mpsc::unbounded_channel();
    let self_test = Arc::clone(self_test);
    let mut task = JoinSet::new();
    task.spawn(async move {
        run::run(&self_test, &asked.ports, &events).await;
        drop(alone);
    });
    // The task ends with the body.
    let lines = stream::unfold((told, task), |(mut told, task)| async move {
        let line: Bytes = told.recv().await?;
        Some((Ok(Frame::data(line)), (told, task)))
    });
    let mut answer = Response::new(StreamBody::new(lines).boxed_unsync());
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    answer
}

fn wrong(status: StatusCode, what: &str) -> Answer {
    json(status, &serde_json::json!({ "error": what }))
}

fn not_allowed(methods: &'static str) -> Answer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n".to_owned());
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    answer
}

fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    // Strings, numbers and lists: serializing them cannot fail.
    let text = serde_json::to_vec(value).unwrap_or_default();
    with(status, "application/json", text.into())
}

fn text(status: StatusCode, text: String) -> Answer {
    with(status, "text/plain; charset=utf-8", text.into())
}

fn with(status: StatusCode, kind: &'static str, bytes: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(bytes).boxed_unsync());
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

#[cfg(test)]
mod tests {
    use hyper::header::{HOST, ORIGIN};

    use super::*;
    use crate::self_test::own_guard;

    /// The status that a request to begin a run is refused with.
    fn refused(host: &str, headers: &[(&str, &str)]) -> Option<u16> {
        let mut request = Request::post("/run").header(HOST, host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let refusal = refusal(&own_guard().unwrap(), &request.body(()).unwrap());
        refusal.map(|answer| answer.status().as_u16())
    }

    #[test]
    fn only_the_page_itself_begins_a_run() {
        let own = "self-test.hostbound.example";
        let origin = ORIGIN.as_str();
        assert_eq!(refused(own, &[(origin, "http://self-test.hostbound.example")]), None);
        assert_eq!(refused(own, &[("sec-fetch-site", "same-origin")]), None);
        assert_eq!(
            refused(own, &[(origin, "http://0123456789abcdef.rebind.example:8100")]),
            Some(403)
        );
        assert_eq!(refused(own, &[("sec-fetch-site", "same-site")]), Some(403));
        assert_eq!(refused(own, &[("sec-fetch-site", "cross-site")]), Some(403));
        assert_eq!(refused(own, &[(origin, "null")]), Some(403));
        assert_eq!(refused("0123456789abcdef.rebind.example", &[]), Some(421));
        assert_eq!(refused("192.88.99.3", &[]), Some(421));
    }
}
