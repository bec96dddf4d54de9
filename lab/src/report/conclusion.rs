//! What a report says first, and what to do next.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::Serialize;

use super::grid::{Group, groups, is_control};
use super::text::{count, list, moment, plain};
use crate::case::LocalNetworkAccess;
use crate::verdict::{Conclusion, Outcome, Run, ServiceResult, ServiceVerdict, TargetKind};

/// Longest name of a target that is given in full.
pub(super) const NAME: usize = 60;

/// The run in one sentence.
pub(super) fn headline(run: &Run) -> String {
    let names = |verdict| {
        let of_verdict = |service: &&ServiceResult| !is_control(service) && service.verdict == verdict;
        let services = run.services.iter().filter(of_verdict);
        services
            .map(|service| plain(&service.target.name, NAME))
            .collect::<Vec<_>>()
    };
    match run.conclusion {
        Conclusion::Safe => {
            "Every service under test refused the requests that reached it under a foreign name.".to_owned()
        }
        Conclusion::Vulnerable => match names(ServiceVerdict::Vulnerable).as_slice() {
            [] => "A web page can read a service under test.".to_owned(),
            names => format!("A web page can read {}.", list(names)),
        },
        Conclusion::Inconclusive => match names(ServiceVerdict::NotTested).as_slice() {
            [] => "This run shows nothing about the services.".to_owned(),
            names => format!("This run does not show whether {} can be read.", list(names)),
        },
    }
}

/// Whether the rig can rebind at all: without that, nothing that was stopped proves anything.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Control {
    /// No bare canary was attacked.
    Missing,
    Unread {
        cases: usize,
    },
    Read {
        read: usize,
        cases: usize,
        fastest_ms: Option<u64>,
    },
}

impl Control {
    pub(super) fn of(run: &Run) -> Self {
        let groups = groups(run);
        let cases = || {
            groups
                .iter()
                .filter(|group| group.is_control())
                .flat_map(|group| &group.cases)
        };
        let was_read = cases().filter(|case| case.result.outcome == Outcome::ReachedReadable);
        let times = was_read
            .clone()
            .filter_map(|case| case.result.logs.page.as_ref()?.rebind_ms);
        match (was_read.count(), cases().count()) {
            (_, 0) => Self::Missing,
            (0, cases) => Self::Unread { cases },
            (read, cases) => Self::Read {
                read,
                cases,
                fastest_ms: times.min(),
            },
        }
    }

    pub(super) const fn works(self) -> bool {
        matches!(self, Self::Read { .. })
    }

    pub(super) fn sentence(self) -> String {
        match self {
            Self::Missing => {
                "No bare canary was attacked: that this rig can rebind is not shown, so a refusal proves little."
                    .to_owned()
            }
            Self::Unread { cases } => format!(
                "The bare canary, which checks nothing, was read in none of {}: this rig could not be shown to rebind.",
                count(cases, "case")
            ),
            Self::Read {
                read,
                cases,
                fastest_ms,
            } => {
                let fastest =
                    fastest_ms.map_or_else(String::new, |time| format!(", at the fastest in {}", moment(time)));
                format!(
                    "The bare canary, which checks nothing, was read in {read} of {}{fastest}: this rig can rebind.",
                    count(cases, "case")
                )
            }
        }
    }
}

impl Group<'_> {
    /// What must be said wherever the browser blocked something, so that nobody takes it for the service's doing.
    pub(super) fn browser_note(&self) -> Option<String> {
        match self.count(Outcome::BlockedByBrowser) {
            0 => None,
            blocked => Some(format!(
                "The browser blocked {blocked} of {} and hid the answer: this says nothing about the service.",
                count(self.cases.len(), "case")
            )),
        }
    }
}

/// Something to do next.
#[derive(Debug, Eq, PartialEq, Serialize)]
pub struct Advice {
    /// The target that it is about, if it is about one.
    pub service: Option<String>,
    pub text: String,
    /// A whole policy to do it with, as TOML.
    pub policy: Option<String>,
}

impl From<String> for Advice {
    fn from(text: String) -> Self {
        Self {
            service: None,
            text,
            policy: None,
        }
    }
}

