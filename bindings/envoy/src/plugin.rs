//! One configured filter: its guard, what it keeps of tokens, and what becomes of a verdict.

use std::collections::VecDeque;
use std::rc::Rc;

use hostbound::{Guard, Inspection, OwnedAnswer, Timestamp, TokenQuestion, TokenStore, Verdict};

use rustc_hash::FxHashMap;

use crate::config::{Config, LogChoice};
use crate::host::{self, Action, Buffer, HostError, Level, Map};
use crate::metrics::Metrics;
use crate::native::Native;
use crate::pairs::{self, Pairs};
use crate::replay::{Replay, ReplayError};
use crate::servers::Server;
use crate::step::Step;

/// How long another server may take to answer, in milliseconds.
const ANSWER_TIME: u32 = 5_000;
/// How often it is looked whether keys are due to be fetched again, in milliseconds.
const TICK: u32 = 5_000;
/// How many of the requests that waited for keys go on in one event. Envoy does what a filter says of streams when the event is over, and handles the
/// end of each within that of the one before: of 311 that are denied in one event, the VM dies for want of stack (1.40.0, measured).
const BATCH: usize = 16;
/// How soon the next go on, in milliseconds.
const SOON: u32 = 1;
/// A little more than an answer may have: what is longer is not read.
const MAX_ANSWER: usize = hostbound::MAX_ANSWER + 1;
/// The name that the configuration gives the filter.
const PLUGIN_NAME: &[u8] = b"plugin_name";

/// A filter.
pub(crate) struct Plugin {
    context: u32,
    pub(crate) guard: Rc<Guard>,
    tokens: TokenStore,
    native: Native,
    /// None if the policy has no keys.
    replay: Option<Replay>,
    servers: Vec<Server>,
    /// The calls for keys that are not answered yet, and their sections.
    calls: Vec<(u32, String)>,
    /// The calls about one token that are not answered yet, and the requests that wait for them.
    questions: FxHashMap<u32, u32>,
    /// Requests whose keys came, and that have not gone on yet.
    ready: VecDeque<u32>,
    has_identity_headers: bool,
    log: LogChoice,
    metrics: Metrics,
    /// True if verdicts depend on the time.
    has_credentials: bool,
    /// True if verdicts, or what is told of them, depend on the peer.
    has_peers: bool,
}

/// What is known of a request beside what is judged.
#[derive(Debug, Default)]
pub(crate) struct About {
    /// `x-request-id`.
    pub(crate) id: Option<String>,
    /// The names of identity headers that the client sent.
    pub(crate) forged: Vec<Vec<u8>>,
    /// It is an upgrade, with a `connection` field of the client's.
    pub(crate) has_connection: bool,
}

impl Plugin {
    /// A filter by its configuration.
    ///
    /// # Errors
    /// Why there can be none, for Envoy's log.
    pub(crate) fn new(context: u32, configuration: &[u8]) -> Result<Self, String> {
        let Config {
            guard,
            servers,
            has_identity_headers,
            log,
        } = Config::read(configuration).map_err(|error| error.to_string())?;
        let refused = |error: HostError| {
            format!(
                "Envoy refuses a call (status {}): see its capability_restriction_config",
                error.status()
            )
        };
        let metrics = Metrics::define().map_err(refused)?;
        let name = String::from_utf8_lossy(&host::property(PLUGIN_NAME).map_err(refused)?).into_owned();
        let replay = Replay::open(&guard, &name).map_err(|error| match error {
            ReplayError::Host(error) => refused(error),
            ReplayError::Keys(error) => error.to_string(),
        })?;
        if !servers.is_empty() {
            host::tick_every(TICK).map_err(refused)?;
        }
        let policy = guard.policy();
        host::log(
            Level::Info,
            &format!(
                "hostbound: started with policy {} {} in mode {}",
                policy.name().unwrap_or("without a name"),
                policy.digest(),
                policy.mode().as_str()
            ),
        );
        Ok(Self {
            context,
            has_credentials: policy.signatures().next().is_some() || policy.tokens().next().is_some(),
            has_peers: policy.needs_peer() || policy.explains_to_client(),
            guard,
            tokens: TokenStore::new().verifying_outside(),
            native: Native::default(),
            replay,
            servers,
            calls: Vec::new(),
            questions: FxHashMap::default(),
            ready: VecDeque::new(),
            has_identity_headers,
            log,
            metrics,
        })
    }

    /// True if verdicts, or what is told of them, depend on the peer.
    pub(crate) const fn has_peers(&self) -> bool {
        self.has_peers
    }

    /// The time, if a verdict can depend on it.
    pub(crate) fn now(&self) -> Result<Option<Timestamp>, HostError> {
        if self.has_credentials {
            now().map(Some)
        } else {
            Ok(None)
        }
    }

    /// What is kept of tokens.
    pub(crate) const fn tokens(&mut self) -> &mut TokenStore {
        &mut self.tokens
    }

