//! What `lab run` and `lab page` have in common: the browser, the guard with its policy, the resolver.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use hostbound::Guard;
use hostbound_lab::case::{BrowserKind, GuardKind};
use hostbound_lab::plan::{PlannedTarget, Resolver};
use hostbound_lab::{GuardPlan, browser, program};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::policy::{Additions, PolicyFile};

#[derive(Args, Debug)]
pub(super) struct BrowserArgs {
    /// The browser
    #[arg(long, value_name = "BROWSER", default_value = "chromium", value_parser = browsers())]
    pub(super) browser: BrowserKind,

    /// Its program [default: the one on PATH]
    #[arg(long, value_name = "FILE")]
    browser_path: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct GuardArgs {
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
}

#[derive(Args, Debug)]
pub(super) struct ResolverArgs {
    /// A resolver between browser and DNS server: a command that listens at 127.0.0.1:53 and asks `{upstream}`
    #[arg(long, value_name = "COMMAND")]
    resolver: Option<String>,
}

/// The policy of a run.
pub(super) struct PolicyOfRun {
    /// As people know it: its file.
    pub(super) name: String,
    pub(super) json: Value,
    pub(super) guard: Guard,
}

impl BrowserArgs {
    pub(super) fn executable(&self) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.browser_path {
            return Ok(path.clone());
        }
        browser::find(self.browser).ok_or_else(|| {
            let package = match self.browser {
                BrowserKind::Chromium => "chromium",
                BrowserKind::Firefox => "firefox-esr",
            };
            Failure::Input(format!(
                "no {} on PATH: install it (`apt-get install {package}`), or name it with --browser-path",
                self.browser.name()
            ))
        })
    }
}

impl GuardArgs {
    pub(super) fn policy(&self) -> Result<Option<PolicyOfRun>, Failure> {
        self.policy.as_deref().map(read_policy).transpose()
    }

    /// The guarded service, unless it is left out.
    pub(super) fn target(&self, policy: Option<&PolicyOfRun>) -> Option<PlannedTarget> {
        let own_host = policy.and_then(own_host);
        let own_host = own_host.unwrap_or_else(|| OWN_HOSTS[1].to_owned());
        (!self.no_guard).then(|| PlannedTarget::guarded(self.guard, own_host))
    }

    pub(super) fn plan(&self, policy: Option<&PolicyOfRun>) -> Result<GuardPlan, Failure> {
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
}

impl ResolverArgs {
    pub(super) fn plan(&self) -> Result<Resolver, Failure> {
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

fn browsers() -> impl TypedValueParser<Value = BrowserKind> {
    one_of(&[BrowserKind::Chromium, BrowserKind::Firefox], BrowserKind::name)
}

fn guards() -> impl TypedValueParser<Value = GuardKind> {
    one_of(&[GuardKind::Node, GuardKind::Envoy], GuardKind::name)
}

/// A parser of the values' names.
pub(super) fn one_of<T>(values: &'static [T], name: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    let names: Vec<&'static str> = values.iter().map(|value| name(*value)).collect();
    PossibleValuesParser::new(names).try_map(move |text| {
        let found = values.iter().find(|value| name(**value) == text);
        found.copied().ok_or_else(|| format!("`{text}` is not known"))
    })
}

const OWN_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

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