/// What to do after a run, the most urgent first.
#[must_use]
pub fn advice(run: &Run) -> Vec<Advice> {
    let control = Control::of(run);
    let groups = groups(run);
    let under_test = || groups.iter().filter(|group| !group.is_control());
    let mut steps: Vec<_> = under_test()
        .filter_map(|group| close(group, run.policy.as_deref()))
        .collect();
    if !control.works() {
        let text = "Find out why the bare canary was not read, with Local Network Access off and the strategy \
                    multiple-answers: until it is, this rig proves nothing.";
        steps.push(Advice::from(text.to_owned()));
    }
    for group in under_test().filter(|group| group.service.is_some_and(|service| !was_tested(service))) {
        steps.extend(test(group));
        steps.extend(wait(group));
    }
    if steps.is_empty() {
        let text = "Nothing. Run it again when the browser, the policy or a service changes.";
        steps.push(Advice::from(text.to_owned()));
    }
    steps
}

fn was_tested(service: &ServiceResult) -> bool {
    service.verdict != ServiceVerdict::NotTested
}

/// How to close a service that was read.
fn close(group: &Group<'_>, policy: Option<&str>) -> Option<Advice> {
    let service = group.service?;
    if service.verdict != ServiceVerdict::Vulnerable {
        return None;
    }
    let name = plain(group.name, NAME);
    let TargetKind::Service { address } = service.target.kind else {
        let text =
            format!("{name}: the guard let a foreign name through. This is a defect of Hostbound: please report it.");
        return Some(Advice::from(text));
    };
    let text = match (policy, would_deny(group)) {
        (Some(policy), Some(true)) => format!(
            "{name}: put Hostbound in front of it. The policy {} would have denied what was read; the least that stops it is:",
            plain(policy, NAME)
        ),
        (Some(policy), Some(false)) => format!(
            "{name}: the policy {} would have let this through. Name only the service's own hosts in it:",
            plain(policy, NAME)
        ),
        _ => format!("{name}: put Hostbound in front of it, with a policy that names only its own hosts:"),
    };
    Some(Advice {
        service: Some(group.name.to_owned()),
        text,
        policy: Some(own_hosts(address)),
    })
}

/// Whether the run's policy denies every request of the cases that were read. None: no verdict was given.
fn would_deny(group: &Group<'_>) -> Option<bool> {
    let was_read = group
        .cases
        .iter()
        .filter(|case| case.result.outcome == Outcome::ReachedReadable);
    let requests = was_read.flat_map(|case| case.result.logs.connections.iter().flat_map(|found| &found.requests));
    let mut verdicts = requests.filter_map(|request| request.policy.as_ref()?.get("decision")?.as_str());
    verdicts
        .try_fold(
            None,
            |_, decision| if decision == "deny" { Ok(Some(true)) } else { Err(()) },
        )
        .unwrap_or(Some(false))
}

/// A whole policy that names a service's own hosts, and would have stopped the rebound name.
pub(super) fn own_hosts(address: SocketAddr) -> String {
    let port = address.port();
    let literal = |address: IpAddr| SocketAddr::new(address, port).to_string();
    let hosts = match address.ip().to_canonical() {
        ip if ip.is_unspecified() => vec![format!("localhost:{port}"), literal(Ipv4Addr::LOCALHOST.into())],
        ip if ip.is_loopback() => vec![format!("localhost:{port}"), literal(ip)],
        ip => vec![literal(ip)],
    };
    let hosts: Vec<_> = hosts.iter().map(|host| format!("\"{host}\"")).collect();
    format!("version = 1\n[hosts]\nallow = [{}]", hosts.join(", "))
}

/// How to get at a service that the browser hid, or that did not run.
fn test(group: &Group<'_>) -> Option<Advice> {
    let name = plain(group.name, NAME);
    if group.count(Outcome::NotRunning) > 0 {
        let trouble = group.service.and_then(|service| service.target.trouble.as_deref());
        let trouble = trouble.map_or_else(String::new, |trouble| format!(" ({})", plain(trouble, 200)));
        return Some(Advice::from(format!("{name}: start it{trouble}, then run this again.")));
    }
    if group.count(Outcome::BlockedByBrowser) > 0 {
        let is_off = |setting| setting == LocalNetworkAccess::Off;
        let has_rows = group
            .cases
            .iter()
            .any(|case| is_off(case.result.case.local_network_access));
        let what = if has_rows {
            "see the rows with Local Network Access off"
        } else {
            "run this again with Local Network Access off (`hostbound lab run` does by itself)"
        };
        return Some(Advice::from(format!(
            "{name}: the browser hid the service's answer: {what}."
        )));
    }
    group.cases.is_empty().then(|| {
        Advice::from(format!(
            "{name}: no case attacked it; run this again with it as a target."
        ))
    })
}

