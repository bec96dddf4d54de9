//! A run that the page asks for: the targets of the moment, their cases in frames of the page, and what they come to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use hyper::body::Bytes;
use serde::Serialize;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinSet;

use super::SelfTest;
use crate::attempt;
use crate::case::{AttackerSpace, BrowserKind, Case, LocalNetworkAccess, Method};
use crate::opener::{Frames, Opener, Order};
use crate::plan::PlannedTarget;
use crate::report::{self, Advice};
use crate::run::{self, Clock, PolicyInQuestion};
use crate::stage::{Placed, Stage};
use crate::strategy::Strategy;
use crate::verdict::{CaseResult, Conclusion, Run, ServiceResult, Target, TargetKind};

/// Services of one run.
pub(super) const MAX_PORTS: usize = 64;
/// By each of them every target is attacked.
pub(super) const METHODS: [Method; 3] = [Method::Fetch, Method::Iframe, Method::Popup];
/// Cases at a time: all in the frames of one page.
const PARALLEL: usize = 4;

/// The strategy that works in this browser: Firefox puts a loopback address before the attacker's.
pub(super) const fn strategies(browser: BrowserKind) -> &'static [Strategy] {
    match browser {
        BrowserKind::Chromium => &[Strategy::MultipleAnswers],
        BrowserKind::Firefox => &[Strategy::FirstThenSecondFlush],
    }
}

/// What the page hears, one JSON value a line.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
enum Told<'a> {
    Targets {
        targets: Vec<&'a Target>,
    },
    Plan {
        cases: &'a [Case],
    },
    Open {
        number: usize,
        url: &'a str,
    },
    Close {
        number: usize,
    },
    Case {
        number: usize,
        result: &'a CaseResult,
    },
    Done {
        run: &'a Run,
        advice: Vec<Advice>,
        html: String,
    },
    Failed {
        message: String,
    },
}

fn tell(events: &UnboundedSender<Bytes>, told: &Told<'_>) {
    if let Ok(mut line) = serde_json::to_vec(told) {
        line.push(b'\n');
        // Nobody reads any more: then the run is about to be dropped.
        events.send(line.into()).ok();
    }
}

/// What is wrong with the ports, if anything is.
pub(super) fn check(ports: &[u16]) -> Result<(), String> {
    if ports.len() > MAX_PORTS {
        return Err(format!("more than {MAX_PORTS} ports"));
    }
    for (number, port) in ports.iter().enumerate() {
        if *port == 0 {
            return Err("port 0 is no port".to_owned());
        }
        if ports.iter().take(number).any(|other| other == port) {
            return Err(format!("port {port} is named twice"));
        }
    }
    Ok(())
}

/// Carries the run out. Dropped, it leaves nothing behind.
pub(super) async fn run(self_test: &Arc<SelfTest>, ports: &[u16], events: &UnboundedSender<Bytes>) {
    if let Err(error) = attack(self_test, ports, events).await {
        let message = error.to_string();
        tell(events, &Told::Failed { message });
    }
}

async fn attack(self_test: &Arc<SelfTest>, ports: &[u16], events: &UnboundedSender<Bytes>) -> io::Result<()> {
    let clock = Clock::start();
    let placed = place(self_test, ports).await?;
    tell(
        events,
        &Told::Targets {
            targets: placed.iter().map(|placed| &placed.target).collect(),
        },
    );
    // What does not run is told and left out: most people run few of the services that are known.
    let placed: Vec<Placed> = placed.into_iter().filter(is_attacked).collect();
    let cases = cases(self_test.browser.kind, &placed);
    tell(events, &Told::Plan { cases: &cases });
    let targets: Vec<Target> = placed.iter().map(|placed| placed.target.clone()).collect();
    let results = carry_out(self_test, placed, &cases, events).await;
    let policy = self_test.policy.as_ref().map(|(name, _)| name.clone());
    let mut run = run::conclude(&clock, self_test.browser.clone(), policy, &targets, &cases, results);
    doubt_canaries_alone(&mut run);
    tell(
        events,
        &Told::Done {
            advice: report::advice(&run),
            html: report::html(&run),
            run: &run,
        },
    );
    Ok(())
}

/// Who opens the page asks about services of the machine: canaries alone say nothing of those.
fn doubt_canaries_alone(run: &mut Run) {
    let is_service = |service: &ServiceResult| matches!(service.target.kind, TargetKind::Service { .. });
    if run.conclusion == Conclusion::Safe && !run.services.iter().any(is_service) {
        run.conclusion = Conclusion::Inconclusive;
        run.reasons
            .insert(0, "no service of this machine was attacked".to_owned());
    }
}

