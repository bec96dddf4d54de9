//! `hostbound lab run`: strategies × methods × Local Network Access × targets, and a verdict for each.

use std::fs;
use std::io::{self, IsTerminal};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use hostbound::Guard;
use hostbound_lab::case::{AttackerSpace, BrowserKind, Case, GuardKind, LocalNetworkAccess, Method};
use hostbound_lab::namespace::LabError;
use hostbound_lab::plan::{Plan, PlannedTarget, Resolver};
use hostbound_lab::run::PolicyInQuestion;
use hostbound_lab::strategy::Strategy;
use hostbound_lab::verdict::{CaseResult, Conclusion, TargetKind};
use hostbound_lab::{GuardPlan, browser, program, report, run};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::INSIDE;
use crate::args::Format;
use crate::exit::{Exit, Failure};
use crate::output::{self, printable, say};
use crate::policy::{Additions, PolicyFile};

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

    /// The browser
    #[arg(long, value_name = "BROWSER", default_value = "chromium", value_parser = browsers())]
    browser: BrowserKind,

    /// Its program [default: the one on PATH]
    #[arg(long, value_name = "FILE")]
    browser_path: Option<PathBuf>,

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

    /// A policy: the guarded service keeps it, and it judges every request that arrives anywhere
    #[arg(long, short, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// What stands in front of the guarded service: the npm package in Node, or the filter in Envoy
    #[arg(long, value_name = "GUARD", default_value = "node", value_parser = guards())]
    guard: GuardKind,

    /// Where the npm package `hostbound` is found, for --guard node
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    guard_folder: PathBuf,

    /// The module of the Envoy filter, hostbound.wasm, for --guard envoy
    #[arg(long, value_name = "FILE")]
    filter: Option<PathBuf>,

    /// Envoy's program, for --guard envoy [default: the one on PATH]
    #[arg(long, value_name = "FILE")]
    envoy: Option<PathBuf>,

    /// Leave the guarded service out
    #[arg(long, conflicts_with_all = ["guard", "filter", "envoy"])]
    no_guard: bool,

    /// Cases at a time
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    parallel: u8,

    /// A resolver between browser and DNS server: a command that listens at 127.0.0.1:53 and asks `{upstream}`
    #[arg(long, value_name = "COMMAND")]
    resolver: Option<String>,

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

fn browsers() -> impl TypedValueParser<Value = BrowserKind> {
    one_of(&[BrowserKind::Chromium, BrowserKind::Firefox], BrowserKind::name)
}

fn guards() -> impl TypedValueParser<Value = GuardKind> {
    one_of(&[GuardKind::Node, GuardKind::Envoy], GuardKind::name)
}

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

/// A parser of the values' names.
fn one_of<T>(values: &'static [T], name: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    let names: Vec<&'static str> = values.iter().map(|value| name(*value)).collect();
    PossibleValuesParser::new(names).try_map(move |text| {
        let found = values.iter().find(|value| name(**value) == text);
        found.copied().ok_or_else(|| format!("`{text}` is not known"))
    })
}

/// What the policy of the run is.
struct PolicyOfRun {
    name: String,
    json: Value,
    guard: Guard,
}

