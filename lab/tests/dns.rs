//! The DNS server over real sockets: what every strategy answers, what burns nothing, and what hostile askers achieve.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

#[path = "dns/questions.rs"]
mod questions;

use std::net::IpAddr;
use std::time::Duration;

use hickory_server::proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_server::proto::rr::{DNSClass, Name, RData, RecordType};
use hostbound_lab::dns::{DnsServer, respond};
use hostbound_lab::strategy::Strategy;
use hostbound_lab::zone::{Session, Transport, Zone};
use questions::{APEX, PATIENCE, question, roles, shown};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

struct Rig {
    zone: Zone,
    server: DnsServer,
    socket: UdpSocket,
}

impl Rig {
    async fn new() -> Self {
        let zone = Zone::new(APEX).unwrap();
        let server = DnsServer::bind(zone.clone(), "127.0.0.1:0".parse().unwrap()).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(server.local_addr()).await.unwrap();
        Self { zone, server, socket }
    }

    fn open(&self, strategy: Strategy, target: &str) -> Session {
        self.zone.open(strategy, roles(target)).unwrap()
    }

    async fn exchange(&self, packet: &[u8]) -> Vec<u8> {
        self.socket.send(packet).await.unwrap();
        let mut buffer = [0; 2048];
        let length = timeout(PATIENCE, self.socket.recv(&mut buffer)).await.unwrap().unwrap();
        buffer[..length].to_vec()
    }

    async fn ask_message(&self, question: &Message) -> Message {
        let response = Message::from_vec(&self.exchange(&question.to_vec().unwrap()).await).unwrap();
        assert_eq!(response.metadata.id, question.metadata.id);
        assert_eq!(response.metadata.message_type, MessageType::Response);
        response
    }

    async fn ask(&self, name: &str, kind: RecordType) -> Message {
        let response = self.ask_message(&question(name, kind)).await;
        // Everything that names nothing says for how long: not at all.
        let is_ours = response.metadata.response_code != ResponseCode::Refused;
        let says_nothing = response.answers.is_empty() && is_ours;
        assert_eq!(response.authorities.len(), usize::from(says_nothing), "{name} {kind}");
        assert_eq!(response.metadata.authoritative, is_ours, "{name} {kind}");
        for record in &response.authorities {
            let RData::SOA(data) = &record.data else {
                panic!("{record}")
            };
            assert_eq!((record.ttl, data.minimum), (0, 0));
            assert!(
                record.name.zone_of(&Name::from_ascii(name).unwrap()),
                "{record} for {name}"
            );
        }
        response
    }

    /// The answer as `alias address address`, or the code of what is none.
    async fn shown(&self, name: &str, kind: RecordType) -> String {
        shown(&self.ask(name, kind).await)
    }

    async fn addresses(&self, session: &Session) -> [String; 2] {
        [
            self.shown(&session.name, RecordType::A).await,
            self.shown(&session.name, RecordType::AAAA).await,
        ]
    }

    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.server.local_addr()).await.unwrap()
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap();
    [&length.to_be_bytes()[..], message].concat()
}

async fn read_framed(stream: &mut TcpStream) -> Message {
    let read = async {
        let length = stream.read_u16().await.unwrap();
        let mut message = vec![0; length.into()];
        stream.read_exact(&mut message).await.unwrap();
        Message::from_vec(&message).unwrap()
    };
    timeout(PATIENCE, read).await.unwrap()
}

#[tokio::test]
async fn every_strategy_before_and_after_the_flip() {
    // Strategy, target, and the answers to A and AAAA: before the flip, and after it.
    for (strategy, target, before, after) in [
        (
            Strategy::MultipleAnswers,
            "127.0.0.1",
            ["203.0.113.10 127.0.0.1", ""],
            ["127.0.0.1", ""],
        ),
        (
            Strategy::MultipleAnswers,
            "fd00::1",
            ["", "2001:db8::10 fd00::1"],
            ["", "fd00::1"],
        ),
        (
            Strategy::Unspecified,
            "127.0.0.1",
            ["203.0.113.10 0.0.0.0", ""],
            ["0.0.0.0", ""],
        ),
        (Strategy::Ipv6Loopback, "127.0.0.1", ["", "2001:db8::10"], ["", "::1"]),
        (
            Strategy::MixedFamilies,
            "127.0.0.1",
            ["127.0.0.1", "2001:db8::10"],
            ["127.0.0.1", ""],
        ),
        (
            Strategy::FirstThenSecond,
            "127.0.0.1",
            ["203.0.113.10", ""],
            ["127.0.0.1", ""],
        ),
        (
            Strategy::FirstThenSecondFlush,
            "192.168.78.1",
            ["203.0.113.10", ""],
            ["192.168.78.1", ""],
        ),
        (
            Strategy::Cname,
            "127.0.0.1",
            ["203.0.113.10", ""],
            ["localhost. 127.0.0.1", "localhost."],
        ),
    ] {
        let rig = Rig::new().await;
        let session = rig.open(strategy, target);
        for _ in 0..3 {
            assert_eq!(rig.addresses(&session).await, before, "{} to {target}", strategy.name());
        }
        assert!(rig.zone.flip(&session.label).is_some());
        for _ in 0..3 {
            assert_eq!(rig.addresses(&session).await, after, "{} to {target}", strategy.name());
        }
    }
}

