//! The three logs of a case: what was asked of the DNS server, what arrived at the target, what the page saw.
//! Times are milliseconds since the case began.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// One question for the name of the case, and the answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct DnsQuestion {
    pub at_ms: u64,
    /// The type of record, as `A`.
    pub kind: String,
    /// `udp` or `tcp`.
    pub transport: String,
    /// The answer's addresses, in their order.
    pub addresses: Vec<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Whether the answer leads to the target.
    pub target: bool,
    /// Whether the answer came after the flip.
    pub flipped: bool,
}

/// One connection that the target's listener accepted.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Connection {
    pub at_ms: u64,
    /// Bytes that came from the browser. None: a block by the browser, or a connection on speculation.
    pub bytes: u64,
    pub requests: Vec<ArrivedRequest>,
    /// Requests that came when the case had logged as many as it may.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_kept: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One request that arrived at the target.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct ArrivedRequest {
    pub at_ms: u64,
    pub method: String,
    pub target: String,
    /// In their order, with duplicates.
    pub headers: Vec<(String, String)>,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// What the guard in front of the target said, if it refused: a verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<serde_json::Value>,
    /// What the policy of the run would have answered: a verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<serde_json::Value>,
}

impl ArrivedRequest {
    /// The value of the first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self
            .headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(value)
    }
}

/// What the attacker's page reports, anew after each attempt.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct PageReport {
    /// Attempts that ended.
    pub attempts: u32,
    /// Attempts that ended after the flip without an answer of the target.
    pub failures: u32,
    /// How often each error text was seen.
    pub errors: BTreeMap<String, u32>,
    pub read: Option<Read>,
    /// Milliseconds from the flip to the first answer of the target.
    pub rebind_ms: Option<u64>,
    /// Whether a POST with a header of its own was answered, from the popup's own document.
    pub wrote: Option<bool>,
    /// Whether an attempt has been under way for longer than three seconds.
    pub pending: bool,
    pub secure_context: bool,
    /// `navigator.permissions` by name; on a page without TLS they say nothing.
    pub permissions: BTreeMap<String, String>,
    pub user_agent: String,
}

/// What the page could read of the target's answer.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Read {
    /// Where the method shows one.
    pub status: Option<u16>,
    /// Whether the canary's secret was in it.
    pub secret: bool,
    /// Characters. The text itself is not reported.
    pub length: u64,
}

/// Whether the target's address comes through the resolver at all.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// The address of the target came.
    Passed,
    /// Another answer came, or none.
    Filtered,
    #[default]
    NotAsked,
}

/// All that is known about a case.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Logs {
    pub dns: Vec<DnsQuestion>,
    pub connections: Vec<Connection>,
    /// What the system's resolver said of a name that leads straight to the target.
    pub control: Control,
    /// None: the attacker's page never ran.
    pub page: Option<PageReport>,
    /// What the browser wrote to its console about the case.
    pub console: Vec<String>,
    /// When the name was flipped.
    pub flipped_ms: Option<u64>,
    pub duration_ms: u64,
}