impl Run {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let policy = self.policy.as_deref().map(read_policy).transpose()?;
        let plan = self.plan(policy.as_ref())?;
        let in_question = policy.as_ref().map(|policy| PolicyInQuestion {
            name: policy.name.clone(),
            guard: &policy.guard,
        });
        let progress = Progress::start(plan.cases.len());
        let ran = run::run(&plan, &INSIDE, in_question.as_ref(), |result| progress.ended(result));
        progress.finish();
        let run = ran.map_err(|error| match error {
            LabError::Machine(message) | LabError::Failed(message) => Failure::Input(message),
        })?;
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
        let executable = match &self.browser_path {
            Some(path) => path.clone(),
            None => browser::find(self.browser).ok_or_else(|| {
                let package = match self.browser {
                    BrowserKind::Chromium => "chromium",
                    BrowserKind::Firefox => "firefox-esr",
                };
                Failure::Input(format!(
                    "no {} on PATH: install it (`apt-get install {package}`), or name it with --browser-path",
                    self.browser.name()
                ))
            })?,
        };
        let mut targets = self.targets(policy)?;
        let cases = match &self.cases {
            Some(path) => read_cases(path, &mut targets)?,
            None => self.crossed(&targets),
        };
        let is_guarded = targets.iter().any(|target| target.kind.is_guarded());
        let guard = is_guarded.then(|| self.guard(policy)).transpose()?;
        Ok(Plan {
            browser: self.browser,
            executable,
            cases,
            targets,
            guard,
            parallel: self.parallel.into(),
            resolver: self.resolver()?,
        })
    }

    fn guard(&self, policy: Option<&PolicyOfRun>) -> Result<GuardPlan, Failure> {
        let policy = policy.map_or_else(
            || json!({ "version": 1, "name": "hostbound-lab", "hosts": { "allow": OWN_HOSTS } }),
            |policy| policy.json.clone(),
        );
        match self.guard {
            GuardKind::Node if self.filter.is_some() || self.envoy.is_some() => Err(Failure::Usage(
                "--filter and --envoy are for the guard in Envoy: add --guard envoy".into(),
            )),
            GuardKind::Node => Ok(GuardPlan::Node {
                program: PathBuf::from("node"),
                folder: self.guard_folder.clone(),
                policy,
            }),
            GuardKind::Envoy => {
                let filter = self.filter.as_deref().ok_or_else(|| {
                    Failure::Usage(
                        "--guard envoy needs --filter FILE: the module of the Envoy filter, hostbound.wasm".into(),
                    )
                })?;
                // Envoy is told of it by its whole path.
                let filter = filter
                    .canonicalize()
                    .map_err(|error| Failure::Usage(format!("--filter {}: {error}", filter.display())))?;
                let program = self
                    .envoy
                    .clone()
                    .or_else(|| program::find(&["envoy"]))
                    .ok_or_else(|| {
                        Failure::Input("no envoy on PATH: install it, or name its program with --envoy".into())
                    })?;
                Ok(GuardPlan::Envoy {
                    program,
                    filter,
                    policy,
                })
            }
        }
    }

    fn targets(&self, policy: Option<&PolicyOfRun>) -> Result<Vec<PlannedTarget>, Failure> {
        let mut targets = vec![canary("canary", loopback(), &[])];
        if !self.no_guard {
            targets.push(PlannedTarget {
                name: "guarded".to_owned(),
                kind: TargetKind::Guarded { guard: self.guard },
                address: loopback(),
                own_host: policy.and_then(own_host).unwrap_or_else(|| loopback().to_string()),
                headers: Vec::new(),
            });
        }
        for text in &self.targets {
            let address = service_address(text)?;
            if targets
                .iter()
                .any(|target| target.kind == TargetKind::Service { address })
            {
                continue;
            }
            targets.push(PlannedTarget {
                name: address.to_string(),
                kind: TargetKind::Service { address },
                address: loopback(),
                own_host: address.to_string(),
                headers: Vec::new(),
            });
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

    fn resolver(&self) -> Result<Resolver, Failure> {
        let Some(command) = &self.resolver else {
            return Ok(Resolver::Direct);
        };
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        if words.is_empty() {
            return Err(Failure::Usage("--resolver: the command is empty".into()));
        }
        Ok(Resolver::Command(words))
    }
}

const OWN_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

const fn loopback() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

fn canary(name: &str, address: IpAddr, headers: &[(&str, &str)]) -> PlannedTarget {
    PlannedTarget {
        name: name.to_owned(),
        kind: TargetKind::Canary,
        address,
        own_host: address.to_string(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

/// Canaries that only a list of cases can name.
fn other_canaries() -> [PlannedTarget; 3] {
    [
        canary("canary-local", IpAddr::V4(hostbound_lab::LOCAL_TARGET), &[]),
        canary(
            "canary-coop",
            loopback(),
            &[("cross-origin-opener-policy", "same-origin")],
        ),
        canary("canary-frame-options", loopback(), &[("x-frame-options", "DENY")]),
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

fn read_policy(path: &Path) -> Result<PolicyOfRun, Failure> {
    let file = PolicyFile::read(path)?;
    let document = file.document(&Additions::default())?;
    let guard = Guard::new(file.compile(&document)?);
    let json = serde_json::from_str(&document.to_compiled_json())
        .map_err(|error| Failure::Usage(format!("{} cannot be compiled: {error}", path.display())))?;
    Ok(PolicyOfRun {
        name: path.display().to_string(),
        json,
        guard,
    })
}

/// A host that the policy allows, as a request's `Host` says it.
fn own_host(policy: &PolicyOfRun) -> Option<String> {
    let allowed = policy.json.get("hosts")?.get("allow")?.as_array()?;
    let hosts = || allowed.iter().filter_map(Value::as_str);
    let exact = hosts().find(|host| !host.contains('*'));
    exact.or_else(|| hosts().next()).map(|host| host.replace('*', "lab"))
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
