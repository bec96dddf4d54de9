//! One case, carried out: the name, the attacker, the target's tap and the browser's page; then the three logs are read.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep;

use crate::addresses;
use crate::attacker::{Attacker, Controlled, MARKER, PageConfiguration};
use crate::canary::{SECRET_PREFIX, random_hex};
use crate::case::{BrowserKind, Case, Method};
use crate::guard::{Asked, Guard};
use crate::log::{Control, Logs, PageReport};
use crate::opener::{Opened, Opener};
use crate::oracle;
use crate::stage::{Placed, Stage};
use crate::strategy::{Roles, Strategy};
use crate::tap::{Tap, Upstream};
use crate::verdict::{CaseResult, Outcome, Target, TargetKind};
use crate::zone::{SessionLog, Zone};

/// How long the page may take to run.
const PAGE_PATIENCE: Duration = Duration::from_secs(15);
/// How often the logs are looked at.
const TICK: Duration = Duration::from_millis(50);
/// What the target's first silent connection must be followed by, without a request, to count as a block.
const SILENCE: Duration = Duration::from_millis(1500);
/// How long the guard may take to say why it refused.
const WORDS: Duration = Duration::from_secs(1);
/// How long a click may take to open the window, before the next.
const CLICK: Duration = Duration::from_secs(1);
/// Chances of a strategy in which the target may answer first.
const CHANCES: u32 = 8;

pub(crate) async fn carry_out(stage: &Stage, targets: &[Placed], opener: &Opener<'_>, case: &Case) -> CaseResult {
    let Some(placed) = targets.iter().find(|placed| placed.planned.name == case.target) else {
        return broken(case, "no target has this name");
    };
    let target = &placed.target;
    let Some(upstream) = placed.upstream.as_ref().filter(|_| target.answers()) else {
        let logs = Logs::default();
        return finished(case, String::new(), target, logs);
    };
    let mut chances = if case.strategy == Strategy::Random { CHANCES } else { 1 };
    loop {
        // A slot of its own each time: the listeners of the last one are still about to close.
        let Some(slot) = stage.slot() else {
            return broken(case, "too many cases at a time");
        };
        let result = match attempt(stage, opener, case, placed, upstream, slot.number).await {
            Ok((authority, logs)) => finished(case, authority, target, logs),
            Err(error) => broken(case, &error.to_string()),
        };
        chances -= 1;
        if chances == 0 || result.logs.page.is_some() {
            return result;
        }
    }
}

fn finished(case: &Case, authority: String, target: &Target, logs: Logs) -> CaseResult {
    let (outcome, evidence) = oracle::judge(case, target, &logs);
    CaseResult {
        case: case.clone(),
        authority,
        outcome,
        evidence,
        logs,
    }
}

/// A case that could not be carried out.
pub(crate) fn broken(case: &Case, why: &str) -> CaseResult {
    CaseResult {
        case: case.clone(),
        authority: String::new(),
        outcome: Outcome::Inconclusive,
        evidence: vec![format!("the case could not be carried out: {why}")],
        logs: Logs::default(),
    }
}