    /// Judges as far as it goes without anything from outside. `has_ended`: there is no more body.
    pub(crate) fn advance<'a>(&mut self, mut inspection: Inspection<'a>, has_ended: bool) -> Step<'a> {
        loop {
            inspection = match inspection {
                Inspection::Decided(verdict) => return Step::Decided(verdict),
                Inspection::NeedsNonce(needs) => {
                    return self
                        .replay
                        .as_ref()
                        .map_or(Step::Unknown, |replay| Step::Decided(replay.judge(*needs)));
                }
                Inspection::NeedsBody(needs) if has_ended => needs.finish(),
                Inspection::NeedsBody(needs) => return Step::Body(needs),
                Inspection::NeedsVerification(needs) => {
                    let is_right = self.native.is_right(&needs);
                    needs.resume(is_right, &mut self.tokens)
                }
                Inspection::NeedsKeys(needs) => return Step::Keys(needs),
                Inspection::NeedsIntrospection(needs) => return Step::Introspection(needs),
                _ => return Step::Unknown,
            }
        }
    }

    /// Does as the verdict says.
    pub(crate) fn settle(&self, verdict: &Verdict<'_>, about: &About) -> Action {
        self.metrics.count(verdict);
        let is_noted = !verdict.is_allowed() || verdict.reported().is_some();
        if is_noted || self.log == LogChoice::All {
            let level = if is_noted { Level::Warn } else { Level::Info };
            let line = verdict.to_log_json(about.id.as_deref());
            host::log(level, &["hostbound: ", &line].concat());
        }
        let done = if verdict.is_allowed() {
            self.admit(verdict, about)
        } else {
            deny(verdict)
        };
        done.unwrap_or_else(|error| self.fail("Envoy refuses a call", error))
    }

    /// Takes away what the client says of its identity, and says what was proved.
    fn admit(&self, verdict: &Verdict<'_>, about: &About) -> Result<Action, HostError> {
        for name in &about.forged {
            host::remove(Map::Request, name)?;
        }
        if about.has_connection {
            // Who listed an identity header there would have the next proxy remove it (RFC 9110 §7.6.1).
            host::remove(Map::Request, b"connection")?;
            host::add_header("connection", "upgrade")?;
        }
        if self.has_identity_headers {
            for (name, value) in verdict.identity_headers() {
                host::add_header(name, &value)?;
            }
        }
        Ok(Action::Continue)
    }

    /// Refuses a request that cannot be judged, by a status of Envoy's.
    pub(crate) fn fail(&self, what: &str, error: HostError) -> Action {
        self.refuse(&format!("{what} (status {})", error.status()))
    }

    /// Refuses a request that cannot be judged.
    pub(crate) fn refuse(&self, why: &str) -> Action {
        self.metrics.count_failed();
        host::log(Level::Error, &["hostbound: ", why].concat());
        refuse()
    }

    /// Asks for the keys of a section, unless they are being asked for. False if they cannot be asked for.
    pub(crate) fn ask_for_keys(&mut self, stream: u32, question: &TokenQuestion<'_>) -> bool {
        let section = question.section();
        if self.calls.iter().any(|(_, other)| other == section) {
            return true;
        }
        // The call is the filter's: it goes on when this request ends.
        let is_asked = host::turn_to(self.context).is_ok() && self.call_for_keys(section);
        host::turn_to(stream).is_ok() && is_asked
    }

    fn call_for_keys(&mut self, section: &str) -> bool {
        let Some(server) = self.server(section) else {
            return false;
        };
        match ask(server, None) {
            Ok(call) => {
                self.calls.push((call, section.to_owned()));
                true
            }
            Err(error) => {
                let status = error.status();
                host::log(
                    Level::Error,
                    &format!(
                        "hostbound: cluster `{}` cannot be asked (status {status})",
                        server.cluster
                    ),
                );
                false
            }
        }
    }

    /// Asks what a token is worth, on behalf of a request. False if it cannot be asked.
    pub(crate) fn introspect(&mut self, stream: u32, question: &TokenQuestion<'_>) -> bool {
        let Some(server) = self.server(question.section()) else {
            return false;
        };
        let call = ask(server, question.authorization().zip(question.body()));
        // Of whatever context a call is made, Envoy answers the filter.
        call.map(|call| self.questions.insert(call, stream)).is_ok()
    }

    /// The request that asked about its token; it may have ended.
    pub(crate) fn asked(&mut self, call: u32) -> Option<u32> {
        self.questions.remove(&call)
    }

    fn server(&self, section: &str) -> Option<&Server> {
        self.servers.iter().find(|server| server.section == section)
    }

    /// Keeps the keys that came; the section that asked for them.
    pub(crate) fn keys_came(&mut self, call: u32, answer: Option<&OwnedAnswer>) -> Option<String> {
        let at = self.calls.iter().position(|(other, _)| *other == call)?;
        let (_, section) = self.calls.swap_remove(at);
        self.keep(&section, answer);
        Some(section)
    }

    /// Keeps keys, or that there are none.
    pub(crate) fn keep(&mut self, section: &str, answer: Option<&OwnedAnswer>) {
        let Ok(now) = now() else { return };
        let answer = answer.map(OwnedAnswer::borrowed);
        match self.guard.keep_keys(section, answer, now, &mut self.tokens) {
            Ok(kept) if kept.is_new => {
                let unpinned = kept.thumbprints.join(" ");
                host::log(
                    Level::Info,
                    &format!("hostbound: tokens.{section}: new keys; unpinned: {unpinned}"),
                );
            }
            Ok(_) => {}
            Err(error) => host::log(Level::Error, &format!("hostbound: tokens.{section}: {error}")),
        }
    }

    /// Lets requests go on that waited for keys, a few at a time: see [`Plugin::next`].
    pub(crate) fn release(&mut self, streams: impl IntoIterator<Item = u32>) {
        let was_empty = self.ready.is_empty();
        self.ready.extend(streams);
        if was_empty && self.ready.len() > BATCH {
            self.tick_every(SOON);
        }
    }

    /// Those that go on now.
    pub(crate) fn next(&mut self) -> Vec<u32> {
        let count = self.ready.len();
        let next = self.ready.drain(..count.min(BATCH)).collect();
        if count > BATCH && self.ready.is_empty() {
            self.tick_every(TICK);
        }
        next
    }

    fn tick_every(&self, milliseconds: u32) {
        if let Err(error) = host::tick_every(milliseconds) {
            let status = error.status();
            host::log(
                Level::Error,
                &format!("hostbound: Envoy sets no timer (status {status})"),
            );
        }
    }

    /// Fetches keys again that are due.
    pub(crate) fn tick(&mut self) {
        let Ok(now) = now() else { return };
        let sections: Vec<String> = self.servers.iter().map(|server| server.section.clone()).collect();
        for section in sections {
            let is_called = self.calls.iter().any(|(_, other)| *other == section);
            if !is_called && self.guard.is_refresh_due(&section, now, &self.tokens) {
                self.guard.refreshing(&section, now, &mut self.tokens);
                self.call_for_keys(&section);
            }
        }
    }
}