#[tokio::test]
async fn turns_and_coins_do_not_wait_for_the_flip() {
    let rig = Rig::new().await;
    let session = rig.open(Strategy::RoundRobin, "127.0.0.1");
    for nth in 0..8 {
        let expected = if nth % 2 == 0 { "203.0.113.10" } else { "127.0.0.1" };
        assert_eq!(
            rig.shown(&session.name, RecordType::A).await,
            expected,
            "question {nth}"
        );
        if nth == 3 {
            assert!(rig.zone.flip(&session.label).is_some());
        }
    }
    let first = rig.open(Strategy::Random, "127.0.0.1");
    let second = rig.open(Strategy::Random, "127.0.0.1");
    let mut seen = Vec::new();
    for _ in 0..16 {
        let shown = rig.shown(&first.name, RecordType::A).await;
        // The seed is the same.
        assert_eq!(rig.shown(&second.name, RecordType::A).await, shown);
        seen.push(shown);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["127.0.0.1", "203.0.113.10"]);
}

#[tokio::test]
async fn no_other_question_burns_a_turn() {
    let rig = Rig::new().await;
    let session = rig.open(Strategy::RoundRobin, "127.0.0.1");
    let below = format!("n17.{}", session.name);
    for expected in ["203.0.113.10", "127.0.0.1", "203.0.113.10"] {
        for kind in [RecordType::AAAA, RecordType::HTTPS, RecordType::TXT, RecordType::NS] {
            assert_eq!(rig.shown(&session.name, kind).await, "");
        }
        // What RFC 9156 asks before it asks for the name.
        for (name, kind) in [
            (".", RecordType::NS),
            ("example.", RecordType::NS),
            ("example.", RecordType::A),
            ("rebind.example.", RecordType::NS),
            ("rebind.example.", RecordType::A),
            ("_.rebind.example.", RecordType::A),
        ] {
            let expected = if name.starts_with('_') { "NXDomain" } else { "" };
            assert_eq!(rig.shown(name, kind).await, expected, "{name}");
        }
        assert_eq!(rig.shown(&below, RecordType::A).await, "203.0.113.10");
        assert_eq!(rig.shown(&below, RecordType::AAAA).await, "");
        assert_eq!(rig.shown(&session.control, RecordType::A).await, "127.0.0.1");
        assert_eq!(rig.shown(&session.name, RecordType::A).await, expected);
    }
    let log = rig.zone.close(&session.label).unwrap();
    assert_eq!((log.questions.len(), log.control.len(), log.not_kept), (15, 3, 0));
    assert_eq!(log.flush_questions, 6);
}