async fn attempt(
    stage: &Stage,
    opener: &Opener<'_>,
    case: &Case,
    placed: &Placed,
    upstream: &Upstream,
    slot: u8,
) -> io::Result<(String, Logs)> {
    let planned = &placed.planned;
    let since = Instant::now();
    let port = addresses::port(slot);
    let attacker_v4 = addresses::attacker(case.attacker, slot);
    let attacker_v6 = addresses::attacker_v6(slot);
    let session = stage
        .zone
        .open(
            case.strategy,
            Roles {
                attacker: attacker_v4,
                attacker_ipv6: attacker_v6,
                target: planned.address,
                seed: since_the_epoch(),
            },
        )
        .map_err(io::Error::other)?;
    // Whoever cancels the case closes its name.
    let name = OpenName {
        zone: &stage.zone,
        label: &session.label,
    };
    let authority = format!("{}:{port}", session.name);
    let mut target_addresses = vec![planned.address];
    if case.strategy == Strategy::Ipv6Loopback {
        target_addresses.push(IpAddr::V6(Ipv6Addr::LOCALHOST));
    }
    let tap = Tap::listen(&target_addresses, port, upstream.clone(), since).await?;
    let token = random_hex::<16>()?;
    let configuration = page_configuration(opener, case, &planned.kind, &token);
    let attackers = [IpAddr::V4(attacker_v4), IpAddr::V6(attacker_v6)];
    let attacker = Arc::new(Attacker::listen(&attackers, port, &configuration).await?);
    let (report, reports) = watch::channel(None);
    let flipped = Arc::new(OnceLock::new());
    let controlled = Controlled {
        flip: {
            let (zone, label) = (stage.zone.clone(), session.label.clone());
            let (attacker, flipped) = (Arc::clone(&attacker), Arc::clone(&flipped));
            let closes = case.strategy.closes_listener();
            Box::new(move || {
                // A page that asks when its case is over changes nothing.
                if zone.flip(&label).is_none() {
                    return;
                }
                if closes {
                    attacker.close();
                }
                flipped.get_or_init(|| since.elapsed());
            })
        },
        report,
        secret: stage.secret.clone(),
    };
    let _controlled = stage.control.add(token.clone(), controlled);
    let control = control_answer(session.control, case.strategy.target(planned.address), port).await;
    let url = format!("http://{authority}/");
    let page = opener.open(&url).await;
    let mut logs = Logs::default();
    if let Ok(page) = &page {
        let watched = Watched {
            case,
            tap: &tap,
            page,
            control,
            writes: configuration.write,
            flipped: &flipped,
        };
        watched.until_decided(reports.clone()).await;
        logs.console = page.console().await;
    }
    logs.control = control;
    logs.duration_ms = milliseconds(since.elapsed());
    logs.flipped_ms = flipped.get().copied().map(milliseconds);
    logs.page = reports.borrow().clone();
    logs.dns = name.close().map(|log| log.questions).unwrap_or_default();
    logs.connections = tap.connections();
    if let Some(guard) = stage.guard.as_ref().ok().filter(|_| planned.kind.is_guarded()) {
        add_refusals(guard, &mut logs).await;
    }
    match page {
        Ok(page) => page.close().await,
        Err(error) => logs.console.push(error.to_string()),
    }
    Ok((authority, logs))
}

/// A name that is open until this is dropped.
struct OpenName<'a> {
    zone: &'a Zone,
    label: &'a str,
}

impl OpenName<'_> {
    fn close(&self) -> Option<SessionLog> {
        self.zone.close(self.label)
    }
}

impl Drop for OpenName<'_> {
    fn drop(&mut self) {
        // None if it is closed already.
        let _ = self.close();
    }
}

/// Adds what the guard said. Its answers come by one way and its words by another: those of what it refused are waited for.
async fn add_refusals(guard: &Guard, logs: &mut Logs) {
    let now = tokio::time::Instant::now();
    for request in logs
        .connections
        .iter_mut()
        .flat_map(|connection| &mut connection.requests)
    {
        let refused = request.status.is_some_and(|status| status >= 400);
        let by = if refused { now + WORDS } else { now };
        let asked = Asked {
            host: request.header("host").unwrap_or_default().to_owned(),
            target: request.target.clone(),
        };
        request.refusal = guard.refusal(&asked, by).await;
    }
}

fn page_configuration(opener: &Opener<'_>, case: &Case, target: &TargetKind, token: &str) -> PageConfiguration {
    PageConfiguration {
        control: format!("http://{}:{}/{token}", addresses::CONTROL, addresses::CONTROL_PORT),
        method: case.method,
        needs_click: opener.blocks_popups(),
        flush: match opener.kind() {
            _ if !case.strategy.flushes() => 0,
            // Caches of 1000 and of 1600 names.
            BrowserKind::Chromium => 1100,
            BrowserKind::Firefox => 1700,
        },
        closed_port: addresses::CLOSED_PORT,
        interval: if case.strategy == Strategy::FirstThenSecond {
            500
        } else {
            100
        },
        marker: MARKER,
        secret_prefix: SECRET_PREFIX,
        write: !matches!(target, TargetKind::Service { .. }),
    }
}

