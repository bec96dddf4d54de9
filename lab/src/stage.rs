//! What the cases of a run share: the lab's servers, the guard, and the targets as they stand before the attack.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::addresses::{self, APEX};
use crate::attacker::ControlServer;
use crate::canary::{self, Canary};
use crate::dns::DnsServer;
use crate::guard::Guard;
use crate::handoff::Handoff;
use crate::plan::{PlannedTarget, Resolver, Surroundings};
use crate::probe;
use crate::tap::Upstream;
use crate::verdict::{Target, TargetKind};
use crate::zone::Zone;

/// The lab's servers.
pub(crate) struct Stage {
    pub(crate) zone: Zone,
    pub(crate) control: ControlServer,
    /// What every canary answers.
    pub(crate) secret: String,
    /// Or why there is none.
    pub(crate) guard: Result<Guard, String>,
    handoff: Handoff,
    slots: Arc<Mutex<VecDeque<u8>>>,
    _behind_guard: Canary,
    _dns: DnsServer,
    _resolver: Option<Child>,
    _tasks: JoinSet<()>,
}

/// A target, what it answered, and the way to it.
pub(crate) struct Placed {
    pub(crate) planned: PlannedTarget,
    pub(crate) target: Target,
    pub(crate) upstream: Option<Upstream>,
    _canary: Option<Canary>,
}

/// A slot that one case has; dropped, it is free again.
pub(crate) struct Slot {
    pub(crate) number: u8,
    free: Arc<Mutex<VecDeque<u8>>>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.push_back(self.number);
    }
}

impl Stage {
    pub(crate) async fn set_up(surroundings: &Surroundings, handoff: Handoff) -> io::Result<Self> {
        let zone = Zone::new(APEX).map_err(io::Error::other)?;
        let behind = matches!(surroundings.resolver, Resolver::Command(_));
        let dns_address = if behind {
            addresses::DNS_BEHIND_RESOLVER
        } else {
            addresses::DNS
        };
        let dns = DnsServer::bind(zone.clone(), SocketAddr::from((dns_address, 53)))?;
        let resolver = match &surroundings.resolver {
            Resolver::Direct => None,
            Resolver::Command(words) => Some(start_resolver(words).await?),
        };
        let mut tasks = JoinSet::new();
        let control_address = SocketAddr::from((addresses::CONTROL, addresses::CONTROL_PORT));
        let control = ControlServer::start(control_address, &mut tasks).await?;
        let secret = canary::new_secret()?;
        let behind_guard = Canary::start(secret.clone(), HeaderMap::new()).await?;
        let guard = match &surroundings.guard {
            None => Err("no guard was named".to_owned()),
            Some(guard) => Guard::start(guard, behind_guard.address)
                .await
                .map_err(|error| error.to_string()),
        };
        Ok(Self {
            zone,
            control,
            secret,
            guard,
            handoff,
            slots: Arc::new(Mutex::new((0..addresses::SLOTS).collect())),
            _behind_guard: behind_guard,
            _dns: dns,
            _resolver: resolver,
            _tasks: tasks,
        })
    }

    /// Starts what a target needs, and looks at what it answers.
    pub(crate) async fn place(&self, planned: PlannedTarget) -> io::Result<Placed> {
        let mut canary = None;
        let upstream = match planned.kind {
            TargetKind::Canary => {
                let started = Canary::start(self.secret.clone(), fields(&planned.headers)?).await?;
                Some(Upstream::Here(canary.insert(started).address))
            }
            TargetKind::Guarded { .. } => self.guard.as_ref().ok().map(|guard| Upstream::Here(guard.address)),
            TargetKind::Service { address } => Some(Upstream::Outside(self.handoff.clone(), address)),
        };
        let trouble = match (&upstream, &self.guard) {
            (None, Err(trouble)) => Some(trouble.clone()),
            _ => None,
        };
        Ok(Placed {
            target: probe::look_at(&planned, upstream.as_ref(), trouble).await,
            planned,
            upstream,
            _canary: canary,
        })
    }

    /// The slot that has rested longest: its connections are over. None: too many cases at a time.
    pub(crate) fn slot(&self) -> Option<Slot> {
        let number = self.slots.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
        Some(Slot {
            number,
            free: Arc::clone(&self.slots),
        })
    }
}

fn fields(fields: &[(String, String)]) -> io::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name: HeaderName = name.parse().map_err(io::Error::other)?;
        headers.insert(name, HeaderValue::from_str(value).map_err(io::Error::other)?);
    }
    Ok(headers)
}

/// Starts the resolver in front of the DNS server, and waits until it listens.
async fn start_resolver(words: &[String]) -> io::Result<Child> {
    let upstream = addresses::DNS_BEHIND_RESOLVER.to_string();
    let words: Vec<String> = words.iter().map(|word| word.replace("{upstream}", &upstream)).collect();
    let (program, arguments) = words
        .split_first()
        .ok_or_else(|| io::Error::other("the resolver's command is empty"))?;
    let mut child = Command::new(program)
        .args(arguments)
        // Standard output is for the lab's events.
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| io::Error::other(format!("the resolver `{program}` does not start: {error}")))?;
    for _ in 0..100 {
        // It listens at the port as soon as another cannot.
        if tokio::net::UdpSocket::bind((addresses::DNS, 53)).await.is_err() {
            return Ok(child);
        }
        if let Some(status) = child.try_wait()? {
            return Err(io::Error::other(format!("the resolver `{program}` ended: {status}")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(io::Error::other(format!(
        "the resolver `{program}` does not listen at 127.0.0.1:53"
    )))
}