#[tokio::test]
async fn each_name_is_what_it_is() {
    let rig = Rig::new().await;
    let session = rig.open(Strategy::FirstThenSecond, "127.0.0.1");
    let Session { name, control, .. } = &session;
    let refused = "Refused";
    let no_such_name = "NXDomain";
    for (asked, kind, expected) in [
        (name.as_str(), RecordType::A, "203.0.113.10"),
        (control, RecordType::A, "127.0.0.1"),
        (control, RecordType::AAAA, ""),
        (control, RecordType::HTTPS, ""),
        (&format!("a.b.{name}"), RecordType::A, "203.0.113.10"),
        (&format!("n1.{name}"), RecordType::HTTPS, ""),
        (&format!("a.{control}"), RecordType::A, no_such_name),
        (&format!("control-{control}"), RecordType::A, no_such_name),
        ("0000000000000000.rebind.example", RecordType::A, no_such_name),
        ("a.0000000000000000.rebind.example", RecordType::A, no_such_name),
        ("control-0000000000000000.rebind.example", RecordType::A, no_such_name),
        ("control-.rebind.example", RecordType::A, no_such_name),
        ("update.googleapis.com", RecordType::A, refused),
        ("other.example", RecordType::A, refused),
        ("xrebind.example", RecordType::A, refused),
        ("com", RecordType::NS, refused),
        (name, RecordType::ANY, refused),
        (name, RecordType::AXFR, refused),
        (name, RecordType::IXFR, refused),
    ] {
        assert_eq!(rig.shown(asked, kind).await, expected, "{asked} {kind}");
    }
    let apex = rig.ask_message(&question(APEX, RecordType::SOA)).await;
    assert!(matches!(apex.answers[0].data, RData::SOA(_)));
    assert!(rig.zone.close(&session.label).is_some());
    for asked in [name, control, &format!("a.{name}")] {
        assert_eq!(rig.shown(asked, RecordType::A).await, no_such_name);
    }
}

#[tokio::test]
async fn an_answer_byte_by_byte() {
    let rig = Rig::new().await;
    let session = rig.open(Strategy::MultipleAnswers, "127.0.0.1");
    // Resolvers mix the case of letters, and drop answers that do not.
    let mixed: String = session
        .name
        .chars()
        .enumerate()
        .map(|(at, letter)| {
            if at % 2 == 0 {
                letter.to_ascii_uppercase()
            } else {
                letter
            }
        })
        .collect();
    assert_ne!(mixed, session.name);
    let mut packet = vec![0xab, 0xcd, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in mixed.split('.') {
        packet.push(u8::try_from(label.len()).unwrap());
        packet.extend(label.bytes());
    }
    packet.extend([0, 0, 1, 0, 1]);

    let mut expected = packet.clone();
    // An answer, authoritative, with recursion desired and available; two records.
    expected[2..8].copy_from_slice(&[0x85, 0x80, 0, 1, 0, 2]);
    for address in [[203, 0, 113, 10], [127, 0, 0, 1]] {
        expected.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        expected.extend(address);
    }
    assert_eq!(rig.exchange(&packet).await, expected);
    assert_eq!(respond(&rig.zone, &packet, Transport::Tcp), Some(expected));
}

#[tokio::test]
async fn an_alias_owns_its_addresses() {
    let rig = Rig::new().await;
    let session = rig.open(Strategy::Cname, "127.0.0.1");
    assert!(rig.zone.flip(&session.label).is_some());
    let response = rig.ask(&session.name, RecordType::A).await;
    let owners: Vec<_> = response.answers.iter().map(|record| record.name.to_ascii()).collect();
    assert_eq!(owners, [format!("{}.", session.name), "localhost.".to_owned()]);
    assert!(response.answers.iter().all(|record| record.ttl == 1));
    let log = rig.zone.take_log(&session.label).unwrap();
    assert_eq!(log.questions[0].alias.as_deref(), Some("localhost."));
    assert!(log.questions[0].target);
}

#[tokio::test]
async fn edns_is_answered_when_it_is_asked_with() {
    let rig = Rig::new().await;
    let session = rig.open(Strategy::MultipleAnswers, "127.0.0.1");
    let mut asked = question(&session.name, RecordType::A);
    assert!(rig.ask_message(&asked).await.edns.is_none());
    let mut edns = Edns::new();
    edns.set_max_payload(4096);
    asked.set_edns(edns.clone());
    let response = rig.ask_message(&asked).await;
    assert_eq!(response.edns.as_ref().unwrap().max_payload(), 1232);
    assert_eq!(response.edns.as_ref().unwrap().version(), 0);
    assert_eq!(shown(&response), "203.0.113.10 127.0.0.1");
    let asked_before = rig.zone.take_log(&session.label).unwrap().questions.len();
    assert_eq!(asked_before, 2);

    edns.set_version(1);
    asked.set_edns(edns);
    let response = rig.ask_message(&asked).await;
    // On the wire 16: the high bits are in the OPT record. It has no name of its own beside BADSIG's.
    assert_eq!(u16::from(response.metadata.response_code), 16);
    assert_eq!(response.edns.unwrap().version(), 0);
    assert!(rig.zone.take_log(&session.label).unwrap().questions.is_empty());
}

#[tokio::test]
async fn what_is_no_question_of_ours() {
    let rig = Rig::new().await;
    let session = rig.open(Strategy::FirstThenSecond, "127.0.0.1");
    let plain = || question(&session.name, RecordType::A);

    let mut chaos = plain();
    chaos.queries[0].set_query_class(DNSClass::CH);
    assert_eq!(shown(&rig.ask_message(&chaos).await), "Refused");

    let mut two = plain();
    two.add_query(two.queries[0].clone());
    let mut none = plain();
    none.queries.clear();
    for message in [two, none] {
        assert_eq!(shown(&rig.ask_message(&message).await), "FormErr");
    }
    for code in [OpCode::Status, OpCode::Notify, OpCode::Update] {
        let mut message = plain();
        message.metadata.op_code = code;
        assert_eq!(shown(&rig.ask_message(&message).await), "NotImp", "{code}");
    }
    assert_eq!(rig.zone.close(&session.label).unwrap().questions, []);
}

#[tokio::test]
async fn garbage_changes_nothing() {
    let rig = Rig::new().await;
    let session = rig.open(Strategy::RoundRobin, "127.0.0.1");
    let whole = question(&session.name, RecordType::A).to_vec().unwrap();
    let mut answer = whole.clone();
    answer[2] |= 0x80;
    let header = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let endless = [&header[..], &[0xc0, 12, 0, 1, 0, 1]].concat();
    let forward = [&header[..], &[0xc0, 200, 0, 1, 0, 1]].concat();
    let many_records = [&whole[..6], &[0xff; 6], &whole[12..]].concat();
    let long_label = [&header[..], &[0x7f; 300]].concat();
    let long_name = [&header[..], &[1, b'a'].repeat(140), &[0, 0, 1, 0, 1]].concat();
    let not_utf8 = [&header[..], &[2, 0xff, 0xfe], b"\x06rebind\x07example\0\0\x01\0\x01"].concat();

    for packet in [&[][..], &[0], &whole[..11], &answer] {
        assert_eq!(respond(&rig.zone, packet, Transport::Udp), None);
        rig.socket.send(packet).await.unwrap();
    }
    for (packet, expected) in [
        (&header[..], "FormErr"),
        (&endless, "FormErr"),
        (&forward, "FormErr"),
        (&many_records, "FormErr"),
        (&long_label, "FormErr"),
        (&long_name, "FormErr"),
        (&not_utf8, "NXDomain"),
        (&[b'A'; 9000], "NotImp"),
    ] {
        // Nothing came back for what was sent before.
        let response = Message::from_vec(&rig.exchange(packet).await).unwrap();
        assert_eq!(shown(&response), expected, "{packet:?}");
    }
    // Each prefix of a question, and it with each byte changed: for the server to live through.
    for at in 0..whole.len() {
        let _ = respond(&rig.zone, &whole[..at], Transport::Udp);
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            if let Some(response) = respond(&rig.zone, &changed, Transport::Udp) {
                Message::from_vec(&response).unwrap();
            }
        }
    }
    let fresh = rig.open(Strategy::FirstThenSecond, "127.0.0.1");
    assert_eq!(rig.shown(&fresh.name, RecordType::A).await, "203.0.113.10");
}

