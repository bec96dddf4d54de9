//! How a name leads first to the attacker and then to the target: each strategy as a value, without sockets or clock.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// The time to live of every answer, in seconds. Browsers keep names for longer whatever it says.
pub const TTL: u32 = 1;

/// The name that `Strategy::Cname` leads to.
pub const ALIAS: &str = "localhost.";

/// A way to rebind a name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// One answer with both addresses, the attacker's first; then the attacker closes its listener.
    MultipleAnswers,
    /// As `MultipleAnswers`, to `0.0.0.0`.
    Unspecified,
    /// As `FirstThenSecondFlush`, with IPv6 alone: to `::1`. Of two addresses in one answer browsers take `::1` first
    /// (RFC 6724 §6, rule 2).
    Ipv6Loopback,
    /// The attacker's AAAA beside the target's A; then the attacker closes its listener.
    MixedFamilies,
    /// The attacker until the page has been delivered, then the target.
    FirstThenSecond,
    /// As `FirstThenSecond`; the page pushes the name out of the browser's cache, and the attacker closes its listener:
    /// Firefox keeps connections to it in store.
    FirstThenSecondFlush,
    /// Attacker and target in turns, for each type of record by itself; with the cache pushed out and the listener closed.
    RoundRobin,
    /// Attacker or target by chance; with the cache pushed out and the listener closed.
    Random,
    /// The attacker until the page has been delivered, then a CNAME to `localhost`; with the cache pushed out and the listener closed.
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

    /// Whether the attacker becomes unreachable at the flip: so that the browser tries the next address, or does not go on
    /// to use connections that it keeps in store.
    #[must_use]
    pub const fn closes_listener(self) -> bool {
        !matches!(self, Self::FirstThenSecond)
    }

    /// Whether every answer after the flip leads to the target.
    #[must_use]
    pub const fn ends_at_target(self) -> bool {
        !matches!(self, Self::RoundRobin | Self::Random)
    }

    /// Whether the page pushes the name out of the browser's cache, by asking for many others.
    #[must_use]
    pub const fn flushes(self) -> bool {
        matches!(
            self,
            Self::FirstThenSecondFlush | Self::Ipv6Loopback | Self::RoundRobin | Self::Random | Self::Cname
        )
    }

    /// Where the name leads in the end, if the session is to lead to `target`.
    #[must_use]
    pub const fn target(self, target: IpAddr) -> IpAddr {
        match self {
            Self::Unspecified => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Self::Ipv6Loopback => IpAddr::V6(Ipv6Addr::LOCALHOST),
            _ => target,
        }
    }

    /// What is answered to a question of type `kind`, of which `nth` came before.
    ///
    /// A type for which the strategy has no address is answered with none, and no question of one type changes the answer to another.
    #[must_use]
    pub fn answer(self, roles: &Roles, phase: Phase, kind: RecordKind, nth: u64) -> Answer {
        let target = kind.only(self.target(roles.target));
        let attacker = self.attacker(roles, kind);
        let turns_to_target = match self {
            Self::MultipleAnswers | Self::Unspecified | Self::MixedFamilies => {
                // The attacker first; after the flip no longer.
                let before = attacker.filter(|_| phase == Phase::Before);
                return Answer::from_iter(before.into_iter().chain(target));
            }
            Self::FirstThenSecond | Self::FirstThenSecondFlush | Self::Ipv6Loopback | Self::Cname => {
                phase == Phase::Flipped
            }
            Self::RoundRobin => nth % 2 == 1,
            Self::Random => coin(roles.seed, nth),
        };
        let mut answer = Answer::from_iter(if turns_to_target { target } else { attacker });
        // An alias stands for every type of address, also where it leads to none.
        if self == Self::Cname && turns_to_target && kind != RecordKind::Other {
            answer.alias = Some(ALIAS);
        }
        answer
    }

    /// The attacker's address of this type, if the strategy has one.
    ///
    /// It has one of the target's family, but for `MixedFamilies`, which has one of the other.
    #[must_use]
    pub fn attacker(self, roles: &Roles, kind: RecordKind) -> Option<IpAddr> {
        let is_ipv4 = self.target(roles.target).is_ipv4() != (self == Self::MixedFamilies);
        kind.only(if is_ipv4 {
            roles.attacker.into()
        } else {
            roles.attacker_ipv6.into()
        })
    }
}

