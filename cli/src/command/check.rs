//! `hostbound check`: the mistakes and weak choices of policies.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use hostbound::{Guard, LintId, Policy, PolicyDocument, Surroundings};
use serde::Serialize;
use serde_json::Value;

use crate::args::Format;
use crate::exit::{Exit, Failure};
use crate::finding::{Finding, Refusal, Source};
use crate::output::{self, count};
use crate::policy::{Additions, DEFAULT_FILE, PolicyFile};
use crate::secrets::SecretsArgs;

/// Look for mistakes and weak choices in policies
///
/// Ends with 0 if there is nothing to say, 1 if there are warnings, 2 if a policy is refused. Secrets are looked at only with `--secrets`, which may be
/// an empty object: the rest is read from where the policy says.
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// The policies, in TOML or JSON
    #[arg(value_name = "FILE", default_value = DEFAULT_FILE)]
    files: Vec<PathBuf>,

    /// Accept this warning (repeatable)
    #[arg(long = "allow", value_name = "LINT", value_parser = lint_names(), hide_possible_values = true)]
    allowed: Vec<String>,

    #[command(flatten)]
    additions: Additions,

    #[command(flatten)]
    secrets: SecretsArgs,

    /// How many processes judge requests by the policy
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    processes: u32,

    /// How to print; `json` is one object a line for each policy
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
}

fn lint_names() -> PossibleValuesParser {
    PossibleValuesParser::new(LintId::ALL.iter().map(|lint| lint.as_str()))
}

/// A policy that was accepted.
struct Checked {
    file: String,
    document: PolicyDocument,
    policy: Policy,
    warnings: Vec<Finding>,
    /// How many warnings `--allow` took away.
    allowed: usize,
}

impl Check {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let mut exit = Exit::Clean;
        for file in &self.files {
            let checked = match self.check(file) {
                Ok(checked) => Ok(checked),
                Err(Failure::Policy(refusal)) => Err(refusal),
                Err(failure) => return Err(failure),
            };
            exit = exit.max(match &checked {
                Ok(checked) if checked.warnings.is_empty() => Exit::Clean,
                Ok(_) => Exit::Findings,
                Err(_) => Exit::Refused,
            });
            let printed = match self.format {
                Format::Human => print(&file.display().to_string(), &checked),
                Format::Json => to_json(file.display().to_string(), &checked)
                    .map_err(Into::into)
                    .and_then(|json| output::line(&json)),
            };
            printed.map_err(Failure::Output)?;
        }
        Ok(exit)
    }

    fn check(&self, path: &Path) -> Result<Checked, Failure> {
        let file = PolicyFile::read(path)?;
        let document = file.document(&self.additions)?;
        let policy = file.compile(&document)?;
        let mut lints = document.lint(Surroundings {
            is_public_suffix: &is_public_suffix,
            has_several_processes: self.processes > 1,
        });
        if self.secrets.is_given() {
            let secrets = self.secrets.read(&policy, path)?;
            lints.extend(policy.lint_secrets(&secrets));
            Guard::with_secrets(policy.clone(), &secrets)
                .map_err(|errors| Refusal::of_policy(&errors, document.text()))?;
        }
        let is_allowed = |name| self.allowed.iter().any(|allowed| allowed == name);
        let kept = lints.iter().filter(|lint| !is_allowed(lint.id().as_str()));
        let warnings: Vec<_> = kept.map(Finding::from).collect();
        let allowed = lints.len() - warnings.len();
        Ok(Checked {
            file: document.file().to_owned(),
            document,
            policy,
            warnings,
            allowed,
        })
    }
}

/// True if the Public Suffix List has a rule for just this name. A name without a rule is a suffix by default only, and somebody's.
fn is_public_suffix(name: &str) -> bool {
    psl::suffix(name.as_bytes()).is_some_and(|suffix| suffix.is_known() && suffix.as_bytes() == name.as_bytes())
}

fn print(name: &str, checked: &Result<Checked, Refusal>) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    match checked {
        Ok(checked) => {
            let source = Source {
                file: &checked.file,
                text: checked.document.text(),
            };
            for warning in &checked.warnings {
                write!(out, "{}", source.render(warning))?;
            }
            writeln!(out, "{name}: {}", checked.summary())
        }
        Err(refusal) => {
            refusal.print(&mut out)?;
            writeln!(out, "{name}: refused, {}", count(refusal.findings().len(), "error"))
        }
    }?;
    out.flush()
}

/// What is printed of a policy in JSON.
#[derive(Serialize)]
struct Report<'a> {
    file: String,
    /// The digest; null if the policy is refused.
    policy: Option<&'a str>,
    errors: &'a [Finding],
    warnings: &'a [Finding],
    allowed: usize,
    /// Signed requests a second that each section's replay store carries.
    replay: Vec<Sustained<'a>>,
}

fn to_json(file: String, checked: &Result<Checked, Refusal>) -> Result<String, serde_json::Error> {
    serde_json::to_string(&match checked {
        Ok(
            checked @ Checked {
                policy,
                warnings,
                allowed,
                ..
            },
        ) => Report {
            file,
            policy: Some(policy.digest()),
            errors: &[],
            warnings,
            allowed: *allowed,
            replay: checked.sustained(),
        },
        Err(refusal) => Report {
            file,
            policy: None,
            errors: refusal.findings(),
            warnings: &[],
            allowed: 0,
            replay: Vec::new(),
        },
    })
}

/// What the replay store of a section carries for ever, if its keys sign alike.
#[derive(Serialize)]
struct Sustained<'a> {
    section: &'a str,
    per_second: u64,
}

impl Checked {
    fn sustained(&self) -> Vec<Sustained<'_>> {
        let rates = self.policy.replay_rates();
        rates
            .map(|(section, per_second)| Sustained { section, per_second })
            .collect()
    }

    fn summary(&self) -> String {
        let mut words = vec![match self.warnings.len() {
            0 => "ok".to_owned(),
            number => count(number, "warning"),
        }];
        if self.allowed > 0 {
            words.push(format!("{} allowed by --allow", count(self.allowed, "warning")));
        }
        words.push(self.policy.digest().to_owned());
        // The engine says what a policy means, not how long it is; the compiled form can be counted.
        let compiled: Value = serde_json::from_str(&self.document.to_compiled_json()).unwrap_or_default();
        let length = |list: &Value| list.as_array().map_or(0, Vec::len);
        words.push(count(length(&compiled["hosts"]["allow"]), "host"));
        if let routes @ 1.. = length(&compiled["routes"]) {
            words.push(count(routes, "route"));
        }
        words.push(count(self.policy.cases().len(), "case"));
        for Sustained { section, per_second } in &self.sustained() {
            words.push(format!("{section} carries {per_second} signed requests a second"));
        }
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::is_public_suffix;

    #[test]
    fn a_suffix_is_public_only_if_it_is_listed_itself() {
        for (name, want) in [
            ("co.uk", true),
            ("github.io", true),
            ("com", true),
            ("example.com", false),
            ("internal", false),
            ("svc.cluster.local", false),
        ] {
            assert_eq!(is_public_suffix(name), want, "{name}");
        }
    }
}
