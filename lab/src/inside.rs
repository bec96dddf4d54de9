//! What happens in the namespace: the plan is read, the lab's servers start, and every case is carried out.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::addresses::{self, APEX};
use crate::attacker::ControlServer;
use crate::attempt;
use crate::browser::{Browser, Launch, Trouble};
use crate::canary::{self, Canary};
use crate::case::{Case, LocalNetworkAccess};
use crate::dns::DnsServer;
use crate::guard::Guard;
use crate::handoff::Handoff;
use crate::namespace;
use crate::plan::{Event, Plan, PlannedTarget, Resolver};
use crate::probe;
use crate::tap::Upstream;
use crate::verdict::{BrowserFacts, Target, TargetKind};
use crate::zone::Zone;

/// The largest plan that is read.
const MAX_PLAN: usize = 16 * 1024 * 1024;

/// All that the cases of a run share.
pub(crate) struct Stage {
    pub(crate) zone: Zone,
    pub(crate) control: ControlServer,
    /// What every canary of the run answers.
    pub(crate) secret: String,
    pub(crate) guard: Option<Guard>,
    pub(crate) targets: Vec<(PlannedTarget, Target, Option<Upstream>)>,
    /// Slots that no case has, the one that has rested longest first: its connections are over.
    pub(crate) slots: Mutex<VecDeque<u8>>,
    _canaries: Vec<Canary>,
    _dns: DnsServer,
    _resolver: Option<Child>,
    _tasks: JoinSet<()>,
}

/// Carries out the plan that comes on standard input, a Unix socket; events, and how it ended, go to standard output.
pub fn run() {
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(carry_out()));
    if let Err(error) = outcome {
        tell(&Event::Failed {
            message: error.to_string(),
        });
    }
}

async fn carry_out() -> io::Result<()> {
    // What follows mounts and configures: only ever in a PID namespace of our own.
    if std::process::id() != 1 {
        return Err(io::Error::other(
            "`lab inside` is what `lab run` starts in its namespaces",
        ));
    }
    let socket = StdUnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket.set_nonblocking(true)?;
    let mut socket = UnixStream::from_std(socket)?;
    let plan = read_plan(&mut socket).await?;
    let socket = Arc::new(socket);
    let mut watch = JoinSet::new();
    watch.spawn(end_with(Arc::clone(&socket)));
    namespace::set_up()?;
    let stage = Arc::new(Stage::set_up(&plan, Handoff::new(socket)).await?);
    tell(&Event::Targets {
        targets: stage.targets.iter().map(|(_, target, _)| target.clone()).collect(),
    });
    let mut groups: BTreeMap<(LocalNetworkAccess, Option<String>), Vec<Case>> = BTreeMap::new();
    for case in &plan.cases {
        let flags = (case.local_network_access, case.taken_for_public.clone());
        groups.entry(flags).or_default().push(case.clone());
    }
    for (number, ((local_network_access, taken_for_public), cases)) in groups.into_iter().enumerate() {
        let launch = Launch {
            kind: plan.browser,
            executable: plan.executable.clone(),
            profile: namespace::folder(&format!("profile-{number}"))?,
            local_network_access,
            taken_for_public,
        };
        run_group(&plan, &stage, &launch, cases, number == 0).await?;
    }
    tell(&Event::Done);
    Ok(())
}

/// The cases of one browser, side by side.
async fn run_group(plan: &Plan, stage: &Arc<Stage>, launch: &Launch, cases: Vec<Case>, first: bool) -> io::Result<()> {
    let browser = match Browser::launch(launch).await {
        Ok(browser) => Arc::new(browser),
        Err(error) if matches!(error.trouble, Trouble::Unsupported(_)) => {
            for case in &cases {
                let result = Box::new(attempt::broken(case, &error.to_string()));
                tell(&Event::Case { result });
            }
            return Ok(());
        }
        Err(error) => return Err(io::Error::other(error)),
    };
    if first {
        tell(&Event::Browser {
            browser: BrowserFacts {
                kind: plan.browser,
                version: browser.version().to_owned(),
            },
        });
    }
    let mut running = JoinSet::new();
    for case in cases {
        while running.len() >= plan.parallel.max(1) {
            running.join_next().await;
        }
        let (stage, browser) = (Arc::clone(stage), Arc::clone(&browser));
        running.spawn(async move {
            let result = attempt::carry_out(&stage, &browser, &case).await;
            tell(&Event::Case {
                result: Box::new(result),
            });
        });
    }
    while running.join_next().await.is_some() {}
    if let Some(browser) = Arc::into_inner(browser) {
        browser.close().await;
    }
    Ok(())
}

