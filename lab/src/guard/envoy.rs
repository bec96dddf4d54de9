//! The filter in Envoy, in front of the canary. Its verdicts stand in Envoy's log, by the id of the request; what that
//! asked for, says an access log.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hostbound::{Policy, SecretReference};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::{Asked, Guard, MAX_REFUSALS, Refusals};
use crate::addresses;

/// How long Envoy may take to serve: it compiles the filter first, and on a loaded machine that takes its time.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How often it is looked whether it serves.
const POLL: Duration = Duration::from_millis(50);
/// How long an answer, or the end of its log, may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// Lines of its log that are kept to say why it does not start.
const MAX_LINES: usize = 20;

const ARGUMENTS: [&str; 11] = [
    // A file would have to be removed, and an argument is everybody's to see: this is standard input.
    "--config-path",
    "/dev/fd/0",
    "--disable-hot-restart",
    "--concurrency",
    "1",
    "--log-level",
    "warning",
    "--log-format",
    "%l %v",
    // Milliseconds: an access log is of use while its case lasts.
    "--file-flush-interval-msec",
    "20",
];

pub(super) async fn start(program: &Path, filter: &Path, policy: &Value, canary: SocketAddr) -> io::Result<Guard> {
    let bootstrap = bootstrap(filter, &configuration(policy)?, canary);
    let mut child = Command::new(program)
        .args(ARGUMENTS)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            let program = program.display();
            io::Error::other(format!(
                "Envoy does not start as `{program}`: {error}; name its program with --envoy"
            ))
        })?;
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("the guard has no pipes"));
    };
    let heard = Arc::new(Heard::default());
    let mut tasks = JoinSet::new();
    tasks.spawn(listen(stdout, Arc::clone(&heard), Heard::access));
    tasks.spawn(listen(stderr, Arc::clone(&heard), Heard::log));
    // If it is gone already, its log says why.
    stdin.write_all(bootstrap.to_string().as_bytes()).await.ok();
    drop(stdin);
    serving(&mut child, &mut tasks, &heard).await?;
    Ok(Guard {
        address: addresses::GUARD,
        refusals: Arc::clone(&heard.refusals),
        _child: child,
        _tasks: tasks,
    })
}

/// Waits until it serves.
async fn serving(child: &mut Child, tasks: &mut JoinSet<()>, heard: &Heard) -> io::Result<()> {
    let end = Instant::now() + READY_WITHIN;
    while Instant::now() < end {
        if answers(addresses::GUARD).await {
            return Ok(());
        }
        if let Some(status) = child.try_wait()? {
            // Its log ends with it.
            timeout(PATIENCE, async { while tasks.join_next().await.is_some() {} })
                .await
                .ok();
            let why = heard.why().unwrap_or_else(|| format!("{status}, without a word"));
            return Err(io::Error::other(format!("the Envoy guard does not start: {why}")));
        }
        sleep(POLL).await;
    }
    Err(io::Error::other(format!(
        "the Envoy guard does not serve within {} s",
        READY_WITHIN.as_secs()
    )))
}

/// Whether it answers: its port is open before anybody is there to answer.
async fn answers(address: SocketAddr) -> bool {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await?;
        stream.read_u8().await
    };
    matches!(timeout(PATIENCE, exchange).await, Ok(Ok(_)))
}

/// What the filter is configured with.
fn configuration(policy: &Value) -> io::Result<Value> {
    let checked = Policy::from_json(&policy.to_string(), "policy").map_err(io::Error::other)?;
    let mut secrets = BTreeMap::new();
    for reference in checked.secrets() {
        // Which are missing, the filter says.
        let found = match reference {
            SecretReference::Env(name) => std::env::var(name).ok().map(|value| (name, value)),
            SecretReference::File(path) if Path::new(path).is_absolute() => {
                Some((path, std::fs::read_to_string(path)?))
            }
            _ => None,
        };
        secrets.extend(found);
    }
    let servers: BTreeMap<&str, &str> = checked
        .token_servers()
        .map(|(_, url)| (origin(url), "nowhere"))
        .collect();
    Ok(json!({ "policy": policy, "secrets": secrets, "servers": servers, "log": "denied" }))
}

/// Scheme and authority of a URL.
fn origin(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find(['/', '?']);
    end.map_or(url, |end| &url[..authority + end])
}

