//! The addresses of the lab. All of them exist in its own network namespace only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::case::AttackerSpace;

/// The domain of every name that is rebound (RFC 2606 §2).
pub(crate) const APEX: &str = "rebind.example";
/// The DNS server; port 53.
pub(crate) const DNS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// The DNS server where a filtering resolver stands in front of it.
pub(crate) const DNS_BEHIND_RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 53, 0, 1));
/// Where the page reports and asks for the flip. Never rebound, so that no browser gates it.
pub(crate) const CONTROL: Ipv4Addr = Ipv4Addr::new(192, 88, 99, 2);
pub(crate) const CONTROL_PORT: u16 = 9000;
/// The self-test page; port 80. Public to browsers, as the attackers are.
pub(crate) const PAGE: Ipv4Addr = Ipv4Addr::new(192, 88, 99, 3);
/// Its name: of another site than the attackers', so that the browser gives them another process.
pub(crate) const PAGE_NAME: &str = "self-test.hostbound.example";
/// Where a guard listens that cannot say which port it took.
pub(crate) const GUARD: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9001);
/// A target in the local address space.
pub const LOCAL_TARGET: Ipv4Addr = Ipv4Addr::new(192, 168, 78, 1);
/// A port of the attackers at which nothing listens: names are asked for, and connections fail at once.
pub(crate) const CLOSED_PORT: u16 = 7999;
/// Each case has a port of its own, so that a connection without a byte belongs to one case.
const FIRST_PORT: u16 = 8100;
/// Attackers of a space, and cases at a time.
pub(crate) const SLOTS: u8 = 200;

/// The port of the case in this slot.
pub(crate) const fn port(slot: u8) -> u16 {
    FIRST_PORT + slot as u16
}

/// The attacker of the case in this slot.
pub(crate) const fn attacker(space: AttackerSpace, slot: u8) -> Ipv4Addr {
    let last = 10 + slot;
    match space {
        // Once 6to4 relays (RFC 7526), now nobody's: public to browsers and to resolvers that filter. dnsmasq takes the
        // documentation ranges (RFC 5737) for private.
        AttackerSpace::Public => Ipv4Addr::new(192, 88, 99, last),
        AttackerSpace::Local => Ipv4Addr::new(192, 168, 77, last),
        AttackerSpace::Loopback => Ipv4Addr::new(127, 66, 0, last),
    }
}

/// Its IPv6 address. Benchmarking (RFC 5180), since browsers take the documentation ranges for local.
pub(crate) const fn attacker_v6(slot: u8) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 10 + slot as u16)
}

/// Lines for `ip -batch`, that bring all of them up.
pub(crate) fn batch() -> String {
    let mut lines = vec![
        "link set lo up".to_owned(),
        format!("addr add {CONTROL}/32 dev lo"),
        format!("addr add {PAGE}/32 dev lo"),
        format!("addr add {LOCAL_TARGET}/32 dev lo"),
    ];
    for slot in 0..SLOTS {
        lines.push(format!("addr add {}/32 dev lo", attacker(AttackerSpace::Public, slot)));
        lines.push(format!("addr add {}/32 dev lo", attacker(AttackerSpace::Local, slot)));
        lines.push(format!("addr add {}/128 dev lo", attacker_v6(slot)));
    }
    // Browsers ask for AAAA only where there is a route to public IPv6 addresses.
    lines.push("route add ::/0 dev lo".to_owned());
    lines.join("\n") + "\n"
}