/// Who is where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Roles {
    pub attacker: Ipv4Addr,
    pub attacker_ipv6: Ipv6Addr,
    /// Some strategies lead to an address of their own: see [`Strategy::target`].
    pub target: IpAddr,
    /// What the coins of `Strategy::Random` are thrown with.
    pub seed: u64,
}

/// Whether the attack has begun.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// The page is not delivered yet.
    Before,
    Flipped,
}

/// A type of record, as far as strategies tell them apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RecordKind {
    A,
    Aaaa,
    Other,
}

impl RecordKind {
    /// The address, if a record of this type can hold it.
    pub(crate) fn only(self, address: IpAddr) -> Option<IpAddr> {
        let is_ours = match self {
            Self::A => address.is_ipv4(),
            Self::Aaaa => address.is_ipv6(),
            Self::Other => false,
        };
        is_ours.then_some(address)
    }
}

/// What is answered to one question. Without alias and addresses: there is nothing of this type.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Answer {
    /// The addresses then are the alias's, as a resolver gives them that followed it.
    pub alias: Option<&'static str>,
    /// In their order.
    pub addresses: Vec<IpAddr>,
}

impl Answer {
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.alias.is_none() && self.addresses.is_empty()
    }
}

impl FromIterator<IpAddr> for Answer {
    fn from_iter<T: IntoIterator<Item = IpAddr>>(addresses: T) -> Self {
        Self {
            alias: None,
            addresses: addresses.into_iter().collect(),
        }
    }
}

