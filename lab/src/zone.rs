//! The names of the lab: which sessions are open, how each of them answers, and what was asked of it.
//! Messages and sockets are `dns`'s.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::mem;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hickory_server::proto::rr::{Name, RecordType};
use ring::rand::{SecureRandom, SystemRandom};

use crate::log::DnsQuestion;
use crate::strategy::{Answer, Phase, RecordKind, Roles, Strategy};

/// Before a session's label, for the name that leads to the target from the start.
const CONTROL: &str = "control-";

/// Names of others that are remembered.
const MAX_STRAYS: usize = 1000;

/// The longest apex, so that every name below it fits into the 255 bytes of RFC 1035 section 2.3.4.
const APEX_BYTES: usize = 150;

/// The domain under which every session has a name. Clones are the same zone.
///
/// Questions are answered at any time and from any thread. The clock is [`Instant::now`].
#[derive(Clone, Debug)]
pub struct Zone(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// In lower case.
    apex: Name,
    limits: Limits,
    state: Mutex<State>,
}

/// What a zone holds at most.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Sessions open at once.
    pub sessions: usize,
    /// Questions kept of one session; those beyond are answered and counted.
    pub questions: usize,
    /// Questions kept of all sessions together, of about 200 bytes each.
    pub questions_in_all: usize,
    /// How long a session is open after it was opened or renewed.
    pub lifetime: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 4096,
            questions: 4096,
            questions_in_all: 131_072,
            lifetime: Duration::from_secs(300),
        }
    }
}

/// A name that is open for one case.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Session {
    /// 16 digits of hex, by chance: what the zone knows the session by.
    pub label: String,
    /// The name that is rebound. Names below it lead to the attacker and change nothing: they push it out of caches.
    pub name: String,
    /// The name that leads to the target from the start: who cannot resolve it has a resolver that filters.
    pub control: String,
    /// What the times of its log count from.
    pub opened: Instant,
}

/// What was asked about one session since its log was last taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionLog {
    /// For the name itself, in the order of their arrival.
    pub questions: Vec<DnsQuestion>,
    /// For the control name.
    pub control: Vec<DnsQuestion>,
    /// Questions of both kinds that came when the log was full.
    pub not_kept: u64,
    /// Questions for names below.
    pub flush_questions: u64,
    /// When the name was flipped.
    pub flipped_ms: Option<u64>,
}

/// Why there is no zone, or no session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ZoneError {
    /// The apex is no domain name that leaves room for names below it.
    Apex,
    /// The name is no domain name.
    Name,
    /// As many sessions are open as may be.
    Full,
    /// The system gives no random numbers.
    Random,
}

impl fmt::Display for ZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Apex => "the apex is not a domain name of at most 150 bytes",
            Self::Name => "the name is not a domain name",
            Self::Full => "too many sessions are open",
            Self::Random => "the system gives no random numbers",
        })
    }
}

impl std::error::Error for ZoneError {}

/// How a question came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    Udp,
    Tcp,
}

/// What the zone says to a question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Reply {
    Answer(Answer),
    NoSuchName,
    /// The name is not ours.
    Refused,
}

impl Zone {
    /// A zone with the default limits.
    ///
    /// # Errors
    ///
    /// If `apex` is no domain name.
    pub fn new(apex: &str) -> Result<Self, ZoneError> {
        Self::with_limits(apex, Limits::default())
    }

    /// # Errors
    ///
    /// If `apex` is no domain name.
    pub fn with_limits(apex: &str, limits: Limits) -> Result<Self, ZoneError> {
        let apex = apex.trim_end_matches('.').to_ascii_lowercase();
        let is_plain = apex
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
        if apex.is_empty() || apex.len() > APEX_BYTES || !is_plain {
            return Err(ZoneError::Apex);
        }
        let apex = Name::from_ascii(apex + ".").map_err(|_| ZoneError::Apex)?;
        Ok(Self(Arc::new(Shared {
            apex,
            limits,
            state: Mutex::default(),
        })))
    }

    /// Opens a name that leads first to the attacker and then to the target.
    ///
    /// # Errors
    ///
    /// If too many are open, or the system gives no random numbers.
    pub fn open(&self, strategy: Strategy, roles: Roles) -> Result<Session, ZoneError> {
        let now = Instant::now();
        let label = self.state().open(strategy, roles, &self.0.limits, now)?;
        let apex = self.0.apex.to_ascii();
        let apex = apex.trim_end_matches('.');
        Ok(Session {
            name: format!("{label}.{apex}"),
            control: format!("{CONTROL}{label}.{apex}"),
            label,
            opened: now,
        })
    }

