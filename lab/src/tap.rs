//! The listener in front of every target: it logs each accepted connection and each request, and passes the bytes on.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;

use crate::handoff::Handoff;
use crate::http::{Answers, Requests};
use crate::log::{ArrivedRequest, Connection};

/// Connections that a tap logs, above which it serves no more.
const MAX_CONNECTIONS: usize = 2000;
/// Requests of all of them together: a page of the target may send them without end.
const MAX_REQUESTS: usize = 200;
/// How long a connection may stay silent.
const IDLE: Duration = Duration::from_secs(20);

/// A stream of bytes to a target.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where a tap passes its bytes on to.
#[derive(Clone, Debug)]
pub(crate) enum Upstream {
    /// A listener of the lab.
    Here(SocketAddr),
    /// A service outside of the lab's namespace.
    Outside(Handoff, SocketAddr),
}

impl Upstream {
    pub(crate) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Here(address) => Ok(Box::new(TcpStream::connect(address).await?)),
            Self::Outside(handoff, service) => {
                let (ours, theirs) = UnixStream::pair()?;
                handoff.give(*service, theirs.as_fd()).await?;
                Ok(Box::new(ours))
            }
        }
    }
}

/// The listeners of one case. Dropped, it closes them and every connection.
#[derive(Debug)]
pub(crate) struct Tap {
    log: Arc<Log>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Log {
    since: Instant,
    connections: Mutex<Vec<Connection>>,
}

impl Log {
    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Vec<Connection>) -> T) -> T {
        act(&mut self.connections.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Logs an accepted connection; `None` if there have been too many.
    fn open(&self) -> Option<usize> {
        let connection = Connection {
            at_ms: self.now(),
            ..Connection::default()
        };
        self.with(|connections| {
            if connections.len() >= MAX_CONNECTIONS {
                return None;
            }
            connections.push(connection);
            Some(connections.len() - 1)
        })
    }
}

impl Tap {
    /// Listens at each address.
    ///
    /// # Errors
    ///
    /// When an address cannot be bound.
    pub(crate) async fn listen(
        addresses: &[IpAddr],
        port: u16,
        upstream: Upstream,
        since: Instant,
    ) -> io::Result<Self> {
        let log = Arc::new(Log {
            since,
            connections: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        for address in addresses {
            let listener = TcpListener::bind((*address, port)).await?;
            tasks.spawn(serve(listener, upstream.clone(), Arc::clone(&log)));
        }
        Ok(Self { log, _tasks: tasks })
    }

    pub(crate) fn connections(&self) -> Vec<Connection> {
        self.log.with(|connections| connections.clone())
    }
}

async fn serve(listener: TcpListener, upstream: Upstream, log: Arc<Log>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let Some(number) = log.open() else { continue };
                connections.spawn(pass(stream, upstream.clone(), Arc::clone(&log), number));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Passes bytes both ways until one side ends or both are silent. The target is called when the first byte comes.
async fn pass(mut browser: TcpStream, upstream: Upstream, log: Arc<Log>, number: usize) {
    let mut requests = Requests::default();
    let mut answers = Answers::default();
    let mut methods: VecDeque<bool> = VecDeque::new();
    let mut from_browser = vec![0; 16 * 1024];
    let mut from_target = vec![0; 16 * 1024];
    let Ok(Ok(first)) = tokio::time::timeout(IDLE, browser.read(&mut from_browser)).await else {
        return;
    };
    if first == 0 {
        return;
    }
    let Ok(mut target) = upstream.connect().await else {
        return;
    };
    let mut note = |bytes: &[u8]| {
        let found = requests.read(bytes);
        let heads: Vec<bool> = found.iter().map(|request| request.method == "HEAD").collect();
        let now = log.now();
        log.with(|connections| {
            let logged: usize = connections.iter().map(|connection| connection.requests.len()).sum();
            let connection = &mut connections[number];
            connection.bytes += bytes.len() as u64;
            let room = MAX_REQUESTS.saturating_sub(logged);
            connection.not_kept += found.len().saturating_sub(room) as u64;
            connection.requests.extend(
                found
                    .into_iter()
                    .take(room)
                    .map(|request| ArrivedRequest { at_ms: now, ..request }),
            );
        });
        heads
    };
    methods.extend(note(&from_browser[..first]));
    if target.write_all(&from_browser[..first]).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            read = browser.read(&mut from_browser) => {
                let Ok(read @ 1..) = read else { return };
                methods.extend(note(&from_browser[..read]));
                if target.write_all(&from_browser[..read]).await.is_err() { return }
            }
            read = target.read(&mut from_target) => {
                let Ok(read @ 1..) = read else { return };
                let statuses = answers.read(&from_target[..read], methods.front().copied().unwrap_or(false));
                log.with(|connections| {
                    for status in statuses {
                        methods.pop_front();
                        let mut open = connections[number].requests.iter_mut();
                        if let Some(request) = open.find(|request| request.status.is_none()) {
                            request.status = Some(status);
                        }
                    }
                });
                if browser.write_all(&from_target[..read]).await.is_err() { return }
            }
            () = tokio::time::sleep(IDLE) => return,
        }
    }
}
