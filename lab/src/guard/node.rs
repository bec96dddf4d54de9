//! The npm package in front of the canary: a program for Node that writes a line for each request that it refuses.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinSet;

use super::{Asked, Guard, Refusals};

const READY_WITHIN: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Listening {
    port: u16,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(flatten)]
    request: Asked,
    verdict: Value,
}

pub(super) async fn start(program: &Path, folder: &Path, policy: &Value, canary: SocketAddr) -> io::Result<Guard> {
    let mut child = Command::new(program)
        .args(["--input-type=module", "--eval", include_str!("node.mjs")])
        .current_dir(folder)
        // The policy of the run and nothing beside it.
        .env_remove("HOSTBOUND_ALLOWED_HOSTS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| io::Error::other(format!("`{}` does not start: {error}", program.display())))?;
    let input = serde_json::json!({ "policy": policy, "canary": canary.port() });
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("the guard has no pipes"));
    };
    // If it is gone already, its standard error says why.
    stdin.write_all(format!("{input}\n").as_bytes()).await.ok();
    let mut lines = BufReader::new(stdout).lines();
    let line = tokio::time::timeout(READY_WITHIN, lines.next_line()).await;
    let port = match line {
        Ok(Ok(Some(line))) => serde_json::from_str::<Listening>(&line)?.port,
        _ => return Err(io::Error::other(last_words(child, folder).await)),
    };
    let refusals = Arc::new(Refusals::default());
    let mut tasks = JoinSet::new();
    tasks.spawn(collect(lines, Arc::clone(&refusals)));
    Ok(Guard {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        refusals,
        _child: child,
        _tasks: tasks,
    })
}

async fn collect(mut lines: Lines<BufReader<ChildStdout>>, refusals: Arc<Refusals>) {
    while let Ok(Some(line)) = lines.next_line().await {
        if let Ok(Refusal { request, verdict }) = serde_json::from_str(&line) {
            refusals.keep(request, verdict);
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