/// Envoy's configuration: one listener, the filter, and the canary behind it.
fn bootstrap(filter: &Path, configuration: &Value, canary: SocketAddr) -> Value {
    let filter = typed(
        "envoy.filters.http.wasm",
        "envoy.extensions.filters.http.wasm.v3.Wasm",
        json!({ "config": {
            "name": "hostbound",
            "failure_policy": "FAIL_RELOAD",
            "allow_on_headers_stop_iteration": true,
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": configuration.to_string(),
            },
            "vm_config": { "runtime": "envoy.wasm.runtime.v8", "code": { "local": { "filename": filter } } },
        } }),
    );
    let router = typed(
        "envoy.filters.http.router",
        "envoy.extensions.filters.http.router.v3.Router",
        json!({}),
    );
    let access_log = typed(
        "envoy.access_loggers.stdout",
        "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
        json!({ "log_format": { "json_format": {
            "id": "%REQ(X-REQUEST-ID)%",
            "host": "%REQ(:AUTHORITY)%",
            "target": "%REQ(:PATH)%",
        } } }),
    );
    let connections = typed(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        json!({
            "stat_prefix": "guard",
            // Else X-Forwarded-For says who the peer is.
            "use_remote_address": true,
            "upgrade_configs": [{ "upgrade_type": "websocket" }],
            "access_log": [access_log],
            "http_filters": [filter, router],
            "route_config": { "virtual_hosts": [{
                "name": "all",
                "domains": ["*"],
                "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "canary", "timeout": "0s" } }],
            }] },
        }),
    );
    json!({ "static_resources": {
        "listeners": [{
            "name": "guard",
            "address": address(addresses::GUARD),
            "filter_chains": [{ "filters": [connections] }],
        }],
        "clusters": [
            cluster("canary", &json!([{ "lb_endpoints": [{ "endpoint": { "address": address(canary) } }] }])),
            // Servers of keys: the lab's network leads to none.
            cluster("nowhere", &json!([])),
        ],
    } })
}

fn typed(name: &str, kind: &str, mut configuration: Value) -> Value {
    configuration["@type"] = format!("type.googleapis.com/{kind}").into();
    json!({ "name": name, "typed_config": configuration })
}

fn cluster(name: &str, endpoints: &Value) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": { "cluster_name": name, "endpoints": endpoints },
    })
}

fn address(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip(), "port_value": address.port() } })
}

/// What Envoy said.
#[derive(Debug, Default)]
struct Heard {
    refusals: Arc<Refusals>,
    /// By the id of the request; whichever half comes first waits for the other.
    halves: Mutex<HashMap<String, Half>>,
    /// The first lines of its log that are no warnings.
    words: Mutex<Vec<String>>,
}

#[derive(Debug)]
enum Half {
    Asked(Asked),
    Verdict(Value),
}

#[derive(Deserialize)]
struct Access {
    id: String,
    #[serde(flatten)]
    request: Asked,
}

impl Heard {
    /// A line of the access log.
    fn access(&self, line: &str) {
        if let Ok(Access { id, request }) = serde_json::from_str(line) {
            self.join(id, Half::Asked(request));
        }
    }

    /// A line of the log.
    fn log(&self, line: &str) {
        if let Some((id, verdict)) = denial(line) {
            self.join(id, Half::Verdict(verdict));
        } else if !line.starts_with("warning ") {
            let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
            if words.len() < MAX_LINES {
                words.push(line.to_owned());
            }
        }
    }

    fn join(&self, id: String, half: Half) {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        match (halves.remove(&id), half) {
            (Some(Half::Asked(request)), Half::Verdict(verdict))
            | (Some(Half::Verdict(verdict)), Half::Asked(request)) => self.refusals.keep(request, verdict),
            (_, half) if halves.len() < MAX_REFUSALS => {
                halves.insert(id, half);
            }
            _ => {}
        }
    }

    /// Why it does not start. The first error is the cause; those after it say what failed with it.
    fn why(&self) -> Option<String> {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let error = words
            .iter()
            .find_map(|line| line.strip_prefix("error ").or_else(|| line.strip_prefix("critical ")));
        let error = error.or_else(|| words.first().map(String::as_str))?;
        let of_the_filter = error.split_once("hostbound: ").map(|(_, error)| error);
        Some(of_the_filter.unwrap_or(error).to_owned())
    }
}

