//! `hostbound envoy`: a policy and its secrets as configuration of Envoy's Wasm filter.
//!
//! Refuses what the filter would refuse, before Envoy gets to see it. The filter's side is `bindings/envoy/src/config.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hostbound::{Guard, Policy, SecretReference, Secrets};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::exit::{Exit, Failure};
use crate::finding::Refusal;
use crate::policy::{Additions, DEFAULT_FILE, PolicyFile};
use crate::replace::{Readers, replace};
use crate::secrets::{SecretsArgs, Values};

/// What the filter is called by Envoy (callbacks), and what it calls. A callback that is not listed is never called, without a word: without
/// `proxy_on_request_headers` every request passes. It is one list for every policy, since a VM keeps that with which it was started.
const CAPABILITIES: [&str; 25] = [
    "proxy_on_context_create",
    "proxy_on_configure",
    "proxy_on_tick",
    "proxy_on_request_headers",
    "proxy_on_request_body",
    "proxy_on_request_trailers",
    "proxy_on_http_call_response",
    "proxy_on_delete",
    "proxy_log",
    "proxy_get_current_time_nanoseconds",
    "proxy_set_tick_period_milliseconds",
    "proxy_get_buffer_bytes",
    "proxy_get_header_map_pairs",
    "proxy_add_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_get_property",
    "proxy_send_local_response",
    "proxy_continue_stream",
    "proxy_set_effective_context",
    "proxy_get_shared_data",
    "proxy_set_shared_data",
    "proxy_define_metric",
    "proxy_increment_metric",
    "proxy_call_foreign_function",
    "proxy_http_call",
];

/// Turn a policy into the configuration of Envoy's filter
///
/// The result holds the values of the policy's secrets: a new file can be read by its owner alone. Nothing is written if the filter would refuse it.
#[derive(Args, Debug)]
pub(crate) struct Envoy {
    /// The policy, in TOML or JSON
    #[arg(value_name = "FILE", default_value = DEFAULT_FILE)]
    file: PathBuf,

    /// Where to write; an older file is replaced in one step, which Envoy notices [default: standard output]
    #[arg(long, short, value_name = "OUT")]
    out: Option<PathBuf>,

    /// What for: `discovery`, a file that `config_discovery` of a listener names and reads again when it is replaced; `filter`, an entry of `http_filters`;
    /// `bootstrap`, the smallest Envoy that has the filter, for `envoy --mode validate`
    #[arg(long, value_name = "FORM", value_enum, default_value_t = Form::Discovery, hide_possible_values = true)]
    form: Form,

    /// The filter's module, where Envoy finds it
    #[arg(long, value_name = "PATH", default_value = "/etc/envoy/hostbound.wasm")]
    module: String,

    /// What the filter is called; each of several in one Envoy has its own
    #[arg(long, value_name = "NAME", default_value = "hostbound", value_parser = name)]
    name: String,

    /// The cluster of a server that is asked about tokens, as https://auth.example.com=CLUSTER (repeatable)
    #[arg(long = "cluster", value_name = "ORIGIN=CLUSTER", value_parser = cluster)]
    clusters: Vec<(String, String)>,

    /// Tell the server behind what was proved, in headers that begin with x-hostbound-
    #[arg(long)]
    identity_headers: bool,

    /// Which verdicts are logged: `denied` (also those that report mode lets through) or `all`
    #[arg(long, value_name = "WHICH", value_enum, default_value_t = Log::Denied, hide_possible_values = true)]
    log: Log,

    #[command(flatten)]
    secrets: SecretsArgs,

    #[command(flatten)]
    additions: Additions,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Form {
    Discovery,
    Filter,
    Bootstrap,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Log {
    Denied,
    All,
}

/// What the filter reads.
#[derive(Serialize)]
struct Configuration<'a> {
    policy: &'a RawValue,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    secrets: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    servers: BTreeMap<&'a str, &'a str>,
    identity_headers: bool,
    log: Log,
}

impl Envoy {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let file = PolicyFile::read(&self.file)?;
        let document = file.document(&self.additions)?;
        let policy = file.compile(&document)?;
        if policy.needs_shared_replay() {
            return Err(Failure::Usage(format!(
                "{}: `replay = \"shared\"` asks for a store that several machines share, and the filter's is of one Envoy: write `process`, and route by \
                 key id",
                file.name()
            )));
        }
        let values = self.secrets.values(&policy, &self.file)?;
        check(policy.clone(), &values, document.text())?;
        let compiled = RawValue::from_string(document.to_compiled_json()).map_err(unwritable)?;
        let configuration = Configuration {
            policy: &compiled,
            secrets: texts(&values)?,
            servers: self.servers(&policy)?,
            identity_headers: self.identity_headers,
            log: self.log,
        };
        let configuration = Zeroizing::new(serde_json::to_string(&configuration).map_err(unwritable)?);
        let text = Zeroizing::new(format!("{:#}\n", self.document(&configuration)));
        match &self.out {
            None => io::stdout().write_all(text.as_bytes()).map_err(Failure::Output)?,
            Some(out) => replace(out, text.as_bytes(), Readers::Owner)?,
        }
        Ok(Exit::Clean)
    }

    /// The cluster of each origin that the policy asks.
    fn servers(&self, policy: &Policy) -> Result<BTreeMap<&str, &str>, Failure> {
        let mut servers = BTreeMap::new();
        for (origin, cluster) in &self.clusters {
            if servers.insert(origin.as_str(), cluster.as_str()).is_some() {
                return Err(Failure::Usage(format!("--cluster names {origin} twice")));
            }
        }
        let mut asked = BTreeSet::new();
        for (section, url) in policy.token_servers() {
            let origin = origin(url);
            if !servers.contains_key(origin) {
                return Err(Failure::Usage(format!(
                    "`tokens.{section}` asks {origin}: name its cluster, as --cluster {origin}=CLUSTER"
                )));
            }
            asked.insert(origin.to_owned());
        }
        match servers.keys().find(|origin| !asked.contains(**origin)) {
            Some(origin) => Err(Failure::Usage(format!(
                "the policy asks nobody at {origin}: leave its --cluster out"
            ))),
            None => Ok(servers),
        }
    }