/// What else kept a service from being tested.
fn wait(group: &Group<'_>) -> Vec<Advice> {
    let name = plain(group.name, NAME);
    let mut steps = Vec::new();
    if group.count(Outcome::NotRequeried) > 0 {
        let text = format!(
            "{name}: the name stayed in the browser's cache; give the case more time, or take the strategy multiple-answers."
        );
        steps.push(Advice::from(text));
    }
    if group.count(Outcome::FilteredByResolver) > 0 {
        let text = format!(
            "{name}: a resolver kept its address back; other networks have other resolvers, so test it without this one."
        );
        steps.push(Advice::from(text));
    }
    if group.count(Outcome::Prompted) > 0 {
        let text = format!("{name}: the browser asked for permission; allow it once and see what the service answers.");
        steps.push(Advice::from(text));
    }
    if group.count(Outcome::Inconclusive) > 0 {
        steps.push(Advice::from(format!("{name}: see what its inconclusive cases found.")));
    }
    steps
}

#[cfg(test)]
mod tests {
    use hostbound::Policy;

    use super::*;
    use crate::report::fixture;

    #[test]
    fn the_snippet_is_a_policy() {
        for (address, want) in [
            ("127.0.0.1:11434", r#"allow = ["localhost:11434", "127.0.0.1:11434"]"#),
            ("0.0.0.0:80", r#"allow = ["localhost:80", "127.0.0.1:80"]"#),
            ("[::1]:8080", r#"allow = ["localhost:8080", "[::1]:8080"]"#),
            ("[::ffff:127.0.0.1]:80", r#"allow = ["localhost:80", "127.0.0.1:80"]"#),
            ("192.168.78.1:8000", r#"allow = ["192.168.78.1:8000"]"#),
        ] {
            let snippet = own_hosts(address.parse().unwrap());
            assert_eq!(snippet, format!("version = 1\n[hosts]\n{want}"));
            assert!(
                Policy::from_toml(&snippet, "policy.toml").is_ok(),
                "{:?}",
                Policy::from_toml(&snippet, "policy.toml").err()
            );
        }
    }

    #[test]
    fn the_negative_control() {
        let mut run = fixture::run();
        assert!(Control::of(&run).works());
        for case in &mut run.cases {
            case.outcome = Outcome::BlockedByBrowser;
        }
        assert!(matches!(Control::of(&run), Control::Unread { .. }));
        assert!(advice(&run).iter().any(|step| step.text.contains("proves nothing")));
        run.services.retain(|service| !is_control(service));
        assert_eq!(Control::of(&run), Control::Missing);
        assert_eq!(Control::of(&fixture::empty()), Control::Missing);
    }

    #[test]
    fn a_policy_that_would_have_let_it_through_is_not_praised() {
        let mut run = fixture::run();
        let text = |run: &Run| advice(run).iter().map(|step| step.text.clone()).collect::<String>();
        assert!(text(&run).contains("would have denied what was read"));
        for case in &mut run.cases {
            for request in case.logs.connections.iter_mut().flat_map(|found| &mut found.requests) {
                request.policy = Some(serde_json::json!({"decision": "allow"}));
            }
        }
        assert!(text(&run).contains("would have let this through"));
        run.policy = None;
        assert!(text(&run).contains("with a policy that names only its own hosts"));
    }

    #[test]
    fn a_block_by_the_browser_asks_for_another_run() {
        let mut run = fixture::run();
        assert!(
            advice(&run)
                .iter()
                .any(|step| step.text.contains("see the rows with Local Network Access off"))
        );
        run.cases
            .retain(|case| case.case.local_network_access != LocalNetworkAccess::Off);
        assert!(
            advice(&run)
                .iter()
                .any(|step| step.text.contains("run this again with Local Network Access off"))
        );
    }
}
