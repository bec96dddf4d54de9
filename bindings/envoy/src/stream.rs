//! One request before a filter: its head is judged when it comes, and waits where the verdict needs the body or another server.

use std::rc::Rc;

use hostbound::{
    Guard, Header, Headers, NeedsBody, OwnedAnswer, Peer, Request, Scheme, Version, is_identity_header, pack,
};
use self_cell::self_cell;

use crate::host::{self, Action, Buffer, HostError, Map};
use crate::pairs::Pairs;
use crate::plugin::{About, Plugin};
use crate::property;
use crate::step::Step;

/// How much of a body is taken over at once.
const CHUNK: usize = 64 * 1024;

const PROTOCOL: &[u8] = b"request\0protocol";
const TLS_VERSION: &[u8] = b"connection\0tls_version";
const SOURCE_ADDRESS: &[u8] = b"source\0address";
const SOURCE_PORT: &[u8] = b"source\0port";
const REQUEST_ID: &[u8] = b"x-request-id";
/// The longest `x-request-id` that is repeated in the log.
const MAX_ID: usize = 128;

/// A request.
pub(crate) struct Stream {
    context: u32,
    root: u32,
    state: State,
}

enum State {
    /// Not judged yet, or admitted.
    Open,
    /// Denied: what still comes is not read.
    Denied,
    /// Its head passed; its body is being read.
    Body(Box<Reading>),
    /// Another server is asked.
    Waiting(Box<Waiting>),
}

/// A head, kept until its body or an answer has come.
struct Held {
    guard: Rc<Guard>,
    /// As [`pack`] writes it.
    request: Vec<u8>,
    about: About,
}

struct Reading {
    judgement: Judgement,
    received: usize,
}

type Needs<'a> = Option<Box<NeedsBody<'a>>>;

self_cell!(
    /// A judgement that waits for its body, with the head that it borrows.
    struct Judgement {
        owner: Held,
        #[not_covariant]
        dependent: Needs,
    }
);

struct Waiting {
    held: Held,
    /// The section whose keys are asked for; none: a server is asked about the token.
    section: Option<String>,
    /// The body has come as a whole: so many bytes.
    ended: Option<usize>,
    length: usize,
}

impl Stream {
    pub(crate) const fn new(context: u32, root: u32) -> Self {
        Self {
            context,
            root,
            state: State::Open,
        }
    }

    /// Its number.
    pub(crate) const fn context(&self) -> u32 {
        self.context
    }

    /// The filter that it is before.
    pub(crate) const fn root(&self) -> u32 {
        self.root
    }

    /// True if it waits for keys of that section.
    pub(crate) fn waits_for(&self, root: u32, section: &str) -> bool {
        let State::Waiting(waiting) = &self.state else {
            return false;
        };
        self.root == root && waiting.section.as_deref() == Some(section)
    }

    pub(crate) fn head_came(&mut self, plugin: &mut Plugin, is_last: bool) -> Action {
        match self.judge(plugin, is_last) {
            Ok(action) => action,
            Err(error) => {
                let action = plugin.fail("a request cannot be read", error);
                self.settled(action)
            }
        }
    }

    fn judge(&mut self, plugin: &mut Plugin, is_last: bool) -> Result<Action, HostError> {
        let fields = host::fields(Map::Request)?;
        let mut about = About::default();
        let mut request = Request {
            method: b"",
            // Where the policy does not say it, that of the connection: what a client says of it is not believed.
            scheme: match plugin.guard.policy().scheme() {
                Some(scheme) => scheme,
                None => scheme()?,
            },
            // Envoy has one form for all versions, and an authority in it is a Host.
            version: Version::Http11,
            target: b"",
            headers: Headers::new(&[]),
            peer: if plugin.has_peers() { peer()? } else { Peer::Unknown },
        };
        let pairs = Pairs::read(&fields).map_err(|_| HostError::PARSE_FAILURE)?;
        let mut headers = Vec::with_capacity(pairs.len());
        let (mut has_authority, mut is_tunnel) = (false, false);
        for pair in pairs {
            let (name, value) = pair.map_err(|_| HostError::PARSE_FAILURE)?;
            match name {
                b":method" => request.method = value,
                b":path" => request.target = value,
                b":scheme" => {}
                b":authority" => {
                    has_authority = true;
                    headers.push(Header { name: b"host", value });
                }
                _ => {
                    if name == REQUEST_ID && about.id.is_none() {
                        about.id = id(value);
                    } else if is_identity_header(name) {
                        about.forged.push(name.to_vec());
                    }
                    is_tunnel |= name == b"upgrade";
                    about.has_connection |= name == b"connection";
                    headers.push(Header { name, value });
                }
            }
        }
        if !has_authority || is_tunnel {
            request.version = property::version(&host::property(PROTOCOL)?).ok_or(HostError::PARSE_FAILURE)?;
        }
        if is_tunnel && request.version.has_pseudo_headers() {
            // Envoy makes a GET with an upgrade of an extended CONNECT (RFC 8441 §4), and accepts neither field otherwise.
            request.method = b"CONNECT";
            headers.retain(|header| header.name != b"connection");
            for header in headers.iter_mut().filter(|header| header.name == b"upgrade") {
                header.name = b":protocol";
            }
        }
        request.headers = Headers::new(&headers);
        let now = plugin.now()?;
        let guard = Rc::clone(&plugin.guard);
        let inspection = guard.inspect_in(&request, now, plugin.tokens());
        // What follows the head of an upgrade is no body of HTTP. Envoy shows `upgrade` only where it reads what follows so too.
        let has_ended = is_last || is_tunnel;
        let step = plugin.advance(inspection, has_ended);
        if let Step::Decided(verdict) = &step {
            return Ok(self.settled(plugin.settle(verdict, &about)));
        }
        let mut packed = Vec::new();
        pack(&request, now, &mut packed).map_err(|_| HostError::PARSE_FAILURE)?;
        let held = Held {
            guard: Rc::clone(&guard),
            request: packed,
            about,
        };
        Ok(self.hold(plugin, &step, held, has_ended.then_some(0), None))
    }

