//! Fetches key sets and asks introspection endpoints, over HTTPS.
//!
//! The engine decides where to, by the policy's `egress` section: the URL, every address of its name, the server's pins. This looks up, connects to those
//! addresses and to no others, and reads one answer up to a limit. It follows no redirect, and no proxy of the environment counts.

mod connect;
mod error;
mod exchange;
mod pins;
#[cfg(test)]
pub(crate) mod tests;
mod tls;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hostbound::{Decision, EgressDocument, EgressIdentityDocument, EgressReportDocument, Guard};
use tokio::runtime;
use tokio::time::{Instant, timeout_at};

use connect::LookUp;
pub(crate) use error::FetchError;
use tls::Tls;

/// What is asked of another server.
pub(crate) struct Outgoing<'a> {
    pub(crate) url: &'a str,
    pub(crate) method: Method,
    /// Beside `host`, `accept`, `accept-encoding` and `connection`, which are set here. Names in lower case.
    pub(crate) headers: &'a [(&'static str, &'a str)],
    pub(crate) body: Option<&'a [u8]>,
}

/// The methods that key sets and introspection (RFC 7662 §2.1) need.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Method {
    Get,
    Post,
}

/// What the server said, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// As it was sent; none if it was sent twice.
    pub(crate) content_type: Option<String>,
    /// Without any content coding.
    pub(crate) body: Vec<u8>,
    /// What would have refused the request, had the policy not been in report mode; to be told to the operator.
    pub(crate) reported: Vec<EgressReportDocument>,
}

/// How much of a server's time and data is taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Limits {
    /// For all of it, from the look-up to the last byte.
    time: Duration,
    /// The longest body, in bytes.
    body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(5),
            body: 64 * 1024,
        }
    }
}

/// Fetches by one policy.
pub(crate) struct Fetcher {
    guard: Guard,
    folder: PathBuf,
    look_up: LookUp,
    limits: Limits,
}

impl Fetcher {
    /// A fetcher for the policy of `guard`, whose paths are relative to `folder`. Of the guard only the policy is used, so one without secrets will do.
    pub(crate) fn new(guard: Guard, folder: impl Into<PathBuf>) -> Self {
        Self {
            guard,
            folder: folder.into(),
            look_up: Arc::new(connect::system_look_up),
            limits: Limits::default(),
        }
    }

    /// Asks, and waits for the answer: five seconds at most. Certificates that the policy names are read anew each time. Blocks, so it must not be called
    /// from within an asynchronous runtime.
    ///
    /// # Errors
    /// [`FetchError`]: refused by the policy, or no whole answer within the limits. A redirect or an error of the server is an answer.
    pub(crate) fn fetch(&self, outgoing: &Outgoing<'_>) -> Result<Answer, FetchError> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(FetchError::System)?;
        let answer = runtime.block_on(async {
            let deadline = Instant::now() + self.limits.time;
            let answer = timeout_at(deadline, self.ask(outgoing, deadline)).await;
            answer.unwrap_or(Err(FetchError::Timeout(self.limits.time)))
        });
        // A look-up cannot be stopped, and dropping the runtime would wait for it.
        runtime.shutdown_background();
        answer
    }

    async fn ask(&self, outgoing: &Outgoing<'_>, deadline: Instant) -> Result<Answer, FetchError> {
        let mut judging = Judging::new(&self.guard, outgoing);
        let EgressIdentityDocument { url, host, port, .. } = judging.admit()?;
        if !url.starts_with("https://") {
            return Err(FetchError::NotHttps);
        }
        let tls = Tls::new(&self.guard, &self.folder, outgoing.url)?;
        let addresses = connect::look_up(&self.look_up, &host).await?;
        judging.document.addresses = Some(addresses);
        // INVARIANT: what is connected to is the list that was judged, and nothing is looked up again.
        let addresses = judging.admit()?.addresses.unwrap_or_default();
        let tcp = connect::to_one(&addresses, port, deadline).await?;
        let stream = tls.handshake(tcp, &host).await?;
        if !self.guard.pins(outgoing.url).is_empty() {
            judging.document.pins = Some(tls.pins(&stream));
            judging.admit()?;
        }
        let mut answer = exchange::exchange(stream, &url, outgoing, self.limits.body).await?;
        answer.reported = judging.reported;
        Ok(answer)
    }
}

/// One request before the engine, once for each thing that becomes known of it.
struct Judging<'g> {
    guard: &'g Guard,
    document: EgressDocument,
    reported: Vec<EgressReportDocument>,
}

impl<'g> Judging<'g> {
    fn new(guard: &'g Guard, outgoing: &Outgoing<'_>) -> Self {
        let document = EgressDocument {
            url: outgoing.url.to_owned(),
            headers: outgoing.headers.iter().map(|(name, _)| (*name).to_owned()).collect(),
            ..EgressDocument::default()
        };
        Self {
            guard,
            document,
            reported: Vec::new(),
        }
    }

    /// Where the request may go, as far as is known.
    fn admit(&mut self) -> Result<EgressIdentityDocument, FetchError> {
        let mut verdict = self.guard.judge_egress(&self.document);
        match verdict.identity.take() {
            Some(identity) if verdict.decision == Decision::Allow => {
                // Each step judges what the steps before it judged.
                for report in verdict.reported {
                    if !self.reported.iter().any(|earlier| earlier.reason == report.reason) {
                        self.reported.push(report);
                    }
                }
                Ok(identity)
            }
            _ => Err(FetchError::Refused(Box::new(verdict))),
        }
    }
}