#[tokio::test]
async fn questions_over_tcp() {
    let rig = Rig::new().await;
    let session = rig.open(Strategy::RoundRobin, "127.0.0.1");
    let asked = framed(&question(&session.name, RecordType::A).to_vec().unwrap());

    // Two at once, and their answers in turn.
    let mut stream = rig.tcp().await;
    stream.set_nodelay(true).unwrap();
    stream.write_all(&[&asked[..], &asked].concat()).await.unwrap();
    assert_eq!(shown(&read_framed(&mut stream).await), "203.0.113.10");
    assert_eq!(shown(&read_framed(&mut stream).await), "127.0.0.1");

    // Split everywhere, the length's two bytes among them. The exchange over UDP lets the server read the first part.
    for at in [1, 2, 3, 14, asked.len() - 1] {
        let (first, second) = asked.split_at(at);
        stream.write_all(first).await.unwrap();
        rig.ask("rebind.example", RecordType::A).await;
        stream.write_all(second).await.unwrap();
        let expected = if [1, 3, asked.len() - 1].contains(&at) {
            "203.0.113.10"
        } else {
            "127.0.0.1"
        };
        assert_eq!(shown(&read_framed(&mut stream).await), expected, "split at {at}");
    }

    // Who closes its half still gets its answer.
    stream.write_all(&asked).await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(shown(&read_framed(&mut stream).await), "127.0.0.1");
    assert_eq!(timeout(PATIENCE, stream.read(&mut [0])).await.unwrap().unwrap(), 0);

    // What is no question ends the connection.
    let mut stream = rig.tcp().await;
    stream.write_all(&framed(b"GET / HTTP")).await.unwrap();
    assert_eq!(timeout(PATIENCE, stream.read(&mut [0])).await.unwrap().unwrap(), 0);

    let log = rig.zone.take_log(&session.label).unwrap();
    assert_eq!(log.questions.len(), 8);
    assert!(log.questions.iter().all(|question| question.transport == "tcp"));
}

