//! From a policy file, and the hosts added to it at run time, to a policy.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use hostbound::{Guard, Policy, PolicyDocument, Position};

use crate::exit::Failure;
use crate::finding::{Finding, Refusal};
use crate::output::{printable, say};
use crate::secrets::SecretsArgs;

/// The policy that is read if none is named.
pub(crate) const DEFAULT_FILE: &str = "hostbound.toml";

const VARIABLE: &str = "HOSTBOUND_ALLOWED_HOSTS";

/// The engine refuses longer texts; no more is read.
const MAX_BYTES: u64 = 16 * 1024 * 1024 + 1;

/// Which policy, for the commands that judge by one.
#[derive(Args, Debug)]
pub(crate) struct PolicyArgs {
    /// The policy, in TOML or JSON
    #[arg(long, short, value_name = "FILE", default_value = DEFAULT_FILE)]
    policy: PathBuf,

    #[command(flatten)]
    additions: Additions,
}

impl PolicyArgs {
    pub(crate) fn guard(&self) -> Result<Guard, Refusal> {
        let file = PolicyFile::read(&self.policy)?;
        let document = file.document(&self.additions)?;
        Ok(Guard::new(file.compile(&document)?))
    }

    /// The document of a policy that is not refused.
    pub(crate) fn document(&self) -> Result<PolicyDocument, Refusal> {
        let file = PolicyFile::read(&self.policy)?;
        let document = file.document(&self.additions)?;
        file.compile(&document)?;
        Ok(document)
    }

    /// Where the policy is; its paths are relative to that.
    pub(crate) fn folder(&self) -> &Path {
        self.policy.parent().unwrap_or(Path::new(""))
    }

    /// A guard that also has the policy's secrets.
    pub(crate) fn guard_with(&self, secrets: &SecretsArgs) -> Result<Guard, Failure> {
        let file = PolicyFile::read(&self.policy)?;
        let document = file.document(&self.additions)?;
        secrets.guard(file.compile(&document)?, &self.policy, document.text())
    }
}

/// Hosts that are allowed beside the policy's own.
#[derive(Args, Debug, Default)]
pub(crate) struct Additions {
    /// Also allow this host, an exact name or address with an optional port (repeatable; also HOSTBOUND_ALLOWED_HOSTS)
    #[arg(long = "allow-host", value_name = "NAME")]
    hosts: Vec<String>,
}

impl Additions {
    /// Appends the hosts to `hosts.allow`, and says which were not there yet.
    fn apply(&self, document: &mut PolicyDocument) -> Result<(), Refusal> {
        let file = document.file().to_owned();
        let variable = match std::env::var(VARIABLE) {
            Ok(value) => value,
            Err(std::env::VarError::NotPresent) => String::new(),
            Err(std::env::VarError::NotUnicode(_)) => {
                let message = format!("{VARIABLE} is not UTF-8");
                return Err(Refusal::new(&file, Finding::outside("host-malformed", message, None)));
            }
        };
        let named = self.hosts.iter().map(String::as_str);
        let from_variable = variable.split(',').map(str::trim).filter(|host| !host.is_empty());
        let hosts = named
            .map(|host| (host, "--allow-host"))
            .chain(from_variable.map(|host| (host, VARIABLE)));
        let mut added = Vec::new();
        for (host, source) in hosts {
            let new = document
                .allow_hosts([host], source)
                .map_err(|errors| added_refusal(&file, &errors))?;
            added.extend(new.iter().map(|host| format!("`{}` ({source})", printable(host, 255))));
        }
        if !added.is_empty() {
            say(&format!(
                "{}: allowing also {}",
                printable(&file, 255),
                added.join(", ")
            ));
        }
        Ok(())
    }
}

/// The mistake is not in the file, so it has no line.
fn added_refusal(file: &str, errors: &hostbound::PolicyErrors) -> Refusal {
    let findings = errors.errors().iter().map(|error| {
        Finding::outside(
            error.code().as_str(),
            error.message().to_owned(),
            error.fix().map(Into::into),
        )
    });
    Refusal::many(file, findings.collect())
}

/// The text of a policy file.
pub(crate) struct PolicyFile {
    name: String,
    text: String,
}

impl PolicyFile {
    pub(crate) fn read(path: &Path) -> Result<Self, Refusal> {
        let name = path.display().to_string();
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes));
        if let Err(error) = read {
            let message = format!("the policy cannot be read: {}", reason(&error));
            let fix = (path == Path::new(DEFAULT_FILE) && error.kind() == io::ErrorKind::NotFound)
                .then(|| "name the policy's file, or change to its directory".to_owned());
            return Err(Refusal::new(&name, Finding::outside("unreadable", message, fix)));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { name, text }),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let bytes = error.into_bytes();
                let (before, after) = bytes.split_at_checked(valid).unwrap_or((&bytes, &[]));
                let message = format!(
                    "the byte 0x{:02x} is not UTF-8",
                    after.first().copied().unwrap_or_default()
                );
                let finding = Finding::outside("syntax", message, Some("save the file as UTF-8".into()));
                Err(Refusal::new(&name, finding.at(end_of(before))))
            }
        }
    }

    /// The document with the hosts added.
    pub(crate) fn document(&self, additions: &Additions) -> Result<PolicyDocument, Refusal> {
        let mut document = PolicyDocument::from_text(&self.text, &self.name)
            .map_err(|errors| Refusal::of_policy(&errors, Some(&self.text)))?;
        additions.apply(&mut document)?;
        Ok(document)
    }

    pub(crate) fn compile(&self, document: &PolicyDocument) -> Result<Policy, Refusal> {
        document
            .compile()
            .map_err(|errors| Refusal::of_policy(&errors, document.text()))
    }

    /// The path under which it was read.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// What went wrong, in words that are the same everywhere where they can be.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "no permission".into(),
        io::ErrorKind::IsADirectory => "it is a directory".into(),
        _ => error.to_string(),
    }
}

/// The position after a text that is valid UTF-8.
fn end_of(text: &[u8]) -> Position {
    let text = String::from_utf8_lossy(text);
    let last = text.rsplit('\n').next().unwrap_or_default();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Position {
        line: number(text.split('\n').count()),
        column: number(last.chars().count() + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bad_byte_has_a_place() {
        for (text, want) in [("", "1:1"), ("a", "1:2"), ("a\n", "2:1"), ("a\n\u{e9}b", "2:3")] {
            assert_eq!(end_of(text.as_bytes()).to_string(), want, "{text:?}");
        }
    }
}