    /// From now on the name leads to the target, if its strategy waits for that. Returns when it was flipped first, in milliseconds since it was opened;
    /// `None` if no such session is open.
    #[must_use]
    pub fn flip(&self, label: &str) -> Option<u64> {
        let now = Instant::now();
        self.state().get(label, now)?.flip(now)
    }

    /// Keeps the session open for another lifetime. False if it is not open any more.
    #[must_use]
    pub fn renew(&self, label: &str) -> bool {
        let now = Instant::now();
        self.state()
            .get(label, now)
            .map(|case| case.expires = now + self.0.limits.lifetime)
            .is_some()
    }

    /// What was asked since the last call. `None` if no such session is open.
    #[must_use]
    pub fn take_log(&self, label: &str) -> Option<SessionLog> {
        self.state().take_log(label, Instant::now())
    }

    /// Gives a name outside of the zone an address. It is never rebound, and questions for it are not logged.
    ///
    /// # Errors
    ///
    /// If it is no domain name.
    pub fn fix(&self, name: &str, address: IpAddr) -> Result<(), ZoneError> {
        let name = Name::from_ascii(format!("{name}.")).map_err(|_| ZoneError::Name)?;
        self.state().fixed.insert(name.to_lowercase(), address);
        Ok(())
    }

    /// The names outside of the zone that were asked for, the first thousand of them.
    #[must_use]
    pub fn strays(&self) -> Vec<String> {
        self.state().strays.iter().cloned().collect()
    }

    /// Closes the session, whose names then are no more, and returns the rest of its log. `None` if no such session is open.
    pub fn close(&self, label: &str) -> Option<SessionLog> {
        let mut state = self.state();
        let log = state.take_log(label, Instant::now())?;
        state.cases.remove(label);
        Some(log)
    }

