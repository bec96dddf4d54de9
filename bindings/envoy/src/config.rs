//! The filter's configuration: `{policy, secrets, servers, identity_headers, log}`, in JSON.
//!
//! Decides whether it can be used. What the policy says is the engine's to judge.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;

use hostbound::{Guard, Policy, PolicyErrors, SecretReference, Secrets};
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::servers::Server;

/// What a filter is made of.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) guard: Rc<Guard>,
    pub(crate) servers: Vec<Server>,
    pub(crate) has_identity_headers: bool,
    pub(crate) log: LogChoice,
}

/// Which verdicts are logged.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogChoice {
    /// Those that deny, or would in enforce mode.
    #[default]
    Denied,
    /// All.
    All,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    #[serde(borrow)]
    policy: &'a RawValue,
    #[serde(default)]
    secrets: BTreeMap<String, Zeroizing<String>>,
    #[serde(default)]
    servers: HashMap<String, String>,
    #[serde(default)]
    identity_headers: bool,
    #[serde(default)]
    log: LogChoice,
}

/// Why a configuration cannot be used. Quotes nothing of it but the policy: it holds secrets.
#[derive(Debug)]
pub(crate) enum ConfigError {
    Encoding,
    Form { line: usize, column: usize },
    Policy(PolicyErrors),
    SecretUnused(String),
    SharedReplay,
    ServerMissing { section: String, origin: String },
    Url { section: String },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding => f.write_str("the configuration is not UTF-8"),
            Self::Form { line, column } => write!(
                f,
                "the configuration, line {line} column {column}: expected a JSON object of `policy`, and perhaps `secrets`, `servers`, \
                 `identity_headers` (true or false) and `log` (`denied` or `all`)"
            ),
            Self::Policy(errors) => write!(f, "{errors}"),
            Self::SecretUnused(name) => write!(f, "the policy names no secret `{name}`: correct the name in `secrets`"),
            Self::SharedReplay => f.write_str(
                "`replay = \"shared\"` asks for a store that several machines share, and this one is of one Envoy: write `process`, and route by key id",
            ),
            Self::ServerMissing { section, origin } => write!(
                f,
                "`tokens.{section}` asks {origin}: name its cluster in `servers`, as \"{origin}\": \"<cluster>\""
            ),
            Self::Url { section } => write!(f, "`tokens.{section}` has a URL that Envoy cannot be given"),
        }
    }
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// The first mistake in it, or all of its policy.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, ConfigError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ConfigError::Encoding)?;
        let document: Document<'_> = serde_json::from_str(text).map_err(|error| ConfigError::Form {
            line: error.line(),
            column: error.column(),
        })?;
        let policy = Policy::from_json(document.policy.get(), "policy").map_err(ConfigError::Policy)?;
        if policy.needs_shared_replay() {
            return Err(ConfigError::SharedReplay);
        }
        let mut secrets = Secrets::new();
        for (name, value) in &document.secrets {
            let files: Vec<SecretReference> = policy
                .secrets()
                .filter(|reference| matches!(reference, SecretReference::File(path) if path == name))
                .cloned()
                .collect();
            let is_file = !files.is_empty();
            for reference in files {
                secrets.insert(reference, value.as_bytes().to_vec());
            }
            if !secrets.insert_named(policy.secrets(), name, value) && !is_file {
                return Err(ConfigError::SecretUnused(name.clone()));
            }
        }
        let guard = Guard::with_secrets(policy, &secrets).map_err(ConfigError::Policy)?;
        Ok(Self {
            servers: Server::of(guard.policy(), &document.servers)?,
            guard: Rc::new(guard),
            has_identity_headers: document.identity_headers,
            log: document.log,
        })
    }
}