    fn document(&self, configuration: &str) -> Value {
        let filter = json!({ "@type": type_url("envoy.extensions.filters.http.wasm.v3.Wasm"), "config": self.plugin(configuration) });
        match self.form {
            Form::Discovery => json!({ "resources": [{
                "@type": type_url("envoy.config.core.v3.TypedExtensionConfig"),
                "name": self.name,
                "typed_config": filter,
            }] }),
            Form::Filter => self.named(&filter),
            Form::Bootstrap => bootstrap(&self.named(&filter)),
        }
    }

    fn named(&self, filter: &Value) -> Value {
        json!({ "name": self.name, "typed_config": filter })
    }

    /// `PluginConfig`, of `envoy/extensions/wasm/v3/wasm.proto`.
    fn plugin(&self, configuration: &str) -> Value {
        let capabilities: serde_json::Map<_, _> = CAPABILITIES
            .map(|name| (name.to_owned(), json!({})))
            .into_iter()
            .collect();
        json!({
            "name": self.name,
            // A VM that fails refuses the request, and is started anew. FAIL_OPEN would let everything pass from then on.
            "failure_policy": "FAIL_RELOAD",
            "reload_config": { "backoff": { "base_interval": "1s" } },
            // Without it Envoy sends the head on before the body has been judged, or never hands over the body.
            "allow_on_headers_stop_iteration": true,
            "configuration": { "@type": type_url("google.protobuf.StringValue"), "value": configuration },
            "vm_config": {
                // The used nonces are kept under this name, over reloads.
                "vm_id": self.name,
                "runtime": "envoy.wasm.runtime.v8",
                "code": { "local": { "filename": self.module } },
                "capability_restriction_config": { "allowed_capabilities": capabilities },
            },
        })
    }
}

/// Whether the filter can be made of these secrets.
fn check(policy: Policy, values: &Values, text: Option<&str>) -> Result<(), Failure> {
    let mut secrets = Secrets::new();
    for (reference, value) in values {
        secrets.insert(reference.clone(), value.to_vec());
    }
    Guard::with_secrets(policy, &secrets).map_err(|errors| Refusal::of_policy(&errors, text))?;
    Ok(())
}

/// The values as the filter takes them: texts, by the name of variable, secret or file.
fn texts(values: &Values) -> Result<BTreeMap<&str, &str>, Failure> {
    let mut texts = BTreeMap::new();
    for (reference, value) in values {
        let (SecretReference::Env(name) | SecretReference::File(name) | SecretReference::Name(name)) = reference else {
            return Err(Failure::Usage(format!(
                "{reference} is of a kind that the filter does not know"
            )));
        };
        let text = std::str::from_utf8(value).map_err(|_| Failure::Usage(format!("{reference} is not UTF-8")))?;
        if texts.insert(name.as_str(), text).is_some_and(|other| other != text) {
            return Err(Failure::Usage(format!(
                "two secrets have the name `{name}` and different values: give one of them another name"
            )));
        }
    }
    Ok(texts)
}

/// The smallest Envoy that has a filter.
fn bootstrap(filter: &Value) -> Value {
    let router = json!({ "name": "envoy.filters.http.router", "typed_config": { "@type": type_url("envoy.extensions.filters.http.router.v3.Router") } });
    let manager = json!({
        "@type": type_url("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "hostbound",
        "route_config": {},
        "http_filters": [filter, router],
    });
    json!({ "static_resources": { "listeners": [{
        "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } },
        "filter_chains": [{ "filters": [{ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager }] }],
    }] } })
}

fn type_url(name: &str) -> String {
    ["type.googleapis.com/", name].concat()
}

/// The origin of a URL, as it is written there.
fn origin(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at.saturating_add(3));
    let end = url
        .char_indices()
        .find(|(at, character)| *at >= authority && matches!(character, '/' | '?'))
        .map_or(url.len(), |(at, _)| at);
    url.get(..end).unwrap_or(url)
}

fn name(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if text.is_empty() || !text.bytes().all(is_plain) {
        return Err("a name has letters, digits, `.`, `_` and `-`".to_owned());
    }
    Ok(text.to_owned())
}

fn cluster(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((of, cluster)) if of == origin(of) && of.contains("://") && !cluster.is_empty() => {
            Ok((of.to_owned(), cluster.to_owned()))
        }
        _ => Err("expected an origin and a cluster, as https://auth.example.com=auth".to_owned()),
    }
}

fn unwritable(error: serde_json::Error) -> Failure {
    Failure::Output(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_url_without_its_path() {
        for (url, want) in [
            ("https://a.example", "https://a.example"),
            ("https://a.example:8443/k?x", "https://a.example:8443"),
            ("http://[::1]:1?x=//", "http://[::1]:1"),
        ] {
            assert_eq!(origin(url), want);
        }
    }

    #[test]
    fn a_cluster_has_an_origin() {
        let is = |origin: &str, name: &str| Ok((origin.to_owned(), name.to_owned()));
        assert_eq!(cluster("https://a.example=auth"), is("https://a.example", "auth"));
        for text in [
            "auth",
            "a.example=auth",
            "https://a.example/=auth",
            "https://a.example=",
        ] {
            assert!(cluster(text).is_err(), "{text}");
        }
    }
}