/// Whether the system's resolver gives the target's address, for a name that leads straight there.
async fn control_answer(name: String, target: IpAddr, port: u16) -> Control {
    let asked = tokio::time::timeout(Duration::from_secs(3), tokio::net::lookup_host((name, port))).await;
    match asked {
        Ok(Ok(mut addresses)) => {
            if addresses.any(|address| address.ip() == target) {
                Control::Passed
            } else {
                Control::Filtered
            }
        }
        Ok(Err(_)) | Err(_) => Control::Filtered,
    }
}

/// A case under way.
struct Watched<'a> {
    case: &'a Case,
    tap: &'a Tap,
    page: &'a Opened,
    control: Control,
    writes: bool,
    flipped: &'a OnceLock<Duration>,
}

impl Watched<'_> {
    /// Waits until the logs say enough, or the time is over.
    async fn until_decided(&self, mut reports: watch::Receiver<Option<PageReport>>) {
        let started = Instant::now();
        loop {
            if reports.borrow_and_update().is_some() {
                break;
            }
            let target_first = self
                .tap
                .connections()
                .iter()
                .any(|connection| !connection.requests.is_empty());
            if target_first || started.elapsed() > PAGE_PATIENCE {
                return;
            }
            tokio::select! { _ = reports.changed() => {} () = sleep(TICK) => {} }
        }
        let running = Instant::now();
        let mut clicked: Option<Instant> = None;
        let mut silent_since = None;
        while running.elapsed() < self.patience() {
            // A click before the first frame goes nowhere.
            let waits = self.case.method == Method::Popup && self.flipped.get().is_none();
            if waits && clicked.is_none_or(|at| at.elapsed() > CLICK) {
                if self.page.click().await.is_err() {
                    return;
                }
                clicked = Some(Instant::now());
            }
            let report = reports.borrow_and_update().clone().unwrap_or_default();
            if self.is_decided(&report, running, &mut silent_since) {
                return;
            }
            tokio::select! { _ = reports.changed() => {} () = sleep(TICK) => {} }
        }
    }

    /// How long the strategy may take in a browser that lets it.
    fn patience(&self) -> Duration {
        match self.case.strategy {
            Strategy::FirstThenSecond => Duration::from_secs(80),
            // Each throw of the coin costs a flush.
            Strategy::Random | Strategy::RoundRobin => Duration::from_secs(60),
            strategy if strategy.flushes() => Duration::from_secs(30),
            _ => Duration::from_secs(15),
        }
    }

    fn is_decided(&self, report: &PageReport, running: Instant, silent_since: &mut Option<Instant>) -> bool {
        if report.read.is_some() {
            let writing = self.case.method == Method::Popup && self.writes;
            return !writing || report.wrote.is_some();
        }
        // Attempts by navigation take longer than those by fetch.
        let enough = match self.case.method {
            Method::Popup | Method::Iframe => 3,
            _ => 6,
        };
        let connections = self.tap.connections();
        let answered = connections
            .iter()
            .flat_map(|connection| &connection.requests)
            .any(|request| request.status.is_some());
        if answered && report.failures >= 2 {
            return true;
        }
        let arrived = connections.iter().any(|connection| connection.bytes > 0);
        if !arrived && !connections.is_empty() && (report.failures > 0 || report.pending) {
            let since = silent_since.get_or_insert_with(Instant::now);
            let long = if report.pending { 4 * SILENCE } else { SILENCE };
            return since.elapsed() > long && (report.failures >= enough || report.pending);
        }
        self.control == Control::Filtered && report.failures >= enough && running.elapsed() > 2 * SILENCE
    }
}

/// A seed for strategies of chance.
fn since_the_epoch() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos() & u128::from(u64::MAX)).unwrap_or(0)
    })
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
