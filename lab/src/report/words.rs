//! What outcomes and verdicts are called, and what each of them does and does not prove.

use crate::verdict::{Conclusion, Outcome, ServiceVerdict, Target, TargetKind};

/// How something is coloured, always beside its word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tone {
    /// The service is open.
    Bad,
    /// The service refused.
    Good,
    /// The browser hid the service: never good, for it says nothing about the service.
    Browser,
    /// Something else was in the way.
    Elsewhere,
    /// Nothing is known.
    Unknown,
    /// The negative control was read: the rig works.
    Control,
}

impl Tone {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Good => "good",
            Self::Browser => "browser",
            Self::Elsewhere => "elsewhere",
            Self::Unknown => "unknown",
            Self::Control => "control",
        }
    }
}

/// What an outcome is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    /// At most 15 columns.
    pub(super) word: &'static str,
    pub(super) symbol: &'static str,
    pub(super) tone: Tone,
    pub(super) proves: &'static str,
    pub(super) leaves_open: &'static str,
}

pub(super) const fn outcome(outcome: Outcome) -> Words {
    match outcome {
        Outcome::ReachedReadable => Words {
            word: "read",
            symbol: "✖",
            tone: Tone::Bad,
            proves: "A page under a foreign name read what the service answered: the service is open to rebinding.",
            leaves_open: "What else the page could have done with it.",
        },
        Outcome::ReachedRefused => Words {
            word: "refused",
            symbol: "✔",
            tone: Tone::Good,
            proves: "The request arrived under a foreign name, and the service or its policy refused it.",
            leaves_open: "Nothing for this way of attack. Other paths of the service were not asked.",
        },
        Outcome::BlockedByBrowser => Words {
            word: "browser blocked",
            symbol: "■",
            tone: Tone::Browser,
            proves: "This browser, with these settings, sent nothing to the service.",
            leaves_open: "Whether the service is safe. Other browsers, older ones, popups and pages of the local network get through.",
        },
        Outcome::Prompted => Words {
            word: "browser asked",
            symbol: "?",
            tone: Tone::Elsewhere,
            proves: "This browser asks the user before it sends anything to the service.",
            leaves_open: "Whether the service is safe, once somebody allows it.",
        },
        Outcome::FilteredByResolver => Words {
            word: "filtered by DNS",
            symbol: "▽",
            tone: Tone::Elsewhere,
            proves: "The resolver of this machine kept the service's address back.",
            leaves_open: "Whether the service is safe, behind another resolver or with DNS over HTTPS.",
        },
        Outcome::NotRequeried => Words {
            word: "not asked again",
            symbol: "↻",
            tone: Tone::Elsewhere,
            proves: "The browser held on to the first address for as long as the case ran.",
            leaves_open: "Whether the service is safe. A cache is no defence: with more time the name is asked for again.",
        },
        Outcome::NotRunning => Words {
            word: "not running",
            symbol: "○",
            tone: Tone::Unknown,
            proves: "The service did not answer even under its own name.",
            leaves_open: "Everything about the service.",
        },
        Outcome::Inconclusive => Words {
            word: "inconclusive",
            symbol: "–",
            tone: Tone::Unknown,
            proves: "Nothing: the logs do not say how the case ended.",
            leaves_open: "Everything about the service.",
        },
    }
}

/// The tone and the symbol of an outcome at a target: that the negative control is read is as it should be, that it refuses is not.
pub(super) const fn at(outcome: Outcome, is_control: bool) -> (&'static str, Tone) {
    match outcome {
        Outcome::ReachedReadable if is_control => ("●", Tone::Control),
        Outcome::ReachedRefused if is_control => ("!", Tone::Unknown),
        _ => {
            let words = self::outcome(outcome);
            (words.symbol, words.tone)
        }
    }
}

/// Of a service that was not tested it matters whether the browser blocked cases: then it was hidden, which has the browser's colour.
pub(super) const fn verdict(verdict: ServiceVerdict, blocked: usize) -> (&'static str, &'static str, Tone) {
    match verdict {
        ServiceVerdict::Control => ("●", "control", Tone::Unknown),
        ServiceVerdict::Vulnerable => ("✖", "vulnerable", Tone::Bad),
        ServiceVerdict::Refuses => ("✔", "refuses", Tone::Good),
        ServiceVerdict::NotTested if blocked > 0 => ("■", "not tested", Tone::Browser),
        ServiceVerdict::NotTested => ("–", "not tested", Tone::Unknown),
    }
}

pub(super) const fn conclusion(conclusion: Conclusion) -> (&'static str, &'static str, Tone) {
    match conclusion {
        Conclusion::Safe => ("✔", "safe", Tone::Good),
        Conclusion::Vulnerable => ("✖", "vulnerable", Tone::Bad),
        Conclusion::Inconclusive => ("–", "inconclusive", Tone::Unknown),
    }
}

/// `service at 127.0.0.1:11434`
pub(super) fn kind(target: &Target) -> String {
    match target.kind {
        TargetKind::Canary => "bare canary, the negative control".to_owned(),
        TargetKind::Guarded { guard } => format!("canary behind the guard in {}", guard.title()),
        TargetKind::Service { address } => format!("service at {address}"),
    }
}

/// `answers 200`, `no answer`
pub(super) fn answer(status: Option<u16>) -> String {
    status.map_or_else(|| "no answer".to_owned(), |status| status.to_string())
}