/// The verdict in a line of the log, and the id of its request; none if it denies nothing.
fn denial(line: &str) -> Option<(String, Value)> {
    const MARK: &str = "hostbound: ";
    let at = line.find("hostbound: {")?;
    let mut verdict: Value = serde_json::from_str(&line[at + MARK.len()..]).ok()?;
    // Verdicts of the lab have none.
    let Value::String(id) = verdict.get_mut("id")?.take() else {
        return None;
    };
    (verdict["decision"] == "deny").then_some((id, verdict))
}

async fn listen(stream: impl AsyncRead + Unpin, heard: Arc<Heard>, hear: fn(&Heard, &str)) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        hear(&heard, &line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENIED: &str =
        r#"warning wasm log hostbound: hostbound: {"id":"1","decision":"deny","reason":"host_not_allowed"}"#;
    const REPORTED: &str = r#"warning wasm log hostbound: hostbound: {"id":"1","decision":"allow","reported":[{}]}"#;
    const ACCESS: &str = r#"{"id":"1","host":"a:80","target":"/?1"}"#;

    fn asked() -> Asked {
        Asked {
            host: "a:80".to_owned(),
            target: "/?1".to_owned(),
        }
    }

    #[test]
    fn a_verdict_and_its_request_are_joined_whichever_comes_first() {
        for verdict_first in [true, false] {
            let heard = Heard::default();
            if verdict_first {
                heard.log(DENIED);
                heard.access(ACCESS);
            } else {
                heard.access(ACCESS);
                heard.log(DENIED);
            }
            let verdict = json!({ "id": null, "decision": "deny", "reason": "host_not_allowed" });
            assert_eq!(heard.refusals.of(&asked()), Some(verdict));
        }
    }

    #[test]
    fn what_is_served_is_no_refusal() {
        let heard = Heard::default();
        heard.log(REPORTED);
        heard.access(ACCESS);
        assert_eq!(heard.refusals.of(&asked()), None);
        for line in [
            "",
            "warning a limit",
            "warning hostbound: {",
            r#"hostbound: {"decision":"deny"}"#,
        ] {
            assert_eq!(denial(line), None, "{line}");
        }
    }

    #[test]
    fn the_first_error_is_why() {
        let heard = Heard::default();
        assert_eq!(heard.why(), None);
        heard.log("warning a limit");
        heard.log("error wasm log: hostbound: policy:1:1: the key `hosts` is missing");
        heard.log("critical Plugin hostbound failed to load");
        assert_eq!(heard.why().as_deref(), Some("policy:1:1: the key `hosts` is missing"));
        let heard = Heard::default();
        heard.log("PARSE ERROR: Argument: --file-flush-interval-msec");
        heard.log("Brief USAGE:");
        assert_eq!(
            heard.why().as_deref(),
            Some("PARSE ERROR: Argument: --file-flush-interval-msec")
        );
        heard.log("critical error initializing config '/dev/fd/0': Invalid path: /nowhere");
        assert_eq!(
            heard.why().as_deref(),
            Some("error initializing config '/dev/fd/0': Invalid path: /nowhere")
        );
    }

    #[test]
    fn the_filter_has_the_policy_its_secrets_and_servers_that_are_nowhere() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "0123456789abcdef0123456789abcdef").unwrap();
        let policy = json!({
            "version": 1,
            "hosts": { "allow": ["localhost"] },
            "signatures": { "s": { "profile": "host-nonce", "keys": [
                { "id": "k", "secret": { "file": file.path() }, "hosts": ["localhost"] },
            ] } },
            "tokens": { "t": {
                "issuer": "https://a.example/", "audience": ["x"], "algorithms": ["RS256"],
                "keys": { "url": "https://a.example:8443/k", "pins": "none" },
            } },
            "egress": { "allow": ["https://a.example:8443"] },
            "routes": [
                { "path": "/s", "require": ["signature:s"] },
                { "path": "/**", "require": ["token:t"] },
            ],
        });
        let path = file.path().to_str().unwrap();
        assert_eq!(
            configuration(&policy).unwrap(),
            json!({
                "policy": policy,
                "secrets": { path: "0123456789abcdef0123456789abcdef" },
                "servers": { "https://a.example:8443": "nowhere" },
                "log": "denied",
            })
        );
        assert!(configuration(&json!({ "version": 1 })).is_err());
    }

    #[test]
    fn origins_end_before_the_path() {
        for (url, want) in [
            ("https://a.example", "https://a.example"),
            ("https://a.example:8443/k?x=1", "https://a.example:8443"),
            ("http://127.0.0.1?x", "http://127.0.0.1"),
        ] {
            assert_eq!(origin(url), want);
        }
    }
}