    /// Waits for what the step needs, to which `answer` has led.
    fn hold(
        &mut self,
        plugin: &mut Plugin,
        step: &Step<'_>,
        held: Held,
        ended: Option<usize>,
        answer: Option<&OwnedAnswer>,
    ) -> Action {
        let (section, is_asked) = match step {
            Step::Body(_) => {
                let judgement = Judgement::new(held, |held| held.again(plugin, answer));
                self.state = State::Body(Box::new(Reading { judgement, received: 0 }));
                return Action::Pause;
            }
            Step::Keys(needs) => {
                let question = needs.question();
                (
                    Some(question.section().to_owned()),
                    plugin.ask_for_keys(self.context, &question),
                )
            }
            Step::Introspection(needs) => (None, plugin.introspect(self.context, &needs.question())),
            Step::Decided(_) | Step::Unknown => return self.settled(plugin.refuse("a judgement came to nothing")),
        };
        self.state = State::Waiting(Box::new(Waiting {
            held,
            section: section.clone(),
            ended,
            length: 0,
        }));
        if is_asked {
            return Action::Pause;
        }
        if let Some(section) = section {
            plugin.keep(&section, None);
        }
        self.resumed(plugin, None)
    }

    fn settled(&mut self, action: Action) -> Action {
        self.state = match action {
            Action::Continue => State::Open,
            Action::Pause => State::Denied,
        };
        action
    }

    /// More of the body is there: `length` bytes by now.
    pub(crate) fn body_came(&mut self, plugin: &mut Plugin, length: usize, is_last: bool) -> Action {
        match &mut self.state {
            State::Open => Action::Continue,
            State::Denied => Action::Pause,
            State::Waiting(waiting) => {
                waiting.length = length;
                waiting.ended = waiting.ended.or(is_last.then_some(length));
                Action::Pause
            }
            State::Body(reading) => match reading.read(length) {
                Err(error) => {
                    let action = plugin.fail("a body cannot be read", error);
                    self.settled(action)
                }
                Ok(Progress::Enough) => self.body_ended(plugin),
                Ok(Progress::More) if is_last => self.body_ended(plugin),
                Ok(Progress::More) => Action::Pause,
            },
        }
    }

    /// There is no more body, and there are trailers: in them no identity goes upstream either.
    pub(crate) fn trailers_came(&mut self, plugin: &mut Plugin) -> Action {
        if matches!(self.state, State::Denied) {
            return Action::Pause;
        }
        match remove_forged_trailers() {
            Ok(()) => self.body_ended(plugin),
            Err(error) => {
                let action = plugin.fail("trailers cannot be read", error);
                self.settled(action)
            }
        }
    }

    /// There is no more body.
    fn body_ended(&mut self, plugin: &mut Plugin) -> Action {
        match &mut self.state {
            State::Open => Action::Continue,
            State::Denied => Action::Pause,
            State::Waiting(waiting) => {
                waiting.ended = waiting.ended.or(Some(waiting.length));
                Action::Pause
            }
            State::Body(reading) => {
                let action = reading.finish(plugin);
                self.settled(action)
            }
        }
    }

    /// The keys that it waits for came, or none did.
    pub(crate) fn keys_came(&mut self, plugin: &mut Plugin) {
        self.go_on(plugin, None);
    }

    /// What a server says of its token came, or nothing did.
    pub(crate) fn introspected(&mut self, plugin: &mut Plugin, answer: Option<&OwnedAnswer>) {
        self.go_on(plugin, answer);
    }

    fn go_on(&mut self, plugin: &mut Plugin, answer: Option<&OwnedAnswer>) {
        let is_waiting = matches!(self.state, State::Waiting(_));
        if !is_waiting || host::turn_to(self.context).is_err() {
            return;
        }
        let action = self.resumed(plugin, answer);
        if action == Action::Continue && host::resume().is_err() {
            host::abort();
        }
    }

