//! What a target answers without any browser: under its own name, which shows that it runs, and under a foreign one.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::addresses::APEX;
use crate::http::Answers;
use crate::plan::PlannedTarget;
use crate::tap::Upstream;
use crate::verdict::Target;

const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) async fn look_at(planned: &PlannedTarget, upstream: Option<&Upstream>, trouble: Option<String>) -> Target {
    let foreign = format!("probe.{APEX}");
    let mut target = Target {
        name: planned.name.clone(),
        kind: planned.kind.clone(),
        own_name_status: None,
        foreign_name_status: None,
        own_name_upgrade: None,
        foreign_name_upgrade: None,
        trouble,
    };
    if let Some(upstream) = upstream {
        target.own_name_status = status(upstream, &get(&planned.own_host)).await;
        if target.own_name_status.is_some() {
            target.foreign_name_status = status(upstream, &get(&foreign)).await;
        }
        // Some speak WebSocket alone.
        target.own_name_upgrade = status(upstream, &upgrade(&planned.own_host)).await;
        if target.own_name_upgrade.is_some() {
            target.foreign_name_upgrade = status(upstream, &upgrade(&foreign)).await;
        }
    }
    target
}

fn get(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: hostbound-lab\r\nAccept: */*\r\nConnection: close\r\n\r\n")
}

/// As a browser's page of that origin opens a WebSocket (RFC 6455 §4.1).
fn upgrade(host: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: hostbound-lab\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Origin: http://{host}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: aG9zdGJvdW5kLWxhYi0xNg==\r\n\r\n"
    )
}

/// The status of the answer, if one comes in time.
async fn status(upstream: &Upstream, request: &str) -> Option<u16> {
    let exchange = async {
        let mut stream = upstream.connect().await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answers = Answers::default();
        let mut bytes = vec![0; 16 * 1024];
        loop {
            let read = stream.read(&mut bytes).await.ok()?;
            if read == 0 {
                return None;
            }
            if let Some(status) = answers.read(&bytes[..read], false).first() {
                return Some(*status);
            }
        }
    };
    tokio::time::timeout(PATIENCE, exchange).await.ok().flatten()
}
