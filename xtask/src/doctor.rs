//! The tools that Hostbound is built and tested with: which are here, in which version, and the
//! command that brings each. Looks only; `setup` installs.

use std::path::PathBuf;
use std::thread;

use anyhow::Result;
use serde_json::json;

use crate::process::{self, Run};
use crate::{Format, setup};

pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tool {
    Rustc,
    WasmTarget,
    Clang,
    LlvmAr,
    Node,
    Npm,
    Python,
    Chromium,
    Firefox,
    Ip,
    Dnsmasq,
    Wrk,
    OpenSsl,
    Redis,
    NodeModules,
}

/// What is known of a tool before looking.
struct Facts {
    name: &'static str,
    purpose: &'static str,
    required: &'static str,
    /// The lowest version that will do; none where being there is all.
    minimum: Option<[u32; 2]>,
}

/// What was found.
pub(crate) enum Found {
    Ready(String),
    Wrong(String),
    Missing,
}

impl Tool {
    pub(crate) const ALL: [Self; 15] = [
        Self::Rustc,
        Self::WasmTarget,
        Self::Clang,
        Self::LlvmAr,
        Self::Node,
        Self::Npm,
        Self::Python,
        Self::Chromium,
        Self::Firefox,
        Self::Ip,
        Self::Dnsmasq,
        Self::Wrk,
        Self::OpenSsl,
        Self::Redis,
        Self::NodeModules,
    ];

    fn facts(self) -> Facts {
        let (name, purpose, required, minimum) = match self {
            Self::Rustc => ("rustc", "everything", ">= 1.95", Some([1, 95])),
            Self::WasmTarget => ("wasm target", "the engine in wasm", WASM_TARGET, None),
            Self::Clang => ("clang", "C of wasm and tests", "target wasm32", None),
            Self::LlvmAr => ("llvm-ar", "ring's C in wasm", "any", None),
            Self::Node => ("node", "npm package, demo", ">= 20.19", Some([20, 19])),
            Self::Npm => ("npm", "npm package", "any", None),
            Self::Python => (
                "python3",
                "scenarios, interop, peers in bench",
                ">= 3.10, venv",
                Some([3, 10]),
            ),
            Self::Chromium => ("chromium", "browser tests", "any", None),
            Self::Firefox => ("firefox-esr", "browser tests", "any", None),
            Self::Ip => ("ip", "addresses of the lab", "iproute2", None),
            Self::Dnsmasq => ("dnsmasq", "a filtering resolver", "any", None),
            Self::Wrk => ("wrk", "cargo xtask bench envoy", "any", None),
            Self::OpenSsl => ("openssl", "certificates in tests", ">= 3.0", Some([3, 0])),
            Self::Redis => ("redis-server", "replay store in tests", ">= 6.2", Some([6, 2])),
            Self::NodeModules => ("node_modules", "npm package", "as in package-lock.json", None),
        };
        Facts {
            name,
            purpose,
            required,
            minimum,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        self.facts().name
    }

    pub(crate) fn purpose(self) -> &'static str {
        self.facts().purpose
    }

    /// The command that installs the tool.
    pub(crate) fn install(self) -> String {
        match self {
            Self::Rustc => "rustup update stable".to_owned(),
            Self::WasmTarget => format!("rustup target add {WASM_TARGET}"),
            Self::Clang | Self::LlvmAr | Self::Chromium | Self::Firefox | Self::Ip | Self::Dnsmasq | Self::Wrk => {
                setup::apt_line(&[self.apt_package().unwrap_or_default()])
            }
            Self::OpenSsl | Self::Redis => setup::apt_line(&[self.apt_package().unwrap_or_default()]),
            // Debian has Node 20.19 from release 13 on.
            Self::Node | Self::Npm => {
                format!("nvm install 22   (Debian 13: {})", setup::apt_line(&["nodejs", "npm"]))
            }
            Self::Python => setup::apt_line(&["python3", "python3-venv"]),
            Self::NodeModules => Run::npm(setup::NPM_INSTALL).to_string(),
        }
    }