    /// How many sessions are open, those that expired and were not cleared away among them.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.state().cases.len()
    }

    /// In lower case.
    pub(crate) fn apex(&self) -> &Name {
        &self.0.apex
    }

    /// The answer to a question of class IN, in any case of letters.
    pub(crate) fn ask(&self, name: &Name, kind: RecordType, transport: Transport) -> Reply {
        let nothing = Reply::Answer(Answer::default());
        let apex = &self.0.apex;
        let name = name.to_lowercase();
        if !apex.zone_of(&name) {
            let mut state = self.state();
            if let Some(address) = state.fixed.get(&name) {
                return Reply::Answer(RecordKind::from(kind).only(*address).into_iter().collect());
            }
            // Resolvers that minimise their questions (RFC 9156) ask for the names above first.
            if name.zone_of(apex) || state.fixed.keys().any(|fixed| name.zone_of(fixed)) {
                return nothing;
            }
            state.note_stray(&name);
            return Reply::Refused;
        }
        let mut labels = name.iter().rev().skip(apex.iter().count());
        let Some(label) = labels.next() else { return nothing };
        let Ok(label) = std::str::from_utf8(label) else {
            return Reply::NoSuchName;
        };
        let is_below = labels.next().is_some();
        let question = Question {
            kind,
            transport,
            now: Instant::now(),
        };
        self.state().ask(label, is_below, question, &self.0.limits)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No change of the state is left half done by a panic.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sessions by their labels. Takes the time from its caller.
#[derive(Debug, Default)]
struct State {
    cases: HashMap<String, Open>,
    /// INVARIANT: the questions in the logs of all cases.
    kept: usize,
    /// Addresses that never change, by name in lower case.
    fixed: HashMap<Name, IpAddr>,
    strays: BTreeSet<String>,
}

#[derive(Debug)]
struct Open {
    strategy: Strategy,
    roles: Roles,
    opened: Instant,
    expires: Instant,
    flipped_ms: Option<u64>,
    /// Questions for A, and for AAAA.
    asked: [u64; 2],
    log: SessionLog,
}

#[derive(Clone, Copy)]
struct Question {
    kind: RecordType,
    transport: Transport,
    now: Instant,
}

impl From<RecordType> for RecordKind {
    fn from(kind: RecordType) -> Self {
        match kind {
            RecordType::A => Self::A,
            RecordType::AAAA => Self::Aaaa,
            _ => Self::Other,
        }
    }
}

impl State {
    fn open(&mut self, strategy: Strategy, roles: Roles, limits: &Limits, now: Instant) -> Result<String, ZoneError> {
        let kept = &mut self.kept;
        self.cases.retain(|_, case| {
            let is_open = now < case.expires;
            if !is_open {
                *kept -= case.log.kept();
            }
            is_open
        });
        if self.cases.len() >= limits.sessions {
            return Err(ZoneError::Full);
        }
        let label = loop {
            let label = random_label()?;
            if !self.cases.contains_key(&label) {
                break label;
            }
        };
        let case = Open {
            strategy,
            roles,
            opened: now,
            expires: now + limits.lifetime,
            flipped_ms: None,
            asked: [0; 2],
            log: SessionLog::default(),
        };
        self.cases.insert(label.clone(), case);
        Ok(label)
    }

    fn get(&mut self, label: &str, now: Instant) -> Option<&mut Open> {
        self.cases.get_mut(label).filter(|case| now < case.expires)
    }

    fn take_log(&mut self, label: &str, now: Instant) -> Option<SessionLog> {
        let log = self.get(label, now)?.take_log();
        self.kept -= log.kept();
        Some(log)
    }

    fn note_stray(&mut self, name: &Name) {
        if self.strays.len() < MAX_STRAYS {
            self.strays.insert(name.to_ascii().trim_end_matches('.').to_owned());
        }
    }

    fn ask(&mut self, label: &str, is_below: bool, question: Question, limits: &Limits) -> Reply {
        let kept = self.kept;
        let (label, is_control) = match label.strip_prefix(CONTROL) {
            Some(label) => (label, true),
            None => (label, false),
        };
        let Some(case) = self.get(label, question.now) else {
            return Reply::NoSuchName;
        };
        let kind = RecordKind::from(question.kind);
        let answer = match (is_control, is_below) {
            (true, true) => return Reply::NoSuchName,
            (false, true) => {
                case.log.flush_questions += 1;
                return Reply::Answer(case.strategy.attacker(&case.roles, kind).into_iter().collect());
            }
            (true, false) => kind.only(case.target()).into_iter().collect(),
            (false, false) => case.answer(kind),
        };
        if case.log.kept() < limits.questions && kept < limits.questions_in_all {
            let entry = case.entry(question, &answer);
            let log = if is_control {
                &mut case.log.control
            } else {
                &mut case.log.questions
            };
            log.push(entry);
            self.kept += 1;
        } else {
            case.log.not_kept += 1;
        }
        Reply::Answer(answer)
    }
}

impl Open {
    fn target(&self) -> IpAddr {
        self.strategy.target(self.roles.target)
    }

    fn flip(&mut self, now: Instant) -> Option<u64> {
        let at_ms = self.millis(now);
        Some(*self.flipped_ms.get_or_insert(at_ms))
    }

    fn answer(&mut self, kind: RecordKind) -> Answer {
        let phase = match self.flipped_ms {
            None => Phase::Before,
            Some(_) => Phase::Flipped,
        };
        let [a, aaaa] = &mut self.asked;
        let nth = match kind {
            RecordKind::A => mem::replace(a, *a + 1),
            RecordKind::Aaaa => mem::replace(aaaa, *aaaa + 1),
            RecordKind::Other => 0,
        };
        self.strategy.answer(&self.roles, phase, kind, nth)
    }

    fn entry(&self, question: Question, answer: &Answer) -> DnsQuestion {
        DnsQuestion {
            at_ms: self.millis(question.now),
            kind: match question.kind {
                // RFC 3597 section 5.
                RecordType::Unknown(number) => format!("TYPE{number}"),
                kind => kind.to_string(),
            },
            transport: match question.transport {
                Transport::Udp => "udp",
                Transport::Tcp => "tcp",
            }
            .to_owned(),
            addresses: answer.addresses.clone(),
            alias: answer.alias.map(str::to_owned),
            target: answer.addresses.contains(&self.target()),
            flipped: self.flipped_ms.is_some(),
        }
    }

    fn take_log(&mut self) -> SessionLog {
        SessionLog {
            flipped_ms: self.flipped_ms,
            ..mem::take(&mut self.log)
        }
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.opened).as_millis()).unwrap_or(u64::MAX)
    }
}

impl SessionLog {
    fn kept(&self) -> usize {
        self.questions.len() + self.control.len()
    }
}