/// More connections than are taken at once: those that wait are answered when others end.
#[tokio::test]
async fn connections_are_bounded() {
    let rig = Rig::new().await;
    let session = rig.open(Strategy::FirstThenSecond, "127.0.0.1");
    let asked = framed(&question(&session.name, RecordType::A).to_vec().unwrap());
    let mut idle = Vec::new();
    for _ in 0..64 {
        let mut stream = rig.tcp().await;
        stream.write_all(&asked).await.unwrap();
        read_framed(&mut stream).await;
        idle.push(stream);
    }
    let mut waiting = rig.tcp().await;
    waiting.write_all(&asked).await.unwrap();
    // The server had time to answer it, since it answers this.
    assert_eq!(rig.shown(&session.name, RecordType::A).await, "203.0.113.10");
    let questions = rig.zone.take_log(&session.label).unwrap().questions;
    assert_eq!(
        questions.iter().filter(|question| question.transport == "tcp").count(),
        64
    );
    drop(idle);
    assert_eq!(shown(&read_framed(&mut waiting).await), "203.0.113.10");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_ends() {
    let rig = Rig::new().await;
    for sent in [&[][..], &[0], &[0, 200, 1, 2, 3]] {
        let mut stream = rig.tcp().await;
        stream.write_all(sent).await.unwrap();
        let start = tokio::time::Instant::now();
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
        let taken = start.elapsed();
        assert!(
            taken >= Duration::from_secs(9) && taken <= Duration::from_secs(11),
            "{taken:?}"
        );
    }
}

#[tokio::test]
async fn what_is_logged() {
    let rig = Rig::new().await;
    let session = rig.open(Strategy::MultipleAnswers, "127.0.0.1");
    rig.ask(&session.name, RecordType::A).await;
    rig.ask(&session.name, RecordType::HTTPS).await;
    let flipped_ms = rig.zone.flip(&session.label).unwrap();
    rig.ask(&session.name.to_uppercase(), RecordType::A).await;
    rig.ask(&session.name, RecordType::Unknown(65_280)).await;
    rig.ask(&session.control, RecordType::A).await;
    let log = rig.zone.close(&session.label).unwrap();
    let entries: Vec<_> = log
        .questions
        .iter()
        .chain(&log.control)
        .map(|entry| {
            let addresses: Vec<_> = entry.addresses.iter().map(IpAddr::to_string).collect();
            (entry.kind.as_str(), addresses.join(" "), entry.target, entry.flipped)
        })
        .collect();
    let expected = [
        ("A", "203.0.113.10 127.0.0.1", true, false),
        ("HTTPS", "", false, false),
        ("A", "127.0.0.1", true, true),
        ("TYPE65280", "", false, true),
        ("A", "127.0.0.1", true, true),
    ];
    let expected = expected.map(|(kind, addresses, target, flipped)| (kind, addresses.to_owned(), target, flipped));
    assert_eq!(entries, expected);
    assert_eq!(log.control.len(), 1);
    assert_eq!(log.flipped_ms, Some(flipped_ms));
    let times: Vec<_> = log.questions.iter().map(|entry| entry.at_ms).collect();
    assert!(times.is_sorted() && times[1] <= flipped_ms && flipped_ms <= times[2]);
    assert!(u128::from(times[3]) <= session.opened.elapsed().as_millis());
    assert!(log.questions.iter().all(|entry| entry.transport == "udp"));
}

#[tokio::test]
async fn a_server_that_is_gone_leaves_its_address() {
    let rig = Rig::new().await;
    let address = rig.server.local_addr();
    let _held = rig.tcp().await;
    rig.server.shutdown().await;
    let again = DnsServer::bind(rig.zone.clone(), address).unwrap();
    assert_eq!(again.local_addr(), address);
    // Twice the same address is an error, not a second server.
    assert!(DnsServer::bind(rig.zone, address).is_err());
}
