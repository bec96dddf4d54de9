//! The guard in front of the canary: a real process with the policy of the run, and what it refused.
//!
//! Decides what all guards have in common; how each is started, and how it tells of refusals, is that of its own module.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::process::Child;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

mod envoy;
mod node;

/// What the guard is made of.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardPlan {
    /// The npm package.
    Node {
        program: PathBuf,
        /// A folder in which the npm package `hostbound` is found.
        folder: PathBuf,
        /// The policy as JSON.
        policy: Value,
    },
    /// The filter in Envoy.
    Envoy {
        program: PathBuf,
        /// The module of the filter.
        filter: PathBuf,
        /// The policy as JSON.
        policy: Value,
    },
}

/// A running guard; dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) address: SocketAddr,
    refusals: Arc<Refusals>,
    _child: Child,
    _tasks: JoinSet<()>,
}

impl Guard {
    /// # Errors
    ///
    /// When it does not serve in time: with what it said.
    pub(crate) async fn start(plan: &GuardPlan, canary: SocketAddr) -> io::Result<Self> {
        match plan {
            GuardPlan::Node {
                program,
                folder,
                policy,
            } => node::start(program, folder, policy, canary).await,
            GuardPlan::Envoy {
                program,
                filter,
                policy,
            } => envoy::start(program, filter, policy, canary).await,
        }
    }

    /// What it said of a request, if it refused it and tells so by then.
    pub(crate) async fn refusal(&self, request: &Asked, by: Instant) -> Option<Value> {
        timeout_at(by, self.refusals.told(request)).await.ok()
    }
}

/// What was asked of whom: each case has a host of its own, and nearly every request in it a target of its own.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq)]
pub(crate) struct Asked {
    pub(crate) host: String,
    pub(crate) target: String,
}

/// Refusals that are kept.
const MAX_REFUSALS: usize = 100_000;

#[derive(Debug, Default)]
struct Refusals {
    verdicts: Mutex<HashMap<Asked, Value>>,
    changed: Notify,
}

impl Refusals {
    fn keep(&self, request: Asked, verdict: Value) {
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        if verdicts.len() < MAX_REFUSALS {
            verdicts.insert(request, verdict);
        }
        self.changed.notify_waiters();
    }

    fn of(&self, request: &Asked) -> Option<Value> {
        let verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        verdicts.get(request).cloned()
    }

    /// Waits for a verdict.
    async fn told(&self, request: &Asked) -> Value {
        loop {
            // Before it is looked for: what comes in between is not missed.
            let changed = self.changed.notified();
            if let Some(verdict) = self.of(request) {
                return verdict;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_refusal_is_waited_for() {
        let asked = |host: &str| Asked {
            host: host.to_owned(),
            target: "/".to_owned(),
        };
        let refusals = Arc::new(Refusals::default());
        let waiting = tokio::spawn({
            let (refusals, request) = (Arc::clone(&refusals), asked("a"));
            async move { refusals.told(&request).await }
        });
        tokio::task::yield_now().await;
        refusals.keep(asked("b"), json!(2));
        refusals.keep(asked("a"), json!(1));
        assert_eq!(waiting.await.unwrap(), json!(1));
        // What is there counts though the time is over, and what is not does not.
        assert!(timeout_at(Instant::now(), refusals.told(&asked("b"))).await.is_ok());
        assert!(timeout_at(Instant::now(), refusals.told(&asked("c"))).await.is_err());
    }
}
