//! The Node guard in front of the canary: a real process of the npm package, with the policy of the run.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinSet;

/// What the guard is made of.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct GuardPlan {
    pub node: PathBuf,
    /// A folder in which the npm package `hostbound` is found.
    pub folder: PathBuf,
    /// The policy as JSON.
    pub policy: Value,
}

/// A running guard; dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) address: SocketAddr,
    refusals: Refusals,
    _child: Child,
    _tasks: JoinSet<()>,
}

/// Verdicts by request target: every request of the lab has a target of its own.
type Refusals = Arc<Mutex<HashMap<String, Value>>>;

#[derive(Deserialize)]
struct Listening {
    port: u16,
}

#[derive(Deserialize)]
struct Refusal {
    target: String,
    verdict: Value,
}

/// Refusals that are kept.
const MAX_REFUSALS: usize = 100_000;

impl Guard {
    /// # Errors
    ///
    /// When it does not listen within ten seconds: with the last it said.
    pub(crate) async fn start(plan: &GuardPlan, canary: SocketAddr) -> io::Result<Self> {
        let mut child = Command::new(&plan.node)
            .args(["--input-type=module", "--eval", include_str!("guard.mjs")])
            .current_dir(&plan.folder)
            // The policy of the run and nothing beside it.
            .env_remove("HOSTBOUND_ALLOWED_HOSTS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| io::Error::other(format!("`{}` does not start: {error}", plan.node.display())))?;
        let input = serde_json::json!({ "policy": plan.policy, "canary": canary.port() });
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the guard has no pipes"));
        };
        // If it is gone already, its standard error says why.
        stdin.write_all(format!("{input}\n").as_bytes()).await.ok();
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(Duration::from_secs(10), lines.next_line()).await;
        let port = match line {
            Ok(Ok(Some(line))) => serde_json::from_str::<Listening>(&line)?.port,
            _ => return Err(io::Error::other(last_words(child, &plan.folder).await)),
        };
        let refusals = Refusals::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(collect(lines, Arc::clone(&refusals)));
        Ok(Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            refusals,
            _child: child,
            _tasks: tasks,
        })
    }

    /// What it said of the request with this target, if it refused it.
    pub(crate) fn refusal(&self, target: &str) -> Option<Value> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.get(target).cloned()
    }
}

async fn collect(mut lines: Lines<BufReader<ChildStdout>>, refusals: Refusals) {
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(Refusal { target, verdict }) = serde_json::from_str(&line) else {
            continue;
        };
        let mut refusals = refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() < MAX_REFUSALS {
            refusals.insert(target, verdict);
        }
    }
}

/// Why it does not listen, from what it wrote.
async fn last_words(mut child: Child, folder: &Path) -> String {
    let mut words = String::new();
    if let Some(stderr) = child.stderr.take() {
        let mut stderr = stderr.take(16 * 1024);
        tokio::time::timeout(Duration::from_secs(1), stderr.read_to_string(&mut words))
            .await
            .ok();
    }
    if words.contains("ERR_MODULE_NOT_FOUND") {
        return format!(
            "the npm package `hostbound` is not in {}: install it there (`npm install hostbound`), or name another folder \
             with --guard-folder",
            folder.display()
        );
    }
    let error = words
        .lines()
        .find(|line| line.contains("Error"))
        .unwrap_or("it said nothing");
    format!("the Node guard does not start: {}", error.trim())
}
