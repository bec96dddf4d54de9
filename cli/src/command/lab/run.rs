//! `hostbound lab run`: strategies × methods × Local Network Access × targets, and a verdict for each.

use std::fs;
use std::io::{self, IsTerminal};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::TypedValueParser;
use hostbound_lab::case::{AttackerSpace, Case, LocalNetworkAccess, Method};
use hostbound_lab::plan::{Plan, PlannedTarget, Surroundings};
use hostbound_lab::run::PolicyInQuestion;
use hostbound_lab::strategy::Strategy;
use hostbound_lab::verdict::{CaseResult, Conclusion};
use hostbound_lab::{report, run};
use indicatif::{ProgressBar, ProgressStyle};

use super::INSIDE;
use super::rig::{BrowserArgs, GuardArgs, PolicyOfRun, ResolverArgs, one_of};
use crate::args::Format;
use crate::exit::{Exit, Failure};
use crate::output::{self, printable, say};

/// Attack the lab's own service, with and without a guard, and services of this machine
///
/// Everything happens in network, mount and PID namespaces of its own, with its own DNS server: nothing leaves the machine.
/// Only the services that --target names are attacked; of their answers only the status and the length are looked at.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Run {
    /// A service of this machine to attack, as 127.0.0.1:11434 (repeatable)
    #[arg(long = "target", value_name = "ADDRESS:PORT")]
    targets: Vec<String>,

    #[command(flatten)]
    browser: BrowserArgs,

    /// A strategy (repeatable) [default: multiple-answers, first-then-second-flush]
    #[arg(long = "strategy", value_name = "STRATEGY", value_parser = strategies(), conflicts_with = "all")]
    strategies: Vec<Strategy>,

    /// A method (repeatable) [default: fetch, iframe, popup]
    #[arg(long = "method", value_name = "METHOD", value_parser = methods(), conflicts_with = "all")]
    methods: Vec<Method>,

    /// What the browser's Local Network Access is set to (repeatable) [default: default, off]
    #[arg(long = "local-network-access", value_name = "SETTING", value_parser = settings())]
    local_network_access: Vec<LocalNetworkAccess>,

    /// All strategies and methods: takes several minutes
    #[arg(long)]
    all: bool,

    /// Cases to carry out, as a JSON list in the form that reports have
    #[arg(long, value_name = "FILE", conflicts_with_all = ["strategies", "methods", "local_network_access", "all"])]
    cases: Option<PathBuf>,

    #[command(flatten)]
    guard: GuardArgs,

    /// Cases at a time
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    parallel: u8,

    #[command(flatten)]
    resolver: ResolverArgs,

    /// Also write a page for people
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Also write `JUnit` XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
}

const EXAMPLES: &str = "\
Examples:
  hostbound lab run
  hostbound lab run --target 127.0.0.1:11434 --html report.html
  hostbound lab run --policy hostbound.toml --format json
  hostbound lab run --policy hostbound.toml --guard envoy --filter hostbound.wasm
  hostbound lab run --browser firefox --all --junit lab.xml

Exit codes:
  0  the attack works without a guard, and everything under test refused it
  1  something under test was read by a foreign page
  2  a policy that is wrong, or a command called wrongly
  3  could not tell: no browser, no namespaces, no negative control, or a service that only the browser protected";

fn strategies() -> impl TypedValueParser<Value = Strategy> {
    one_of(&Strategy::ALL, Strategy::name)
}

fn methods() -> impl TypedValueParser<Value = Method> {
    one_of(&Method::ALL, Method::name)
}

fn settings() -> impl TypedValueParser<Value = LocalNetworkAccess> {
    use LocalNetworkAccess::{Default, Navigations, Off};
    one_of(&[Default, Off, Navigations], LocalNetworkAccess::name)
}