    /// The Debian package, for a tool that set-up installs from there.
    pub(crate) fn apt_package(self) -> Option<&'static str> {
        match self {
            Self::Clang => Some("clang"),
            Self::LlvmAr => Some("llvm"),
            Self::Chromium => Some("chromium"),
            Self::Firefox => Some("firefox-esr"),
            Self::Ip => Some("iproute2"),
            Self::Dnsmasq => Some("dnsmasq-base"),
            Self::Wrk => Some("wrk"),
            Self::OpenSsl => Some("openssl"),
            Self::Redis => Some("redis-server"),
            Self::Python => Some("python3-venv"),
            _ => None,
        }
    }

    pub(crate) fn look(self) -> Found {
        let version = match self {
            Self::Rustc => version_of("rustc"),
            Self::WasmTarget => return wasm_target(),
            Self::Clang => return clang(),
            Self::LlvmAr => return llvm_ar(),
            Self::Node => version_of("node"),
            Self::Npm => version_of("npm"),
            Self::Python => return python(self.facts().minimum),
            Self::Chromium => chromium().and_then(|path| version_of(&path.to_string_lossy())),
            Self::Firefox => firefox().and_then(|path| version_of(&path.to_string_lossy())),
            Self::Ip => version_said("ip", "-Version"),
            Self::Dnsmasq => version_said("dnsmasq", "--version"),
            // It says its version and then fails.
            Self::Wrk => process::on_path("wrk").map(|path| path.display().to_string()),
            Self::OpenSsl => version_said("openssl", "version"),
            Self::Redis => version_said("redis-server", "--version"),
            Self::NodeModules => return node_modules(),
        };
        judge(version, self.facts().minimum)
    }
}

/// Looks for all at once: some of them take a second to say their version.
pub(crate) fn look_at(tools: &[Tool]) -> Vec<(Tool, Found)> {
    thread::scope(|scope| {
        let looking: Vec<_> = tools
            .iter()
            .map(|&tool| (tool, scope.spawn(move || tool.look())))
            .collect();
        looking
            .into_iter()
            .map(|(tool, look)| (tool, look.join().unwrap_or(Found::Missing)))
            .collect()
    })
}

/// Prints the table and says whether every tool is there.
///
/// # Errors
///
/// When the JSON form cannot be written.
pub(crate) fn report(format: Format) -> Result<bool> {
    let looked = look_at(&Tool::ALL);
    let ready = looked.iter().all(|(_, found)| found.is_ready());
    match format {
        Format::Human => {
            println!("{:<13} {:<20} {:<24} {:<18} state", "tool", "for", "required", "found");
            for (tool, found) in &looked {
                let facts = tool.facts();
                let state = match found {
                    Found::Ready(_) => "ok".to_owned(),
                    Found::Wrong(_) | Found::Missing => format!("missing: {}", tool.install()),
                };
                println!(
                    "{:<13} {:<20} {:<24} {:<18} {state}",
                    facts.name,
                    facts.purpose,
                    facts.required,
                    found.text()
                );
            }
        }
        Format::Json => {
            let tools: Vec<_> = looked
                .iter()
                .map(|(tool, found)| {
                    let facts = tool.facts();
                    json!({
                        "name": facts.name,
                        "purpose": facts.purpose,
                        "required": facts.required,
                        "found": found.version(),
                        "ok": found.is_ready(),
                        "install": tool.install(),
                    })
                })
                .collect();
            let report = json!({ "ok": ready, "tools": tools });
            println!("{}", serde_json::to_string_pretty(&report)?);
        }
    }
    Ok(ready)
}

impl Found {
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }

    pub(crate) fn version(&self) -> Option<&str> {
        match self {
            Self::Ready(version) | Self::Wrong(version) => Some(version),
            Self::Missing => None,
        }
    }

    pub(crate) fn text(&self) -> &str {
        self.version().unwrap_or("-")
    }
}

/// The browser that the tests drive: `$CHROMIUM`, else what is on the `PATH`.
pub(crate) fn chromium() -> Option<PathBuf> {
    match std::env::var("CHROMIUM") {
        Ok(path) if !path.is_empty() => process::on_path(&path),
        _ => process::on_path("chromium"),
    }
}