async fn place(self_test: &Arc<SelfTest>, ports: &[u16]) -> io::Result<Vec<Placed>> {
    let stage = &self_test.stage;
    let mut placed = vec![stage.place(PlannedTarget::canary()).await?];
    if let Some(guarded) = &self_test.plan.guarded {
        placed.push(stage.place(guarded.clone()).await?);
    }
    // At once: what takes connections and is silent takes its time.
    let mut looking = JoinSet::new();
    for (number, &port) in ports.iter().enumerate() {
        let self_test = Arc::clone(self_test);
        looking.spawn(async move { (number, place_service(&self_test.stage, port).await) });
    }
    let mut services: Vec<(usize, io::Result<Placed>)> = looking.join_all().await;
    services.sort_by_key(|(number, _)| *number);
    for (_, service) in services {
        placed.push(service?);
    }
    Ok(placed)
}

async fn place_service(stage: &Stage, port: u16) -> io::Result<Placed> {
    let at = |address: IpAddr| stage.place(PlannedTarget::service(SocketAddr::new(address, port)));
    let first = at(Ipv4Addr::LOCALHOST.into()).await?;
    if first.target.answers() {
        return Ok(first);
    }
    // Some listen at ::1 alone.
    let second = at(Ipv6Addr::LOCALHOST.into()).await?;
    Ok(if second.target.answers() { second } else { first })
}

fn is_attacked(placed: &Placed) -> bool {
    let is_service = matches!(placed.planned.kind, TargetKind::Service { .. });
    !is_service || placed.target.answers()
}

/// What speaks WebSocket alone is attacked by that alone; then the canaries are too, since nothing is proved without them.
fn methods(placed: &Placed, all: &[Placed]) -> Vec<Method> {
    let is_alone = |placed: &Placed| placed.target.own_name_status.is_none() && placed.target.answers();
    if is_alone(placed) {
        return vec![Method::Websocket];
    }
    let is_service = matches!(placed.planned.kind, TargetKind::Service { .. });
    let more = all.iter().any(is_alone) && !is_service;
    METHODS.into_iter().chain(more.then_some(Method::Websocket)).collect()
}

fn cases(browser: BrowserKind, placed: &[Placed]) -> Vec<Case> {
    let mut cases = Vec::new();
    for target in placed {
        for &strategy in strategies(browser) {
            for method in methods(target, placed) {
                cases.push(Case {
                    strategy,
                    method,
                    local_network_access: LocalNetworkAccess::Default,
                    attacker: AttackerSpace::Public,
                    target: target.planned.name.clone(),
                    taken_for_public: None,
                });
            }
        }
    }
    cases
}

async fn carry_out(
    self_test: &Arc<SelfTest>,
    placed: Vec<Placed>,
    cases: &[Case],
    events: &UnboundedSender<Bytes>,
) -> Vec<CaseResult> {
    let placed = Arc::new(placed);
    let (orders, mut ordered) = mpsc::unbounded_channel();
    let mut waiting = cases.iter().cloned().enumerate();
    let mut running = JoinSet::new();
    let mut results = Vec::new();
    loop {
        while running.len() < PARALLEL {
            let Some((number, case)) = waiting.next() else { break };
            let (self_test, placed, orders) = (Arc::clone(self_test), Arc::clone(&placed), orders.clone());
            running.spawn(async move {
                let kind = self_test.browser.kind;
                let frames = Frames {
                    kind,
                    number,
                    orders: &orders,
                };
                let opener = Opener::Page(frames);
                let result = attempt::carry_out(&self_test.stage, &placed, &opener, &case).await;
                (number, result)
            });
        }
        tokio::select! {
            // A frame is closed before its case is told.
            biased;
            Some(order) = ordered.recv() => match &order {
                Order::Open { number, url } => tell(events, &Told::Open { number: *number, url }),
                Order::Close { number } => tell(events, &Told::Close { number: *number }),
            },
            ended = running.join_next() => match ended {
                None => return results,
                Some(Err(_)) => {}
                Some(Ok((number, mut result))) => {
                    if let Some((name, guard)) = &self_test.policy {
                        let name = name.clone();
                        PolicyInQuestion { name, guard }.judge(&mut result);
                    }
                    tell(events, &Told::Case { number, result: &result });
                    results.push(result);
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_checked() {
        assert_eq!(check(&[]), Ok(()));
        assert_eq!(check(&[80, 443]), Ok(()));
        assert_eq!(check(&[0]), Err("port 0 is no port".to_owned()));
        assert_eq!(check(&[80, 443, 80]), Err("port 80 is named twice".to_owned()));
        let many: Vec<u16> = (1..=65).collect();
        assert_eq!(check(&many), Err("more than 64 ports".to_owned()));
    }
}