fn random_label() -> Result<String, ZoneError> {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).map_err(|_| ZoneError::Random)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn roles() -> Roles {
        Roles {
            attacker: [203, 0, 113, 10].into(),
            attacker_ipv6: "2001:db8::10".parse().unwrap(),
            target: TARGET,
            seed: 0,
        }
    }

    fn question(kind: RecordType, now: Instant) -> Question {
        Question {
            kind,
            transport: Transport::Udp,
            now,
        }
    }

    #[test]
    fn an_apex_is_a_name_with_room_below() {
        let long = format!("{}.example", "a.".repeat(80));
        for apex in [
            "",
            ".",
            "a..b",
            "caf\u{e9}.example",
            "a b.example",
            "*.example",
            &"a".repeat(64),
            &long,
        ] {
            assert_eq!(Zone::new(apex).err(), Some(ZoneError::Apex), "{apex}");
        }
        for apex in ["rebind.example", "rebind.example.", "Rebind.Example", "test"] {
            let session = Zone::new(apex).unwrap().open(Strategy::Cname, roles()).unwrap();
            let apex = apex.trim_end_matches('.').to_lowercase();
            assert_eq!(session.name, format!("{}.{apex}", session.label));
            assert_eq!(session.control, format!("control-{}.{apex}", session.label));
            assert_eq!(session.label.len(), 16);
            assert!(session.label.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
    }

    #[test]
    fn a_session_expires_unless_it_is_renewed() {
        let limits = Limits {
            sessions: 1,
            ..Limits::default()
        };
        let mut state = State::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let label = state.open(Strategy::FirstThenSecond, roles(), &limits, start).unwrap();
        let ask = |state: &mut State, now| state.ask(&label, false, question(RecordType::A, now), &limits);
        assert!(matches!(ask(&mut state, at(299)), Reply::Answer(_)));
        assert_eq!(
            state.open(Strategy::Random, roles(), &limits, at(299)),
            Err(ZoneError::Full)
        );
        state.get(&label, at(299)).unwrap().expires = at(599);
        assert!(matches!(ask(&mut state, at(598)), Reply::Answer(_)));
        assert_eq!(state.kept, 2);
        assert_eq!(ask(&mut state, at(599)), Reply::NoSuchName);
        // Its place is another's, and its log is gone.
        assert_ne!(
            state.open(Strategy::Random, roles(), &limits, at(599)),
            Ok(label.clone())
        );
        assert_eq!((state.cases.len(), state.kept), (1, 0));
    }

    #[test]
    fn a_session_is_renewed_for_a_lifetime() {
        let zone = Zone::new("rebind.example").unwrap();
        let label = zone.open(Strategy::Random, roles()).unwrap().label;
        let soon = Instant::now() + Duration::from_secs(1);
        zone.state().get(&label, Instant::now()).unwrap().expires = soon;
        assert!(zone.renew(&label));
        assert!(zone.state().cases[&label].expires > soon + Duration::from_secs(200));
        assert!(!zone.renew("0000000000000000"));
    }

    #[test]
    fn a_full_log_counts() {
        let limits = Limits {
            questions: 3,
            questions_in_all: 5,
            ..Limits::default()
        };
        let zone = Zone::with_limits("rebind.example", limits).unwrap();
        let sessions: Vec<_> = (0..2)
            .map(|_| zone.open(Strategy::RoundRobin, roles()).unwrap())
            .collect();
        let ask = |name: &str| zone.ask(&Name::from_ascii(name).unwrap(), RecordType::A, Transport::Udp);
        for session in &sessions {
            for _ in 0..2 {
                ask(&format!("{}.", session.name));
                ask(&format!("{}.", session.control));
            }
        }
        let counted = |log: &SessionLog| (log.questions.len(), log.control.len(), log.not_kept);
        assert_eq!(counted(&zone.take_log(&sessions[0].label).unwrap()), (2, 1, 1));
        assert_eq!(counted(&zone.take_log(&sessions[1].label).unwrap()), (1, 1, 2));
        // What is taken makes room, and no question was forgotten by the strategy.
        assert_eq!(zone.state().kept, 0);
        let addresses = |name: &str| match ask(&format!("{name}.")) {
            Reply::Answer(answer) => answer.addresses,
            other => panic!("{other:?}"),
        };
        assert_eq!(addresses(&sessions[0].name), [IpAddr::V4(roles().attacker)]);
        assert_eq!(addresses(&sessions[0].name), [TARGET]);
        assert_eq!(counted(&zone.close(&sessions[0].label).unwrap()), (2, 0, 0));
        assert_eq!((zone.sessions(), zone.state().kept), (1, 0));
    }

    #[test]
    fn what_is_not_open_has_no_log() {
        let zone = Zone::new("rebind.example").unwrap();
        let label = zone.open(Strategy::Random, roles()).unwrap().label;
        assert_eq!(zone.take_log(&label), Some(SessionLog::default()));
        assert!(zone.close(&label).is_some());
        assert_eq!(zone.close(&label), None);
        assert_eq!(zone.take_log(&label), None);
        assert_eq!(zone.flip(&label), None);
    }

    #[test]
    fn a_name_is_flipped_once() {
        let zone = Zone::new("rebind.example").unwrap();
        let label = zone.open(Strategy::FirstThenSecond, roles()).unwrap().label;
        let first = zone.flip(&label).unwrap();
        let later = Instant::now() + Duration::from_secs(9);
        assert_eq!(zone.state().get(&label, later).unwrap().flip(later), Some(first));
        assert_eq!(zone.close(&label).unwrap().flipped_ms, Some(first));
    }
}