    fn resumed(&mut self, plugin: &mut Plugin, answer: Option<&OwnedAnswer>) -> Action {
        let State::Waiting(waiting) = std::mem::replace(&mut self.state, State::Denied) else {
            return Action::Pause;
        };
        let Waiting {
            held, section, ended, ..
        } = *waiting;
        let Ok(now) = plugin.now() else {
            return plugin.refuse("there is no time");
        };
        let guard = Rc::clone(&held.guard);
        let request = held.request.clone();
        let Ok((request, _)) = Request::unpack(&request) else {
            return plugin.refuse("a head that was kept cannot be read");
        };
        let inspection = guard.inspect_in(&request, now, plugin.tokens());
        let mut step = plugin.advance(inspection, ended == Some(0));
        if section.is_none() {
            step = told(plugin, step, answer, ended == Some(0));
        }
        match &step {
            Step::Decided(verdict) => {
                let action = plugin.settle(verdict, &held.about);
                self.settled(action)
            }
            _ => {
                let action = self.hold(plugin, &step, held, ended, answer);
                match ended {
                    Some(length) if matches!(self.state, State::Body(_)) => self.body_came(plugin, length, true),
                    _ => action,
                }
            }
        }
    }
}

enum Progress {
    More,
    /// More than may pass.
    Enough,
}

impl Reading {
    /// Reads what is new of a body of which `length` bytes have come.
    fn read(&mut self, length: usize) -> Result<Progress, HostError> {
        let mut received = self.received;
        let progress = self.judgement.with_dependent_mut(|_, needs| {
            let Some(needs) = needs else {
                return Ok(Progress::Enough);
            };
            while let Some(rest) = length.checked_sub(received).filter(|rest| *rest > 0) {
                let chunk = host::bytes(Buffer::RequestBody, received, rest.min(CHUNK))?;
                if chunk.is_empty() {
                    return Err(HostError::PARSE_FAILURE);
                }
                needs.update(&chunk);
                received = received.saturating_add(chunk.len());
                if needs.is_over_limit() {
                    return Ok(Progress::Enough);
                }
            }
            Ok(Progress::More)
        });
        self.received = received;
        progress
    }

    fn finish(&mut self, plugin: &mut Plugin) -> Action {
        self.judgement.with_dependent_mut(|held, needs| {
            let Some(needs) = needs.take() else {
                return plugin.refuse("a head that was kept is judged otherwise");
            };
            match plugin.advance(needs.finish(), true) {
                Step::Decided(verdict) => plugin.settle(&verdict, &held.about),
                // INVARIANT: tokens are judged before the body.
                _ => plugin.refuse("a judgement came to nothing"),
            }
        })
    }
}

impl Held {
    /// The judgement of a head that needs its body. Of an answer, nothing may have been kept.
    fn again<'a>(&'a self, plugin: &mut Plugin, answer: Option<&OwnedAnswer>) -> Needs<'a> {
        let (request, now) = Request::unpack(&self.request).ok()?;
        let inspection = self.guard.inspect_in(&request, now, plugin.tokens());
        let step = plugin.advance(inspection, false);
        match told(plugin, step, answer, false) {
            Step::Body(needs) => Some(needs),
            _ => None,
        }
    }
}

/// The step after a question about the token at hand was answered, or was not.
fn told<'a>(plugin: &mut Plugin, step: Step<'a>, answer: Option<&OwnedAnswer>, has_ended: bool) -> Step<'a> {
    let Step::Introspection(mut needs) = step else {
        return step;
    };
    // Why an answer cannot be used is part of the verdict.
    let _ = needs.take(answer.map(OwnedAnswer::borrowed));
    let inspection = needs.resume(plugin.tokens());
    plugin.advance(inspection, has_ended)
}

/// That of the connection.
fn scheme() -> Result<Scheme, HostError> {
    match host::property(TLS_VERSION) {
        Ok(version) if !version.is_empty() => Ok(Scheme::Https),
        Ok(_) | Err(HostError::NOT_FOUND) => Ok(Scheme::Http),
        Err(error) => Err(error),
    }
}

fn peer() -> Result<Peer, HostError> {
    let found = |path| match host::property(path) {
        Ok(value) => Ok(Some(value)),
        Err(HostError::NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    };
    let Some(address) = found(SOURCE_ADDRESS)? else {
        return Ok(Peer::Unknown);
    };
    Ok(property::peer(&address, found(SOURCE_PORT)?.as_deref()))
}

fn remove_forged_trailers() -> Result<(), HostError> {
    let fields = host::fields(Map::RequestTrailers)?;
    for pair in Pairs::read(&fields).map_err(|_| HostError::PARSE_FAILURE)? {
        let (name, _) = pair.map_err(|_| HostError::PARSE_FAILURE)?;
        if is_identity_header(name) {
            host::remove(Map::RequestTrailers, name)?;
        }
    }
    Ok(())
}

fn id(value: &[u8]) -> Option<String> {
    let is_plain = value.len() <= MAX_ID && value.iter().all(u8::is_ascii_graphic);
    is_plain.then(|| String::from_utf8_lossy(value).into_owned())
}