/// One bit of SplitMix64: fair enough for a coin, and the same for the same seed.
fn coin(seed: u64, nth: u64) -> bool {
    let mut bits = seed.wrapping_add(nth.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ (bits >> 31)) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTACKER: &str = "203.0.113.10";
    const ATTACKER_IPV6: &str = "2001:db8::10";

    fn roles(target: &str) -> Roles {
        Roles {
            attacker: ATTACKER.parse().unwrap(),
            attacker_ipv6: ATTACKER_IPV6.parse().unwrap(),
            target: target.parse().unwrap(),
            seed: 7,
        }
    }

    /// As `alias address address`.
    fn shown(answer: &Answer) -> String {
        let addresses = answer.addresses.iter().map(ToString::to_string);
        let words: Vec<_> = answer.alias.map(str::to_owned).into_iter().chain(addresses).collect();
        words.join(" ")
    }

    /// Strategy, target, and the answers to A and AAAA, before the flip and after it.
    const ANSWERS: [(Strategy, &str, [&str; 2], [&str; 2]); 14] = [
        (
            Strategy::MultipleAnswers,
            "127.0.0.1",
            ["203.0.113.10 127.0.0.1", "127.0.0.1"],
            ["", ""],
        ),
        (
            Strategy::MultipleAnswers,
            "fd00::1",
            ["", ""],
            ["2001:db8::10 fd00::1", "fd00::1"],
        ),
        (
            Strategy::Unspecified,
            "127.0.0.1",
            ["203.0.113.10 0.0.0.0", "0.0.0.0"],
            ["", ""],
        ),
        (
            Strategy::Unspecified,
            "::1",
            ["203.0.113.10 0.0.0.0", "0.0.0.0"],
            ["", ""],
        ),
        (Strategy::Ipv6Loopback, "127.0.0.1", ["", ""], ["2001:db8::10", "::1"]),
        (
            Strategy::MixedFamilies,
            "127.0.0.1",
            ["127.0.0.1", "127.0.0.1"],
            ["2001:db8::10", ""],
        ),
        (
            Strategy::MixedFamilies,
            "fd00::1",
            ["203.0.113.10", ""],
            ["fd00::1", "fd00::1"],
        ),
        (
            Strategy::FirstThenSecond,
            "127.0.0.1",
            ["203.0.113.10", "127.0.0.1"],
            ["", ""],
        ),
        (
            Strategy::FirstThenSecond,
            "fd00::1",
            ["", ""],
            ["2001:db8::10", "fd00::1"],
        ),
        (
            Strategy::FirstThenSecondFlush,
            "192.168.78.1",
            ["203.0.113.10", "192.168.78.1"],
            ["", ""],
        ),
        (
            Strategy::RoundRobin,
            "127.0.0.1",
            ["203.0.113.10", "203.0.113.10"],
            ["", ""],
        ),
        (
            Strategy::RoundRobin,
            "fd00::1",
            ["", ""],
            ["2001:db8::10", "2001:db8::10"],
        ),
        (
            Strategy::Cname,
            "127.0.0.1",
            ["203.0.113.10", "localhost. 127.0.0.1"],
            ["", "localhost."],
        ),
        (
            Strategy::Cname,
            "::1",
            ["", "localhost."],
            ["2001:db8::10", "localhost. ::1"],
        ),
    ];

    #[test]
    fn what_is_answered_to_the_first_question() {
        for (strategy, target, a, aaaa) in ANSWERS {
            for (kind, expected) in [
                (RecordKind::A, a),
                (RecordKind::Aaaa, aaaa),
                (RecordKind::Other, ["", ""]),
            ] {
                let phases = [Phase::Before, Phase::Flipped];
                let found = phases.map(|phase| shown(&strategy.answer(&roles(target), phase, kind, 0)));
                assert_eq!(found, expected, "{} to {target}, {kind:?}", strategy.name());
            }
        }
        for strategy in Strategy::ALL {
            assert!(strategy == Strategy::Random || ANSWERS.iter().any(|row| row.0 == strategy));
        }
    }

    #[test]
    fn only_turns_and_coins_count_the_questions() {
        let roles = roles("127.0.0.1");
        for strategy in Strategy::ALL {
            for phase in [Phase::Before, Phase::Flipped] {
                let answers: Vec<_> = (0..64)
                    .map(|nth| strategy.answer(&roles, phase, RecordKind::A, nth))
                    .collect();
                let to_target = answers
                    .iter()
                    .filter(|answer| answer.addresses == [roles.target])
                    .count();
                match strategy {
                    Strategy::RoundRobin => {
                        for (nth, answer) in answers.iter().enumerate() {
                            let expected = if nth % 2 == 0 { ATTACKER } else { "127.0.0.1" };
                            assert_eq!(shown(answer), expected, "question {nth}, {phase:?}");
                        }
                    }
                    Strategy::Random => assert!((16..=48).contains(&to_target), "{to_target} of 64"),
                    _ => assert!(
                        answers.iter().all(|answer| *answer == answers[0]),
                        "{}",
                        strategy.name()
                    ),
                }
            }
        }
    }

    #[test]
    fn coins_are_those_of_their_seed() {
        let thrown = |seed| (0..64).map(|nth| coin(seed, nth)).collect::<Vec<_>>();
        assert_eq!(thrown(1), thrown(1));
        assert_ne!(thrown(1), thrown(2));
        // Both sides come up early, so that a run of attempts sees both.
        let seen = (0..1000).filter(|seed| {
            let thrown = thrown(*seed);
            thrown[..16].contains(&true) && thrown[..16].contains(&false)
        });
        assert!(seen.count() >= 995);
    }

    #[test]
    fn the_attacker_s_own_names_have_the_family_of_its_page() {
        for (strategy, target, a, aaaa) in [
            (Strategy::FirstThenSecond, "127.0.0.1", Some(ATTACKER), None),
            (Strategy::FirstThenSecond, "::1", None, Some(ATTACKER_IPV6)),
            (Strategy::MixedFamilies, "127.0.0.1", None, Some(ATTACKER_IPV6)),
            (Strategy::Unspecified, "::1", Some(ATTACKER), None),
        ] {
            for (kind, expected) in [(RecordKind::A, a), (RecordKind::Aaaa, aaaa), (RecordKind::Other, None)] {
                let found = strategy
                    .attacker(&roles(target), kind)
                    .map(|address| address.to_string());
                assert_eq!(found.as_deref(), expected, "{} to {target}", strategy.name());
            }
        }
    }
}