/// The other one: `$FIREFOX`, else what is on the `PATH`.
pub(crate) fn firefox() -> Option<PathBuf> {
    match std::env::var("FIREFOX") {
        Ok(path) if !path.is_empty() => process::on_path(&path),
        _ => process::on_path("firefox-esr"),
    }
}

fn judge(version: Option<String>, minimum: Option<[u32; 2]>) -> Found {
    match (version, minimum) {
        (None, _) => Found::Missing,
        (Some(version), Some(minimum)) if !at_least(&version, minimum) => Found::Wrong(version),
        (Some(version), _) => Found::Ready(version),
    }
}

/// The first word of `PROGRAM --version` that starts with a digit, or with `v` and a digit.
fn version_of(program: &str) -> Option<String> {
    version_said(program, "--version")
}

fn version_said(program: &str, argument: &str) -> Option<String> {
    let said = Run::new(program).arg(argument).capture().ok()?;
    said.split_whitespace()
        .map(|word| word.trim_start_matches(['v', '=']))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .map(str::to_owned)
}

fn at_least(version: &str, minimum: [u32; 2]) -> bool {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next().and_then(|number| number.parse::<u32>().ok());
    match (next(), next()) {
        (Some(major), minor) => [major, minor.unwrap_or(0)] >= minimum,
        (None, _) => false,
    }
}

/// By the library's own folder: true of every way in which the target may have been installed.
fn wasm_target() -> Found {
    let Ok(sysroot) = Run::new("rustc").args(["--print", "sysroot"]).capture() else {
        return Found::Missing;
    };
    let libraries = format!("{}/lib/rustlib/{WASM_TARGET}/lib", sysroot.trim());
    if std::path::Path::new(&libraries).is_dir() {
        Found::Ready("installed".to_owned())
    } else {
        Found::Missing
    }
}

fn clang() -> Found {
    let Some(version) = version_of("clang") else {
        return Found::Missing;
    };
    let targets = Run::new("clang").arg("--print-targets").capture();
    if targets.is_ok_and(|targets| targets.contains("wasm32")) {
        Found::Ready(version)
    } else {
        Found::Wrong(format!("{version}, no wasm32"))
    }
}

/// Where clang looks for it, as the build of ring does: a plain `ar` gives an empty archive.
fn llvm_ar() -> Found {
    let clangs = Run::new("clang").arg("--print-prog-name=llvm-ar").capture();
    let path = clangs.map_or_else(|_| "llvm-ar".to_owned(), |path| path.trim().to_owned());
    judge(version_of(&path), None)
}

fn python(minimum: Option<[u32; 2]>) -> Found {
    let found = judge(version_of("python3"), minimum);
    let venv = Run::new("python3").args(["-c", "import venv, ensurepip"]);
    match found {
        Found::Ready(version) if venv.capture().is_err() => Found::Wrong(format!("{version}, no venv")),
        found => found,
    }
}

fn node_modules() -> Found {
    if !process::npm_package().join("node_modules").is_dir() {
        Found::Missing
    } else if setup::node_modules_are_current() {
        Found::Ready("current".to_owned())
    } else {
        Found::Wrong("not current".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        for (version, minimum, wanted) in [
            ("1.95.0", [1, 95], true),
            ("1.100.0-nightly", [1, 95], true),
            ("1.94.1", [1, 95], false),
            ("2", [1, 95], true),
            ("20.9.0", [20, 19], false),
            ("20.19.0", [20, 19], true),
            ("24.1.0", [20, 19], true),
            ("3.9.18", [3, 10], false),
            ("unknown", [0, 0], false),
        ] {
            assert_eq!(at_least(version, minimum), wanted, "{version}");
        }
    }

    #[test]
    fn what_is_too_old_or_absent_is_not_ready() {
        let version = |text: &str| Some(text.to_owned());
        assert!(matches!(judge(None, None), Found::Missing));
        assert!(matches!(judge(version("1.2"), Some([1, 3])), Found::Wrong(_)));
        assert!(matches!(judge(version("1.3"), Some([1, 3])), Found::Ready(_)));
    }

    #[test]
    fn every_tool_names_the_command_that_brings_it() {
        for tool in Tool::ALL {
            assert!(!tool.install().trim().is_empty(), "{tool:?}");
        }
    }
}
