//! The filter's configuration: `{policy, secrets, servers, identity_headers, log}`, in JSON.
//!
//! Decides whether it can be used. What the policy says is the engine's to judge.

use std::fmt;
use std::rc::Rc;

use hostbound::{Guard, JsonDocument, JsonValue, Policy, PolicyErrors, Position, Secrets};

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
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum LogChoice {
    /// Those that deny, or would in enforce mode.
    #[default]
    Denied,
    /// All.
    All,
}

/// The members of the configuration.
#[derive(Default)]
struct Document<'d> {
    policy: &'d str,
    secrets: Vec<(&'d str, &'d str)>,
    servers: Vec<(&'d str, &'d str)>,
    has_identity_headers: bool,
    log: LogChoice,
}

/// Why a configuration cannot be used. Quotes nothing of it but the policy: it holds secrets.
#[derive(Debug)]
pub(crate) enum ConfigError {
    Encoding,
    Form(Position),
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
            Self::Form(Position { line, column }) => write!(
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
        let json = JsonDocument::read(text).map_err(ConfigError::Form)?;
        let document = Document::read(json.root()).map_err(|value| ConfigError::Form(value.position()))?;
        let policy = Policy::from_json(document.policy, "policy").map_err(ConfigError::Policy)?;
        if policy.needs_shared_replay() {
            return Err(ConfigError::SharedReplay);
        }
        let mut secrets = Secrets::new();
        for (name, value) in document.secrets {
            if !secrets.insert_named_or_filed(policy.secrets(), name, value) {
                return Err(ConfigError::SecretUnused(name.to_owned()));
            }
        }
        let guard = Guard::with_secrets(policy, &secrets).map_err(ConfigError::Policy)?;
        Ok(Self {
            servers: Server::of(guard.policy(), &document.servers)?,
            guard: Rc::new(guard),
            has_identity_headers: document.has_identity_headers,
            log: document.log,
        })
    }
}

impl<'d> Document<'d> {
    /// Reads the members; the value that is none of them.
    fn read(root: JsonValue<'d>) -> Result<Self, JsonValue<'d>> {
        let mut document = Self::default();
        for (key, value) in root.members().ok_or(root)? {
            match key {
                "policy" => document.policy = value.source(),
                "secrets" => document.secrets = texts(value)?,
                "servers" => document.servers = texts(value)?,
                "identity_headers" => document.has_identity_headers = value.as_bool().ok_or(value)?,
                "log" => {
                    document.log = match value.as_str() {
                        Some("denied") => LogChoice::Denied,
                        Some("all") => LogChoice::All,
                        _ => return Err(value),
                    }
                }
                _ => return Err(value),
            }
        }
        if document.policy.is_empty() {
            Err(root)
        } else {
            Ok(document)
        }
    }
}

/// The members of an object of strings; a value that is none.
fn texts(object: JsonValue<'_>) -> Result<Vec<(&str, &str)>, JsonValue<'_>> {
    let mut texts = Vec::new();
    for (key, value) in object.members().ok_or(object)? {
        texts.push((key, value.as_str().ok_or(value)?));
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"{"version":1,"hosts":{"allow":["localhost"]}}"#;
    const SIGNED: &str = r#"{"version":1,"hosts":{"allow":["localhost"]},"signatures":{"s":{"profile":"host-nonce","keys":[
        {"id":"k","secret":{"env":"KEY"},"hosts":["localhost"]}]}},"routes":[{"path":"/**","require":["signature:s"]}]}"#;
    const FETCHED: &str = r#"{"version":1,"hosts":{"allow":["localhost"]},"tokens":{"t":{"issuer":"https://a.example/","audience":["x"],
        "algorithms":["RS256"],"keys":{"url":"https://a.example/k","pins":"none"}}},"egress":{"allow":["https://a.example"]},
        "routes":[{"path":"/**","require":["token:t"]}]}"#;

    fn error(text: &str) -> String {
        Config::read(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_configuration_is_a_policy_and_perhaps_more() {
        let config = Config::read(format!(r#"{{"policy":{POLICY}}}"#).as_bytes()).unwrap();
        assert_eq!(
            (config.log, config.has_identity_headers, config.servers.len()),
            (LogChoice::Denied, false, 0)
        );
        let text = format!(
            r#"{{"policy":{SIGNED},"secrets":{{"KEY":"0123456789abcdef0123456789abcdef"}},"identity_headers":true,"log":"all"}}"#
        );
        let config = Config::read(text.as_bytes()).unwrap();
        assert_eq!((config.log, config.has_identity_headers), (LogChoice::All, true));
        assert!(config.guard.policy().signatures().eq(["s"]));
        let text = format!(r#"{{"policy":{FETCHED},"servers":{{"https://a.example":"auth"}}}}"#);
        let [server] = &Config::read(text.as_bytes()).unwrap().servers[..] else {
            panic!("one section asks a server")
        };
        assert_eq!((server.cluster.as_str(), server.path.as_str()), ("auth", "/k"));
    }

    #[test]
    fn mistakes_are_told_and_secrets_are_not() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"policy":1,"secrets":"hunter2"}"#,
            r#"{"policy":1,"secrets":{"KEY":7}}"#,
            r#"{"policy":1,"hunter2":1}"#,
            r#"{"policy":1,"log":"hunter2"}"#,
            r#"{"policy":1,"identity_headers":"hunter2"}"#,
            r#"{"policy":1,"secrets":{"KEY":"hunter2","KEY":"hunter2"}}"#,
            r#"{"policy":1,"policy":2}"#,
            r#"{"policy":1} hunter2"#,
        ] {
            let error = error(text);
            assert!(error.starts_with("the configuration, line "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert_eq!(
            Config::read(b"\xff").unwrap_err().to_string(),
            "the configuration is not UTF-8"
        );
        let missing = error(&format!(r#"{{"policy":{SIGNED}}}"#));
        assert!(missing.contains("`KEY`"), "{missing}");
        let unused = error(&format!(r#"{{"policy":{POLICY},"secrets":{{"KEY":"hunter2"}}}}"#));
        assert!(unused.contains("`KEY`") && !unused.contains("hunter2"), "{unused}");
        let cluster = error(&format!(r#"{{"policy":{FETCHED}}}"#));
        assert!(cluster.contains("`tokens.t` asks https://a.example"), "{cluster}");
        let shared = SIGNED.replace("\"host-nonce\"", "\"host-nonce\",\"replay\":\"shared\"");
        assert!(error(&format!(r#"{{"policy":{shared}}}"#)).contains("`replay = \"shared\"`"));
        assert!(error(r#"{"policy":{"version":1}}"#).contains("hosts"));
    }
}
