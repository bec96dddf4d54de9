//! The canary: a service that holds a secret, speaks HTTP and WebSocket, and checks nothing. What can read it can read
//! any unguarded service of the machine.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// In front of the secret, so that a page can tell it.
pub(crate) const SECRET_PREFIX: &str = "hostbound-canary-";

/// How long a WebSocket may stay open.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running canary; dropped, it stops.
#[derive(Debug)]
pub(crate) struct Canary {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Canary {
    /// # Errors
    ///
    /// When no port of 127.0.0.1 can be bound.
    pub(crate) async fn start(secret: String, headers: HeaderMap) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, secret.into(), Arc::new(headers)));
        Ok(Self { address, _tasks: tasks })
    }
}

/// A secret for one run.
pub(crate) fn new_secret() -> io::Result<String> {
    Ok(format!("{SECRET_PREFIX}{}", random_hex::<16>()?))
}

/// Lower-case hex of `N` random bytes.
pub(crate) fn random_hex<const N: usize>() -> io::Result<String> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("the system has no random numbers"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn serve(listener: TcpListener, secret: Arc<str>, headers: Arc<HeaderMap>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let (secret, headers) = (Arc::clone(&secret), Arc::clone(&headers));
                connections.spawn(async move {
                    let answer = service_fn(move |request| {
                        let answer = answer(request, &secret, &headers);
                        async move { Ok::<_, Infallible>(answer) }
                    });
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), answer)
                        .with_upgrades();
                    // A connection that breaks concerns its own side only.
                    connection.await.ok();
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

fn answer(mut request: Request<Incoming>, secret: &str, fields: &HeaderMap) -> Response<String> {
    let key = request
        .headers()
        .get(SEC_WEBSOCKET_KEY)
        .map(|key| derive_accept_key(key.as_bytes()));
    let Some(accept) = key else {
        let mut response = Response::new(format!("{secret}\n"));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.extend(fields.clone());
        return response;
    };
    let secret = secret.to_owned();
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(&mut request).await else {
            return;
        };
        let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        // Whoever goes away early has not read it.
        socket.send(Message::text(secret)).await.ok();
        // Who closes first takes what the other has not read yet.
        tokio::time::timeout(PATIENCE, async {
            while socket.next().await.is_some_and(|read| read.is_ok()) {}
        })
        .await
        .ok();
    });
    let mut response = Response::new(String::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}