impl Stage {
    async fn set_up(plan: &Plan, handoff: Handoff) -> io::Result<Self> {
        let zone = Zone::new(APEX).map_err(io::Error::other)?;
        let behind = matches!(plan.resolver, Resolver::Command(_));
        let dns_address = if behind {
            addresses::DNS_BEHIND_RESOLVER
        } else {
            addresses::DNS
        };
        let dns = DnsServer::bind(zone.clone(), SocketAddr::from((dns_address, 53)))?;
        let resolver = match &plan.resolver {
            Resolver::Direct => None,
            Resolver::Command(words) => Some(start_resolver(words).await?),
        };
        let mut tasks = JoinSet::new();
        let control_address = SocketAddr::from((addresses::CONTROL, addresses::CONTROL_PORT));
        let control = ControlServer::start(control_address, &mut tasks).await?;
        let secret = canary::new_secret()?;
        let canary = Canary::start(secret.clone(), HeaderMap::new()).await?;
        let mut canaries = Vec::new();
        let (guard, trouble) = match &plan.guard {
            None => (None, "no guard was named".to_owned()),
            Some(guard) => match Guard::start(guard, canary.address).await {
                Ok(guard) => (Some(guard), String::new()),
                Err(error) => (None, error.to_string()),
            },
        };
        canaries.push(canary);
        let mut targets = Vec::new();
        let mut service = 0;
        for planned in &plan.targets {
            let upstream = match planned.kind {
                TargetKind::Canary => {
                    let canary = Canary::start(secret.clone(), fields(&planned.headers)?).await?;
                    let upstream = Upstream::Here(canary.address);
                    canaries.push(canary);
                    Some(upstream)
                }
                TargetKind::Guarded { .. } => guard.as_ref().map(|guard| Upstream::Here(guard.address)),
                TargetKind::Service { .. } => {
                    service += 1;
                    Some(Upstream::Outside(handoff.clone(), service - 1))
                }
            };
            let trouble = upstream.is_none().then(|| trouble.clone());
            let target = probe::look_at(planned, upstream.as_ref(), trouble).await;
            targets.push((planned.clone(), target, upstream));
        }
        Ok(Self {
            zone,
            control,
            secret,
            guard,
            targets,
            slots: Mutex::new((0..addresses::SLOTS).collect()),
            _canaries: canaries,
            _dns: dns,
            _resolver: resolver,
            _tasks: tasks,
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

async fn read_plan(socket: &mut UnixStream) -> io::Result<Plan> {
    let mut text = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    while text.last() != Some(&b'\n') {
        let read = socket.read(&mut chunk).await?;
        if read == 0 || text.len() > MAX_PLAN {
            return Err(io::Error::other("the plan did not come whole"));
        }
        text.extend_from_slice(&chunk[..read]);
    }
    serde_json::from_slice(&text).map_err(io::Error::other)
}

/// Ends the process, and so the namespace, when whoever started us is gone.
async fn end_with(socket: Arc<UnixStream>) {
    let mut byte = [0; 1];
    loop {
        if socket.readable().await.is_err() {
            std::process::exit(1);
        }
        match socket.try_read(&mut byte) {
            Ok(0) => std::process::exit(1),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => std::process::exit(1),
            _ => {}
        }
    }
}

/// One event, on a line of its own.
fn tell(event: &Event) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Ok(mut line) = serde_json::to_string(event) {
        line.push('\n');
        // Nobody reads any more: the socket says so too, and ends us.
        io::stdout().write_all(line.as_bytes()).ok();
    }
}