/// The time.
pub(crate) fn now() -> Result<Timestamp, HostError> {
    Ok(Timestamp(host::nanoseconds()?.checked_div(1_000_000_000).unwrap_or(0)))
}

/// Answers a denied request.
fn deny(verdict: &Verdict<'_>) -> Result<Action, HostError> {
    let reason = verdict.denied().map_or("", |failure| failure.reason().as_str());
    let challenge = verdict.challenge();
    let retry_after = verdict.retry_after().map(|seconds| seconds.to_string());
    let mut headers = vec![("content-type", "text/plain; charset=utf-8")];
    headers.extend(challenge.as_deref().map(|value| ("www-authenticate", value)));
    headers.extend(retry_after.as_deref().map(|value| ("retry-after", value)));
    let details = ["hostbound_", reason].concat();
    host::answer(
        verdict.status(),
        &details,
        &pairs::pack(&headers),
        &verdict.client_text(),
    )?;
    Ok(Action::Pause)
}

/// Answers a request that cannot be judged.
pub(crate) fn refuse() -> Action {
    let headers = pairs::pack(&[("content-type", "text/plain; charset=utf-8")]);
    match host::answer(500, "hostbound_failed", &headers, "unavailable\n") {
        Ok(()) => Action::Pause,
        Err(_) => host::abort(),
    }
}

/// Asks a server; the number of the call. A question about a token has credentials and a body.
fn ask(server: &Server, form: Option<(&str, &str)>) -> Result<u32, HostError> {
    let mut headers = vec![
        (":method", if form.is_some() { "POST" } else { "GET" }),
        (":scheme", server.scheme),
        (":authority", &server.authority),
        (":path", &server.path),
        ("accept", "application/json"),
        ("accept-encoding", "identity"),
        ("user-agent", "hostbound"),
    ];
    let body = form.map_or("", |(_, body)| body);
    if let Some((authorization, _)) = form {
        headers.push(("authorization", authorization));
        headers.push(("content-type", "application/x-www-form-urlencoded"));
    }
    let packed = zeroize::Zeroizing::new(pairs::pack(&headers));
    host::call(&server.cluster, &packed, body.as_bytes(), ANSWER_TIME)
}

/// The answer to a call; none if there was none, or one that cannot be read.
pub(crate) fn answer(is_there: bool, length: usize) -> Option<OwnedAnswer> {
    if !is_there {
        return None;
    }
    let fields = host::fields(Map::Answer).ok()?;
    let mut status = None;
    let mut content_types = Vec::new();
    for field in Pairs::read(&fields).ok()? {
        match field.ok()? {
            (b":status", value) => status = std::str::from_utf8(value).ok()?.parse().ok(),
            (b"content-type", value) => content_types.push(String::from_utf8(value.to_vec()).ok()?),
            // What is encoded is not read.
            (b"content-encoding", _) => return None,
            _ => {}
        }
    }
    let content_type = content_types.pop().filter(|_| content_types.is_empty());
    Some(OwnedAnswer {
        status: status?,
        content_type,
        body: host::bytes(Buffer::AnswerBody, 0, length.min(MAX_ANSWER)).ok()?,
    })
}
