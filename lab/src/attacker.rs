//! The attacker's web server, and the control server where its page reports and asks for the flip.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, EXPIRES, HeaderName, HeaderValue, PRAGMA,
};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::case::Method;
use crate::log::PageReport;

/// Tells the attacker's answers from the target's: in each of its bodies, and as a header.
pub(crate) const MARKER: &str = "hostbound-lab-attacker";
const MARKER_HEADER: HeaderName = HeaderName::from_static("x-hostbound-lab");
/// Bytes of a report.
const MAX_REPORT: usize = 64 * 1024;

/// What the page is told.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PageConfiguration {
    /// Where it reports to, without a slash at the end.
    pub(crate) control: String,
    pub(crate) method: Method,
    /// Whether the browser opens a window after a click only.
    pub(crate) needs_click: bool,
    /// Names to ask for before each attempt; 0: none.
    pub(crate) flush: u32,
    pub(crate) closed_port: u16,
    /// Milliseconds between attempts.
    pub(crate) interval: u32,
    pub(crate) marker: &'static str,
    pub(crate) secret_prefix: &'static str,
    /// Whether it may send a POST: only ever to the canary.
    pub(crate) write: bool,
}

/// The web server of one case. Dropped or closed, its listeners and connections are gone: who connects is refused.
#[derive(Debug)]
pub(crate) struct Attacker(Mutex<JoinSet<()>>);

impl Attacker {
    /// # Errors
    ///
    /// When an address cannot be bound.
    pub(crate) async fn listen(addresses: &[IpAddr], port: u16, configuration: &PageConfiguration) -> io::Result<Self> {
        let json = serde_json::to_string(configuration)?.replace('<', "\\u003c");
        let page: Arc<str> = include_str!("page/attack.html").replace("CONFIGURATION", &json).into();
        let mut tasks = JoinSet::new();
        for address in addresses {
            let listener = TcpListener::bind((*address, port)).await?;
            let page = Arc::clone(&page);
            tasks.spawn(serve(listener, move |request| {
                let response = attack(request.uri().path(), &page);
                async move { response }
            }));
        }
        Ok(Self(Mutex::new(tasks)))
    }

    pub(crate) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

fn attack(path: &str, page: &str) -> Response<String> {
    let (kind, body) = match path {
        "/" => ("text/html; charset=utf-8", page.to_owned()),
        "/attack.js" => (
            "text/javascript",
            concat!(include_str!("page/attempt.js"), include_str!("page/attack.js")).to_owned(),
        ),
        "/attempt.js" => ("text/javascript", include_str!("page/attempt.js").to_owned()),
        "/worker.js" => ("text/javascript", include_str!("page/worker.js").to_owned()),
        _ => ("text/html; charset=utf-8", format!("<!doctype html>{MARKER}\n")),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(MARKER_HEADER, HeaderValue::from_static("attacker"));
    // An answer from a cache would not tell where the name leads.
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-store, must-revalidate"),
    );
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(EXPIRES, HeaderValue::from_static("0"));
    headers.insert("x-dns-prefetch-control", HeaderValue::from_static("off"));
    response
}

/// What the control server knows of a case.
pub(crate) struct Controlled {
    /// Called once, when the page asks for the flip.
    pub(crate) flip: Box<dyn Fn() + Send + Sync>,
    pub(crate) report: watch::Sender<Option<PageReport>>,
    /// The canary's secret of this run: a report that carries it has read it.
    pub(crate) secret: String,
}

/// The control server: one for the run. Cases are found by a token that only their page knows.
#[derive(Clone, Default)]
pub(crate) struct ControlServer(Arc<Mutex<HashMap<String, Arc<Controlled>>>>);

impl ControlServer {
    /// Starts it; the tasks end with the set.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub(crate) async fn start(address: SocketAddr, tasks: &mut JoinSet<()>) -> io::Result<Self> {
        let server = Self::default();
        let listener = TcpListener::bind(address).await?;
        let cases = server.clone();
        tasks.spawn(serve(listener, move |request| {
            let cases = cases.clone();
            async move { cases.answer(request).await }
        }));
        Ok(server)
    }

    /// The case is known until what is returned is dropped.
    pub(crate) fn add(&self, token: String, controlled: Controlled) -> Known {
        self.with(|cases| cases.insert(token.clone(), Arc::new(controlled)));
        Known {
            server: self.clone(),
            token,
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<String, Arc<Controlled>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<String> {
        let path = request.uri().path().to_owned();
        let mut parts = path.trim_start_matches('/').splitn(2, '/');
        let case = self.with(|cases| cases.get(parts.next().unwrap_or_default()).cloned());
        let status = match (case, parts.next()) {
            (Some(case), Some("flip")) => {
                (case.flip)();
                StatusCode::NO_CONTENT
            }
            (Some(case), Some("report")) => match reported(request, &case.secret).await {
                Some(report) => {
                    case.report.send_replace(Some(report));
                    StatusCode::NO_CONTENT
                }
                None => StatusCode::BAD_REQUEST,
            },
            _ => StatusCode::NOT_FOUND,
        };
        let mut response = Response::new(String::new());
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        response
    }
}

/// A case that the control server knows.
pub(crate) struct Known {
    server: ControlServer,
    token: String,
}

impl Drop for Known {
    fn drop(&mut self) {
        self.server.with(|cases| cases.remove(&self.token));
    }
}

/// As the page sends it: what it took for the secret is compared here.
#[derive(Deserialize)]
struct Reported {
    #[serde(flatten)]
    report: PageReport,
    secret_text: Option<String>,
}

async fn reported(request: Request<Incoming>, secret: &str) -> Option<PageReport> {
    let body = Limited::new(request.into_body(), MAX_REPORT)
        .collect()
        .await
        .ok()?
        .to_bytes();
    let Reported {
        mut report,
        secret_text,
    } = serde_json::from_slice(&body).ok()?;
    if let Some(read) = &mut report.read {
        read.secret = secret_text.as_deref() == Some(secret);
    }
    Some(report)
}

/// Serves one request a connection: a connection that is kept would go on to the old address.
async fn serve<F, A>(listener: TcpListener, answer: F)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<String>> + Send,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let answer = answer.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let answer = answer(request);
                        async move { Ok::<_, Infallible>(answer.await) }
                    });
                    let connection = hyper::server::conn::http1::Builder::new()
                        .keep_alive(false)
                        .serve_connection(TokioIo::new(stream), service);
                    // A connection that breaks concerns its own side only.
                    connection.await.ok();
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
