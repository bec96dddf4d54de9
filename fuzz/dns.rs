//! What the target `dns` runs. Apart from `targets.rs`, which the engine's tests run too: the engine knows nothing of the lab, whose
//! `tests/fuzz_corpus.rs` replays the corpus over this.

use hickory_server::proto::op::{Message, MessageType};
use hostbound_lab::dns::respond;
use hostbound_lab::strategy::{Roles, Strategy};
use hostbound_lab::zone::{Transport, Zone};

/// Stands for the label of a session that is open, which is made by chance: the first byte is the number of its strategy.
const LABEL: &[u8] = b"0123456789abcde";

/// A packet before a zone with a session of every strategy: whatever comes back can be read, is for the asker and not longer than it takes.
/// The first byte chooses the transport, and whether names are flipped. True if a record was answered.
pub fn dns(data: &[u8]) -> bool {
    let Some((choice, packet)) = data.split_first() else {
        return false;
    };
    // Anew for each input: what is found is found again by that input alone.
    let (zone, labels) = zone();
    let packet = named(packet, &labels);
    let transport = if choice & 1 == 0 {
        Transport::Udp
    } else {
        Transport::Tcp
    };
    if choice & 2 != 0 {
        for label in &labels {
            assert!(zone.flip(label).is_some());
        }
    }
    let Some(response) = respond(&zone, &packet, transport) else {
        assert!(packet.len() < 12 || packet[2] & 0x80 != 0, "every question is answered");
        return false;
    };
    assert_eq!(response[..2], packet[..2], "the id");
    let read = Message::from_vec(&response).expect("what is answered can be read");
    assert_eq!(read.metadata.message_type, MessageType::Response);
    assert!(!read.metadata.truncation, "no answer is so long");
    let asked = Message::from_vec(&packet);
    let longest = match (&asked, transport) {
        (Ok(asked), Transport::Udp) => usize::from(asked.max_payload().clamp(512, 1232)),
        (_, Transport::Udp) => 512,
        (_, Transport::Tcp) => 65_535,
    };
    assert!(response.len() <= longest, "{} bytes", response.len());
    if let (Ok(asked), [query]) = (&asked, &read.queries[..]) {
        assert!(
            query.name().eq_case(asked.queries[0].name()),
            "the question comes back as it was"
        );
        assert_eq!(query.query_type(), asked.queries[0].query_type());
    }
    !read.answers.is_empty()
}

/// The packet, with the labels that stand for sessions replaced by theirs.
fn named(packet: &[u8], labels: &[String]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    let mut at = 0;
    while let Some(window) = packet.get_mut(at..at + LABEL.len() + 1) {
        if let Some(label) = window
            .strip_suffix(LABEL)
            .and_then(|number| labels.get(usize::from(number[0].wrapping_sub(b'a'))))
        {
            window.copy_from_slice(label.as_bytes());
        }
        at += 1;
    }
    packet
}

fn zone() -> (Zone, Vec<String>) {
    let zone = Zone::new("rebind.example").expect("a domain name");
    let labels = Strategy::ALL.into_iter().enumerate().map(|(nth, strategy)| {
        let target = if nth % 2 == 0 {
            [127, 0, 0, 1].into()
        } else {
            "::1".parse().expect("an address")
        };
        let roles = Roles {
            attacker: [203, 0, 113, 10].into(),
            attacker_ipv6: "2001:db8::10".parse().expect("an address"),
            target,
            seed: 0,
        };
        zone.open(strategy, roles).expect("there is room").label
    });
    let labels = labels.collect();
    (zone, labels)
}