impl Run {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let policy = self.guard.policy()?;
        let plan = self.plan(policy.as_ref())?;
        let in_question = policy.as_ref().map(|policy| PolicyInQuestion {
            name: policy.name.clone(),
            guard: &policy.guard,
        });
        let progress = Progress::start(plan.cases.len());
        let ran = run::run(&plan, &INSIDE, in_question.as_ref(), |result| progress.ended(result));
        progress.finish();
        let run = ran.map_err(|error| Failure::Input(error.to_string()))?;
        let printed = match self.format {
            Format::Human => report::table(&run),
            Format::Json => report::json(&run),
        };
        output::line(printed.trim_end()).map_err(Failure::Output)?;
        for (path, text) in [
            (&self.html, report::html as fn(&_) -> String),
            (&self.junit, report::junit),
        ] {
            if let Some(path) = path {
                fs::write(path, text(&run))
                    .map_err(|error| Failure::Usage(format!("{} cannot be written: {error}", path.display())))?;
                say(&format!("wrote {}", path.display()));
            }
        }
        Ok(match run.conclusion {
            Conclusion::Safe => Exit::Clean,
            Conclusion::Vulnerable => Exit::Findings,
            Conclusion::Inconclusive => Exit::Unknown,
        })
    }

    fn plan(&self, policy: Option<&PolicyOfRun>) -> Result<Plan, Failure> {
        let executable = self.browser.executable()?;
        let mut targets = self.targets(policy)?;
        let cases = match &self.cases {
            Some(path) => read_cases(path, &mut targets)?,
            None => self.crossed(&targets),
        };
        let is_guarded = targets.iter().any(|target| target.kind.is_guarded());
        let guard = is_guarded.then(|| self.guard.plan(policy)).transpose()?;
        Ok(Plan {
            browser: self.browser.browser,
            executable,
            surroundings: Surroundings {
                guard,
                resolver: self.resolver.plan()?,
            },
            targets,
            cases,
            parallel: self.parallel.into(),
        })
    }

    fn targets(&self, policy: Option<&PolicyOfRun>) -> Result<Vec<PlannedTarget>, Failure> {
        let mut targets = vec![PlannedTarget::canary()];
        targets.extend(self.guard.target(policy));
        for text in &self.targets {
            let target = PlannedTarget::service(service_address(text)?);
            if !targets.iter().any(|other| other.kind == target.kind) {
                targets.push(target);
            }
        }
        Ok(targets)
    }

    /// Every strategy by every method, for each target and setting.
    fn crossed(&self, targets: &[PlannedTarget]) -> Vec<Case> {
        let strategies = chosen(
            &self.strategies,
            if self.all {
                &Strategy::ALL
            } else {
                &[Strategy::MultipleAnswers, Strategy::FirstThenSecondFlush]
            },
        );
        let methods = chosen(
            &self.methods,
            if self.all {
                &Method::ALL
            } else {
                &[Method::Fetch, Method::Iframe, Method::Popup]
            },
        );
        let settings = chosen(
            &self.local_network_access,
            &[LocalNetworkAccess::Default, LocalNetworkAccess::Off],
        );
        let mut cases = Vec::new();
        for local_network_access in settings {
            for target in targets {
                for &strategy in &strategies {
                    for &method in &methods {
                        cases.push(Case {
                            strategy,
                            method,
                            local_network_access,
                            attacker: AttackerSpace::Public,
                            target: target.name.clone(),
                            taken_for_public: None,
                        });
                    }
                }
            }
        }
        cases
    }
}

/// Canaries that only a list of cases can name.
fn other_canaries() -> [PlannedTarget; 3] {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let opener_policy = ("cross-origin-opener-policy", "same-origin");
    [
        PlannedTarget::canary_at("canary-local", IpAddr::V4(hostbound_lab::LOCAL_TARGET), &[]),
        PlannedTarget::canary_at("canary-coop", loopback, &[opener_policy]),
        PlannedTarget::canary_at("canary-frame-options", loopback, &[("x-frame-options", "DENY")]),
    ]
}

/// The cases of a file; targets that they do not name are left out, others are added.
fn read_cases(path: &Path, targets: &mut Vec<PlannedTarget>) -> Result<Vec<Case>, Failure> {
    let wrong = |what: String| Failure::Usage(format!("--cases {}: {what}", path.display()));
    let bytes = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let cases: Vec<Case> = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    targets.extend(other_canaries());
    targets.retain(|target| cases.iter().any(|case| case.target == target.name));
    match cases
        .iter()
        .find(|case| targets.iter().all(|target| case.target != target.name))
    {
        Some(case) => Err(wrong(format!("no target is named `{}`", printable(&case.target, 100)))),
        None => Ok(cases),
    }
}

/// What was named, without repetitions; or else the usual.
fn chosen<T: Copy + PartialEq>(named: &[T], usual: &[T]) -> Vec<T> {
    let mut chosen: Vec<T> = Vec::new();
    for value in if named.is_empty() { usual } else { named } {
        if !chosen.contains(value) {
            chosen.push(*value);
        }
    }
    chosen
}

/// An address of this machine: only that may be attacked.
fn service_address(text: &str) -> Result<SocketAddr, Failure> {
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    let shown = printable(text, 100);
    let address: SocketAddr = numeric.parse().map_err(|_| {
        Failure::Usage(format!(
            "--target `{shown}`: give an address and a port, as 127.0.0.1:11434"
        ))
    })?;
    if address.port() == 0 {
        return Err(Failure::Usage(format!("--target `{shown}`: port 0 is no port")));
    }
    // Only an address of an interface here can be bound.
    let ours = !address.ip().is_multicast() && UdpSocket::bind((address.ip(), 0)).is_ok();
    if !ours || address.ip().is_unspecified() {
        return Err(Failure::Usage(format!(
            "--target `{shown}`: the lab attacks services of this machine only, and this is none of its addresses"
        )));
    }
    Ok(address)
}

/// What people see while it runs; only on a terminal.
struct Progress(Option<ProgressBar>);

impl Progress {
    fn start(cases: usize) -> Self {
        if !io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new(cases as u64);
        if let Ok(style) = ProgressStyle::with_template("{pos}/{len} cases  {elapsed}  {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Self(Some(bar))
    }

    fn ended(&self, result: &CaseResult) {
        let Some(bar) = &self.0 else { return };
        let case = &result.case;
        bar.inc(1);
        bar.set_message(format!(
            "{} {} {} (Local Network Access {}): {}",
            case.target,
            case.strategy.name(),
            case.method.name(),
            case.local_network_access.name(),
            result.outcome.name()
        ));
    }

    fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
