//! `hostbound lab page`: the self-test page in a browser of its own, with the lab behind it.

use std::env;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use clap::Args;
use hostbound_lab::namespace;
use hostbound_lab::plan::{Event, NamedPolicy, PagePlan, Surroundings, Window, Work};

use super::INSIDE;
use super::rig::{BrowserArgs, GuardArgs, ResolverArgs};
use crate::exit::{Exit, Failure};
use crate::output::{self, say};

/// Show the self-test page in a browser of its own, with the lab behind it
///
/// The browser has its own profile, network and resolver: nothing leaves the machine, and nothing stays when it is closed. No domain is needed, and no root where
/// user namespaces are allowed. Nothing is attacked before somebody says so on the page; then only the ports that are chosen there.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Page {
    #[command(flatten)]
    browser: BrowserArgs,

    /// The folder of the page [default: `www` beside this program, or beside its folder]
    #[arg(long, value_name = "FOLDER")]
    www: Option<PathBuf>,

    /// Where files go that are saved from the page; a window asks first
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    save: PathBuf,

    #[command(flatten)]
    guard: GuardArgs,

    #[command(flatten)]
    resolver: ResolverArgs,

    /// Without a window: for tests, which drive the browser at its port
    #[arg(long, requires = "remote_debugging_port")]
    headless: bool,

    /// Let this machine drive the browser, by `DevTools` or `WebDriver` `BiDi`; 0: any port
    #[arg(long, value_name = "PORT")]
    remote_debugging_port: Option<u16>,
}

const EXAMPLES: &str = "\
Examples:
  hostbound lab page
  hostbound lab page --browser firefox
  hostbound lab page --policy hostbound.toml --guard envoy --filter hostbound.wasm
  hostbound lab page --headless --remote-debugging-port 0

Exit codes:
  0  the window was closed
  2  a policy that is wrong, or a command called wrongly
  3  it could not be shown: no browser, no display, no namespaces";

impl Page {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let policy = self.guard.policy()?;
        let guarded = self.guard.target(policy.as_ref());
        let guard = guarded
            .is_some()
            .then(|| self.guard.plan(policy.as_ref()))
            .transpose()?;
        let plan = PagePlan {
            browser: self.browser.browser,
            executable: self.browser.executable()?,
            surroundings: Surroundings {
                guard,
                resolver: self.resolver.plan()?,
            },
            www: self.www()?,
            downloads: whole("--save", &self.save)?,
            guarded,
            policy: policy.map(|policy| NamedPolicy {
                name: policy.name,
                json: policy.json,
            }),
            window: self.window()?,
        };
        let remote_debugging = self
            .remote_debugging_port
            .map(|port| {
                TcpListener::bind((Ipv4Addr::LOCALHOST, port))
                    .map_err(|error| Failure::Usage(format!("--remote-debugging-port {port}: {error}")))
            })
            .transpose()?;
        let mut browser = String::new();
        let shown = |event| match event {
            Event::Browser { browser: found } => browser = format!("{} {}", found.kind.name(), found.version),
            Event::Page { url } => self.tell(&url, &browser, remote_debugging.as_ref()),
            _ => {}
        };
        namespace::run(&Work::Page(plan), remote_debugging.as_ref(), &INSIDE, shown)
            .map_err(|error| Failure::Input(error.to_string()))?;
        Ok(Exit::Clean)
    }

    fn tell(&self, url: &str, browser: &str, remote_debugging: Option<&TcpListener>) {
        say(&if self.headless {
            format!("{url} is open in {browser}, without a window; press Ctrl-C to end")
        } else {
            format!("{url} is open in {browser}; close its window, or press Ctrl-C, to end")
        });
        if let Some(address) = remote_debugging.and_then(|listener| listener.local_addr().ok()) {
            // If nobody reads it, nobody needs it.
            output::line(&format!("remote debugging at {address}")).ok();
        }
    }

    fn www(&self) -> Result<PathBuf, Failure> {
        let named = match &self.www {
            Some(folder) => Some(folder.clone()),
            None => beside_program(),
        };
        let folder = named.ok_or_else(|| {
            Failure::Usage("the self-test page is not beside this program: name its folder with --www FOLDER".into())
        })?;
        whole("--www", &folder)
    }

    fn window(&self) -> Result<Window, Failure> {
        if self.headless {
            return Ok(Window::Headless);
        }
        let display = display(|name| env::var(name).ok().filter(|value| !value.is_empty()));
        if display.is_empty() {
            return Err(Failure::Input(
                "there is no display for a window (neither DISPLAY nor WAYLAND_DISPLAY): run this on a desktop, or `hostbound lab run`, which needs none"
                    .into(),
            ));
        }
        Ok(Window::Shown(display))
    }
}

/// The whole path of a folder that an option names.
fn whole(option: &str, folder: &Path) -> Result<PathBuf, Failure> {
    folder
        .canonicalize()
        .map_err(|error| Failure::Usage(format!("{option} {}: {error}", folder.display())))
}

/// The folder `www` of an unpacked release.
fn beside_program() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let folder = program.parent()?;
    let candidates = [Some(folder), folder.parent()];
    candidates
        .into_iter()
        .flatten()
        .map(|folder| folder.join("www"))
        .find(|www| www.join("index.html").is_file())
}

/// The variables that lead to a display, for a process whose home and runtime folder are others.
fn display(variable: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let mut display = Vec::new();
    if let Some(screen) = variable("DISPLAY") {
        display.push(("DISPLAY".to_owned(), screen));
        let cookies = variable("XAUTHORITY").or_else(|| Some(format!("{}/.Xauthority", variable("HOME")?)));
        display.extend(cookies.map(|file| ("XAUTHORITY".to_owned(), file)));
    }
    if let Some(socket) = variable("WAYLAND_DISPLAY") {
        let is_whole = Path::new(&socket).is_absolute();
        let whole = if is_whole {
            Some(socket)
        } else {
            variable("XDG_RUNTIME_DIR").map(|folder| format!("{folder}/{socket}"))
        };
        display.extend(whole.map(|socket| ("WAYLAND_DISPLAY".to_owned(), socket)));
    }
    display
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(variables: &[(&str, &str)]) -> String {
        let found = display(|wanted| {
            let (_, value) = variables.iter().find(|(name, _)| *name == wanted)?;
            Some((*value).to_owned())
        });
        let words: Vec<String> = found.iter().map(|(name, value)| format!("{name}={value}")).collect();
        words.join(" ")
    }

    #[test]
    fn a_display_is_found_from_elsewhere() {
        assert_eq!(shown(&[("HOME", "/home/me")]), "");
        assert_eq!(
            shown(&[("DISPLAY", ":0"), ("HOME", "/home/me")]),
            "DISPLAY=:0 XAUTHORITY=/home/me/.Xauthority"
        );
        assert_eq!(
            shown(&[("DISPLAY", ":0"), ("XAUTHORITY", "/run/x"), ("HOME", "/home/me")]),
            "DISPLAY=:0 XAUTHORITY=/run/x"
        );
        assert_eq!(
            shown(&[("WAYLAND_DISPLAY", "wayland-0"), ("XDG_RUNTIME_DIR", "/run/user/1000")]),
            "WAYLAND_DISPLAY=/run/user/1000/wayland-0"
        );
        assert_eq!(shown(&[("WAYLAND_DISPLAY", "/run/w")]), "WAYLAND_DISPLAY=/run/w");
    }
}
