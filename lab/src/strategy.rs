//! How a name leads first to the attacker and then to the target: each strategy as a value, without sockets or clock.

use serde::{Deserialize, Serialize};

/// A way to rebind a name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// One answer with both addresses, the attacker's first; then the attacker closes its listener.
    MultipleAnswers,
    /// As `MultipleAnswers`, to `0.0.0.0`.
    Unspecified,
    /// As `MultipleAnswers`, with IPv6 alone: to `::1`.
    Ipv6Loopback,
    /// The attacker's AAAA beside the target's A; then the attacker closes its listener.
    MixedFamilies,
    /// The attacker until the page has been delivered, then the target.
    FirstThenSecond,
    /// As `FirstThenSecond`; the page pushes the name out of the browser's cache.
    FirstThenSecondFlush,
    /// Attacker and target in turns, for each type of record by itself; with the cache pushed out.
    RoundRobin,
    /// Attacker or target by chance; with the cache pushed out.
    Random,
    /// The attacker until the page has been delivered, then a CNAME to `localhost`; with the cache pushed out.
    Cname,
}

impl Strategy {
    pub const ALL: [Self; 9] = [
        Self::MultipleAnswers,
        Self::Unspecified,
        Self::Ipv6Loopback,
        Self::MixedFamilies,
        Self::FirstThenSecond,
        Self::FirstThenSecondFlush,
        Self::RoundRobin,
        Self::Random,
        Self::Cname,
    ];

    /// As it is written on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MultipleAnswers => "multiple-answers",
            Self::Unspecified => "unspecified",
            Self::Ipv6Loopback => "ipv6-loopback",
            Self::MixedFamilies => "mixed-families",
            Self::FirstThenSecond => "first-then-second",
            Self::FirstThenSecondFlush => "first-then-second-flush",
            Self::RoundRobin => "round-robin",
            Self::Random => "random",
            Self::Cname => "cname",
        }
    }

    /// Whether the attacker must become unreachable for the browser to try the next address.
    #[must_use]
    pub const fn closes_listener(self) -> bool {
        matches!(
            self,
            Self::MultipleAnswers | Self::Unspecified | Self::Ipv6Loopback | Self::MixedFamilies
        )
    }

    /// Whether the page pushes the name out of the browser's cache, by asking for many others.
    #[must_use]
    pub const fn flushes(self) -> bool {
        matches!(
            self,
            Self::FirstThenSecondFlush | Self::RoundRobin | Self::Random | Self::Cname
        )
    }
}
